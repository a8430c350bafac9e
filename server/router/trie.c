// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The trie of `a.*.c`, `a.>` and `a.b.>`:
//
//     root --a--> ( )            full: "a.>"
//                  |  \--b--> ( )          full: "a.b.>"
//                  |star
//                  +-------> ( ) --c--> ( )  here: "a.*.c"
//
// A node has a pointer for its `*` child and one for the pattern that goes on with `>`. Literal children are not kept
// in the node: the edges of the whole trie live in one hash table under (parent, token), so a node costs about 60
// bytes, however many children it has, and one with 100,000 children is as quick as one with two.
//
// A match goes down level by level with the set of nodes that match so far, not by recursion: a subject can have
// 32,767 tokens. The set never holds a node twice (a node has one parent), so it is bounded by the nodes of that
// level. The hash of a token is computed once a level and mixed with each parent's address.
#include "server/router/trie.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"
#include "server/router/hash.h"

// Lives while a pattern passes through it. Owner: the trie.
struct mg_tnode {
    struct mg_tnode *parent; // NULL: the root
    struct mg_tnode *star;
    void *full;         // value of the pattern that ends in `>` here
    void *here;         // value of the pattern that ends here
    uint32_t nchildren; // literal children
    uint16_t len;
    char token[]; // of the edge that leads here
};

struct edge {
    const struct mg_tnode *parent;
    mg_slice token;
};

static inline bool edge_eq(const void *val, const void *key) {
    const struct mg_tnode *n = val;
    const struct edge *e = key;
    return n->parent == e->parent && n->len == e->token.n && memcmp(n->token, e->token.p, n->len) == 0;
}

static size_t node_size(size_t len) { return offsetof(struct mg_tnode, token) + len; }

static struct mg_tnode *node_new(struct mg_trie *t, struct mg_tnode *parent, mg_slice token) {
    struct mg_tnode *n = mg_zalloc(node_size(token.n) > sizeof *n ? node_size(token.n) : sizeof *n);
    n->parent = parent;
    n->len = (uint16_t)token.n;
    if (token.n > 0) memcpy(n->token, token.p, token.n);
    t->memory += node_size(token.n);
    return n;
}

static void node_free(struct mg_trie *t, struct mg_tnode *n) {
    t->memory -= node_size(n->len);
    mg_free(n);
}

static uint64_t edge_hash(const struct mg_trie *t, const struct mg_tnode *n) {
    return mg_hash_mix(mg_hash((mg_slice){n->token, n->len}, t->seed), (uintptr_t)n->parent);
}

void mg_trie_vec_push(struct mg_trie_vec *vec, void *p) {
    if (vec->n == vec->cap) {
        vec->cap = vec->cap ? vec->cap * 2 : 16;
        vec->v = mg_realloc(vec->v, vec->cap * sizeof *vec->v);
    }
    vec->v[vec->n++] = p;
}

void mg_trie_init(struct mg_trie *t, uint64_t seed) {
    memset(t, 0, sizeof *t);
    t->seed = seed;
    mg_table_init(&t->edges);
}

// A `*` child is in no table: it goes with its parent. Chains of them go with the first.
static void free_stars(struct mg_tnode *n) {
    while (n != NULL) {
        struct mg_tnode *star = n->star;
        mg_free(n);
        n = star;
    }
}

static void free_child(void *ctx, void *val) {
    (void)ctx;
    free_stars(val);
}

void mg_trie_fini(struct mg_trie *t) {
    mg_table_each(&t->edges, free_child, NULL);
    free_stars(t->root);
    mg_table_fini(&t->edges);
    mg_free(t->cur.v);
    mg_free(t->nxt.v);
    memset(t, 0, sizeof *t);
}

static struct mg_tnode *star_child(struct mg_trie *t, struct mg_tnode *n) {
    if (n->star == NULL) n->star = node_new(t, n, MG_S("*"));
    return n->star;
}

