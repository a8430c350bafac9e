// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The router between shards: announcing interest, sending messages, and what to do with those that arrive.
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/router/router_impl.h"

void mg_router_init(struct mg_router *r, struct mg_shard *shard, const struct mg_router_ops *ops, void *app,
                    uint64_t hash_seed, bool cache) {
    *r = (struct mg_router){.shard = shard, .ops = ops, .app = app, .free_wait = UINT32_MAX};
    r->subs = mg_sublist_new(hash_seed, cache ? 16384 : 0);
    if (mg_shard_count(shard) == 1) return;
    r->others = mg_interest_new(hash_seed, cache ? 16384 : 0);
    r->runs = mg_zalloc(mg_shard_count(shard) * sizeof(*r->runs));
}

void mg_router_fini(struct mg_router *r) {
    mg_sublist_free(r->subs);
    mg_interest_free(r->others);
    wait_fini(r);
    mg_free(r->plan);
    mg_free(r->runs);
}

// ---- interest ------------------------------------------------------------------------------------------------------

int mg_router_interest_blocked(const struct mg_router *r) {
    unsigned n = mg_shard_count(r->shard), self = mg_shard_id(r->shard);
    for (unsigned to = 0; to < n; to++)
        if (to != self && mg_credit(r->shard, to) <= 0) return (int)to;
    return -1;
}

static void announce(struct mg_router *r, mg_slice subject, mg_slice queue, uint32_t members) {
    unsigned n = mg_shard_count(r->shard), self = mg_shard_id(r->shard);
    for (unsigned to = 0; to < n; to++) {
        if (to == self) continue;
        uint32_t size = (uint32_t)(sizeof(struct rec_interest) + subject.n + queue.n);
        struct mg_rec *rec = mg_post_interest(r->shard, to, MG_REC_INTEREST, size);
        struct rec_interest *ri = (struct rec_interest *)(void *)rec->body;
        *ri = (struct rec_interest){.members = members, .subject_len = (uint16_t)subject.n,
                                    .queue_len = (uint16_t)queue.n};
        memcpy(ri->text, subject.p, subject.n);
        if (queue.n) memcpy(ri->text + subject.n, queue.p, queue.n);
        if (r->heedful >> to & 1) mg_post_data(r->shard, to, MG_REC_POKE, 0);
    }
}

void mg_router_heed(struct mg_router *r, void (*fn)(void *arg, mg_slice subject, mg_slice queue), void *arg) {
    unsigned n = mg_shard_count(r->shard), self = mg_shard_id(r->shard);
    bool was = r->heard != NULL;
    r->heard = fn;
    r->heard_arg = arg;
    if (r->others == NULL || was == (fn != NULL)) return;
    for (unsigned to = 0; to < n; to++) {
        if (to == self) continue;
        struct mg_rec *rec = mg_post_data(r->shard, to, MG_REC_HEED, sizeof(struct rec_heed));
        const struct rec_heed heed = {fn != NULL};
        memcpy(rec->body, &heed, sizeof(heed));
    }
}

// Interest that was announced before this came may have woken nobody.
static void on_heed(struct mg_router *r, const struct mg_rec *rec) {
    struct rec_heed heed;
    memcpy(&heed, rec->body, sizeof(heed));
    uint64_t bit = UINT64_C(1) << rec->from;
    r->heedful = heed.on ? r->heedful | bit : r->heedful & ~bit;
    if (heed.on) mg_post_data(r->shard, rec->from, MG_REC_POKE, 0);
}

void mg_router_subscribe(struct mg_router *r, struct mg_sub *sub) {
    struct mg_sub_change change;
    mg_sublist_insert(r->subs, sub, &change);
    if (r->heard) r->heard(r->heard_arg, mg_sub_subject(sub), mg_sub_queue(sub));
    if (r->others == NULL) return;
    if (change.first_plain) announce(r, mg_sub_subject(sub), (mg_slice){NULL, 0}, 1);
    if (sub->queue_len) announce(r, mg_sub_subject(sub), mg_sub_queue(sub), change.queue_members);
}

