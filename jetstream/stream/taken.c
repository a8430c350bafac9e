// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/taken.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

struct mg_js_taken_node {
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
    k->token = mg_slice_of(mg_slice_dup(token), token.n);
    n->kids[at] = k;
    return k;
}

static void node_free(node *n) {
    if (n == NULL) return;
    for (uint32_t i = 0; i < n->nkids; i++) node_free(n->kids[i]);
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

// Returns true if the node is of no use any more.
static bool prune(node *n, mg_slice pattern, const void *owner) {
    mg_slice rest = pattern;
    if (pattern.p == NULL) {
        forget(n, owner);
    } else {
        bool found;
        uint32_t at = place(n, first_token(pattern, &rest), &found);
        if (found && prune(n->kids[at], rest, owner)) {
            node_free(n->kids[at]);
            n->nkids--;
            memmove(&n->kids[at], &n->kids[at + 1], (n->nkids - at) * sizeof(n->kids[0]));
        }
    }
    return n->nkids == 0 && n->nowners == 0;
}

void mg_js_taken_remove(struct mg_js_taken *t, mg_slice pattern, const void *owner) {
    if (t->root && prune(t->root, pattern, owner)) mg_js_taken_fini(t);
}

void mg_js_taken_fini(struct mg_js_taken *t) {
    node_free(t->root);
    t->root = NULL;
}

// ---- collisions -----------------------------------------------------------------------------------------------------

static bool ends_for_other(const node *n, const void *owner) {
    for (uint32_t i = 0; i < n->nowners; i++)
        if (n->owners[i] != owner) return true;
    return false;
}

// Is anything of somebody else at or below n?
static bool any_below(const node *n, const void *owner) {
    if (ends_for_other(n, owner)) return true;
    for (uint32_t i = 0; i < n->nkids; i++)
        if (any_below(n->kids[i], owner)) return true;
    return false;
}

static bool collides(const node *n, mg_slice pattern, const void *owner) {
    mg_slice rest;
    if (pattern.p == NULL) return ends_for_other(n, owner);
    mg_slice token = first_token(pattern, &rest);
    const node *tail = child(n, MG_S(">")); // it takes one token or more, and there is one
    if (tail && ends_for_other(tail, owner)) return true;
    if (is(token, '>')) {
        for (uint32_t i = 0; i < n->nkids; i++)
            if (any_below(n->kids[i], owner)) return true;
        return false;
    }
    if (is(token, '*')) {
        for (uint32_t i = 0; i < n->nkids; i++)
            if (collides(n->kids[i], rest, owner)) return true;
        return false;
    }
    const node *same = child(n, token), *star = child(n, MG_S("*"));
    return (same && collides(same, rest, owner)) || (star && collides(star, rest, owner));
}

bool mg_js_taken_collides(const struct mg_js_taken *t, mg_slice pattern, const void *owner) {
    return t->root && pattern.n > 0 && collides(t->root, pattern, owner);
}
