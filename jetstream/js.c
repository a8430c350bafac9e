// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/js.h"

#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

struct mg_js_sub {
    struct mg_sink sink; // first: the router calls it through the subscription's owner
    struct mg_list link; // of js->dead
    mg_js_handler fn;
    void *arg;
    struct mg_sub sub; // its text follows
};

void mg_js_init(struct mg_js *js, struct mg_shard *shard, struct mg_router *router, struct mg_store_part *part,
                struct mg_log *log) {
    memset(js, 0, sizeof(*js));
    js->shard = shard;
    js->router = router;
    js->part = part;
    js->log = log;
    mg_list_init(&js->streams);
    mg_list_init(&js->dead);
}

static void bury(struct mg_js *js) {
    while (!mg_list_empty(&js->dead)) {
        struct mg_js_sub *s = mg_container_of(js->dead.next, struct mg_js_sub, link);
        mg_list_remove(&s->link);
        mg_router_unsubscribe(js->router, &s->sub);
        mg_free(s);
    }
}

void mg_js_fini(struct mg_js *js) {
    bury(js);
    mg_assert(mg_list_empty(&js->streams));
}

bool mg_js_turn(struct mg_js *js) {
    bury(js);
    return mg_store_part_turn(js->part);
}

// ---- subscriptions --------------------------------------------------------------------------------------------------

static bool deliver(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_js_sub *s = mg_container_of(sink, struct mg_js_sub, sink);
    if (sub->flags & MG_SUB_DEAD) return false;
    s->fn(s->arg, m);
    return true;
}

struct mg_js_sub *mg_js_subscribe(struct mg_js *js, mg_slice subject, mg_js_handler fn, void *arg) {
    mg_assert(subject.n > 0 && subject.n <= UINT16_MAX);
    struct mg_js_sub *s = mg_zalloc(offsetof(struct mg_js_sub, sub) + mg_sub_size(subject.n, 0, 0));
    s->sink.deliver = deliver;
    s->fn = fn;
    s->arg = arg;
    mg_list_init(&s->link);
    s->sub.owner = s;
    s->sub.flags = MG_SUB_INTERNAL;
    s->sub.subject_len = (uint16_t)subject.n;
    memcpy(s->sub.text, subject.p, subject.n);
    mg_router_subscribe(js->router, &s->sub);
    return s;
}

// The router may be in the middle of a match that has it: it is dead at once and goes in the next turn.
void mg_js_unsubscribe(struct mg_js *js, struct mg_js_sub *sub) {
    if (sub == NULL) return;
    sub->sub.flags |= MG_SUB_DEAD;
    mg_list_push_back(&js->dead, &sub->link);
}

// ---- publishing -----------------------------------------------------------------------------------------------------

static mg_slice number(char out[24], size_t n) { return mg_slice_of(out, (size_t)snprintf(out, 24, "%zu", n)); }

uint32_t mg_js_publish(struct mg_js *js, mg_slice subject, mg_slice reply, mg_slice headers, mg_slice payload) {
    char total[24], head[24];
    struct mg_mbuf *body = NULL;
    struct mg_msg m = {
        .subject = subject,
        .reply = reply,
        .payload = payload,
        .hdr_len = (uint32_t)headers.n,
        .size_text = number(total, headers.n + payload.n),
        .origin_shard = (uint16_t)mg_shard_id(js->shard),
        .origin_slot = UINT32_MAX,
        .reaction = true,
    };
    // The router wants headers and payload in one piece, which it may keep by reference.
    if (headers.n || payload.n >= 1024) {
        body = mg_mbuf_new(headers.n + payload.n);
        if (headers.n) memcpy(body->data, headers.p, headers.n);
        if (payload.n) memcpy(body->data + headers.n, payload.p, payload.n);
        body->len = (uint32_t)(headers.n + payload.n);
        m.payload = mg_slice_of(body->data, headers.n + payload.n);
        m.mbuf = body;
    }
    if (headers.n) m.hdr_text = number(head, headers.n);
    struct mg_publish_result result;
    int blocked = mg_router_publish(js->router, &m, false, NULL, &result);
    mg_assert(blocked < 0);
    mg_mbuf_unref(body);
    return result.delivered + result.sent;
}

bool mg_js_interest(struct mg_js *js, mg_slice subject) {
    if (mg_sublist_match_any(js->router->subs, subject)) return true;
    if (js->router->others == NULL || mg_interest_none(js->router->others)) return false;
    struct mg_imatch found;
    mg_interest_match(js->router->others, subject, &found);
    return found.plain || found.ngroups;
}
