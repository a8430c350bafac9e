// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/catalogue.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// Where the first entry is that is not before `name`.
static size_t place_of(const struct mg_js_catalogue *all, mg_slice name) {
    size_t lo = 0, hi = all->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (mg_slice_cmp(all->v[mid]->name, name) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static bool is_at(const struct mg_js_catalogue *all, size_t at, mg_slice name) {
    return at < all->n && mg_slice_eq(all->v[at]->name, name);
}

struct mg_js_item *mg_js_catalogue_find(const struct mg_js_catalogue *all, mg_slice name) {
    size_t at = place_of(all, name);
    return is_at(all, at, name) && !all->v[at]->unreadable ? all->v[at] : NULL;
}

bool mg_js_catalogue_has(const struct mg_js_catalogue *all, mg_slice name) {
    return is_at(all, place_of(all, name), name);
}

bool mg_js_catalogue_unreadable(const struct mg_js_catalogue *all, mg_slice name) {
    size_t at = place_of(all, name);
    return is_at(all, at, name) && all->v[at]->unreadable;
}

unsigned mg_js_catalogue_place(const struct mg_js_catalogue *all, unsigned shards) {
    unsigned best = shards - 1;
    for (unsigned i = best; i-- > 0;)
        if (all->on[i] < all->on[best]) best = i;
    return best;
}

// ---- what they have -------------------------------------------------------------------------------------------------

static void take(struct mg_js_catalogue *all, struct mg_js_item *e, const struct mg_js_stream_config *c) {
    for (size_t i = 0; i < c->subjects.n; i++) mg_js_taken_add(&all->taken, c->subjects.v[i], e);
}

static void give_back(struct mg_js_catalogue *all, struct mg_js_item *e, const struct mg_js_stream_config *c) {
    for (size_t i = 0; i < c->subjects.n; i++) mg_js_taken_remove(&all->taken, c->subjects.v[i], e);
}

static uint64_t bytes_of(const struct mg_js_stream_config *c) { return c->max_bytes > 0 ? (uint64_t)c->max_bytes : 0; }

static void reserve(struct mg_js_catalogue *all, struct mg_js_item *e, int storage, uint64_t bytes) {
    all->reserved[storage] += bytes - e->reserved;
    e->reserved = bytes;
}

struct mg_js_item *mg_js_catalogue_collides(const struct mg_js_catalogue *all, const struct mg_js_stream_config *c,
                                             const struct mg_js_item *own) {
    const struct mg_js_item *found = NULL;
    for (size_t i = 0; i < c->subjects.n && (found == NULL || found->busy); i++) {
        const struct mg_js_item *e = mg_js_taken_collides(&all->taken, c->subjects.v[i], own);
        if (e) found = e;
    }
    return (struct mg_js_item *)(uintptr_t)found;
}

// ---- entries --------------------------------------------------------------------------------------------------------

static void forget(struct mg_js_item *e) {
    if (e->own) mg_js_stream_fini(e->own);
    mg_free(e->own);
    e->own = NULL;
}

static void keep(struct mg_js_item *e, const struct mg_js_stream_config *config) {
    forget(e);
    e->own = mg_alloc(sizeof(*e->own));
    mg_js_stream_copy(e->own, config);
    e->config = e->own;
}

struct mg_js_item *mg_js_catalogue_add(struct mg_js_catalogue *all, mg_slice name, unsigned shard,
                                        const struct mg_js_stream_config *config) {
    size_t at = place_of(all, name);
    mg_assert(!is_at(all, at, name));
    struct mg_js_item *e = mg_zalloc(sizeof(*e));
    e->name = mg_slice_of(mg_slice_dup(name), name.n);
    e->shard = shard;
    mg_list_init(&e->waiting);
    if (all->n == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 16;
        all->v = mg_realloc(all->v, all->cap * sizeof(all->v[0]));
    }
    memmove(&all->v[at + 1], &all->v[at], (all->n - at) * sizeof(all->v[0]));
    all->v[at] = e;
    all->n++;
    all->on[shard]++;
    e->unreadable = config == NULL;
    all->unreadable += e->unreadable;
    if (config == NULL) return e;
    keep(e, config);
    take(all, e, config);
    reserve(all, e, config->storage, bytes_of(config));
    return e;
}

void mg_js_item_borrow(struct mg_js_item *e, const struct mg_js_stream_config *config) {
    forget(e);
    e->config = config;
}

static void entry_free(struct mg_js_item *e) {
    forget(e);
    mg_free((char *)(uintptr_t)e->name.p);
    mg_free(e);
}

void mg_js_catalogue_remove(struct mg_js_catalogue *all, struct mg_js_item *e) {
    size_t at = place_of(all, e->name);
    mg_assert(all->v[at] == e && mg_list_empty(&e->waiting));
    give_back(all, e, e->config);
    reserve(all, e, e->config->storage, 0);
    all->on[e->shard]--;
    all->n--;
    memmove(&all->v[at], &all->v[at + 1], (all->n - at) * sizeof(all->v[0]));
    entry_free(e);
}

void mg_js_catalogue_fini(struct mg_js_catalogue *all) {
    for (size_t i = 0; i < all->n; i++) entry_free(all->v[i]);
    mg_free(all->v);
    mg_js_taken_fini(&all->taken);
    *all = (struct mg_js_catalogue){.n = 0};
}

// ---- updates --------------------------------------------------------------------------------------------------------

void mg_js_catalogue_begin(struct mg_js_catalogue *all, struct mg_js_item *e,
                           const struct mg_js_stream_config *fresh) {
    take(all, e, fresh);
    if (bytes_of(fresh) > e->reserved) reserve(all, e, fresh->storage, bytes_of(fresh));
}

void mg_js_catalogue_settle(struct mg_js_catalogue *all, struct mg_js_item *e, const struct mg_js_stream_config *old,
                            const struct mg_js_stream_config *fresh, bool became) {
    const struct mg_js_stream_config *has = became ? fresh : old;
    give_back(all, e, became ? old : fresh);
    reserve(all, e, has->storage, bytes_of(has));
    if (became && e->own) keep(e, fresh); // a borrowed one has changed already
}

// ---- lists ----------------------------------------------------------------------------------------------------------

size_t mg_js_catalogue_behind(const struct mg_js_catalogue *all, mg_slice after, struct mg_js_item **out, size_t max) {
    size_t at = place_of(all, after), n = 0;
    if (is_at(all, at, after)) at++;
    for (; at < all->n && n < max; at++)
        if (!all->v[at]->unreadable && !(MG_PLANTED(shard_forgotten) && all->v[at]->shard == 1)) out[n++] = all->v[at];
    return n;
}
