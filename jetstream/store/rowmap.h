// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One generation of changed rows: a hash map from key to value whose memory is one arena.
//
// The rows of a shard live in levels, newest first: the *active* generation, which the shard writes; *frozen*
// generations, which nobody writes any more and which other threads may read; and the table runs on disk (rows.h). A
// checkpoint freezes the active generation in O(1), the keeper writes it down, and when that is durable the generation
// stays as a cache until memory is wanted.
//
//   slots (open addressing, linear probing)           arena blocks
//   +----------+-----+----------+                     +----------------------------------------+
//   | tag, ref |     | tag, ref |   ----------------> | mg_cell | key | value | mg_cell | ...  |
//   +----------+-----+----------+                     +----------------------------------------+
//
// A slot has 32 bits of the hash and says block and place of the cell in 32 more: who looks for a key that is not there
// touches the slots only, and there are as many such look-ups as generations.
//
// Growing never takes long. Slots lie in pages that come with their first cell, so a larger table costs nothing when it
// is made; the smaller one stays beside it, is asked second, and each new row takes a few of its slots over.
//
// Owned by one shard while active; immutable and counted afterwards (the count is atomic: keeper and readers hold
// generations, too).
#ifndef MG_JETSTREAM_STORE_ROWMAP_H
#define MG_JETSTREAM_STORE_ROWMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/slice.h"

enum mg_cell_flag {
    MG_CELL_DELETED = 1,    // the row does not exist, whatever older levels say
    MG_CELL_UNRESOLVED = 2, // the value is a change to an older row that has not been looked up yet
    MG_CELL_READ = 4,       // somebody wanted to know the row and nobody has changed it: older levels say the same
};

// Lives in the arena of its generation. Keys and values have at most 16 MB.
struct mg_cell {
    uint32_t key_len, value_len;
    uint32_t value_cap;
    uint8_t flags;
    char *value; // 8-byte aligned
    char key[];
};

struct mg_row_slot {
    uint32_t tag; // of the hash
    uint32_t ref; // 0: free
};

// Slots: 4 KB. Rows are scattered, so those that are added behind a growth each touch another page; memory that the
// system gives for the first time takes some 0.5 us for each KB.
#define MG_ROW_PAGE 512u
struct mg_row_table {
    uint32_t mask;
    struct mg_row_slot **pages; // NULL: all its slots are free; NULL itself: there is no table
};

struct mg_rowmap {
    atomic_uint refs;
    uint32_t count;
    struct mg_row_table now, before; // before: as long as it is taken over
    uint32_t taken;                  // slots of it that were; pages of these are freed
    struct mg_row_block **blocks;
    uint32_t blocks_len, blocks_cap;
    size_t bytes; // of the arena and the slots
    uint32_t unresolved;
};

struct mg_rowmap *mg_rowmap_new(void); // one reference
struct mg_rowmap *mg_rowmap_ref(struct mg_rowmap *m);
void mg_rowmap_unref(struct mg_rowmap *m);
// The same in slices: takes the reference; false: there is more to free, call again.
bool mg_rowmap_unref_some(struct mg_rowmap *m);

static inline mg_slice mg_cell_key(const struct mg_cell *r) { return mg_slice_of(r->key, r->key_len); }
static inline mg_slice mg_cell_value(const struct mg_cell *r) { return mg_slice_of(r->value, r->value_len); }

// The hash of a key, the same for all generations. Secret against chosen subjects through the store's seed.
uint64_t mg_row_hash(uint64_t seed, mg_slice key);

// To see all cells: at(i) for i from end - 1 down to 0; NULL: none there. If rows are added meanwhile, what was there
// at the beginning is seen (perhaps twice) as long as `grown` has not changed.
static inline uint32_t mg_rowmap_grown(const struct mg_rowmap *m) { return m->now.mask; }
uint32_t mg_rowmap_end(const struct mg_rowmap *m);
struct mg_cell *mg_rowmap_at(const struct mg_rowmap *m, uint32_t i);
// NULL if this generation says nothing about the key.
struct mg_cell *mg_rowmap_get(const struct mg_rowmap *m, uint64_t hash, mg_slice key);
// Finds or adds the row and makes room for a value of value_len bytes; an existing value is kept as far as it fits, a
// new one is zeroed. *added says which.
struct mg_cell *mg_rowmap_put(struct mg_rowmap *m, uint64_t hash, mg_slice key, uint32_t value_len, bool *added);
void mg_rowmap_resize(struct mg_rowmap *m, struct mg_cell *r, uint32_t value_len);

// All rows in the order of memcmp of their keys; the array is the caller's (mg_free), the rows are not. Any thread
// once the generation is frozen.
struct mg_cell **mg_rowmap_sorted(const struct mg_rowmap *m);
// The same for any cells, in place.
void mg_cells_sort(struct mg_cell **cells, uint32_t n);
int mg_cell_compare(mg_slice a, mg_slice b);

#endif
