// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Compression of bytes in memory, piece by piece, with a dictionary: bytes that resemble what is to come. The seam to
// liblz4 (compress_lz4.c); what it writes are plain LZ4 blocks.
#ifndef MG_JETSTREAM_STORE_COMPRESS_H
#define MG_JETSTREAM_STORE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/slice.h"

#define MG_DICT_MAX 65536u // bytes of a dictionary that are of use

struct mg_compressor; // about 32 KB and the dictionary; one thread at a time
struct mg_compressor *mg_compressor_new(mg_slice dict); // copies it; empty: none
void mg_compressor_free(struct mg_compressor *c);       // NULL is fine

// What follows refers to the dictionary, not to what came before.
void mg_compress_begin(struct mg_compressor *c);
// The next piece, which lies right behind the ones before: these must still be there. Returns the bytes written to
// `out`; 0: `room` is too small for them, or there is nothing to compress.
size_t mg_compress_piece(struct mg_compressor *c, void *out, size_t room, const void *p, size_t n);

// Undoes one piece: true if these bytes make exactly n of `out`. Any bytes may be given. dict: the dictionary for the
// first piece; for the others what was undone before, right in front of `out`, MG_DICT_MAX of it or all.
bool mg_decompress(void *out, size_t n, const void *p, size_t len, mg_slice dict);

#endif
