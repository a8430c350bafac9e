// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Open segments: those that are in use, and of the others the ones that were used last, so that neither file
// descriptors nor memory grow with the number of segments. mg_segment_use and mg_segment_unuse (segments.h) are its
// face; the store's own threads share it. The references themselves are taken from here, too.
#ifndef MG_JETSTREAM_STORE_SEGMENT_POOL_H
#define MG_JETSTREAM_STORE_SEGMENT_POOL_H

#include <stdint.h>

#include "server/base/list.h"
#include "server/shard/mutex.h"

#define MG_SEGMENT_POOL_BUCKETS 64u // of a hash table; a power of two
#define MG_SEGMENT_POOL_MAX 64u     // open at a time, unless more are in use

struct mg_store;
struct mg_segment_ref;
struct mg_segment_block;
struct opened_segment;

struct mg_segment_pool {
    struct mg_mutex lock; // guards all below
    struct opened_segment *buckets[MG_SEGMENT_POOL_BUCKETS];
    struct mg_list idle;  // of those that nobody uses; the one used last at the end
    uint32_t open;
    struct mg_segment_block *blocks;
    struct mg_segment_ref *free; // places in the blocks
};
void mg_segment_pool_init(struct mg_segment_pool *p);
void mg_segment_pool_fini(struct mg_segment_pool *p); // all were given back
// A reference that knows its store and is zeroed otherwise.
struct mg_segment_ref *mg_segment_pool_take(struct mg_store *st);
// Closes the segment, which nobody uses, if it is open. Blocks.
void mg_segment_pool_close(struct mg_segment_ref *g);
void mg_segment_pool_give_back(struct mg_segment_ref *g);

#endif
