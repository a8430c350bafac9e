// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/record.h"

#define XXH_INLINE_ALL // records are short: a call would cost as much as the hash
#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/errors.h"

// The checksum is the first field, so that one pass over the rest covers everything else.
_Static_assert(MG_AT(record, checksum) == 0 && MG_AT(packed, checksum) == 0, "the checksum comes first");
_Static_assert(MG_AT(record, flags) == MG_AT(packed, flags), "which kind it is can be seen");
#define CHECKED_FROM sizeof(uint64_t)

static uint64_t checksum_of(const uint8_t *p, size_t length) {
    return XXH3_64bits(p + CHECKED_FROM, length - CHECKED_FROM);
}

uint64_t mg_record_checksum(const void *record, size_t length) { return checksum_of(record, length); }

static uint8_t *add(uint8_t *to, mg_slice s) {
    if (s.n) memcpy(to, s.p, s.n);
    return to + s.n;
}

static size_t set_lengths(struct mg_record_view *v) {
    size_t length = mg_record_view_size(v);
    mg_assert(v->extra.n <= UINT16_MAX && v->subject.n <= UINT16_MAX && length <= MG_RECORD_MAX);
    struct mg_record *h = &v->head;
    h->length = (uint32_t)length;
    h->subject_len = (uint16_t)v->subject.n;
    h->extra_len = (uint16_t)v->extra.n;
    h->headers_len = (uint32_t)v->headers.n;
    h->payload_len = (uint32_t)v->payload.n;
    return length;
}

static void put_checksum(uint8_t *start, size_t length, struct mg_record *h) {
    h->checksum = checksum_of(start, length);
    mg_put_u64(start, h->checksum);
}

size_t mg_record_encode(void *out, struct mg_record_view *v) {
    size_t length = set_lengths(v);
    uint8_t *start = out, *p = start + MG_RECORD_SIZE;
    memset(start + length - MG_RECORD_ALIGN, 0, MG_RECORD_ALIGN); // the padding; the rest of it is overwritten
    mg_record_pack(start, &v->head);
    p = add(add(add(add(p, v->extra), v->subject), v->headers), v->payload);
    mg_assert(p <= start + length);
    put_checksum(start, length, &v->head);
    return length;
}

size_t mg_record_encode_around(void *out, struct mg_record_view *v) {
    size_t length = set_lengths(v);
    uint8_t *start = out;
    mg_record_pack(start, &v->head);
    const char *p = (const char *)add(add(start + MG_RECORD_SIZE, v->extra), v->subject);
    mg_assert((v->headers.n == 0 || v->headers.p == p) && (v->payload.n == 0 || v->payload.p == p + v->headers.n));
    put_checksum(start, length, &v->head);
    return length;
}

static bool sane(const struct mg_record *h) {
    // Each of the four is below 2^32, so the sum is exact where size_t has 64 bits; elsewhere the first test bounds it.
    if (h->flags & MG_RECORD_PACKED) return false; // packed.h
    if (h->length > MG_RECORD_MAX || h->headers_len > h->length || h->payload_len > h->length) return false;
    return h->length == mg_record_size(h->extra_len, h->subject_len, h->headers_len, h->payload_len);
}

static void slice_body(struct mg_record_view *v, const uint8_t *p) {
    const char *at = (const char *)p + MG_RECORD_SIZE;
    v->extra = mg_slice_of(at, v->head.extra_len);
    v->subject = mg_slice_of(at += v->extra.n, v->head.subject_len);
    v->headers = mg_slice_of(at += v->subject.n, v->head.headers_len);
    v->payload = mg_slice_of(at + v->headers.n, v->head.payload_len);
}

int mg_record_measure(uint32_t *length, const void *p, size_t n) {
    if (n < MG_RECORD_SIZE) return MG_EAGAIN;
    struct mg_record h;
    mg_record_unpack(&h, p);
    if (!sane(&h)) return MG_ECORRUPT;
    *length = h.length;
    return 0;
}

int mg_record_decode(struct mg_record_view *out, const void *p, size_t n) {
    if (n < MG_RECORD_SIZE) return MG_EAGAIN;
    mg_record_unpack(&out->head, p);
    if (!sane(&out->head)) return MG_ECORRUPT;
    if (n < out->head.length) return MG_EAGAIN;
    if (checksum_of(p, out->head.length) != out->head.checksum) return MG_ECORRUPT;
    slice_body(out, p);
    return 0;
}

void mg_record_borrow(struct mg_record_view *out, const void *p) {
    mg_record_unpack(&out->head, p);
    mg_assert(sane(&out->head));
    slice_body(out, p);
}

const char *mg_record_type_name(uint8_t type) {
    switch (type) {
#define X(name, value, text)                                                                                           \
    case value: return #name;
        MG_RECORD_TYPES(X)
#undef X
    default: return "?";
    }
}
