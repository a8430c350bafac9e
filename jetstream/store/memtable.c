// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/memtable.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define BLOCK_MIN 8u

void mg_memtable_init(struct mg_memtable *t) { memset(t, 0, sizeof(*t)); }

void mg_mem_block_unref(struct mg_mem_block *b) {
    if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1) return;
    mg_free(b);
}

void mg_memtable_give_up_seal(struct mg_memtable *t) {
    for (; t->closed > 0; t->closed--) mg_mem_block_unref(t->blocks[t->open - t->closed]);
}

void mg_memtable_fini(struct mg_memtable *t) {
    mg_memtable_give_up_seal(t);
    for (uint32_t i = t->head; i < t->count; i++) mg_mem_block_unref(t->blocks[i]);
    mg_free(t->blocks);
    mg_memtable_init(t);
}

// A stream with ten messages must not cost a block for 512: each next block of a stream is larger.
static struct mg_mem_block *new_block(struct mg_memtable *t, uint64_t first) {
    uint32_t cap = BLOCK_MIN;
    if (t->count > t->head) {
        cap = t->blocks[t->count - 1]->cap * 4u;
        if (cap > MG_MEM_BLOCK_MAX) cap = MG_MEM_BLOCK_MAX;
    }
    // One piece: what a checkpoint lets go of is joined with its neighbours in one go, by whoever asks the heap next.
    size_t head = sizeof(struct mg_mem_block) + cap * sizeof(atomic_uint); // a multiple of 8: cap is
    struct mg_mem_block *b = mg_alloc(head + cap * sizeof(const uint8_t *));
    memset(b, 0, head);
    b->records = (const uint8_t **)(void *)((char *)b + head);
    atomic_init(&b->refs, 1);
    b->cap = (uint16_t)cap;
    b->first = first;
    if (t->count == t->cap) {
        if (t->head > t->cap / 2) {
            t->count -= t->head;
            t->open -= t->head;
            memmove(t->blocks, t->blocks + t->head, t->count * sizeof(*t->blocks));
            t->head = 0;
        } else {
            t->cap = t->cap ? t->cap * 2 : 4;
            t->blocks = mg_realloc(t->blocks, t->cap * sizeof(*t->blocks));
        }
    }
    t->blocks[t->count++] = b;
    return b;
}

void mg_memtable_add(struct mg_memtable *t, uint64_t seq, const uint8_t *record, size_t bytes) {
    struct mg_mem_block *b = t->count > t->head ? t->blocks[t->count - 1] : NULL;
    if (b) mg_assert(seq >= b->first + b->count);
    bool closed = b == NULL || b->generation || atomic_load_explicit(&b->cleared, memory_order_relaxed);
    if (closed || b->count == b->cap || seq != b->first + b->count) b = new_block(t, seq);
    b->records[b->count++] = record;
    if (record) {
        b->alive++;
        b->bytes += bytes;
        t->alive++;
    }
}

// The last block that begins at or below seq; -1: none.
static int64_t find_block(const struct mg_memtable *t, uint64_t seq) {
    int64_t lo = t->head, hi = (int64_t)t->count - 1;
    while (lo <= hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (t->blocks[mid]->first <= seq) {
            lo = mid + 1;
        } else {
            hi = mid - 1;
        }
    }
    return hi < t->head ? -1 : hi;
}

static inline bool entry_alive(const struct mg_mem_block *b, uint64_t i) {
    return b->alive > 0 && b->records[i] && atomic_load_explicit(&b->gone[i], memory_order_relaxed) == 0;
}

const uint8_t *mg_memtable_peek(const struct mg_memtable *t, uint64_t seq) {
    int64_t k = find_block(t, seq);
    if (k < 0) return NULL;
    const struct mg_mem_block *b = t->blocks[k];
    return seq - b->first < b->count ? b->records[seq - b->first] : NULL;
}

const uint8_t *mg_memtable_get(const struct mg_memtable *t, uint64_t seq) {
    int64_t k = find_block(t, seq);
    if (k < 0) return NULL;
    const struct mg_mem_block *b = t->blocks[k];
    uint64_t i = seq - b->first;
    return i < b->count && entry_alive(b, i) ? b->records[i] : NULL;
}

const uint8_t *mg_memtable_next(const struct mg_memtable *t, uint64_t *seq) {
    int64_t k = find_block(t, *seq);
    if (k < 0) k = t->head;
    for (; k < t->count; k++) {
        const struct mg_mem_block *b = t->blocks[k];
        if (b->alive == 0) continue;
        for (uint64_t i = *seq > b->first ? *seq - b->first : 0; i < b->count; i++) {
            if (!entry_alive(b, i)) continue;
            *seq = b->first + i;
            return b->records[i];
        }
    }
    return NULL;
}

