// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A bounded cache of verified frames of immutable files, shared by the store's own threads (readers, keeper). The key
// is (file id, offset); ids are never used twice, so nothing in it ever becomes wrong. Least recently used goes first.
//
// Locking: 16 parts, each behind one mutex of this file that is held for a look-up or an insertion, never over I/O. A
// block is immutable and counted: who holds one may read it without a lock, also after the cache has dropped it. So the
// memory is bounded by the capacity and what the readers hold.
#ifndef MG_STORE_BLOCKCACHE_H
#define MG_STORE_BLOCKCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/list.h"

struct mg_blockcache;

struct mg_block {
    struct mg_list recent;     // the cache's, under the lock of its part
    struct mg_block *chain;    // as above
    uint64_t file, at;         // constant
    atomic_uint refs;
    uint32_t length;           // bytes of data, constant
    atomic_bool checked;       // its user has found the contents to be in order; set once
    uint8_t rebuilt;           // constant: the kind of a damaged frame whose data was not read but computed; 0: read
    _Alignas(8) uint8_t data[];
};

// A block of uninitialized data with one reference, not in a cache.
struct mg_block *mg_block_new(uint64_t file, uint64_t at, uint32_t length);
struct mg_block *mg_block_ref(struct mg_block *b);
void mg_block_unref(struct mg_block *b); // NULL is fine; the last one frees

struct mg_blockcache *mg_blockcache_new(size_t capacity_bytes);
void mg_blockcache_free(struct mg_blockcache *c); // blocks that are held stay

// A reference to the block, or NULL.
struct mg_block *mg_blockcache_get(struct mg_blockcache *c, uint64_t file, uint64_t at);
// Inserts b (the caller keeps its reference). If another thread was faster nothing happens. A block too large for its
// part is not kept.
void mg_blockcache_put(struct mg_blockcache *c, struct mg_block *b);
// Forgets all blocks of a file that is deleted. O(blocks in the cache).
void mg_blockcache_drop(struct mg_blockcache *c, uint64_t file);

struct mg_blockcache_stats {
    uint64_t hits, misses, evictions;
    size_t bytes, blocks;
};
void mg_blockcache_stats(struct mg_blockcache *c, struct mg_blockcache_stats *out);

#endif
