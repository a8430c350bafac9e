// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A packed record has two checksums: its own, which says that the bytes are those that were written, and half of the
// record's, which says that what comes out is what went in: with the wrong dictionary, or after a mistake of the
// compression, something else would.
#include "jetstream/store/packed.h"

#include "server/base/errors.h"
#include "server/shard/loop.h"

enum {
    FROM = sizeof(uint64_t), // the checksum is not compressed
    MOST = 256,              // LZ4 makes at most so many bytes of one
};

static uint32_t padded(uint64_t n) { return (uint32_t)((n + MG_RECORD_ALIGN - 1) & ~(uint64_t)(MG_RECORD_ALIGN - 1)); }

// Without the padding; plausible lengths are the caller's business.
static uint32_t body_end(const struct mg_record *h) {
    return (uint32_t)MG_RECORD_SIZE + h->extra_len + h->subject_len + h->headers_len + h->payload_len;
}

// ---- both kinds -----------------------------------------------------------------------------------------------------

static int measure_packed(struct mg_stored *out, const void *p) {
    struct mg_packed h;
    mg_packed_unpack(&h, p);
    bool ok = h.length > MG_PACKED_SIZE && h.length <= MG_RECORD_MAX && h.length % MG_RECORD_ALIGN == 0 &&
              h.padding < MG_RECORD_ALIGN && h.plain > h.length && h.plain <= MG_RECORD_MAX &&
              h.plain / MOST <= h.length;
    *out = (struct mg_stored){true, h.length, padded(h.plain), h.stream, h.seq};
    return ok ? 0 : MG_ECORRUPT;
}

int mg_stored_measure(struct mg_stored *out, const void *p, size_t n) {
    if (n < MG_PACKED_SIZE) return MG_EAGAIN;
    if (((const uint8_t *)p)[MG_AT(packed, flags)] & MG_RECORD_PACKED) return measure_packed(out, p);
    *out = (struct mg_stored){0};
    int err = mg_record_measure(&out->length, p, n);
    if (err) return err;
    out->plain = out->length;
    out->stream = mg_get_u64((const uint8_t *)p + MG_AT(record, stream));
    out->seq = mg_get_u64((const uint8_t *)p + MG_AT(record, seq));
    return 0;
}

int mg_stored_check(struct mg_stored *out, const void *p, size_t n) {
    int err = mg_stored_measure(out, p, n);
    if (err) return err;
    if (n < out->length) return MG_EAGAIN;
    return mg_record_checksum(p, out->length) == mg_get_u64(p) ? 0 : MG_ECORRUPT;
}

// ---- packing --------------------------------------------------------------------------------------------------------

// The pieces of `end` bytes of a record behind those at `to`; where they end, 0: `room` is too small.
static size_t add_pieces(struct mg_compressor *c, uint8_t *out, size_t to, size_t room, const uint8_t *p, size_t end) {
    mg_compress_begin(c);
    for (size_t at = FROM, n; at < end; at += n) {
        n = end - at < MG_PACKED_PIECE ? end - at : MG_PACKED_PIECE;
        size_t prefix = at + n < end ? sizeof(uint32_t) : 0;
        if (room - to <= prefix) return 0;
        size_t len = mg_compress_piece(c, out + to + prefix, room - to - prefix, p + at, n);
        if (len == 0) return 0;
        if (prefix) {
            mg_put_u32(out + to, (uint32_t)len);
            mg_thread_breathe();
        }
        to += prefix + len;
    }
    return to;
}

bool mg_packed_encode(struct mg_compressor *c, const void *record, struct mg_buf *out) {
    struct mg_record h;
    mg_record_unpack(&h, record);
    size_t room = h.length - h.length / 16 - MG_RECORD_ALIGN; // below it there is always room for the padding
    if (room <= MG_PACKED_SIZE) return false;
    out->len = 0;
    mg_buf_reserve(out, h.length);
    uint8_t *p = (uint8_t *)out->p;
    size_t end = add_pieces(c, p, MG_PACKED_SIZE, room, record, body_end(&h));
    if (end == 0) return false;
    out->len = padded(end);
    memset(p + end, 0, out->len - end);
    struct mg_packed packed = {
        .length = (uint32_t)out->len,
        .type = h.type,
        .flags = MG_RECORD_PACKED,
        .padding = (uint16_t)(out->len - end),
        .stream = h.stream,
        .seq = h.seq,
        .plain = body_end(&h),
        .check = (uint32_t)h.checksum,
    };
    mg_packed_pack(p, &packed);
    mg_put_u64(p, mg_record_checksum(p, out->len));
    return true;
}

// ---- unpacking ------------------------------------------------------------------------------------------------------

static bool undo_pieces(uint8_t *out, size_t end, const uint8_t *p, size_t length, mg_slice dict) {
    size_t from = MG_PACKED_SIZE;
    for (size_t at = FROM, n; at < end; at += n) {
        n = end - at < MG_PACKED_PIECE ? end - at : MG_PACKED_PIECE;
        size_t len = length - from;
        if (at + n < end) {
            if (len < sizeof(uint32_t)) return false;
            size_t most = len - sizeof(uint32_t);
            len = mg_get_u32(p + from);
            from += sizeof(uint32_t);
            if (len > most) return false;
        }
        if (!mg_decompress(out + at, n, p + from, len, dict)) return false;
        from += len;
        size_t seen = at + n - FROM < MG_DICT_MAX ? at + n - FROM : MG_DICT_MAX;
        dict = mg_slice_of((const char *)out + at + n - seen, seen);
        if (at + n < end) mg_thread_breathe();
    }
    return true;
}

int mg_packed_decode(struct mg_record_view *v, void *out, const struct mg_stored *s, const void *p, mg_slice dict) {
    struct mg_packed h;
    uint8_t *to = out;
    uint32_t length;
    mg_packed_unpack(&h, p);
    memset(to + s->plain - MG_RECORD_ALIGN, 0, MG_RECORD_ALIGN); // the padding; the rest of it is overwritten
    if (!undo_pieces(to, h.plain, p, h.length - h.padding, dict)) return MG_ECORRUPT;
    uint64_t sum = mg_record_checksum(to, s->plain);
    if ((uint32_t)sum != h.check) return MG_ECORRUPT;
    mg_put_u64(to, sum);
    if (mg_record_measure(&length, to, s->plain) || length != s->plain) return MG_ECORRUPT;
    mg_record_borrow(v, to);
    return v->head.stream == s->stream && v->head.seq == s->seq ? 0 : MG_ECORRUPT;
}