const uint8_t *mg_memtable_prev(const struct mg_memtable *t, uint64_t *seq) {
    for (int64_t k = find_block(t, *seq); k >= t->head; k--) {
        const struct mg_mem_block *b = t->blocks[k];
        if (b->alive == 0) continue;
        uint64_t i = *seq - b->first;
        for (i = i < b->count ? i + 1 : b->count; i-- > 0;) {
            if (!entry_alive(b, i)) continue;
            *seq = b->first + i;
            return b->records[i];
        }
    }
    return NULL;
}

static struct mg_mem_block *block_with(const struct mg_memtable *t, uint64_t seq) {
    int64_t k = find_block(t, seq);
    struct mg_mem_block *b = k < 0 ? NULL : t->blocks[k];
    return b && seq - b->first < b->count && entry_alive(b, seq - b->first) ? b : NULL;
}

enum mg_mem_where mg_memtable_where(const struct mg_memtable *t, uint64_t seq) {
    const struct mg_mem_block *b = block_with(t, seq);
    return b == NULL ? MG_MEM_NOWHERE : b->generation ? MG_MEM_SEALED : MG_MEM_OPEN;
}

enum mg_mem_where mg_memtable_remove(struct mg_memtable *t, uint64_t seq, uint32_t generation) {
    mg_assert(generation > 0);
    struct mg_mem_block *b = block_with(t, seq);
    if (b == NULL) return MG_MEM_NOWHERE;
    atomic_store_explicit(&b->gone[seq - b->first], generation, memory_order_relaxed);
    b->alive--;
    t->alive--;
    return b->generation ? MG_MEM_SEALED : MG_MEM_OPEN;
}

void mg_memtable_clear(struct mg_memtable *t, uint32_t generation) {
    mg_assert(generation > 0);
    for (uint32_t i = t->head; i < t->count; i++) {
        struct mg_mem_block *b = t->blocks[i];
        if (b->alive == 0) continue; // of a cleared one, too
        atomic_store_explicit(&b->cleared, generation, memory_order_relaxed);
        b->alive = 0;
    }
    t->alive = 0;
}

bool mg_memtable_take_last(struct mg_memtable *t, const uint8_t **record) {
    *record = NULL;
    if (t->count == t->head) return false;
    struct mg_mem_block *b = t->blocks[t->count - 1];
    if (b->count == 0 || !t->owner) {
        t->count--;
        mg_mem_block_unref(b);
        return true;
    }
    if (!entry_alive(b, --b->count)) return true;
    *record = b->records[b->count];
    b->alive--;
    t->alive--;
    return true;
}

uint64_t mg_memtable_first(const struct mg_memtable *t) {
    return t->count > t->head ? t->blocks[t->head]->first : UINT64_MAX;
}

bool mg_memtable_close(struct mg_memtable *t, uint32_t generation, uint32_t blocks) {
    for (; t->open < t->count && blocks > 0; t->open++, t->closed++, blocks--) {
        struct mg_mem_block *b = t->blocks[t->open];
        b->generation = generation;
        t->closed_bytes += b->bytes;
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    }
    return t->open == t->count;
}

struct mg_mem_block **mg_memtable_seal(struct mg_memtable *t, uint32_t generation, uint32_t *n, uint64_t *bytes) {
    mg_memtable_close(t, generation, UINT32_MAX);
    *n = t->closed;
    *bytes = t->closed_bytes;
    struct mg_mem_block **out = mg_alloc((*n ? *n : 1) * sizeof(struct mg_mem_block *));
    if (*n) memcpy(out, t->blocks + t->open - *n, *n * sizeof(*out));
    t->closed = 0;
    t->closed_bytes = 0;
    return out;
}

void mg_memtable_trim(struct mg_memtable *t) {
    while (t->head + 1 < t->count && t->blocks[t->head]->alive == 0) mg_mem_block_unref(t->blocks[t->head++]);
    if (t->open < t->head) t->open = t->head;
}

void mg_memtable_drop(struct mg_memtable *t, uint32_t generation) {
    while (t->head < t->count) {
        struct mg_mem_block *b = t->blocks[t->head];
        if (b->generation == 0 || b->generation > generation) break;
        t->alive -= b->alive;
        mg_mem_block_unref(b);
        t->head++;
    }
    if (t->head == t->count) t->head = t->count = t->open = 0;
}
