// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The queue of pull requests; see waiting.h.
#include "jetstream/consumer/waiting.h"

#include <stddef.h>

#include "jetstream/consumer/pending.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

void mg_js_waiting_init(struct mg_js_waiting *q) {
    *q = (struct mg_js_waiting){.wake = MG_JS_NEVER};
    mg_list_init(&q->queue);
}

void mg_js_waiting_fini(struct mg_js_waiting *q) {
    for (struct mg_js_waiter *w; (w = mg_js_waiting_head(q)) != NULL;) mg_js_waiting_remove(q, w);
}

static struct mg_js_waiter *of(struct mg_list *l) { return mg_container_of(l, struct mg_js_waiter, link); }

struct mg_js_waiter *mg_js_waiting_head(const struct mg_js_waiting *q) {
    return q->len > 0 ? of(q->queue.next) : NULL;
}

struct mg_js_waiter *mg_js_waiting_find(const struct mg_js_waiting *q, mg_slice reply) {
    for (struct mg_list *l = q->queue.next; l != &q->queue; l = l->next)
        if (mg_slice_eq(mg_js_waiter_reply(of(l)), reply)) return of(l);
    return NULL;
}

// Behind all of its own priority; requests of one priority nearly always come in at the end.
static void insert(struct mg_js_waiting *q, struct mg_js_waiter *w, bool prioritized) {
    struct mg_list *before = q->queue.prev;
    if (MG_PLANTED(first_come)) prioritized = false;
    while (prioritized && before != &q->queue && of(before)->priority > w->priority) before = before->prev;
    w->link.prev = before;
    w->link.next = before->next;
    before->next->prev = &w->link;
    before->next = &w->link;
}

void mg_js_waiting_cycle(struct mg_js_waiting *q, struct mg_js_waiter *w, bool prioritized) {
    mg_list_remove(&w->link);
    insert(q, w, prioritized);
}

static int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static uint8_t copy(char *to, size_t cap, mg_slice s) {
    size_t n = s.n < cap ? s.n : cap;
    if (n > 0) memcpy(to, s.p, n);
    return (uint8_t)n;
}

// What a request counts in `batches`: bounded, so that the sum cannot overflow.
static int64_t share(int64_t left) { return left < 0 ? 0 : left < INT64_C(1) << 30 ? left : INT64_C(1) << 30; }

static struct mg_js_waiter_group *new_group(const struct mg_js_request *r) {
    if (r->group.n == 0 && r->id.n == 0 && r->min_pending == 0 && r->min_ack_pending == 0) return NULL;
    struct mg_js_waiter_group *g = mg_zalloc(sizeof *g);
    g->min_pending = r->min_pending;
    g->min_ack_pending = r->min_ack_pending;
    g->name_len = copy(g->name, sizeof g->name, r->group);
    g->id_len = copy(g->id, sizeof g->id, r->id);
    return g;
}

struct mg_js_waiter *mg_js_waiting_add(struct mg_js_waiting *q, const struct mg_js_request *r, mg_slice reply,
                                       int64_t now, bool prioritized) {
    struct mg_js_waiter *w = mg_zalloc(offsetof(struct mg_js_waiter, reply) + reply.n);
    w->left = r->batch;
    w->bytes_left = r->max_bytes;
    w->no_wait = r->no_wait;
    w->json = r->json;
    w->priority = r->json ? (uint8_t)r->priority : MG_JS_PRIORITY_LAST;
    w->expires = r->expires == 0 ? MG_JS_NEVER : plus(now, r->expires);
    w->heartbeat = r->heartbeat;
    w->next_heartbeat = r->heartbeat > 0 ? plus(now, r->heartbeat) : MG_JS_NEVER;
    w->group = new_group(r);
    w->reply_len = (uint32_t)reply.n;
    memcpy(w->reply, reply.p, reply.n);
    insert(q, w, prioritized);
    q->len++;
    q->one_shots += w->no_wait;
    q->batches += share(w->left);
    if (w->expires < q->wake) q->wake = w->expires;
    if (w->next_heartbeat < q->wake) q->wake = w->next_heartbeat;
    return w;
}

void mg_js_waiting_want(struct mg_js_waiting *q, struct mg_js_waiter *w, int64_t left) {
    q->batches += share(left) - share(w->left);
    w->left = left;
}

void mg_js_waiting_remove(struct mg_js_waiting *q, struct mg_js_waiter *w) {
    mg_js_waiting_want(q, w, 0);
    mg_list_remove(&w->link);
    q->len--;
    q->one_shots -= w->no_wait;
    if (q->len == 0) {
        q->batches = 0;
        q->wake = MG_JS_NEVER;
    }
    mg_free(w->group);
    mg_free(w);
}
