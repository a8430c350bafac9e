// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/rowmap.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "jetstream/store/key_sort.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

#define FIRST_SLOTS 64u
#define TAKEN_AT_ONCE 4u
#define FREED_AT_ONCE 2u // blocks: the system takes half a megabyte back
#define PAGES_AT_ONCE 128u
#define BLOCK_FIRST 1024u
// A ref is 1 + (number of the block, place in it in units of 8 bytes): 32 GB a generation.
#define PLACE_BITS 15u
#define BLOCK_MAX (8u << PLACE_BITS)
#define BLOCKS_MAX ((1u << (32 - PLACE_BITS)) - 1)

struct mg_row_block {
    size_t used, size;
    _Alignas(8) char bytes[];
};

// ---- tables ---------------------------------------------------------------------------------------------------------

static uint32_t page_slots(const struct mg_row_table *t) { return t->mask < MG_ROW_PAGE ? t->mask + 1 : MG_ROW_PAGE; }
static uint32_t page_count(const struct mg_row_table *t) { return t->pages ? t->mask / MG_ROW_PAGE + 1 : 0; }

static void new_table(struct mg_rowmap *m, uint32_t slots) {
    m->now.mask = slots - 1;
    m->now.pages = mg_zalloc((m->now.mask / MG_ROW_PAGE + 1) * sizeof(m->now.pages[0]));
}

static void free_table(struct mg_row_table *t) {
    for (uint32_t i = 0; i < page_count(t); i++) mg_free(t->pages[i]);
    mg_free(t->pages);
    t->pages = NULL;
}

// The table gets smaller from behind. False: there is more.
static bool free_pages(struct mg_row_table *t, uint32_t n) {
    uint32_t i = page_count(t);
    for (; i > 0 && n > 0; n--) {
        mg_free(t->pages[--i]);
        t->pages[i] = NULL;
    }
    if (i == 0) free_table(t);
    else t->mask = i * MG_ROW_PAGE - 1;
    return i == 0;
}

static struct mg_row_slot slot_at(const struct mg_row_table *t, uint32_t i) {
    const struct mg_row_slot *page = t->pages[i / MG_ROW_PAGE];
    return page ? page[i % MG_ROW_PAGE] : (struct mg_row_slot){0, 0};
}

static void put_slot(struct mg_rowmap *m, struct mg_row_slot slot) {
    struct mg_row_table *t = &m->now;
    uint32_t i = slot.tag & t->mask;
    while (slot_at(t, i).ref) i = (i + 1) & t->mask;
    struct mg_row_slot **page = &t->pages[i / MG_ROW_PAGE];
    if (*page == NULL) {
        *page = mg_zalloc(page_slots(t) * sizeof(**page));
        m->bytes += page_slots(t) * sizeof(**page);
    }
    (*page)[i % MG_ROW_PAGE] = slot;
}

// ---- life -----------------------------------------------------------------------------------------------------------

struct mg_rowmap *mg_rowmap_new(void) {
    struct mg_rowmap *m = mg_zalloc(sizeof(*m));
    atomic_init(&m->refs, 1);
    new_table(m, FIRST_SLOTS);
    return m;
}

struct mg_rowmap *mg_rowmap_ref(struct mg_rowmap *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

bool mg_rowmap_unref_some(struct mg_rowmap *m) {
    uint32_t left = FREED_AT_ONCE;
    if (atomic_load_explicit(&m->refs, memory_order_acquire) == 1) { // nobody else has it any more
        while (m->blocks_len > 0 && left-- > 0) mg_free(m->blocks[--m->blocks_len]);
        if (m->blocks_len > 0 || !free_pages(&m->now, PAGES_AT_ONCE) || !free_pages(&m->before, PAGES_AT_ONCE))
            return false;
    }
    mg_rowmap_unref(m);
    return true;
}

void mg_rowmap_unref(struct mg_rowmap *m) {
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1) return;
    for (uint32_t i = 0; i < m->blocks_len; i++) mg_free(m->blocks[i]);
    mg_free(m->blocks);
    free_table(&m->now);
    free_table(&m->before);
    mg_free(m);
}

uint64_t mg_row_hash(uint64_t seed, mg_slice key) { return XXH3_64bits_withSeed(key.p, key.n, seed); }

// Blocks double, so that a generation of ten rows and one of a million both waste little. What is larger than a block
// has one of its own.
static struct mg_row_block *new_block(struct mg_rowmap *m, size_t n) {
    size_t size = m->blocks_len ? m->blocks[m->blocks_len - 1]->size * 2 : BLOCK_FIRST;
    if (size > BLOCK_MAX) size = BLOCK_MAX;
    if (size < n) size = n;
    if (m->blocks_len == m->blocks_cap) {
        m->blocks_cap = m->blocks_cap ? m->blocks_cap * 2 : 4;
        m->blocks = mg_realloc(m->blocks, m->blocks_cap * sizeof(m->blocks[0]));
    }
    mg_assert(m->blocks_len < BLOCKS_MAX);
    struct mg_row_block *b = mg_alloc(sizeof(*b) + size);
    b->used = 0;
    b->size = size;
    m->blocks[m->blocks_len++] = b;
    m->bytes += sizeof(*b) + sizeof(b) + size;
    return b;
}

// From the last block: the place of what it returns is blocks_len - 1 and *place.
static void *arena_alloc(struct mg_rowmap *m, size_t n, size_t *place) {
    n = (n + 7) & ~(size_t)7;
    struct mg_row_block *b = m->blocks_len ? m->blocks[m->blocks_len - 1] : NULL;
    if (b == NULL || b->size - b->used < n) b = new_block(m, n);
    void *p = b->bytes + b->used;
    *place = b->used;
    b->used += n;
    return p;
}

