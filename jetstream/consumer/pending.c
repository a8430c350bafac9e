// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages that were delivered and not yet acknowledged; see pending.h for the three structures and their invariants.
// Here: the log. The queue and the heap are in pending_queue.c.
#include "jetstream/consumer/pending.h"

#include "jetstream/consumer/pending_impl.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

void mg_js_pending_fini(struct mg_js_pending *p) {
    mg_free(p->log);
    mg_free(p->heap);
    mg_free(p->ring);
    *p = (struct mg_js_pending){0};
}

// Index of the first entry, holes included, with a number of at least seq.
static uint32_t lower_bound(const struct mg_js_pending *p, uint64_t seq) {
    uint32_t low = 0, high = p->len;
    // Usually it is a new number, or the numbers have no gaps.
    if (high == 0 || seq > p->log[high - 1].seq) return high;
    uint64_t guess = seq - p->log[0].seq;
    if (guess < high && p->log[guess].seq == seq) return (uint32_t)guess;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (p->log[mid].seq < seq) low = mid + 1;
        else high = mid;
    }
    return low;
}

struct mg_js_entry *mg_js_pending_from(struct mg_js_pending *p, uint64_t seq) {
    while (p->first_used < p->len && p->log[p->first_used].state == MG_JS_ENTRY_GONE) p->first_used++;
    uint32_t i = lower_bound(p, seq);
    for (i = i > p->first_used ? i : p->first_used; i < p->len; i++)
        if (p->log[i].state != MG_JS_ENTRY_GONE) return &p->log[i];
    return NULL;
}

struct mg_js_entry *mg_js_pending_find(const struct mg_js_pending *p, uint64_t seq) {
    uint32_t i = lower_bound(p, seq);
    if (i == p->len || p->log[i].seq != seq || p->log[i].state == MG_JS_ENTRY_GONE) return NULL;
    return &p->log[i];
}

struct mg_js_entry *mg_js_pending_first(struct mg_js_pending *p) {
    while (p->first_live < p->len && p->log[p->first_live].state != MG_JS_ENTRY_LIVE) p->first_live++;
    return p->first_live < p->len ? &p->log[p->first_live] : NULL;
}

// Squeezes the holes out. Amortized over the removals that made them.
static void squeeze(struct mg_js_pending *p) {
    uint32_t to = 0, first = 0;
    for (uint32_t i = 0; i < p->len; i++) {
        if (i == p->first_live) first = to;
        if (p->log[i].state != MG_JS_ENTRY_GONE) p->log[to++] = p->log[i];
    }
    p->first_live = p->first_live < p->len ? first : to;
    p->first_used = 0;
    p->len = to;
    mg_assert(p->len == p->live + p->parked);
}

static void make_room(struct mg_js_pending *p) {
    if (p->len < p->cap) return;
    if (p->len >= 2 * (p->live + p->parked)) squeeze(p);
    if (p->len < p->cap) return;
    mg_assert(p->cap < 2 * MG_JS_PENDING_MAX);
    p->cap = p->cap > 0 ? p->cap * 2 : 8;
    p->log = mg_realloc(p->log, p->cap * sizeof *p->log);
}

// Nothing is left: give the memory back, but keep a little for what comes next.
static void all_gone(struct mg_js_pending *p) {
    if (p->cap > 64 || p->heap_cap > 64 || p->ring_cap > 64) {
        mg_js_pending_fini(p);
        return;
    }
    p->len = p->first_used = p->first_live = p->heap_len = 0;
    p->head = p->tail = 1; // ticket 0 means none
}

struct mg_js_entry *mg_js_pending_append(struct mg_js_pending *p, uint64_t seq, uint64_t dseq, int64_t due,
                                         uint32_t count, enum mg_js_entry_state state) {
    mg_assert(p->len == 0 || p->log[p->len - 1].seq < seq);
    mg_assert(state != MG_JS_ENTRY_GONE);
    make_room(p);
    struct mg_js_entry *e = &p->log[p->len++];
    *e = (struct mg_js_entry){
        .seq = seq, .dseq = dseq, .due = due, .count = count & MG_JS_COUNT_MAX, .state = state & 3u};
    if (count > 1) p->redelivered++;
    if (state == MG_JS_ENTRY_LIVE) {
        p->live++;
        mg_js_heap_push(p, e);
    } else {
        p->parked++;
    }
    return e;
}

void mg_js_pending_remove(struct mg_js_pending *p, struct mg_js_entry *e) {
    mg_js_queue_leave(p, e);
    if (e->count > 1) p->redelivered--;
    if (e->state == MG_JS_ENTRY_LIVE) p->live--;
    else p->parked--;
    e->state = MG_JS_ENTRY_GONE;
    if (p->live + p->parked == 0) all_gone(p);
}

void mg_js_pending_park(struct mg_js_pending *p, struct mg_js_entry *e) {
    mg_assert(e->state == MG_JS_ENTRY_LIVE);
    mg_js_queue_leave(p, e);
    e->state = MG_JS_ENTRY_PARKED;
    e->due = MG_JS_NEVER;
    p->live--;
    p->parked++;
}

void mg_js_pending_count(struct mg_js_pending *p, struct mg_js_entry *e, uint32_t count) {
    if (e->count > 1) p->redelivered--;
    e->count = (count < MG_JS_COUNT_MAX ? count : MG_JS_COUNT_MAX) & MG_JS_COUNT_MAX;
    if (e->count > 1) p->redelivered++;
}

int64_t mg_js_pending_latest(const struct mg_js_pending *p) {
    int64_t latest = 0;
    for (uint32_t i = p->first_live; i < p->len; i++)
        if (p->log[i].state == MG_JS_ENTRY_LIVE && p->log[i].due > latest) latest = p->log[i].due;
    return latest;
}
