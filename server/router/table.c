// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Extendible hashing (Fagin et al., 1979) over small open-addressing segments.
//
//     hash:  | leading bits |        ...        | trailing bits |
//              pick the segment                   pick the slot in it
//
//     dir (depth 2)        segment, depth 1 (covers 0x)
//     00 --------------+-> mask count depth | hash val | hash val | -    | hash val | ...
//     01 --------------+
//     10 ----------------> segment, depth 2 (covers 10)
//     11 ----------------> segment, depth 2 (covers 11)
//
// A table starts with one segment of MIN_SLOTS, which doubles up to MAX_SLOTS. A full segment of MAX_SLOTS splits by
// the next bit of the hash into two; if it was already as deep as the directory, the directory doubles first. Removal
// merges a nearly empty segment with its buddy, and halves the directory when no segment needs its depth. So the
// longest pause is the move of one segment (384 entries, 1-2 us) plus the copy of a directory (8 bytes for every
// ~270 entries: 30 KB at a million), where one flat table would stall 10-20 ms at a million entries.
//
// Inside a segment: linear probing, at most 3/4 full, removal by shifting back (no tombstones). A split table is
// 0.53 full on average: 30 bytes an entry.
//
// A second gift of the leading bits: segments lie in the directory in ascending order of hash, so "everything above
// this hash" is a cursor that survives any change (mg_table_next).
//
// How it fails: if keys are chosen so that hashes share their leading bits (the hash is keyed, so that takes a leak of
// the key), the directory would explode. It is bounded by DIR_SLACK entries for each directory slot; past that a
// segment grows beyond MAX_SLOTS instead of splitting. Equal hashes degrade to a linear list.
#include "server/router/table.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

enum {
    MIN_SLOTS = 8,
    MAX_SLOTS = 512,
    MAX_DEPTH = 40,
    DIR_SLACK = 16, // the directory doubles only while there are this many entries for each of its slots
};

static size_t seg_size(uint32_t slots) { return sizeof(struct mg_table_seg) + slots * sizeof(struct mg_table_slot); }

static struct mg_table_seg *seg_new(struct mg_table *t, uint32_t slots, uint32_t depth) {
    struct mg_table_seg *s = mg_zalloc(seg_size(slots));
    s->mask = slots - 1;
    s->depth = depth;
    t->memory += seg_size(slots);
    return s;
}

static void seg_free(struct mg_table *t, struct mg_table_seg *s) {
    t->memory -= seg_size(s->mask + 1);
    mg_free(s);
}

static void seg_put(struct mg_table_seg *s, uint64_t hash, void *val) {
    uint32_t i = (uint32_t)hash & s->mask;
    while (s->slots[i].val != NULL)
        i = (i + 1) & s->mask;
    s->slots[i] = (struct mg_table_slot){hash, val};
    s->count++;
}

static void seg_move(struct mg_table_seg *to, const struct mg_table_seg *from) {
    for (uint32_t i = 0; i <= from->mask; i++)
        if (from->slots[i].val != NULL) seg_put(to, from->slots[i].hash, from->slots[i].val);
}

static size_t dir_index(const struct mg_table *t, uint64_t hash) { return (size_t)((hash >> 1) >> (63 - t->depth)); }

// Points the part of the directory that covers `hash` to depth `depth` at s.
static void dir_set(struct mg_table *t, uint64_t hash, uint32_t depth, struct mg_table_seg *s) {
    size_t n = (size_t)1 << (t->depth - depth);
    size_t from = dir_index(t, hash) & ~(n - 1);
    for (size_t i = 0; i < n; i++)
        t->dir[from + i] = s;
}

