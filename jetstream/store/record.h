// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Records: one change of one stream each, contiguous in memory and files (format.h has the layout). The checksum is
// computed once, by mg_record_encode, and travels with the bytes: journal, memory, segment, peer.
// Pure functions over the caller's memory; any thread.
#ifndef MG_STORE_RECORD_H
#define MG_STORE_RECORD_H

#include <stdbool.h>

#include "jetstream/store/format.h"
#include "server/base/slice.h"

#define MG_RECORD_ALIGN 8u
#define MG_RECORD_MAX   (256u << 20) // bytes of one record; a longer length is damage

// A record taken apart. The slices point into the record's bytes, or, before encoding, wherever the caller has them.
struct mg_record_view {
    struct mg_record head;
    mg_slice extra, subject, headers, payload;
};

// Bytes that a record with this body takes, padding included.
static inline size_t mg_record_size(size_t extra, size_t subject, size_t headers, size_t payload) {
    size_t n = MG_RECORD_SIZE + extra + subject + headers + payload;
    return (n + MG_RECORD_ALIGN - 1) & ~(size_t)(MG_RECORD_ALIGN - 1);
}
static inline size_t mg_record_view_size(const struct mg_record_view *v) {
    return mg_record_size(v->extra.n, v->subject.n, v->headers.n, v->payload.n);
}

// Writes the record to `out` (mg_record_view_size bytes, aligned to 8) and completes v->head: lengths and checksum. The
// caller sets the head's other fields and the slices; extra and subject are at most 65535 bytes, the whole at most
// MG_RECORD_MAX. Returns the length.
size_t mg_record_encode(void *out, struct mg_record_view *v);
// The same where headers, payload and at least MG_RECORD_ALIGN zeros lie in their places behind what is written now.
// `out` need not be aligned.
size_t mg_record_encode_around(void *out, struct mg_record_view *v);

// Takes bytes from disk or network apart: n of them from p on, not trusted. 0; MG_EAGAIN: they end before the record
// does; MG_ECORRUPT: this is no record, or a damaged one. After MG_ECORRUPT out->head has what stands in the header (if
// there are MG_RECORD_SIZE bytes), for the report.
int mg_record_decode(struct mg_record_view *out, const void *p, size_t n);

// Only the header: 0 with the record's length; MG_EAGAIN; MG_ECORRUPT: impossible lengths. The checksum is not looked
// at.
int mg_record_measure(uint32_t *length, const void *p, size_t n);

// Takes apart what this process has checked or written before.
void mg_record_borrow(struct mg_record_view *out, const void *p);

static inline uint32_t mg_record_length(const void *p) {
    return mg_get_u32((const uint8_t *)p + MG_AT(record, length));
}
// What the checksum of these bytes is, whatever stands there for it.
uint64_t mg_record_checksum(const void *record, size_t length);
const char *mg_record_type_name(uint8_t type); // "MSG"; "?" for one that is not known

#endif
