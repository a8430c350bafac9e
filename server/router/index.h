// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The map from subject patterns to entries that the subject index (sublist.h) and the interest of other shards
// (interest.h) share, with a cache of their results. See index.c for the layout.
// Threading: one owner, no locks. Patterns must be valid for SUB (spec/client-protocol.md A8).
#ifndef MG_ROUTER_INDEX_H
#define MG_ROUTER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"
#include "server/router/hash.h"
#include "server/router/rcache.h"
#include "server/router/table.h"
#include "server/router/trie.h"

enum mg_ixkind {
    MG_IX_LITERAL, // no wildcard
    MG_IX_PREFIX,  // literal tokens (maybe none), then a `*`
    MG_IX_WILD,    // all others
    MG_IX_KINDS,
};

// What the user's entry begins with. The pattern's text lies behind the user's struct, in the same block.
// Owner: the index, from mg_index_add to mg_index_del; its address never changes.
struct mg_ixentry {
    struct mg_tnode *at; // where it hangs in the trie; NULL unless MG_IX_WILD
    uint32_t len;        // of the text
    uint8_t kind;        // enum mg_ixkind
};

struct mg_index {
    uint64_t seed;
    size_t entry_size; // of the user's struct
    struct mg_table tables[MG_IX_KINDS];
    struct mg_trie trie;
    struct mg_rcache cache;
    struct mg_trie_vec hits; // scratch of mg_index_match: struct mg_ixentry *
    size_t memory;           // bytes of the entries
};

struct mg_ixcursor { // all zero: before the first entry
    uint64_t hash;
    uintptr_t entry;
    uint8_t table, state;
};

void mg_index_init(struct mg_index *ix, size_t entry_size, uint64_t seed, size_t cache_max);
// Frees the index and all entries; `fini`, if not NULL, first sees each.
void mg_index_fini(struct mg_index *ix, void (*fini)(void *ctx, void *entry), void *ctx);

struct mg_ixentry *mg_index_find(const struct mg_index *ix, mg_slice pattern); // NULL if there is none
// The entry of a pattern, made (zeroed) if there was none.
struct mg_ixentry *mg_index_add(struct mg_index *ix, mg_slice pattern);
void mg_index_del(struct mg_index *ix, struct mg_ixentry *e); // frees it
// What the entry says has changed: cached results that it may have gone into are stale from now on.
void mg_index_touch(struct mg_index *ix, const struct mg_ixentry *e);

// All entries that match the subject: ix->hits, until the next call.
void mg_index_match(struct mg_index *ix, mg_slice subject, uint64_t hash);

// Walks all entries in an order that survives changes: one that stays is visited exactly once. NULL at the end.
// About 200 ns a step.
struct mg_ixentry *mg_index_next(const struct mg_index *ix, struct mg_ixcursor *c);
// The entry on which the cursor stands, if it is still there.
struct mg_ixentry *mg_index_here(const struct mg_index *ix, const struct mg_ixcursor *c);

size_t mg_index_count(const struct mg_index *ix);  // patterns
size_t mg_index_memory(const struct mg_index *ix); // bytes, without the allocator's overhead

static inline mg_slice mg_index_text(const struct mg_index *ix, const struct mg_ixentry *e) {
    return (mg_slice){(const char *)e + ix->entry_size, e->len};
}

static inline uint64_t mg_index_hash(const struct mg_index *ix, mg_slice s) { return mg_hash(s, ix->seed); }

// The subject up to its last dot, that included: what it shares with the pattern `prefix.*`.
static inline mg_slice mg_index_prefix_of(mg_slice subject) {
    size_t n = subject.n;
    while (n > 0 && subject.p[n - 1] != '.')
        n--;
    return (mg_slice){subject.p, n};
}

struct mg_ixkey {
    mg_slice text; // the pattern, or as much of it as is known
    size_t entry_size;
};

static inline bool mg_ixentry_is(const void *val, const void *key) {
    const struct mg_ixentry *e = val;
    const struct mg_ixkey *k = key;
    return e->len == k->text.n && memcmp((const char *)e + k->entry_size, k->text.p, k->text.n) == 0;
}

// Is it `text` and one more byte, the `*`?
static inline bool mg_ixentry_is_prefix(const void *val, const void *key) {
    const struct mg_ixentry *e = val;
    const struct mg_ixkey *k = key;
    return e->len == k->text.n + 1 && memcmp((const char *)e + k->entry_size, k->text.p, k->text.n) == 0;
}

// The literal entry that equals the subject, or NULL.
static inline struct mg_ixentry *mg_index_literal(const struct mg_index *ix, mg_slice subject, uint64_t hash) {
    struct mg_ixkey key = {subject, ix->entry_size};
    return mg_table_find(&ix->tables[MG_IX_LITERAL], hash, mg_ixentry_is, &key);
}

// The entry `prefix.*` that matches the subject, or NULL.
static inline struct mg_ixentry *mg_index_prefix(const struct mg_index *ix, mg_slice subject) {
    if (ix->tables[MG_IX_PREFIX].count == 0) return NULL;
    struct mg_ixkey key = {mg_index_prefix_of(subject), ix->entry_size};
    if (key.text.n == subject.n) return NULL; // the last token is empty
    return mg_table_find(&ix->tables[MG_IX_PREFIX], mg_index_hash(ix, key.text), mg_ixentry_is_prefix, &key);
}

#endif