static void dir_resize(struct mg_table *t, uint32_t depth) {
    size_t n = (size_t)1 << depth;
    struct mg_table_seg **dir = mg_alloc(n * sizeof *dir);
    for (size_t i = 0; i < n; i++)
        dir[i] = depth > t->depth ? t->dir[i / 2] : t->dir[i * 2];
    mg_free(t->dir);
    t->memory = t->memory - ((size_t)1 << t->depth) * sizeof *dir + n * sizeof *dir;
    t->dir = dir;
    t->depth = depth;
}

void mg_table_init(struct mg_table *t) { memset(t, 0, sizeof *t); }

void mg_table_fini(struct mg_table *t) {
    for (size_t i = 0; t->dir != NULL && i < (size_t)1 << t->depth;) {
        struct mg_table_seg *s = t->dir[i];
        i += (size_t)1 << (t->depth - s->depth);
        mg_free(s);
    }
    mg_free(t->dir);
    mg_table_init(t);
}

// A segment of another size in place of s.
static void seg_resize(struct mg_table *t, struct mg_table_seg *s, uint64_t hash, uint32_t slots) {
    struct mg_table_seg *to = seg_new(t, slots, s->depth);
    seg_move(to, s);
    dir_set(t, hash, s->depth, to);
    seg_free(t, s);
}

static void seg_split(struct mg_table *t, struct mg_table_seg *s, uint64_t hash) {
    if (s->depth == t->depth) {
        dir_resize(t, t->depth + 1);
        t->deepest = 0;
    }
    uint32_t depth = s->depth + 1;
    uint64_t bit = (uint64_t)1 << (64 - depth);
    struct mg_table_seg *half[2] = {seg_new(t, s->mask + 1, depth), seg_new(t, s->mask + 1, depth)};
    for (uint32_t i = 0; i <= s->mask; i++)
        if (s->slots[i].val != NULL) seg_put(half[(s->slots[i].hash & bit) != 0], s->slots[i].hash, s->slots[i].val);
    dir_set(t, hash & ~bit, depth, half[0]);
    dir_set(t, hash | bit, depth, half[1]);
    if (depth == t->depth) t->deepest += 2;
    seg_free(t, s);
}

static void table_open(struct mg_table *t) {
    t->dir = mg_alloc(sizeof *t->dir);
    t->memory = sizeof *t->dir;
    t->depth = 0;
    t->deepest = 1;
    t->dir[0] = seg_new(t, MIN_SLOTS, 0);
}

void mg_table_add(struct mg_table *t, uint64_t hash, void *val) {
    mg_assert(val != NULL);
    if (t->dir == NULL) table_open(t);
    struct mg_table_seg *s = t->dir[dir_index(t, hash)];
    while (s->count >= (s->mask + 1) / 4 * 3) {
        bool may_split = s->depth < t->depth || (t->depth < MAX_DEPTH && t->count >> t->depth >= DIR_SLACK);
        if (s->mask + 1 >= MAX_SLOTS && may_split)
            seg_split(t, s, hash);
        else
            seg_resize(t, s, hash, (s->mask + 1) * 2);
        s = t->dir[dir_index(t, hash)];
    }
    seg_put(s, hash, val);
    t->count++;
}

// Frees slot i and moves later entries of the same run back, so that every entry stays reachable from its home slot.
static void seg_del(struct mg_table_seg *s, uint32_t i) {
    for (uint32_t j = (i + 1) & s->mask; s->slots[j].val != NULL; j = (j + 1) & s->mask) {
        uint32_t home = (uint32_t)s->slots[j].hash & s->mask;
        if (((j - home) & s->mask) < ((j - i) & s->mask)) continue; // its home lies behind the hole
        s->slots[i] = s->slots[j];
        i = j;
    }
    s->slots[i].val = NULL;
    s->count--;
}

