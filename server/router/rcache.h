// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The result cache of an index: what a published subject matched last time. See rcache.c for what it admits and how
// results become stale. The results belong to the index's user, who embeds struct mg_rcached at their start.
// Threading: one owner, no locks.
#ifndef MG_ROUTER_RCACHE_H
#define MG_ROUTER_RCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

// The head of one result, a single block from mg_alloc. Owner: the cache while it is in it, else the cache's user.
struct mg_rcached {
    struct mg_rcached *next; // links blocks that the cache gave back
    const char *subject;     // in the same block
    size_t subject_len;
    size_t size;         // bytes of the whole block, set by the user
    uint64_t wild_gen;   // the two generations it was computed in
    uint64_t prefix_gen; // that of its bucket
    uint32_t bucket;
};

struct mg_rslot {
    uint64_t hash;
    struct mg_rcached *r; // NULL: free
};

enum {
    MG_RCACHE_WAYS = 4,
    MG_RCACHE_BUCKETS = 256,
    MG_RCACHE_MAX = 65536,
    MG_RCACHE_BYTES = 512, // budget for each entry of the limit
};

struct mg_rcache {
    struct mg_rslot *slots; // nslots, in sets of MG_RCACHE_WAYS; NULL before the first miss
    uint16_t *seen;         // 4 x nslots tags of subjects that missed once
    uint64_t *prefix_gen;   // MG_RCACHE_BUCKETS
    uint64_t wild_gen;
    size_t nslots, max; // powers of two; max 0: no cache
    size_t count;       // results, stale ones included
    size_t bytes;       // of all results
    size_t hand;        // next slot to look at when the budget is spent
};

void mg_rcache_init(struct mg_rcache *c, size_t max); // most results; rounded up to a power of two
void mg_rcache_fini(struct mg_rcache *c);             // frees the results, too

static inline bool mg_rcache_fresh(const struct mg_rcache *c, const struct mg_rcached *r) {
    return r->wild_gen == c->wild_gen && r->prefix_gen == c->prefix_gen[r->bucket];
}

// The result for a subject (hash: its hash), or NULL. About 5 ns.
static inline struct mg_rcached *mg_rcache_get(const struct mg_rcache *c, uint64_t hash, mg_slice subject) {
    if (c->count == 0) return NULL;
    const struct mg_rslot *set = &c->slots[hash & (c->nslots - MG_RCACHE_WAYS)];
    for (int i = 0; i < MG_RCACHE_WAYS; i++) {
        struct mg_rcached *r = set[i].r;
        if (r == NULL || set[i].hash != hash || r->subject_len != subject.n) continue;
        if (memcmp(r->subject, subject.p, subject.n) == 0 && mg_rcache_fresh(c, r)) return r;
    }
    return NULL;
}

// After a miss: true if this subject was seen before (lately), so that its result, of `size` bytes, is worth keeping.
bool mg_rcache_admits(struct mg_rcache *c, uint64_t hash, size_t size);
// Keeps a result (subject, subject_len and size set). prefix_hash: that of the subject up to its last dot. Returns the
// results that had to leave, linked by next, for the caller to free. May grow the table.
struct mg_rcached *mg_rcache_put(struct mg_rcache *c, uint64_t hash, uint64_t prefix_hash, struct mg_rcached *r);

// Something changed: for one literal subject (its result is freed), for the pattern `prefix.*`, for any other pattern.
void mg_rcache_drop(struct mg_rcache *c, uint64_t hash, mg_slice subject);
void mg_rcache_stale_prefix(struct mg_rcache *c, uint64_t prefix_hash);
void mg_rcache_stale_all(struct mg_rcache *c);

#endif
