// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Three tables and a trie, by the kind of pattern:
//
//     literal   `orders.eu.new`     table of hash(pattern)                         one probe finds it
//     prefix    `_INBOX.x7Gh.*`     table of hash("_INBOX.x7Gh.")                  one probe finds it
//     wild      `orders.*.new`      table of hash(pattern), and the trie           found by a walk of the trie
//               `orders.>`
//
// Nearly all of the subscriptions of a big system are literals and inboxes, so nearly all matches are two probes; and
// these two kinds cost an entry and a slot, no trie nodes. The table of the wild ones is only for finding an entry by
// its text (subscribe, unsubscribe) and for the cursor.
//
//     entry:  | struct mg_ixentry | rest of the user's struct | text of the pattern |
//
// The prefix of a pattern may be empty: `*` alone matches the subjects of one token, whose prefix is empty, too.
#include "server/router/index.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

void mg_index_init(struct mg_index *ix, size_t entry_size, uint64_t seed, size_t cache_max) {
    memset(ix, 0, sizeof *ix);
    mg_assert(entry_size >= sizeof(struct mg_ixentry));
    ix->seed = seed;
    ix->entry_size = entry_size;
    for (int i = 0; i < MG_IX_KINDS; i++)
        mg_table_init(&ix->tables[i]);
    mg_trie_init(&ix->trie, seed);
    mg_rcache_init(&ix->cache, cache_max);
}

struct fini_ctx {
    void (*fini)(void *ctx, void *entry);
    void *ctx;
};

static void fini_entry(void *ctx, void *val) {
    const struct fini_ctx *f = ctx;
    if (f->fini != NULL) f->fini(f->ctx, val);
    mg_free(val);
}

void mg_index_fini(struct mg_index *ix, void (*fini)(void *ctx, void *entry), void *ctx) {
    struct fini_ctx f = {fini, ctx};
    mg_rcache_fini(&ix->cache);
    mg_trie_fini(&ix->trie);
    for (int i = 0; i < MG_IX_KINDS; i++) {
        mg_table_each(&ix->tables[i], fini_entry, &f);
        mg_table_fini(&ix->tables[i]);
    }
    mg_free(ix->hits.v);
    memset(ix, 0, sizeof *ix);
}

static enum mg_ixkind kind_of(mg_slice pattern) {
    if (mg_subject_is_literal(pattern)) return MG_IX_LITERAL;
    mg_slice prefix = mg_index_prefix_of(pattern);
    bool star = mg_token_is(mg_slice_of(pattern.p + prefix.n, pattern.n - prefix.n), '*');
    return star && mg_subject_is_literal(prefix) ? MG_IX_PREFIX : MG_IX_WILD;
}

// What the tables have a pattern under.
static uint64_t key_hash(const struct mg_index *ix, enum mg_ixkind kind, mg_slice pattern) {
    if (kind == MG_IX_PREFIX) pattern.n--; // without the `*`
    return mg_index_hash(ix, pattern);
}

static struct mg_ixentry *find(const struct mg_index *ix, enum mg_ixkind kind, mg_slice pattern, uint64_t hash) {
    struct mg_ixkey key = {pattern, ix->entry_size};
    return mg_table_find(&ix->tables[kind], hash, mg_ixentry_is, &key);
}

struct mg_ixentry *mg_index_find(const struct mg_index *ix, mg_slice pattern) {
    enum mg_ixkind kind = kind_of(pattern);
    return find(ix, kind, pattern, key_hash(ix, kind, pattern));
}

struct mg_ixentry *mg_index_add(struct mg_index *ix, mg_slice pattern) {
    mg_assert(pattern.n > 0 && pattern.n <= UINT16_MAX);
    enum mg_ixkind kind = kind_of(pattern);
    uint64_t hash = key_hash(ix, kind, pattern);
    struct mg_ixentry *e = find(ix, kind, pattern, hash);
    if (e != NULL) return e;
    e = mg_alloc(ix->entry_size + pattern.n);
    memset(e, 0, ix->entry_size);
    memcpy((char *)e + ix->entry_size, pattern.p, pattern.n);
    e->len = (uint32_t)pattern.n;
    e->kind = (uint8_t)kind;
    ix->memory += ix->entry_size + pattern.n;
    mg_table_add(&ix->tables[kind], hash, e);
    if (kind == MG_IX_WILD) e->at = mg_trie_add(&ix->trie, pattern, e);
    return e;
}

void mg_index_del(struct mg_index *ix, struct mg_ixentry *e) {
    mg_slice text = mg_index_text(ix, e);
    mg_index_touch(ix, e);
    if (e->kind == MG_IX_WILD) mg_trie_del(&ix->trie, e->at, e);
    mg_table_del(&ix->tables[e->kind], key_hash(ix, e->kind, text), e);
    ix->memory -= ix->entry_size + text.n;
    mg_free(e);
}

void mg_index_touch(struct mg_index *ix, const struct mg_ixentry *e) {
    if (ix->cache.count == 0) return;
    mg_slice text = mg_index_text(ix, e);
    switch (e->kind) {
    case MG_IX_LITERAL: mg_rcache_drop(&ix->cache, key_hash(ix, e->kind, text), text); break;
    case MG_IX_PREFIX: mg_rcache_stale_prefix(&ix->cache, key_hash(ix, e->kind, text)); break;
    default: mg_rcache_stale_all(&ix->cache); break;
    }
}

void mg_index_match(struct mg_index *ix, mg_slice subject, uint64_t hash) {
    ix->hits.n = 0;
    struct mg_ixentry *e = mg_index_literal(ix, subject, hash);
    if (e != NULL) mg_trie_vec_push(&ix->hits, e);
    e = mg_index_prefix(ix, subject);
    if (e != NULL) mg_trie_vec_push(&ix->hits, e);
    mg_trie_match(&ix->trie, subject, &ix->hits);
}

struct mg_ixentry *mg_index_next(const struct mg_index *ix, struct mg_ixcursor *c) {
    for (; c->table < MG_IX_KINDS; c->table++, c->state = 0) {
        bool more = mg_table_next(&ix->tables[c->table], c->state == 0, &c->hash, &c->entry);
        c->state = 1;
        if (more) return (struct mg_ixentry *)c->entry;
    }
    return NULL;
}

static inline bool same_address(const void *val, const void *key) { return val == key; }

struct mg_ixentry *mg_index_here(const struct mg_index *ix, const struct mg_ixcursor *c) {
    if (c->table >= MG_IX_KINDS || c->state == 0) return NULL;
    return mg_table_find(&ix->tables[c->table], c->hash, same_address, (const void *)c->entry);
}

size_t mg_index_count(const struct mg_index *ix) {
    size_t n = 0;
    for (int i = 0; i < MG_IX_KINDS; i++)
        n += ix->tables[i].count;
    return n;
}

size_t mg_index_memory(const struct mg_index *ix) {
    size_t n = ix->memory + ix->trie.memory + ix->trie.edges.memory + ix->cache.bytes;
    n += ix->cache.nslots * sizeof(struct mg_rslot);
    for (int i = 0; i < MG_IX_KINDS; i++)
        n += ix->tables[i].memory;
    return n;
}
