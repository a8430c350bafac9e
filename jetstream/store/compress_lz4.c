// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <limits.h>
#include <lz4.h>
#include <string.h>

#include "jetstream/store/compress.h"
#include "server/base/mem.h"

// A stream that has read the dictionary costs more to make than to copy: 16 KB, without pointers into itself.
struct mg_compressor {
    LZ4_stream_t fresh, work;
    char dict[];
};

struct mg_compressor *mg_compressor_new(mg_slice dict) {
    size_t n = dict.n > MG_DICT_MAX ? MG_DICT_MAX : dict.n;
    struct mg_compressor *c = mg_alloc(sizeof(*c) + n);
    LZ4_initStream(&c->fresh, sizeof(c->fresh));
    if (n) {
        memcpy(c->dict, dict.p, n);
        LZ4_loadDict(&c->fresh, c->dict, (int)n);
    }
    mg_compress_begin(c);
    return c;
}

void mg_compressor_free(struct mg_compressor *c) { mg_free(c); }

void mg_compress_begin(struct mg_compressor *c) { memcpy(&c->work, &c->fresh, sizeof(c->work)); }

size_t mg_compress_piece(struct mg_compressor *c, void *out, size_t room, const void *p, size_t n) {
    if (n == 0 || n > LZ4_MAX_INPUT_SIZE) return 0;
    if (room > INT_MAX) room = INT_MAX;
    int len = LZ4_compress_fast_continue(&c->work, p, out, (int)n, (int)room, 1);
    return len > 0 ? (size_t)len : 0;
}

bool mg_decompress(void *out, size_t n, const void *p, size_t len, mg_slice dict) {
    if (n == 0 || n > INT_MAX || len > INT_MAX || dict.n > MG_DICT_MAX) return false;
    return LZ4_decompress_safe_usingDict(p, out, (int)len, (int)n, dict.p, (int)dict.n) == (int)n;
}
