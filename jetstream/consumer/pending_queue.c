// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// When messages are due again, and the queue of those that are. See pending.h.
//
// The heap may hold several nodes of an entry, and nodes of entries that have gone. Each change adds at most one node,
// and when the nodes are twice as many as the entries the heap is built anew: so its size is bounded, and building it
// is paid for by the changes.
#include "jetstream/consumer/pending_impl.h"

#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

// ---- the heap -------------------------------------------------------------------------------------------------------

static void sift_up(struct mg_js_due *heap, uint32_t i) {
    struct mg_js_due node = heap[i];
    for (; i > 0 && heap[(i - 1) / 2].due > node.due; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = node;
}

static void sift_down(struct mg_js_due *heap, uint32_t len, uint32_t i) {
    struct mg_js_due node = heap[i];
    for (uint32_t child; (child = 2 * i + 1) < len; i = child) {
        if (child + 1 < len && heap[child + 1].due < heap[child].due) child++;
        if (heap[child].due >= node.due) break;
        heap[i] = heap[child];
    }
    heap[i] = node;
}

static void rebuild(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    in->heap_len = 0;
    for (uint32_t i = in->first_live; i < in->len; i++) {
        const struct mg_js_entry *e = &in->log[i];
        if (e->state != MG_JS_ENTRY_LIVE || e->ticket != 0 || e->due == MG_JS_NEVER) continue;
        mg_assert(in->heap_len < in->heap_cap);
        in->heap[in->heap_len++] = (struct mg_js_due){e->due, e->seq};
    }
    for (uint32_t i = in->heap_len / 2; i > 0; i--) sift_down(in->heap, in->heap_len, i - 1);
}

void mg_js_heap_push(struct mg_js_pending *p, const struct mg_js_entry *e) {
    struct mg_js_entries *in = p->in;
    if (e->due == MG_JS_NEVER) return;
    if (in->heap_len == in->heap_cap) {
        if (in->heap_cap >= 2 * p->live + 32) {
            rebuild(p); // finds e in the log
            return;
        }
        in->heap_cap = in->heap_cap > 0 ? in->heap_cap * 2 : 8;
        in->heap = mg_realloc(in->heap, in->heap_cap * sizeof *in->heap);
    }
    in->heap[in->heap_len] = (struct mg_js_due){e->due, e->seq};
    sift_up(in->heap, in->heap_len++);
}

static void pop(struct mg_js_entries *in) {
    in->heap[0] = in->heap[--in->heap_len];
    if (in->heap_len > 0) sift_down(in->heap, in->heap_len, 0);
}

// Drops and corrects nodes until the one on top says the truth. Its entry; NULL: nobody is due, ever.
static struct mg_js_entry *top(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    while (in && in->heap_len > 0) {
        struct mg_js_entry *e = mg_js_pending_find(p, in->heap[0].seq);
        bool waits = e != NULL && e->state == MG_JS_ENTRY_LIVE && e->ticket == 0;
        if (waits && e->due == in->heap[0].due) return e;
        if (waits && e->due > in->heap[0].due && e->due != MG_JS_NEVER) {
            in->heap[0].due = e->due;
            sift_down(in->heap, in->heap_len, 0);
        } else {
            pop(in); // gone, queued, or another node is earlier
        }
    }
    return NULL;
}

int64_t mg_js_pending_wake(struct mg_js_pending *p) {
    const struct mg_js_entry *e = top(p);
    return e != NULL ? e->due : MG_JS_NEVER;
}

void mg_js_pending_due(struct mg_js_pending *p, struct mg_js_entry *e, int64_t due) {
    mg_assert(e->state == MG_JS_ENTRY_LIVE);
    // Later than before: the node that is there comes up in time. In the queue: a node is pushed when it leaves.
    bool earlier = due < e->due;
    e->due = due;
    if (earlier && e->ticket == 0) mg_js_heap_push(p, e);
}

// ---- the queue ------------------------------------------------------------------------------------------------------

static uint64_t *slot(const struct mg_js_entries *in, uint32_t ticket) {
    return &in->ring[ticket & (in->ring_cap - 1)];
}

// Numbers the tickets anew from 1 on, without holes, in a ring with room.
static void repack(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    uint32_t cap = in->ring_cap > 0 ? in->ring_cap : 8;
    while (cap < 2 * p->queued + 2) cap *= 2;
    uint64_t *ring = mg_alloc(cap * sizeof *ring);
    uint32_t tail = 1;
    for (uint32_t t = in->head; t != in->tail; t++) {
        if (*slot(in, t) == 0) continue;
        struct mg_js_entry *e = mg_js_pending_find(p, *slot(in, t));
        mg_assert(e != NULL && e->ticket == t);
        ring[tail & (cap - 1)] = e->seq;
        e->ticket = tail++;
    }
    mg_free(in->ring);
    in->ring = ring;
    in->ring_cap = cap;
    in->head = 1;
    in->tail = tail;
    mg_assert(tail - 1 == p->queued);
}

void mg_js_pending_enqueue(struct mg_js_pending *p, struct mg_js_entry *e) {
    struct mg_js_entries *in = p->in;
    mg_assert(e->state == MG_JS_ENTRY_LIVE);
    if (e->ticket != 0) return;
    if (in->ring_cap == 0 || in->tail - in->head == in->ring_cap || in->tail == UINT32_MAX) repack(p);
    e->ticket = in->tail++;
    *slot(in, e->ticket) = e->seq;
    p->queued++;
}

void mg_js_queue_leave(struct mg_js_pending *p, struct mg_js_entry *e) {
    struct mg_js_entries *in = p->in;
    if (e->ticket == 0) return;
    mg_assert(*slot(in, e->ticket) == e->seq);
    *slot(in, e->ticket) = 0;
    e->ticket = 0;
    p->queued--;
    while (in->head != in->tail && *slot(in, in->head) == 0) in->head++;
}

void mg_js_pending_dequeue(struct mg_js_pending *p, struct mg_js_entry *e) {
    if (e->ticket == 0) return;
    mg_js_queue_leave(p, e);
    mg_js_heap_push(p, e);
}

struct mg_js_entry *mg_js_pending_next(struct mg_js_pending *p) {
    struct mg_js_entries *in = p->in;
    if (p->queued == 0) return NULL;
    struct mg_js_entry *e = mg_js_pending_find(p, *slot(in, in->head));
    mg_assert(e != NULL && e->ticket == in->head);
    return e;
}

// ---- from one to the other ------------------------------------------------------------------------------------------

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct mg_js_entry *mg_js_pending_queued(struct mg_js_pending *p, uint32_t from_end) {
    struct mg_js_entries *in = p->in;
    uint64_t seq = *slot(in, in->tail - from_end);
    return seq != 0 ? mg_js_pending_find(p, seq) : NULL;
}

uint32_t mg_js_pending_expire(struct mg_js_pending *p, int64_t now) {
    struct mg_js_entries *in = p->in;
    uint32_t n = 0;
    // In the queue an entry is not found again through another of its nodes.
    for (struct mg_js_entry *e; (e = top(p)) != NULL && e->due <= now; n++) {
        pop(in);
        mg_js_pending_enqueue(p, e);
    }
    if (n < 2) return n;
    uint64_t *seqs = mg_alloc(n * sizeof *seqs);
    uint32_t first = in->tail - n;
    for (uint32_t i = 0; i < n; i++) seqs[i] = *slot(in, first + i);
    qsort(seqs, n, sizeof *seqs, ascending);
    for (uint32_t i = 0; i < n; i++) {
        *slot(in, first + i) = seqs[i];
        mg_js_pending_find(p, seqs[i])->ticket = first + i;
    }
    mg_free(seqs);
    return n;
}