void mg_router_unsubscribe(struct mg_router *r, struct mg_sub *sub) {
    struct mg_sub_change change;
    mg_sublist_remove(r->subs, sub, &change);
    if (r->heard) r->heard(r->heard_arg, mg_sub_subject(sub), mg_sub_queue(sub));
    if (r->others == NULL) return;
    if (change.last_plain || (MG_PLANTED(last_of_many) && sub->queue_len == 0))
        announce(r, mg_sub_subject(sub), (mg_slice){NULL, 0}, 0);
    if (sub->queue_len) announce(r, mg_sub_subject(sub), mg_sub_queue(sub), change.queue_members);
}

static void on_interest(struct mg_router *r, const struct mg_rec *rec) {
    const struct rec_interest *ri = (const struct rec_interest *)(const void *)rec->body;
    mg_slice subject = {ri->text, ri->subject_len}, queue = {ri->text + ri->subject_len, ri->queue_len};
    if (queue.n) mg_interest_queue(r->others, subject, queue, rec->from, ri->members);
    else mg_interest_plain(r->others, subject, rec->from, ri->members != 0);
    if (r->heard) r->heard(r->heard_arg, subject, queue);
}

bool mg_router_wants_exactly(const struct mg_router *r, mg_slice subject, mg_slice queue) {
    return mg_sublist_has_client(r->subs, subject, queue) || (r->others && mg_interest_has(r->others, subject, queue));
}

// ---- messages ------------------------------------------------------------------------------------------------------

static char *put(char *at, mg_slice s) {
    if (s.n) memcpy(at, s.p, s.n);
    return at + s.n;
}

void send_msg(struct mg_router *r, unsigned to, const struct mg_msg *m, bool plain, struct group_names groups,
              uint64_t visited, uint32_t wait, uint64_t share) {
    size_t names = 0;
    for (uint32_t i = 0; i < groups.n; i++) names += 2 + groups.v[i].n;
    struct mg_mbuf *mbuf = m->mbuf;
    const char *payload = m->payload.p;
    bool refer = m->payload.n >= BY_REFERENCE;
    if (refer && mbuf == NULL) {
        mbuf = mg_mbuf_new(m->payload.n);
        memcpy(mbuf->data, m->payload.p, m->payload.n);
        mbuf->len = (uint32_t)m->payload.n;
        payload = mbuf->data;
    } else if (refer) {
        mg_mbuf_ref(mbuf);
    }
    size_t text = m->subject.n + m->route.n + m->reply.n + m->size_text.n + m->hdr_text.n + names;
    size_t size = sizeof(struct rec_msg) + text + (refer ? 0 : m->payload.n);
    struct mg_rec *rec = mg_post_data(r->shard, to, MG_REC_MSG, (uint32_t)size);
    struct rec_msg *rm = (struct rec_msg *)(void *)rec->body;
    *rm = (struct rec_msg){
        .origin_slot = m->origin_slot, .origin_id = m->origin_id, .origin_shard = m->origin_shard,
        .visited = visited, .share = share, .wait = wait,
        .size = (uint32_t)m->payload.n, .hdr_len = m->hdr_len,
        .mbuf = refer ? mbuf : NULL, .payload = refer ? payload : NULL,
        .subject_len = (uint16_t)m->subject.n, .route_len = (uint16_t)m->route.n, .reply_len = (uint16_t)m->reply.n,
        .ngroups = groups.n, .size_len = (uint8_t)m->size_text.n, .hdr_text_len = (uint8_t)m->hdr_text.n,
        .flags = (uint8_t)((plain ? MSG_PLAIN : 0) | (share ? MSG_OUTCOME : 0)),
    };
    char *at = put(put(put(put(put(rm->text, m->subject), m->route), m->reply), m->size_text), m->hdr_text);
    for (uint32_t i = 0; i < groups.n; i++) {
        uint16_t len = (uint16_t)groups.v[i].n;
        memcpy(at, &len, 2);
        at = put(at + 2, groups.v[i]);
    }
    if (refer) mg_post_charge(r->shard, to, m->payload.n);
    else put(at, m->payload);
}

static void send_outcome(struct mg_router *r, const struct rec_msg *rm, uint64_t share, bool delivered) {
    const struct rec_outcome o = {.share = share, .wait = rm->wait, .delivered = delivered};
    if (rm->origin_shard == mg_shard_id(r->shard)) {
        wait_outcome(r, &o);
        return;
    }
    struct mg_rec *rec = mg_post_data(r->shard, rm->origin_shard, MG_REC_OUTCOME, sizeof(o));
    memcpy(rec->body, &o, sizeof(o));
}

