// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/shard/mbuf.h"

#include "server/base/assert.h"
#include "server/base/mem.h"

struct mg_mbuf *mg_mbuf_new(size_t cap) {
    mg_assert(cap < INT32_MAX);
    struct mg_mbuf *m = mg_alloc(sizeof(*m) + cap);
    atomic_init(&m->refs, 1);
    m->len = 0;
    m->cap = (uint32_t)cap;
    return m;
}

struct mg_mbuf *mg_mbuf_grow(struct mg_mbuf *m, size_t cap) {
    mg_assert(cap < INT32_MAX && cap >= m->len);
    mg_assert(atomic_load_explicit(&m->refs, memory_order_relaxed) == 1);
    m = mg_realloc(m, sizeof(*m) + cap);
    m->cap = (uint32_t)cap;
    return m;
}

void mg_mbuf_unref(struct mg_mbuf *m) {
    if (m == NULL) return;
    uint32_t before = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel);
    mg_assert(before != 0);
    if (before == 1) mg_free(m);
}
