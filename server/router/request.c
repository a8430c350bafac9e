// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Requests that went to other shards and whose outcome is not known: a table with a free list. Every record that
// carries a share of a request ends in an outcome that brings it back, so entries never leak; credit bounds how many
// there are.
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/router/router_impl.h"

static void grow(struct mg_router *r) {
    uint32_t n = r->nwaits ? r->nwaits * 2 : 16;
    r->waits = mg_realloc(r->waits, n * sizeof(*r->waits));
    for (uint32_t i = r->nwaits; i < n; i++) {
        r->waits[i] = (struct mg_request_wait){.origin_slot = r->free_wait};
        r->free_wait = i;
    }
    r->nwaits = n;
}

uint32_t wait_open(struct mg_router *r, const struct mg_msg *m, uint64_t share) {
    if (r->free_wait == UINT32_MAX) grow(r);
    uint32_t id = r->free_wait;
    struct mg_request_wait *w = &r->waits[id];
    r->free_wait = w->origin_slot;
    *w = (struct mg_request_wait){.share = share, .origin_id = m->origin_id, .origin_slot = m->origin_slot,
                                  .subject_len = (uint16_t)m->subject.n, .reply_len = (uint16_t)m->reply.n,
                                  .used = true};
    w->text = mg_alloc(m->subject.n + m->reply.n);
    memcpy(w->text, m->subject.p, m->subject.n);
    memcpy(w->text + m->subject.n, m->reply.p, m->reply.n);
    return id;
}

void wait_outcome(struct mg_router *r, const struct rec_outcome *o) {
    mg_assert(o->wait < r->nwaits);
    struct mg_request_wait *w = &r->waits[o->wait];
    mg_assert(w->used && w->share >= o->share && o->share > 0);
    w->share -= o->share;
    w->delivered |= o->delivered != 0;
    if (w->share > 0) return;
    char *text = w->text;
    struct mg_request_wait done = *w;
    *w = (struct mg_request_wait){.origin_slot = r->free_wait};
    r->free_wait = o->wait;
    if (!done.delivered && !MG_PLANTED(lost_503))
        r->ops->nobody(r->app, done.origin_slot, done.origin_id, (mg_slice){text, done.subject_len},
                       (mg_slice){text + done.subject_len, done.reply_len});
    mg_free(text);
}

void wait_fini(struct mg_router *r) {
    for (uint32_t i = 0; i < r->nwaits; i++) mg_free(r->waits[i].text);
    mg_free(r->waits);
}