static struct mg_cell *cell_of(const struct mg_rowmap *m, uint32_t ref) {
    ref--;
    char *p = m->blocks[ref >> PLACE_BITS]->bytes + (size_t)(ref & ((1u << PLACE_BITS) - 1)) * 8;
    return (struct mg_cell *)(void *)p;
}

uint32_t mg_rowmap_end(const struct mg_rowmap *m) {
    return m->now.mask + 1 + (m->before.pages ? m->before.mask + 1 : 0);
}

// The older table stands behind the newer one: cells move down only.
struct mg_cell *mg_rowmap_at(const struct mg_rowmap *m, uint32_t i) {
    struct mg_row_slot slot = {0, 0};
    if (i <= m->now.mask) slot = slot_at(&m->now, i);
    else if (m->before.pages && i - m->now.mask - 1 >= m->taken) slot = slot_at(&m->before, i - m->now.mask - 1);
    return slot.ref ? cell_of(m, slot.ref) : NULL;
}

// Slots below `taken` were in use: what was put behind them is found from there on.
static struct mg_cell *find(const struct mg_rowmap *m, const struct mg_row_table *t, uint32_t taken, uint64_t hash,
                            mg_slice key) {
    uint32_t i = (uint32_t)hash & t->mask;
    for (uint32_t left = t->mask + 1 - taken; left > 0; left--, i = (i + 1) & t->mask) {
        if (i < taken) i = taken;
        struct mg_row_slot s = slot_at(t, i);
        if (s.ref == 0) return NULL;
        if (s.tag != (uint32_t)hash) continue;
        struct mg_cell *r = cell_of(m, s.ref);
        if (r->key_len == key.n && memcmp(r->key, key.p, key.n) == 0) return r;
    }
    return NULL;
}

struct mg_cell *mg_rowmap_get(const struct mg_rowmap *m, uint64_t hash, mg_slice key) {
    struct mg_cell *cell = find(m, &m->now, 0, hash, key);
    return cell || m->before.pages == NULL ? cell : find(m, &m->before, m->taken, hash, key);
}

// More of them than new rows, so it is done long before the new table is full.
static void take_over(struct mg_rowmap *m) {
    struct mg_row_table *t = &m->before;
    uint32_t end = m->taken + TAKEN_AT_ONCE;
    if (t->pages == NULL) return;
    while (m->taken < end && m->taken <= t->mask) {
        struct mg_row_slot slot = slot_at(t, m->taken);
        struct mg_row_slot **page = &t->pages[m->taken / MG_ROW_PAGE];
        if (slot.ref) put_slot(m, slot);
        if (++m->taken % page_slots(t) != 0) continue;
        m->bytes -= *page ? page_slots(t) * sizeof(**page) : 0;
        mg_free(*page);
        *page = NULL;
    }
    if (m->taken > t->mask) free_table(t);
}

static void grow(struct mg_rowmap *m) {
    mg_assert(m->before.pages == NULL);
    m->before = m->now;
    m->taken = 0;
    new_table(m, (m->before.mask + 1) * 2);
}

void mg_rowmap_resize(struct mg_rowmap *m, struct mg_cell *r, uint32_t value_len) {
    if (value_len > r->value_cap) {
        uint32_t cap = r->value_cap * 2 > value_len ? r->value_cap * 2 : value_len;
        size_t place;
        char *value = arena_alloc(m, cap, &place);
        if (r->value_len) memcpy(value, r->value, r->value_len);
        r->value = value;
        r->value_cap = cap;
    }
    if (value_len > r->value_len) memset(r->value + r->value_len, 0, value_len - r->value_len);
    r->value_len = value_len;
}

struct mg_cell *mg_rowmap_put(struct mg_rowmap *m, uint64_t hash, mg_slice key, uint32_t value_len, bool *added) {
    struct mg_cell *r = mg_rowmap_get(m, hash, key);
    *added = r == NULL;
    if (r) {
        if (r->value_len != value_len) mg_rowmap_resize(m, r, value_len);
        return r;
    }
    if ((m->count + 1) * 4ull > (m->now.mask + 1) * 3ull) grow(m);
    take_over(m);
    size_t head = (sizeof(struct mg_cell) + key.n + 7) & ~(size_t)7, place;
    r = arena_alloc(m, head + value_len, &place);
    r->key_len = (uint32_t)key.n;
    r->value_len = r->value_cap = value_len;
    r->flags = 0;
    memcpy(r->key, key.p, key.n);
    r->value = (char *)r + head;
    memset(r->value, 0, value_len);
    uint32_t ref = 1 + ((m->blocks_len - 1) << PLACE_BITS | (uint32_t)(place / 8));
    put_slot(m, (struct mg_row_slot){(uint32_t)hash, ref});
    m->count++;
    return r;
}

int mg_cell_compare(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

void mg_cells_sort(struct mg_cell **cells, uint32_t n) {
    struct mg_sort_item *items = mg_alloc((n ? n : 1) * sizeof(*items));
    for (uint32_t i = 0; i < n; i++) items[i] = (struct mg_sort_item){.key = mg_cell_key(cells[i]), .item = cells[i]};
    mg_key_sort(items, n);
    for (uint32_t i = 0; i < n; i++) cells[i] = items[i].item;
    mg_free(items);
}

struct mg_cell **mg_rowmap_sorted(const struct mg_rowmap *m) {
    struct mg_cell **rows = mg_alloc((m->count ? m->count : 1) * sizeof(struct mg_cell *));
    uint32_t n = 0;
    for (uint32_t i = mg_rowmap_end(m); i-- > 0;) {
        struct mg_cell *r = mg_rowmap_at(m, i);
        if (r) rows[n++] = r;
    }
    mg_assert(n == m->count);
    mg_cells_sort(rows, n);
    return rows;
}
