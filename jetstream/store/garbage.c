// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a part frees in slices, at the beginning of its turns: generations of rows, chunks, records of memory streams,
// stretches of streams that were deleted.
#include "jetstream/store/part.h"
#include "jetstream/store/stretches.h"
#include "server/base/mem.h"

#define GARBAGE_MAX 4096u // records freed in a turn
#define TABLES_MAX 1024u  // and of whole memtables
#define STRETCHES_MAX 512u

void mg_part_garbage(struct mg_store_part *p, void *memory) {
    if (p->garbage_len == p->garbage_cap) {
        p->garbage_cap = p->garbage_cap ? p->garbage_cap * 2 : 64;
        p->garbage = mg_realloc(p->garbage, p->garbage_cap * sizeof(p->garbage[0]));
    }
    p->garbage[p->garbage_len++] = memory;
}

void mg_part_garbage_table(struct mg_store_part *p, struct mg_memtable *t) {
    if (p->tables_len == p->tables_cap) {
        p->tables_cap = p->tables_cap ? p->tables_cap * 2 : 4;
        p->tables = mg_realloc(p->tables, p->tables_cap * sizeof(p->tables[0]));
    }
    p->tables[p->tables_len++] = *t;
    mg_memtable_init(t);
}

bool mg_part_free_tables(struct mg_store_part *p, uint32_t records) {
    uint32_t n = 0;
    while (p->tables_len > 0 && n < records) {
        struct mg_memtable *t = &p->tables[p->tables_len - 1];
        uint32_t freed = mg_memtable_free_last(t);
        n += freed;
        if (freed > 0) continue;
        mg_memtable_fini(t);
        p->tables_len--;
        n++;
    }
    return p->tables_len > 0;
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

bool mg_part_free_stretches(struct mg_store_part *p, uint32_t most) {
    uint32_t n = 0;
    while (p->stretched_len > 0 && n < most) {
        struct mg_stretches *t = &p->stretched[p->stretched_len - 1];
        n += mg_stretches_free_last(t);
        if (t->count == 0) p->stretched_len--;
    }
    return p->stretched_len > 0;
}

void mg_part_free_garbage(struct mg_store_part *p) {
    uint32_t n = p->garbage_len < GARBAGE_MAX ? p->garbage_len : GARBAGE_MAX;
    for (uint32_t i = 0; i < n; i++) mg_free(p->garbage[--p->garbage_len]);
    struct mg_chunk *c = p->chunks_dead;
    if (c) p->chunks_dead = c->next;
    mg_chunk_unref(c);
    bool more = mg_rows_bury(&p->rows);
    more |= mg_part_free_tables(p, TABLES_MAX);
    more |= mg_part_free_stretches(p, STRETCHES_MAX);
    p->pump |= more || p->chunks_dead || p->garbage_len > 0; // another turn
}
