// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A hash table of pointers for millions of entries whose every operation is short: extendible hashing. There is never
// a rehash of the whole table; see table.c for the layout. The caller computes the (keyed) hashes and compares keys.
// Threading: one owner, no locks.
#ifndef MG_ROUTER_TABLE_H
#define MG_ROUTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mg_table_slot {
    uint64_t hash;
    void *val; // NULL: free
};

struct mg_table_seg {
    uint32_t mask;  // slots - 1; a power of two
    uint32_t count; // used slots, at most 3/4
    uint32_t depth; // how many leading bits of the hash all entries share
    struct mg_table_slot slots[];
};

// Owner: whoever embeds it. Holds no memory before the first entry.
struct mg_table {
    struct mg_table_seg **dir; // 1 << depth pointers; NULL while nothing was ever inserted
    uint32_t depth;
    uint32_t deepest; // segments whose depth equals the directory's
    size_t count;     // entries
    size_t memory;    // bytes allocated, for tests and reports
};

void mg_table_init(struct mg_table *t);
void mg_table_fini(struct mg_table *t); // frees the table, not what it points to
// Adds an entry; the same hash and even the same pointer may be there already. O(1): at worst one segment is split.
void mg_table_add(struct mg_table *t, uint64_t hash, void *val);
// Removes the entry with exactly this hash and pointer, which must be there (asserted). O(1).
void mg_table_del(struct mg_table *t, uint64_t hash, const void *val);

static inline const struct mg_table_seg *mg_table_seg_of(const struct mg_table *t, uint64_t hash) {
    return t->dir[(hash >> 1) >> (63 - t->depth)]; // two shifts, because one by 64 is undefined
}

// Finds the entry with this hash that `eq` accepts, or NULL. Give it a static inline `eq`: it is meant to vanish.
static inline __attribute__((always_inline)) void *
mg_table_find(const struct mg_table *t, uint64_t hash, bool (*eq)(const void *val, const void *key), const void *key) {
    if (t->count == 0) return NULL;
    const struct mg_table_seg *s = mg_table_seg_of(t, hash);
    for (uint32_t i = (uint32_t)hash & s->mask; s->slots[i].val != NULL; i = (i + 1) & s->mask)
        if (s->slots[i].hash == hash && eq(s->slots[i].val, key)) return s->slots[i].val;
    return NULL;
}

// Calls fn for every entry, in no useful order. fn must not change the table.
void mg_table_each(const struct mg_table *t, void (*fn)(void *ctx, void *val), void *ctx);

// The entries in ascending order of (hash, pointer). Fills in the first one above (*hash, *val), or the very first one
// if `begin`; false if there is none. Positions keep their meaning when the table changes, so a walk in steps visits
// everything that stays, exactly once. O(size of a segment): about 200 ns.
bool mg_table_next(const struct mg_table *t, bool begin, uint64_t *hash, uintptr_t *val);

#endif
