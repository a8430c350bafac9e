// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A block of sorted rows with prefix compression; blocks of runs, their indexes and subject tables look like this.
//
//   row*  restart:u32*  restarts:u32                             numbers little-endian
//   row = shared:varint rest:varint (value length * 2 + tombstone):varint key bytes[rest] value
//
// `shared` bytes are taken from the key before. Every 16th row, and the first, shares nothing: its offset is a
// restart, among which a search bisects. Keys ascend strictly by memcmp.
//
// What is read came from a disk: every length is checked, whatever the bytes are.
#ifndef MG_STORE_RUN_BLOCK_H
#define MG_STORE_RUN_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

enum {
    MG_ROW_KEY_MAX = 66 * 1024,         // a subject of 64 KB and what stands before it
    MG_ROW_VALUE_MAX = 16 * 1024 * 1024,
    MG_BLOCK_RESTART = 16,              // rows from one restart to the next
    MG_BLOCK_SIZE_MAX = MG_ROW_VALUE_MAX + 256 * 1024, // bytes of a block, whatever it holds
};

struct mg_row {
    mg_slice key, value;
    bool tombstone;
};

// memcmp order; a prefix comes first.
static inline int mg_key_cmp(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

// ---- writing

struct mg_block_builder {
    struct mg_buf data;
    struct mg_buf last; // the key before
    uint32_t *restarts; // owned
    uint32_t nrestarts, cap_restarts, rows;
};

void mg_block_builder_init(struct mg_block_builder *b);
void mg_block_builder_fini(struct mg_block_builder *b);
void mg_block_builder_reset(struct mg_block_builder *b); // empty, memory kept
// The key is not empty and greater than all before, key and value are within their limits (asserted).
void mg_block_builder_add(struct mg_block_builder *b, const struct mg_row *row);
// Bytes that finish would give now.
size_t mg_block_builder_size(const struct mg_block_builder *b);
// The block; valid until the next call. Then only reset or fini.
mg_slice mg_block_builder_finish(struct mg_block_builder *b);

// ---- reading

struct mg_block_view {
    const uint8_t *p;
    uint32_t data_len, nrestarts;
};

// Looks at the frame of the block only; rows are checked when they are read. MG_OK or MG_ECORRUPT.
int mg_block_view_init(struct mg_block_view *v, const void *p, size_t n);

// A position in a block. Row slices point into the block and into `key`; they are valid until the next call.
struct mg_block_iter {
    struct mg_block_view view;
    struct mg_buf key; // owned
    struct mg_row row;
    uint32_t at, next; // offsets of this row and of the one behind it
    uint32_t index;    // of this row
};

void mg_block_iter_init(struct mg_block_iter *it);
void mg_block_iter_fini(struct mg_block_iter *it);
void mg_block_iter_set(struct mg_block_iter *it, const struct mg_block_view *view); // keeps memory

// All: MG_OK with a row, MG_ENOTFOUND (no such row), MG_ECORRUPT.
int mg_block_iter_first(struct mg_block_iter *it);
int mg_block_iter_next(struct mg_block_iter *it);
int mg_block_iter_seek(struct mg_block_iter *it, mg_slice key);  // the first row with a key >= key
int mg_block_iter_floor(struct mg_block_iter *it, mg_slice key); // the last row with a key <= key

// ---- varints, at most 10 bytes

size_t mg_varint_put(uint8_t *p, uint64_t v);
// The number of bytes read; 0: cut off, too long or too big.
size_t mg_varint_get(const uint8_t *p, const uint8_t *end, uint64_t *v);

#endif
