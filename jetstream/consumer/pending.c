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
static uint32_t lower_bound(const struct mg_js_entries *in, uint64_t seq) {
    uint32_t low = 0, high = in->len;
    // Usually it is a new number, or the numbers have no gaps.
    if (high == 0 || seq > in->log[high - 1].seq) return high;
    uint64_t guess = seq - in->log[0].seq;
    if (guess < high && in->log[guess].seq == seq) return (uint32_t)guess;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (in->log[mid].seq < seq) low = mid + 1;
        else high = mid;
    }
    return low;
}

struct mg_js_entry *mg_js_pending_from(struct mg_js_pending *p, uint64_t seq) {
    struct mg_js_entries *in = p->in;
    if (in == NULL) return NULL;
    while (in->first_used < in->len && in->log[in->first_used].state == MG_JS_ENTRY_GONE) in->first_used++;
    uint32_t i = lower_bound(in, seq);
    for (i = i > in->first_used ? i : in->first_used; i < in->len; i++)
        if (in->log[i].state != MG_JS_ENTRY_GONE) return &in->log[i];
    return NULL;
}

struct mg_js_entry *mg_js_pending_find(const struct mg_js_pending *p, uint64_t seq) {
    const struct mg_js_entries *in = p->in;
    if (in == NULL) return NULL;
    uint32_t i = lower_bound(in, seq);
    if (i == in->len || in->log[i].seq != seq || in->log[i].state == MG_JS_ENTRY_GONE) return NULL;
    return &in->log[i];
}

struct mg_js_entry *mg_js_pending_first(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    if (in == NULL) return NULL;
    while (in->first_live < in->len && in->log[in->first_live].state != MG_JS_ENTRY_LIVE) in->first_live++;
    return in->first_live < in->len ? &in->log[in->first_live] : NULL;
}

// Squeezes the holes out. Amortized over the removals that made them.
static void squeeze(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    uint32_t to = 0, first = 0;
    for (uint32_t i = 0; i < in->len; i++) {
        if (i == in->first_live) first = to;
        if (in->log[i].state != MG_JS_ENTRY_GONE) in->log[to++] = in->log[i];
    }
    in->first_live = in->first_live < in->len ? first : to;
    in->first_used = 0;
    in->len = to;
    mg_assert(in->len == p->live + p->parked);
}

static void make_room(struct mg_js_pending *p) {
    if (p->in == NULL) p->in = mg_zalloc(sizeof *p->in);
    struct mg_js_entries *in = p->in;
    if (in->len < in->cap) return;
    if (in->len >= 2 * (p->live + p->parked)) squeeze(p);
    if (in->len < in->cap) return;
    mg_assert(in->cap < 2 * MG_JS_PENDING_MAX);
    in->cap = in->cap > 0 ? in->cap * 2 : 8;
    in->log = mg_realloc(in->log, in->cap * sizeof *in->log);
}

// Nothing is left: give the memory back, but keep a little for what comes next.
static void all_gone(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    if (in->cap > 64 || in->heap_cap > 64 || in->ring_cap > 64) {
        mg_js_pending_fini(p);
        return;
    }
    in->len = in->first_used = in->first_live = in->heap_len = 0;
    in->head = in->tail = 1; // ticket 0 means none
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
    const struct mg_js_entries *in = p->in;
    int64_t latest = 0;
    for (uint32_t i = in ? in->first_live : 0; in && i < in->len; i++)
        if (in->log[i].state == MG_JS_ENTRY_LIVE && in->log[i].due > latest) latest = in->log[i].due;
    return latest;
}
