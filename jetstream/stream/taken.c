// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/taken.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

struct mg_js_taken_node {
    struct mg_js_taken_node *parent;  // NULL: the root
    mg_slice token;                   // owned
    struct mg_js_taken_node **kids;   // sorted by token
    uint32_t nkids, kids_cap;
    const void **owners;              // of the pattern that ends here
    uint32_t nowners;
};

typedef struct mg_js_taken_node node;

// ---- tokens ---------------------------------------------------------------------------------------------------------

// The first token of a pattern; *rest is what follows, p NULL: nothing does.
static mg_slice first_token(mg_slice pattern, mg_slice *rest) {
    const char *dot = memchr(pattern.p, '.', pattern.n);
    *rest = mg_slice_of(NULL, 0);
    if (dot == NULL) return pattern;
    size_t n = (size_t)(dot - pattern.p);
    *rest = mg_slice_of(dot + 1, pattern.n - n - 1);
    return mg_slice_of(pattern.p, n);
}

static bool is(mg_slice token, char c) { return token.n == 1 && token.p[0] == c; }

// ---- nodes ----------------------------------------------------------------------------------------------------------

// Where the child with this token is, or belongs.
static uint32_t place(const node *n, mg_slice token, bool *found) {
    uint32_t lo = 0, hi = n->nkids;
    *found = false;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = mg_slice_cmp(n->kids[mid]->token, token);
        if (order == 0) *found = true;
        if (order < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static node *child(const node *n, mg_slice token) {
    bool found;
    uint32_t at = place(n, token, &found);
    return found ? n->kids[at] : NULL;
}

static node *grow(node *n, mg_slice token) {
    bool found;
    uint32_t at = place(n, token, &found);
    if (found) return n->kids[at];
    if (n->nkids == n->kids_cap) {
        n->kids_cap = n->kids_cap ? n->kids_cap * 2 : 4;
        n->kids = mg_realloc(n->kids, n->kids_cap * sizeof(n->kids[0]));
    }
    memmove(&n->kids[at + 1], &n->kids[at], (n->nkids - at) * sizeof(n->kids[0]));
    n->nkids++;
    node *k = mg_zalloc(sizeof(*k));
    k->parent = n;
    k->token = mg_slice_of(mg_slice_dup(token), token.n);
    n->kids[at] = k;
    return k;
}

static void node_free(node *n) {
    mg_free(n->kids);
    mg_free(n->owners);
    mg_free((char *)(uintptr_t)n->token.p);
    mg_free(n);
}

// ---- the set --------------------------------------------------------------------------------------------------------

void mg_js_taken_add(struct mg_js_taken *t, mg_slice pattern, const void *owner) {
    if (t->root == NULL) t->root = mg_zalloc(sizeof(*t->root));
    node *n = t->root;
    for (mg_slice rest = pattern; rest.p;) n = grow(n, first_token(rest, &rest));
    n->owners = mg_realloc(n->owners, (n->nowners + 1) * sizeof(n->owners[0]));
    n->owners[n->nowners++] = owner;
}

static void forget(node *n, const void *owner) {
    for (uint32_t i = 0; i < n->nowners; i++) {
        if (n->owners[i] != owner) continue;
        n->owners[i] = n->owners[--n->nowners];
        return;
    }
}

static void unlink_from(node *parent, node *n) {
    bool found;
    uint32_t at = place(parent, n->token, &found);
    mg_assert(found && parent->kids[at] == n);
    parent->nkids--;
    memmove(&parent->kids[at], &parent->kids[at + 1], (parent->nkids - at) * sizeof(parent->kids[0]));
}

void mg_js_taken_remove(struct mg_js_taken *t, mg_slice pattern, const void *owner) {
    node *n = t->root;
    for (mg_slice rest = pattern; n && rest.p;) n = child(n, first_token(rest, &rest));
    if (n == NULL) return;
    forget(n, owner);
    while (n && n->nkids == 0 && n->nowners == 0) { // of no use any more
        node *parent = n->parent;
        if (parent) unlink_from(parent, n);
        else t->root = NULL;
        node_free(n);
        n = parent;
    }
}

void mg_js_taken_fini(struct mg_js_taken *t) {
    for (node *n = t->root; n;) {
        node *parent = n->parent;
        if (n->nkids) {
            n = n->kids[--n->nkids];
        } else {
            node_free(n);
            n = parent;
        }
    }
    t->root = NULL;
}

// ---- collisions -----------------------------------------------------------------------------------------------------

// Level by level with the set of nodes that are met so far, not by recursion: a pattern can have 15,000 tokens. The set
// never holds a node twice, as each has one parent.
struct set {
    const node **v;
    size_t n, cap;
};

static void put(struct set *s, const node *n) {
    if (n == NULL) return;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->v = mg_realloc(s->v, s->cap * sizeof(s->v[0]));
    }
    s->v[s->n++] = n;
}

static void put_kids(struct set *s, const node *n) {
    for (uint32_t i = 0; i < n->nkids; i++) put(s, n->kids[i]);
}

static const void *other_at(const node *n, const void *owner) {
    for (uint32_t i = 0; n && i < n->nowners; i++)
        if (n->owners[i] != owner) return n->owners[i];
    return NULL;
}

static const void *other_of(const struct set *s, const void *owner) {
    const void *other = NULL;
    for (size_t i = 0; i < s->n && other == NULL; i++) other = other_at(s->v[i], owner);
    return other;
}

// Whose of somebody else's is at or below these? Uses the set up.
static const void *other_below(struct set *s, const void *owner) {
    const void *other = NULL;
    while (s->n && other == NULL) {
        const node *n = s->v[--s->n];
        other = other_at(n, owner);
        put_kids(s, n);
    }
    return other;
}

// What this token meets below the nodes of `at`. A `>` there takes it and all that follows: whose, if it is another's.
static const void *descend(const struct set *at, mg_slice token, struct set *next, const void *owner) {
    bool all = is(token, '*') || is(token, '>');
    for (size_t i = 0; i < at->n; i++) {
        const node *n = at->v[i];
        const void *other = other_at(child(n, MG_S(">")), owner);
        if (other) return other;
        if (all) {
            put_kids(next, n);
        } else {
            put(next, child(n, token));
            put(next, child(n, MG_S("*")));
        }
    }
    return is(token, '>') ? other_below(next, owner) : NULL;
}

const void *mg_js_taken_collides(const struct mg_js_taken *t, mg_slice pattern, const void *owner) {
    struct set at = {0}, next = {0};
    const void *met = NULL;
    put(&at, t->root);
    for (mg_slice rest = pattern; met == NULL && at.n && rest.p;) {
        next.n = 0;
        met = descend(&at, first_token(rest, &rest), &next, owner);
        struct set used = at;
        at = next;
        next = used;
    }
    if (met == NULL && pattern.n) met = other_of(&at, owner);
    mg_free(at.v);
    mg_free(next.v);
    return met;
}
