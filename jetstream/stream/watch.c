// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Who listens to the deliver subjects of push consumers (spec/jetstream-consumers.md 12.1): the router tells of every
// change of interest, and those whose subject it is look again in their next turn. One table for all streams; the
// router is asked for nothing while there is no push consumer.
#include "jetstream/stream/member.h"
#include "server/base/mem.h"
#include "server/router/hash.h"

#define SEED 0x7761746368u

struct mg_js_watch {
    struct mg_list members; // of struct mg_js_member, by watch
    uint64_t hash;
    size_t len;
    char subject[];
};

static inline bool is_subject(const void *val, const void *key) {
    const struct mg_js_watch *w = val;
    return mg_slice_eq(mg_slice_of(w->subject, w->len), *(const mg_slice *)key);
}

static struct mg_js_watch *find(const struct mg_js *js, mg_slice subject) {
    return mg_table_find(&js->watches, mg_hash(subject, SEED), is_subject, &subject);
}

static void heard(void *arg, mg_slice subject, mg_slice queue) {
    (void)queue;
    struct mg_js_watch *w = find(arg, subject);
    if (w == NULL) return;
    for (struct mg_list *l = w->members.next; l != &w->members; l = l->next) {
        struct mg_js_member *m = mg_container_of(l, struct mg_js_member, watch);
        m->look_for_listeners = true;
        mg_js_member_wake(m);
    }
}

void mg_js_watch_init(struct mg_js *js) { mg_table_init(&js->watches); }

void mg_js_watch_fini(struct mg_js *js) {
    js->router->heard = NULL; // the shards have stopped
    mg_table_fini(&js->watches);
}

void mg_js_watch_add(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    mg_slice subject = m->terms->config.deliver_subject;
    struct mg_js_watch *w = find(js, subject);
    if (w == NULL) {
        w = mg_alloc(sizeof(*w) + subject.n);
        mg_list_init(&w->members);
        w->hash = mg_hash(subject, SEED);
        w->len = subject.n;
        memcpy(w->subject, subject.p, subject.n);
        mg_table_add(&js->watches, w->hash, w);
        mg_router_heed(js->router, heard, js);
    }
    mg_list_push_back(&w->members, &m->watch);
}

void mg_js_watch_remove(struct mg_js_member *m) {
    struct mg_js *js = m->stream->js;
    if (!mg_js_member_is_push(m) || mg_list_empty(&m->watch)) return;
    struct mg_js_watch *w = find(js, m->terms->config.deliver_subject);
    mg_list_remove(&m->watch);
    if (!mg_list_empty(&w->members)) return;
    mg_table_del(&js->watches, w->hash, w);
    mg_free(w);
    if (js->watches.count == 0 && !js->stopping) mg_router_heed(js->router, NULL, NULL);
}

bool mg_js_watch_listens(const struct mg_js_member *m) {
    const struct mg_js_consumer_config *c = &m->terms->config;
    return mg_router_wants_exactly(m->stream->js->router, c->deliver_subject, c->deliver_group);
}
