// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Open segments: those that are in use, and of the others the ones that were used last, so that neither file
// descriptors nor memory grow with the number of segments. mg_segment_use and mg_segment_unuse (segments.h) are its
// face; the store's own threads share it.
#ifndef MG_JETSTREAM_STORE_SEGMENT_POOL_H
#define MG_JETSTREAM_STORE_SEGMENT_POOL_H

#include <stdint.h>

#include "server/base/list.h"
#include "server/shard/mutex.h"

#define MG_SEGMENT_POOL_BUCKETS 64u // of a hash table; a power of two
#define MG_SEGMENT_POOL_MAX 64u     // open at a time, unless more are in use

struct mg_segment_ref;
struct opened_segment;

struct mg_segment_pool {
    struct mg_mutex lock; // guards all below
    struct opened_segment *buckets[MG_SEGMENT_POOL_BUCKETS];
    struct mg_list idle;  // of those that nobody uses; the one used last at the end
    uint32_t open;
};
void mg_segment_pool_init(struct mg_segment_pool *p);
void mg_segment_pool_fini(struct mg_segment_pool *p); // all were forgotten
// Closes the segment, which nobody uses. Blocks.
void mg_segment_pool_forget(struct mg_segment_pool *p, const struct mg_segment_ref *g);

#endif