// Joins s with its buddy (same parent, differs in the last bit of the depth) if both fit well into one: the new
// segment, or NULL.
static struct mg_table_seg *seg_merge(struct mg_table *t, struct mg_table_seg *s, uint64_t hash) {
    uint64_t bit = (uint64_t)1 << (64 - s->depth);
    struct mg_table_seg *buddy = t->dir[dir_index(t, hash ^ bit)];
    if (buddy->depth != s->depth || s->count + buddy->count > MAX_SLOTS / 8 * 3) return NULL;
    struct mg_table_seg *to = seg_new(t, MAX_SLOTS, s->depth - 1);
    seg_move(to, s);
    seg_move(to, buddy);
    if (s->depth == t->depth) t->deepest -= 2;
    dir_set(t, hash, to->depth, to);
    if (to->depth == t->depth) t->deepest++;
    seg_free(t, s);
    seg_free(t, buddy);
    return to;
}

// Halves the directory where no segment is as deep as it. One halving a call; counting is paid by the halving.
static void dir_shrink(struct mg_table *t) {
    if (t->deepest > 0 || t->depth == 0) return;
    dir_resize(t, t->depth - 1);
    for (size_t i = 0; i < (size_t)1 << t->depth; i++)
        t->deepest += t->dir[i]->depth == t->depth;
}

static void seg_shrink(struct mg_table *t, struct mg_table_seg *s, uint64_t hash) {
    if (s->count > (s->mask + 1) / 8) return;
    if (s->mask + 1 > MAX_SLOTS || (s->depth == 0 && s->mask + 1 > MIN_SLOTS)) {
        seg_resize(t, s, hash, (s->mask + 1) / 2);
        return;
    }
    while (s != NULL && s->depth > 0 && s->count <= MAX_SLOTS / 8) {
        s = seg_merge(t, s, hash);
        if (s != NULL) dir_shrink(t);
    }
}

void mg_table_del(struct mg_table *t, uint64_t hash, const void *val) {
    mg_assert(t->count > 0);
    struct mg_table_seg *s = t->dir[dir_index(t, hash)];
    uint32_t i = (uint32_t)hash & s->mask;
    while (s->slots[i].val != val || s->slots[i].hash != hash) {
        mg_assert(s->slots[i].val != NULL);
        i = (i + 1) & s->mask;
    }
    seg_del(s, i);
    t->count--;
    if (t->count == 0 && t->depth > 0)
        mg_table_fini(t); // whatever merging has left over; a single segment stays for the next entry
    else
        seg_shrink(t, s, hash);
}

void mg_table_each(const struct mg_table *t, void (*fn)(void *ctx, void *val), void *ctx) {
    for (size_t d = 0; t->dir != NULL && d < (size_t)1 << t->depth;) {
        const struct mg_table_seg *s = t->dir[d];
        for (uint32_t i = 0; i <= s->mask; i++)
            if (s->slots[i].val != NULL) fn(ctx, s->slots[i].val);
        d += (size_t)1 << (t->depth - s->depth);
    }
}

static bool above(uint64_t hash, uintptr_t val, uint64_t hash2, uintptr_t val2) {
    return hash > hash2 || (hash == hash2 && val > val2);
}

bool mg_table_next(const struct mg_table *t, bool begin, uint64_t *hash, uintptr_t *val) {
    if (t->count == 0) return false;
    for (size_t d = begin ? 0 : dir_index(t, *hash); d < (size_t)1 << t->depth;) {
        const struct mg_table_seg *s = t->dir[d];
        const struct mg_table_slot *best = NULL;
        for (uint32_t i = 0; i <= s->mask; i++) {
            const struct mg_table_slot *e = &s->slots[i];
            if (e->val == NULL || (!begin && !above(e->hash, (uintptr_t)e->val, *hash, *val))) continue;
            if (best == NULL || above(best->hash, (uintptr_t)best->val, e->hash, (uintptr_t)e->val)) best = e;
        }
        if (best != NULL) {
            *hash = best->hash;
            *val = (uintptr_t)best->val;
            return true;
        }
        size_t span = (size_t)1 << (t->depth - s->depth);
        d = (d & ~(span - 1)) + span;
    }
    return false;
}
