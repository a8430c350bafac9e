// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/rowmap.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define FIRST_SLOTS 64u
#define BLOCK_FIRST 1024u
#define BLOCK_MAX (256u * 1024)

struct mg_row_block {
    struct mg_row_block *next;
    size_t used, size;
    _Alignas(8) char bytes[];
};

struct mg_rowmap *mg_rowmap_new(void) {
    struct mg_rowmap *m = mg_zalloc(sizeof(*m));
    atomic_init(&m->refs, 1);
    m->mask = FIRST_SLOTS - 1;
    m->slots = mg_zalloc(FIRST_SLOTS * sizeof(*m->slots));
    m->bytes = FIRST_SLOTS * sizeof(*m->slots);
    return m;
}

struct mg_rowmap *mg_rowmap_ref(struct mg_rowmap *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void mg_rowmap_unref(struct mg_rowmap *m) {
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1) return;
    for (struct mg_row_block *b = m->blocks, *next; b; b = next) {
        next = b->next;
        mg_free(b);
    }
    mg_free(m->slots);
    mg_free(m);
}

uint64_t mg_row_hash(uint64_t seed, mg_slice key) { return XXH3_64bits_withSeed(key.p, key.n, seed); }

// Blocks double, so that a generation of ten rows and one of a million both waste little.
static void *arena_alloc(struct mg_rowmap *m, size_t n) {
    n = (n + 7) & ~(size_t)7;
    struct mg_row_block *b = m->blocks;
    if (b == NULL || b->size - b->used < n) {
        size_t size = b ? b->size * 2 : BLOCK_FIRST;
        if (size > BLOCK_MAX) size = BLOCK_MAX;
        if (size < n) size = n;
        b = mg_alloc(sizeof(*b) + size);
        b->next = m->blocks;
        b->used = 0;
        b->size = size;
        m->blocks = b;
        m->bytes += sizeof(*b) + size;
    }
    void *p = b->bytes + b->used;
    b->used += n;
    return p;
}

static struct mg_cell **find_slot(const struct mg_rowmap *m, uint64_t hash, mg_slice key) {
    for (uint32_t i = (uint32_t)hash & m->mask;; i = (i + 1) & m->mask) {
        struct mg_cell *r = m->slots[i];
        if (r == NULL) return &m->slots[i];
        if (r->hash == hash && r->key_len == key.n && memcmp(r->key, key.p, key.n) == 0) return &m->slots[i];
    }
}

struct mg_cell *mg_rowmap_get(const struct mg_rowmap *m, uint64_t hash, mg_slice key) {
    return *find_slot(m, hash, key);
}

static void grow(struct mg_rowmap *m) {
    uint32_t old = m->mask + 1, mask = old * 2 - 1;
    struct mg_cell **slots = mg_zalloc((size_t)(mask + 1) * sizeof(*slots));
    for (uint32_t k = 0; k < old; k++) {
        struct mg_cell *r = m->slots[k];
        if (r == NULL) continue;
        uint32_t i = (uint32_t)r->hash & mask;
        while (slots[i]) i = (i + 1) & mask;
        slots[i] = r;
    }
    mg_free(m->slots);
    m->slots = slots;
    m->mask = mask;
    m->bytes += (size_t)old * sizeof(*slots);
}

void mg_rowmap_resize(struct mg_rowmap *m, struct mg_cell *r, uint32_t value_len) {
    if (value_len > r->value_cap) {
        uint32_t cap = r->value_cap * 2 > value_len ? r->value_cap * 2 : value_len;
        char *value = arena_alloc(m, cap);
        if (r->value_len) memcpy(value, r->value, r->value_len);
        r->value = value;
        r->value_cap = cap;
    }
    if (value_len > r->value_len) memset(r->value + r->value_len, 0, value_len - r->value_len);
    r->value_len = value_len;
}

struct mg_cell *mg_rowmap_put(struct mg_rowmap *m, uint64_t hash, mg_slice key, uint32_t value_len, bool *added) {
    struct mg_cell **slot = find_slot(m, hash, key);
    *added = *slot == NULL;
    if (*slot) {
        if ((*slot)->value_len != value_len) mg_rowmap_resize(m, *slot, value_len);
        return *slot;
    }
    if ((m->count + 1) * 4ull > (m->mask + 1) * 3ull) {
        grow(m);
        slot = find_slot(m, hash, key);
    }
    size_t head = (sizeof(struct mg_cell) + key.n + 7) & ~(size_t)7;
    struct mg_cell *r = arena_alloc(m, head + value_len);
    r->hash = hash;
    r->key_len = (uint32_t)key.n;
    r->value_len = r->value_cap = value_len;
    r->flags = 0;
    memcpy(r->key, key.p, key.n);
    r->value = (char *)r + head;
    memset(r->value, 0, value_len);
    *slot = r;
    m->count++;
    return r;
}

int mg_cell_compare(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare_rows(const void *a, const void *b) {
    const struct mg_cell *x = *(struct mg_cell *const *)a, *y = *(struct mg_cell *const *)b;
    return mg_cell_compare(mg_cell_key(x), mg_cell_key(y));
}

struct mg_cell **mg_rowmap_sorted(const struct mg_rowmap *m) {
    struct mg_cell **rows = mg_alloc((m->count ? m->count : 1) * sizeof(struct mg_cell *));
    uint32_t n = 0;
    for (uint32_t i = 0; i <= m->mask; i++) {
        if (m->slots[i]) rows[n++] = m->slots[i];
    }
    mg_assert(n == m->count);
    qsort(rows, n, sizeof(struct mg_cell *), compare_rows);
    return rows;
}