// The group's chosen shard is this one. If nobody here can take the message, another shard that was not asked yet
// gets it. Returns 1: delivered; 0: nobody; -1: passed on with a part of the share.
static int deliver_here_or_pass_on(struct mg_router *r, mg_slice name, const struct mg_match *match,
                                   const struct mg_msg *m, const struct rec_msg *rm, uint64_t *share) {
    for (uint32_t i = 0; i < match->ngroups; i++)
        if (mg_slice_eq(match->groups[i].name, name) && deliver_group(r, &match->groups[i], m)) return 1;
    uint64_t visited = rm->visited | UINT64_C(1) << mg_shard_id(r->shard);
    struct mg_imatch im;
    mg_interest_match(r->others, mg_msg_route(m), &im);
    uint64_t best_members = 0;
    int to = -1;
    for (uint32_t i = 0; i < im.ngroups; i++) {
        if (!mg_slice_eq(im.groups[i].name, name)) continue;
        for (uint32_t k = 0; k < im.groups[i].n; k++) {
            const struct mg_iweight *w = &im.groups[i].weights[k];
            if (visited >> w->shard & 1 || w->members <= best_members) continue;
            best_members = w->members;
            to = (int)w->shard;
        }
    }
    if (to < 0 || MG_PLANTED(no_second_choice)) return 0;
    uint64_t part = *share / 2;
    *share -= part;
    send_msg(r, (unsigned)to, m, false, (struct group_names){&name, 1}, visited, rm->wait, part);
    // With nothing left to divide its outcome would not be heard of: better no 503 than a false one.
    return (rm->flags & MSG_OUTCOME) && part == 0 ? 1 : -1;
}

static void on_msg(struct mg_router *r, const struct mg_rec *rec) {
    const struct rec_msg *rm = (const struct rec_msg *)(const void *)rec->body;
    const char *at = rm->text;
    struct mg_msg m = {.origin_id = rm->origin_id, .origin_slot = rm->origin_slot, .origin_shard = rm->origin_shard,
                       .hdr_len = rm->hdr_len, .mbuf = rm->mbuf, .slab = rm->mbuf == NULL};
    m.subject = (mg_slice){at, rm->subject_len};
    at += rm->subject_len;
    m.route = (mg_slice){at, rm->route_len};
    at += rm->route_len;
    m.reply = (mg_slice){at, rm->reply_len};
    at += rm->reply_len;
    m.size_text = (mg_slice){at, rm->size_len};
    at += rm->size_len;
    m.hdr_text = (mg_slice){at, rm->hdr_text_len};
    at += rm->hdr_text_len;
    const char *groups = at;
    for (uint32_t i = 0; i < rm->ngroups; i++) {
        uint16_t len;
        memcpy(&len, at, 2);
        at += 2 + len;
    }
    m.payload = (mg_slice){rm->mbuf ? rm->payload : at, rm->size};

    const struct mg_match *match = mg_sublist_match(r->subs, mg_msg_route(&m));
    bool delivered = false;
    uint64_t share = rm->share;
    if (rm->flags & MSG_PLAIN)
        for (uint32_t i = 0; i < match->nplain; i++) delivered |= deliver_one(match->plain[i], &m);
    for (uint32_t i = 0; i < rm->ngroups; i++) {
        uint16_t len;
        memcpy(&len, groups, 2);
        int got = deliver_here_or_pass_on(r, (mg_slice){groups + 2, len}, match, &m, rm, &share);
        delivered |= got > 0;
        groups += 2 + len;
    }
    if (rm->flags & MSG_OUTCOME) send_outcome(r, rm, share, delivered);
    mg_mbuf_unref(rm->mbuf);
}

void mg_router_record(struct mg_router *r, const struct mg_rec *rec) {
    switch (rec->kind) {
    case MG_REC_INTEREST: on_interest(r, rec); return;
    case MG_REC_MSG: on_msg(r, rec); return;
    case MG_REC_RUN: run_received(r, rec); return;
    case MG_REC_OUTCOME: wait_outcome(r, (const struct rec_outcome *)(const void *)rec->body); return;
    case MG_REC_HEED: on_heed(r, rec); return;
    case MG_REC_POKE: return;
    default: mg_assert(false);
    }
}