static struct mg_tnode *literal_child(struct mg_trie *t, struct mg_tnode *n, mg_slice token) {
    uint64_t h = mg_hash_mix(mg_hash(token, t->seed), (uintptr_t)n);
    struct edge key = {n, token};
    struct mg_tnode *child = mg_table_find(&t->edges, h, edge_eq, &key);
    if (child == NULL) {
        child = node_new(t, n, token);
        mg_table_add(&t->edges, h, child);
        n->nchildren++;
    }
    return child;
}

struct mg_tnode *mg_trie_add(struct mg_trie *t, mg_slice pattern, void *val) {
    if (t->root == NULL) t->root = node_new(t, NULL, MG_S(""));
    struct mg_tnode *n = t->root;
    void **at = NULL;
    struct mg_tokens it = mg_tokens_of(pattern);
    for (mg_slice tok; mg_tokens_next(&it, &tok);) {
        mg_assert(tok.n > 0 && at == NULL); // valid for SUB: no empty token, `>` comes last
        if (mg_token_is(tok, '>'))
            at = &n->full;
        else
            n = mg_token_is(tok, '*') ? star_child(t, n) : literal_child(t, n, tok);
    }
    if (at == NULL) at = &n->here;
    mg_assert(*at == NULL && n->nchildren < UINT32_MAX);
    *at = val;
    t->count++;
    return n;
}

static bool is_unused(const struct mg_tnode *n) {
    return n->full == NULL && n->here == NULL && n->star == NULL && n->nchildren == 0;
}

void mg_trie_del(struct mg_trie *t, struct mg_tnode *n, const void *val) {
    mg_assert(n->full == val || n->here == val);
    *(n->full == val ? &n->full : &n->here) = NULL;
    t->count--;
    while (n != NULL && is_unused(n)) {
        struct mg_tnode *parent = n->parent;
        if (parent == NULL) {
            t->root = NULL;
        } else if (parent->star == n) {
            parent->star = NULL;
        } else {
            mg_table_del(&t->edges, edge_hash(t, n), n);
            parent->nchildren--;
        }
        node_free(t, n);
        n = parent;
    }
}

// One level: from the nodes in t->cur to those in t->nxt.
static void step(struct mg_trie *t, mg_slice token, struct mg_trie_vec *out) {
    t->nxt.n = 0;
    if (t->cur.n == 0) return;
    uint64_t h = mg_hash(token, t->seed);
    for (size_t i = 0; i < t->cur.n; i++) {
        struct mg_tnode *n = t->cur.v[i];
        if (n->full != NULL) mg_trie_vec_push(out, n->full);
        if (n->star != NULL) mg_trie_vec_push(&t->nxt, n->star);
        if (n->nchildren == 0) continue;
        struct edge key = {n, token};
        void *child = mg_table_find(&t->edges, mg_hash_mix(h, (uintptr_t)n), edge_eq, &key);
        if (child != NULL) mg_trie_vec_push(&t->nxt, child);
    }
}

void mg_trie_match(struct mg_trie *t, mg_slice subject, struct mg_trie_vec *out) {
    if (t->root == NULL) return;
    size_t had = out->n;
    t->cur.n = 0;
    mg_trie_vec_push(&t->cur, t->root);
    struct mg_tokens it = mg_tokens_of(subject);
    for (mg_slice tok; mg_tokens_next(&it, &tok);) {
        if (tok.n == 0) { // spec/client-protocol.md A8: an empty token anywhere, also behind a `>`, matches nothing
            out->n = had;
            return;
        }
        step(t, tok, out);
        struct mg_trie_vec swap = t->cur;
        t->cur = t->nxt;
        t->nxt = swap;
        if (t->cur.n == 0 && out->n == had) return;
    }
    for (size_t i = 0; i < t->cur.n; i++) {
        struct mg_tnode *n = t->cur.v[i];
        if (n->here != NULL) mg_trie_vec_push(out, n->here);
    }
}
