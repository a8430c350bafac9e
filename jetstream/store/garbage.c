// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a part frees in slices, at the beginning of its turns: generations of rows, chunks, records of memory streams,
// stretches of streams that were deleted.
#include "jetstream/store/extents.h"
#include "jetstream/store/part.h"
#include "jetstream/store/record.h"
#include "jetstream/store/stretches.h"
#include "server/base/mem.h"

// What it takes, more or less.
#define FREED_A_US (16u * 1024) // bytes that go back to the system
#define PAGE_COST 8u            // us, a page of stretches
#define ROWS_COST 32u           // us, a slice of a generation

void mg_part_garbage(struct mg_store_part *p, const uint8_t *record) {
    if (p->garbage_len == p->garbage_cap) {
        p->garbage_cap = p->garbage_cap ? p->garbage_cap * 2 : 64;
        p->garbage = mg_realloc(p->garbage, p->garbage_cap * sizeof(p->garbage[0]));
    }
    p->garbage[p->garbage_len++] = record;
}

void mg_part_garbage_table(struct mg_store_part *p, struct mg_memtable *t) {
    if (p->tables_len == p->tables_cap) {
        p->tables_cap = p->tables_cap ? p->tables_cap * 2 : 4;
        p->tables = mg_realloc(p->tables, p->tables_cap * sizeof(p->tables[0]));
    }
    mg_memtable_give_up_seal(t);
    p->tables[p->tables_len++] = *t;
    mg_memtable_init(t);
    t->owner = p->tables[p->tables_len - 1].owner;
}

void mg_part_garbage_stretches(struct mg_store_part *p, struct mg_stretches *t) {
    if (t->count == 0) return;
    if (p->stretched_len == p->stretched_cap) {
        p->stretched_cap = p->stretched_cap ? p->stretched_cap * 2 : 4;
        p->stretched = mg_realloc(p->stretched, p->stretched_cap * sizeof(p->stretched[0]));
    }
    p->stretched[p->stretched_len++] = *t;
    *t = (struct mg_stretches){.pages = NULL};
}

// ---- in each turn ---------------------------------------------------------------------------------------------------
// One piece of each kind, and as much more as there is time for. True: there is more.

static uint32_t cost_of(size_t bytes) { return 1 + (uint32_t)(bytes / FREED_A_US); }

// Large ones are put on the list, to be freed by the thread that made them. How many us it took, more or less.
static uint32_t free_record(const uint8_t *record, struct mg_extent **large) {
    struct mg_extent *e = record ? mg_extent_of(record) : NULL;
    if (e) {
        e->next = *large;
        *large = e;
    }
    if (e || record == NULL) return 1;
    uint32_t cost = cost_of(mg_record_length(record));
    mg_free((void *)(uintptr_t)record);
    return cost;
}

static bool free_records(struct mg_store_part *p, struct mg_extent **large) {
    while (p->garbage_len > 0) {
        if (mg_part_spent(p, free_record(p->garbage[--p->garbage_len], large))) break;
    }
    return p->garbage_len > 0;
}

static bool free_tables(struct mg_store_part *p, struct mg_extent **large) {
    while (p->tables_len > 0) {
        struct mg_memtable *t = &p->tables[p->tables_len - 1];
        const uint8_t *record;
        if (!mg_memtable_take_last(t, &record)) {
            mg_memtable_fini(t);
            p->tables_len--;
        }
        if (mg_part_spent(p, free_record(record, large))) break;
    }
    return p->tables_len > 0;
}

static bool free_stretches(struct mg_store_part *p) {
    while (p->stretched_len > 0) {
        struct mg_stretches *t = &p->stretched[p->stretched_len - 1];
        mg_stretches_free_last(t);
        if (t->count == 0) p->stretched_len--;
        if (mg_part_spent(p, PAGE_COST)) break;
    }
    return p->stretched_len > 0;
}

static bool free_chunks(struct mg_store_part *p) {
    while (p->chunks_dead) {
        struct mg_chunk *c = p->chunks_dead;
        uint32_t cost = cost_of(c->size);
        p->chunks_dead = c->next;
        mg_chunk_unref(c);
        if (mg_part_spent(p, cost)) break;
    }
    return p->chunks_dead != NULL;
}

static bool free_rows(struct mg_store_part *p) {
    while (mg_rows_bury(&p->rows)) {
        if (mg_part_spent(p, ROWS_COST)) return true;
    }
    return false;
}

void mg_part_free_garbage(struct mg_store_part *p) {
    struct mg_extent *large = NULL;
    bool any = p->garbage_len || p->tables_len || p->stretched_len || p->chunks_dead;
    bool more = free_records(p, &large);
    more |= free_chunks(p);
    more |= free_rows(p);
    more |= free_tables(p, &large);
    more |= free_stretches(p);
    if (large) mg_extents_release(p->store, large);
    if (any) mg_heap_settle();
    p->pump |= more; // another turn
}
