// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/names.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

void mg_js_names_fini(struct mg_js_names *t) {
    for (size_t i = 0; i < t->nleaves; i++) mg_free(t->leaves[i].v);
    mg_free(t->leaves);
    *t = (struct mg_js_names){.count = 0};
}

static struct mg_js_names_leaf *new_leaf(struct mg_js_names *t, size_t at) {
    if (t->nleaves == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 4;
        t->leaves = mg_realloc(t->leaves, t->cap * sizeof(t->leaves[0]));
    }
    memmove(&t->leaves[at + 1], &t->leaves[at], (t->nleaves - at) * sizeof(t->leaves[0]));
    t->nleaves++;
    t->leaves[at] = (struct mg_js_names_leaf){mg_alloc(MG_JS_NAMES_LEAF * sizeof(struct mg_js_name *)), 0};
    return &t->leaves[at];
}

// The last leaf that begins at or before the name, or the first one.
static size_t leaf_of(const struct mg_js_names *t, mg_slice name) {
    size_t lo = 0, hi = t->nleaves;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (mg_slice_cmp(mg_js_name_slice(t->leaves[mid].v[0]), name) <= 0) lo = mid + 1;
        else hi = mid;
    }
    return lo ? lo - 1 : 0;
}

// Where it is in the leaf, or belongs.
static uint32_t place_in(const struct mg_js_names_leaf *f, mg_slice name) {
    uint32_t lo = 0, hi = f->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (mg_slice_cmp(mg_js_name_slice(f->v[mid]), name) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

// Names that come in order fill their leaves.
static void split(struct mg_js_names *t, size_t at, uint32_t keep) {
    struct mg_js_names_leaf *right = new_leaf(t, at + 1), *left = &t->leaves[at];
    right->n = left->n - keep;
    memcpy(right->v, left->v + keep, right->n * sizeof(right->v[0]));
    left->n = keep;
}

void mg_js_names_add(struct mg_js_names *t, const struct mg_js_name *name) {
    mg_slice text = mg_js_name_slice(name);
    size_t at = t->nleaves ? leaf_of(t, text) : 0;
    if (t->nleaves == 0) new_leaf(t, 0);
    uint32_t place = place_in(&t->leaves[at], text);
    if (t->leaves[at].n == MG_JS_NAMES_LEAF) {
        uint32_t keep = place == MG_JS_NAMES_LEAF ? MG_JS_NAMES_LEAF - 1 : MG_JS_NAMES_LEAF / 2;
        split(t, at, keep);
        if (place > keep) {
            place -= keep;
            at++;
        }
    }
    struct mg_js_names_leaf *f = &t->leaves[at];
    mg_assert(place == f->n || !mg_slice_eq(mg_js_name_slice(f->v[place]), text));
    memmove(&f->v[place + 1], &f->v[place], (f->n - place) * sizeof(f->v[0]));
    f->v[place] = name;
    f->n++;
    t->count++;
}

void mg_js_names_remove(struct mg_js_names *t, const struct mg_js_name *name) {
    mg_assert(t->nleaves > 0);
    size_t at = leaf_of(t, mg_js_name_slice(name));
    struct mg_js_names_leaf *f = &t->leaves[at];
    uint32_t place = place_in(f, mg_js_name_slice(name));
    mg_assert(place < f->n && f->v[place] == name);
    f->n--;
    t->count--;
    memmove(&f->v[place], &f->v[place + 1], (f->n - place) * sizeof(f->v[0]));
    if (f->n > 0) return;
    mg_free(f->v);
    t->nleaves--;
    memmove(f, f + 1, (t->nleaves - at) * sizeof(*f));
}

size_t mg_js_names_page(const struct mg_js_names *t, size_t skip, mg_slice *out, size_t max) {
    size_t at = 0, n = 0;
    while (at < t->nleaves && skip >= t->leaves[at].n) skip -= t->leaves[at++].n;
    for (; at < t->nleaves && n < max; at++, skip = 0)
        for (size_t i = skip; i < t->leaves[at].n && n < max; i++) out[n++] = mg_js_name_slice(t->leaves[at].v[i]);
    return n;
}
