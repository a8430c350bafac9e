// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes taken apart as a record, plain or packed. What is accepted must come out the same when it is written again.
#include <stdint.h>

#include "jetstream/store/packed.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

static void check(const uint8_t *data, size_t size) {
    struct mg_record_view v;
    uint32_t length;
    int rc = mg_record_decode(&v, data, size);
    mg_assert(rc == 0 || rc == MG_EAGAIN || rc == MG_ECORRUPT);
    if (rc != 0) return;
    mg_assert(mg_record_measure(&length, data, size) == 0 && length == v.head.length && length <= size);
    const char *end = (const char *)data + length;
    mg_assert(v.payload.p + v.payload.n <= end && end - (v.payload.p + v.payload.n) < (ptrdiff_t)MG_RECORD_ALIGN);
    uint8_t *again = mg_alloc(length);
    struct mg_record_view w = v;
    mg_assert(mg_record_encode(again, &w) == length);
    // The padding alone may differ: it is covered by the checksum, not prescribed.
    mg_assert(memcmp(again + MG_AT(record, length), data + MG_AT(record, length), (size_t)(v.payload.p + v.payload.n -
                     (const char *)data) - MG_AT(record, length)) == 0);
    mg_free(again);
}

// As a packed record with a right checksum. What comes out is a record.
static void check_packed(const uint8_t *data, size_t size) {
    struct mg_stored s;
    struct mg_record_view v;
    size_t length = size & ~(size_t)(MG_RECORD_ALIGN - 1);
    if (length < MG_PACKED_SIZE) return;
    uint8_t *p = mg_alloc(length);
    memcpy(p, data, length);
    mg_put_u32(p + MG_AT(packed, length), (uint32_t)length);
    p[MG_AT(packed, flags)] |= MG_RECORD_PACKED;
    mg_put_u64(p, mg_record_checksum(p, length));
    mg_assert(mg_record_decode(&v, p, length) != 0);
    if (mg_stored_check(&s, p, length) == 0) {
        mg_assert(s.packed && s.length == length && s.plain <= MG_RECORD_MAX);
        uint8_t *out = mg_alloc(s.plain);
        for (size_t dict = 0; dict <= 64; dict += 64) {
            if (dict > size || mg_packed_decode(&v, out, &s, p, mg_slice_of((const char *)data, dict))) continue;
            mg_assert(v.head.seq == s.seq && v.head.stream == s.stream && v.head.length == s.plain);
            check(out, s.plain);
        }
        mg_free(out);
    }
    mg_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check(data, size);
    check_packed(data, size);
    if (size < MG_RECORD_SIZE) return 0;
    // The same with lengths that fit and a checksum that matches, as far as that can be: only then is the rest read.
    struct mg_record_view v;
    mg_record_unpack(&v.head, data);
    v.head.flags &= (uint8_t)~MG_RECORD_PACKED;
    size_t left = size - MG_RECORD_SIZE, extra = v.head.extra_len % (left + 1);
    size_t subject = v.head.subject_len % (left - extra + 1);
    const char *p = (const char *)data + MG_RECORD_SIZE;
    v.extra = mg_slice_of(p, extra);
    v.subject = mg_slice_of(p + extra, subject);
    v.headers = mg_slice_of(p, v.head.headers_len % (left + 1));
    v.payload = mg_slice_of(p, v.head.payload_len % (left + 1));
    size_t length = mg_record_view_size(&v);
    uint8_t *record = mg_alloc(length);
    mg_record_encode(record, &v);
    struct mg_record_view out;
    mg_assert(mg_record_decode(&out, record, length) == 0);
    check(record, length);
    record[data[0] % length] ^= 1;
    mg_assert(mg_record_decode(&out, record, length) != 0);
    mg_free(record);
    return 0;
}
