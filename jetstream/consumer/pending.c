// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages that were delivered and not yet acknowledged; see pending.h for the three structures and their invariants.
// Here: the log. The queue and the heap are in pending_queue.c.
#include "jetstream/consumer/pending.h"

#include "jetstream/consumer/pending_impl.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

size_t mg_js_pending_memory(const struct mg_js_pending *p) {
    const struct mg_js_entries *in = p->in;
    if (in == NULL) return 0;
    return sizeof *in + in->cap * sizeof *in->log + in->heap_cap * sizeof *in->heap + in->ring_cap * sizeof *in->ring;
}

void mg_js_pending_fini(struct mg_js_pending *p) {
    if (p->in != NULL) {
        mg_free(p->in->log);
        mg_free(p->in->heap);
        mg_free(p->in->ring);
    }
    mg_free(p->in);
    *p = (struct mg_js_pending){0};
}

// Index of the first entry, holes included, with a number of at least seq.
static uint32_t lower_bound(const struct mg_js_pending *p, uint64_t seq) {
    uint32_t low = 0, high = p->in->len;
    // Usually it is a new number, or the numbers have no gaps.
    if (high == 0 || seq > p->in->log[high - 1].seq) return high;
    uint64_t guess = seq - p->in->log[0].seq;
    if (guess < high && p->in->log[guess].seq == seq) return (uint32_t)guess;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (p->in->log[mid].seq < seq) low = mid + 1;
        else high = mid;
    }
    return low;
}

struct mg_js_entry *mg_js_pending_from(struct mg_js_pending *p, uint64_t seq) {
    if (p->in == NULL) return NULL;
    while (p->in->first_used < p->in->len && p->in->log[p->in->first_used].state == MG_JS_ENTRY_GONE) p->in->first_used++;
    uint32_t i = lower_bound(p, seq);
    for (i = i > p->in->first_used ? i : p->in->first_used; i < p->in->len; i++)
        if (p->in->log[i].state != MG_JS_ENTRY_GONE) return &p->in->log[i];
    return NULL;
}

struct mg_js_entry *mg_js_pending_find(const struct mg_js_pending *p, uint64_t seq) {
    if (p->in == NULL) return NULL;
    uint32_t i = lower_bound(p, seq);
    if (i == p->in->len || p->in->log[i].seq != seq || p->in->log[i].state == MG_JS_ENTRY_GONE) return NULL;
    return &p->in->log[i];
}

struct mg_js_entry *mg_js_pending_first(struct mg_js_pending *p) {
    if (p->in == NULL) return NULL;
    while (p->in->first_live < p->in->len && p->in->log[p->in->first_live].state != MG_JS_ENTRY_LIVE) p->in->first_live++;
    return p->in->first_live < p->in->len ? &p->in->log[p->in->first_live] : NULL;
}

// Squeezes the holes out. Amortized over the removals that made them.
static void squeeze(struct mg_js_pending *p) {
    uint32_t to = 0, first = 0;
    for (uint32_t i = 0; i < p->in->len; i++) {
        if (i == p->in->first_live) first = to;
        if (p->in->log[i].state != MG_JS_ENTRY_GONE) p->in->log[to++] = p->in->log[i];
    }
    p->in->first_live = p->in->first_live < p->in->len ? first : to;
    p->in->first_used = 0;
    p->in->len = to;
    mg_assert(p->in->len == p->live + p->parked);
}

static void make_room(struct mg_js_pending *p) {
    if (p->in == NULL) p->in = mg_zalloc(sizeof *p->in);
    if (p->in->len < p->in->cap) return;
    if (p->in->len >= 2 * (p->live + p->parked)) squeeze(p);
    if (p->in->len < p->in->cap) return;
    mg_assert(p->in->cap < 2 * MG_JS_PENDING_MAX);
    p->in->cap = p->in->cap > 0 ? p->in->cap * 2 : 8;
    p->in->log = mg_realloc(p->in->log, p->in->cap * sizeof *p->in->log);
}

// Nothing is left: give the memory back, but keep a little for what comes next.
static void all_gone(struct mg_js_pending *p) {
    if (p->in->cap > 64 || p->in->heap_cap > 64 || p->in->ring_cap > 64) {
        mg_js_pending_fini(p);
        return;
    }
    p->in->len = p->in->first_used = p->in->first_live = p->in->heap_len = 0;
    p->in->head = p->in->tail = 1; // ticket 0 means none
}

struct mg_js_entry *mg_js_pending_append(struct mg_js_pending *p, uint64_t seq, uint64_t dseq, int64_t due,
                                         uint32_t count, enum mg_js_entry_state state) {
    mg_assert(state != MG_JS_ENTRY_GONE);
    make_room(p);
    mg_assert(p->in->len == 0 || p->in->log[p->in->len - 1].seq < seq);
    struct mg_js_entry *e = &p->in->log[p->in->len++];
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
    if (p->in == NULL) return 0;
    for (uint32_t i = p->in->first_live; i < p->in->len; i++)
        if (p->in->log[i].state == MG_JS_ENTRY_LIVE && p->in->log[i].due > latest) latest = p->in->log[i].due;
    return latest;
}
