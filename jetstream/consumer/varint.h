// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Numbers in as few bytes as they need: seven bits a byte, low ones first. For state rows and their changes. A reader
// is sticky: after the first bad byte all that it gives is 0 and `bad` is set.
#ifndef MG_JETSTREAM_CONSUMER_VARINT_H
#define MG_JETSTREAM_CONSUMER_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"

#define MG_VARINT_MAX 10 // bytes of one number

static inline void mg_varint_add(struct mg_buf *b, uint64_t v) {
    char bytes[MG_VARINT_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = (char)(uint8_t)(v | 0x80);
    bytes[n++] = (char)(uint8_t)v;
    mg_buf_add(b, bytes, n);
}

// Signed numbers close to zero stay short.
static inline uint64_t mg_zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t mg_unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

struct mg_varint_reader {
    const char *p, *end;
    bool bad;
};

static inline uint64_t mg_varint_next(struct mg_varint_reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && r->p < r->end && !r->bad; shift += 7) {
        uint8_t c = (uint8_t)*r->p++;
        if (shift == 63 && c > 1) break; // more than 64 bits
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return v;
    }
    r->bad = true;
    return 0;
}

#endif
