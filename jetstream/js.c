// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/js.h"

#include <string.h>

#include "jetstream/request/request.h"
#include "jetstream/stream/js_stream.h"
#include "jetstream/stream/member.h"
#include "server/base/assert.h"
#include "server/base/mem.h"

#define SERVE_NS UINT64_C(200000) // of a turn, for all streams together

struct mg_js_sub {
    struct mg_sink sink; // first: the router calls it through the subscription's owner
    struct mg_list link; // of js->dead
    mg_js_handler fn;
    void *arg;
    struct mg_sub sub; // its text follows
};

// ---- life -----------------------------------------------------------------------------------------------------------

// Nobody else has its name. NULL: it stays as it is, out of service.
static struct mg_js_stream *take_in(struct mg_js *js, struct mg_stream *store) {
    struct mg_js_stream_config config;
    mg_slice name = mg_stream_name(store), text = mg_stream_config(store);
    if (mg_js_stream_recover(&config, name, text) != 0) {
        mg_log_err(js->log, "JetStream: the configuration of stream %.*s cannot be read: it stays, out of service",
                   (int)name.n, name.p);
        return NULL;
    }
    if (text.n == 0)
        mg_log_wrn(js->log,
                   "JetStream: the configuration of stream %.*s is lost: it has %llu messages, no limits and no "
                   "subjects until it is updated",
                   (int)name.n, name.p, (unsigned long long)mg_stream_messages(store));
    struct mg_js_stream *s = mg_js_stream_new(js, store, &config);
    mg_js_add(js, s);
    mg_js_members_recover(s);
    return s;
}

static void may_send_again(struct mg_credit_waiter *w) {
    struct mg_js *js = mg_container_of(w, struct mg_js, credit);
    while (!mg_list_empty(&js->stalled)) {
        struct mg_js_stream *s = mg_container_of(js->stalled.next, struct mg_js_stream, stalled);
        mg_list_remove(&s->stalled);
        mg_js_stream_busy(s);
    }
}

// What others know of here.
static void tell_others(struct mg_js *js) {
    const struct mg_store_sums *sums = mg_store_part_sums(js->part);
    atomic_store_explicit(&js->tally->messages, sums->messages, memory_order_relaxed);
    if (mg_shard_count(js->shard) == 1) return;
    for (unsigned i = 0; i < 2; i++) {
        if (sums->bytes[i] == js->told_used[i]) continue;
        atomic_fetch_add_explicit(&js->o.shared->used[i], sums->bytes[i] - js->told_used[i], memory_order_relaxed);
        js->told_used[i] = sums->bytes[i];
    }
}

void mg_js_start(struct mg_js *js, const struct mg_js_setup *o) {
    *js = (struct mg_js){.o = *o, .shard = o->shard, .router = o->router, .log = o->log, .all = o->all};
    js->tally = &o->shared->shard[mg_shard_id(o->shard)];
    js->part = mg_store_part(o->store, o->part);
    js->server_name = mg_cstr(o->server_name);
    if (o->domain) js->domain = mg_cstr(o->domain);
    mg_list_init(&js->dead);
    mg_list_init(&js->busy);
    mg_list_init(&js->stalled);
    mg_list_init(&js->leaving);
    mg_list_init(&js->tasks);
    mg_list_init(&js->waits);
    mg_list_init(&js->later);
    mg_list_init(&js->idle);
    mg_js_watch_init(js);
    mg_list_init(&js->credit.link);
    js->credit.resume = may_send_again;
    mg_store_part_start(js->part, mg_shard_loop(js->shard), mg_shard_wheel(js->shard));
    if (js->all) js->api = mg_js_subscribe(js, MG_S("$JS.API.>"), mg_js_api_message, js);
}

static void enter(struct mg_js *first, struct mg_js *js, struct mg_stream *store) {
    mg_slice name = mg_stream_name(store);
    if (mg_js_catalogue_has(first->all, name)) {
        mg_log_err(js->log,
                   "JetStream: there are two streams of the name %.*s: one, with %llu messages, stays as it is, out of "
                   "service",
                   (int)name.n, name.p, (unsigned long long)mg_stream_messages(store));
        return;
    }
    const struct mg_js_stream *s = take_in(js, store);
    struct mg_js_item *e = mg_js_catalogue_add(first->all, name, mg_shard_id(js->shard), s ? &s->config : NULL);
    if (s && js == first) mg_js_item_borrow(e, &s->config);
}

void mg_js_enter(struct mg_js *first, struct mg_js *js) {
    for (struct mg_stream *s = mg_stream_next(js->part, NULL); s; s = mg_stream_next(js->part, s)) enter(first, js, s);
    tell_others(js);
}

static void bury(struct mg_js *js) {
    while (!mg_list_empty(&js->dead)) {
        struct mg_js_sub *s = mg_container_of(js->dead.next, struct mg_js_sub, link);
        mg_list_remove(&s->link);
        mg_router_unsubscribe(js->router, &s->sub);
        mg_free(s);
    }
}

bool mg_js_stop(struct mg_js *js) {
    if (!js->stopping) {
        js->stopping = true;
        mg_js_unsubscribe(js, js->api);
        js->api = NULL;
        for (size_t i = 0; i < js->nstreams; i++) mg_js_stream_shutdown(js->streams[i]);
    }
    bury(js);
    return mg_store_part_stop(js->part);
}

bool mg_js_settle(struct mg_js *js) { return mg_store_part_stop(js->part) && mg_store_settle(js->o.store); }

static void drop_tasks(struct mg_js *js) {
    for (struct mg_list *l = js->tasks.next, *next; l != &js->tasks; l = next) {
        struct mg_js_task *t = mg_container_of(l, struct mg_js_task, link);
        next = l->next;
        if (t->drop == NULL) continue;
        mg_list_remove(l);
        t->drop(t);
    }
}

void mg_js_end(struct mg_js *js) { js->ended = true; }

void mg_js_fini(struct mg_js *js) {
    mg_assert(js->ended);
    while (!mg_list_empty(&js->waits)) {
        struct mg_js_wait *w = mg_container_of(js->waits.next, struct mg_js_wait, link);
        mg_list_remove(&w->link);
        w->done(w, NULL, NULL);
    }
    drop_tasks(js);
    mg_list_remove(&js->credit.link);
    mg_js_unsubscribe(js, js->api);
    while (js->nstreams > 0) {
        struct mg_js_stream *s = js->streams[js->nstreams - 1];
        mg_js_remove(js, s);
        mg_js_stream_free(s);
    }
    while (!mg_list_empty(&js->leaving))
        mg_js_stream_free(mg_container_of(js->leaving.next, struct mg_js_stream, leaving));
    drop_tasks(js); // of those who have just been told that their stream is gone
    mg_js_requests_forget(js);
    mg_js_requests_drop(js); // also those that waited for a consumer
    bury(js);
    mg_js_watch_fini(js);
    mg_free(js->streams);
    mg_buf_fini(&js->scratch);
    js->router = NULL;
}

void mg_js_later(struct mg_js *js, struct mg_js_task *t, void (*run)(struct mg_js_task *t)) {
    t->run = run;
    mg_list_push_back(&js->tasks, &t->link);
}

// True: some have run. What they have asked the store may be answered already: that is another turn.
static bool run_tasks(struct mg_js *js) {
    struct mg_list todo;
    bool any = !mg_list_empty(&js->tasks);
    mg_list_init(&todo);
    mg_list_splice(&todo, &js->tasks);
    while (!mg_list_empty(&todo)) {
        struct mg_js_task *t = mg_container_of(todo.next, struct mg_js_task, link);
        mg_list_remove(&t->link);
        t->run(t);
    }
    return any;
}

bool mg_js_spent(const struct mg_js *js) { return mg_loop_clock(mg_shard_loop(js->shard)) >= js->serve_until; }

static void serve_streams(struct mg_js *js) {
    struct mg_list todo;
    mg_list_init(&todo);
    js->serve_until = mg_loop_clock(mg_shard_loop(js->shard)) + SERVE_NS;
    mg_list_splice(&todo, &js->busy);
    while (!mg_list_empty(&todo)) {
        struct mg_js_stream *s = mg_container_of(todo.next, struct mg_js_stream, busy);
        mg_list_remove(&s->busy);
        if (mg_js_stream_turn(s)) mg_js_stream_busy(s);
        if (mg_js_spent(js)) break;
    }
    mg_list_splice(&todo, &js->busy); // those who had their turn stand behind the others
    mg_list_splice(&js->busy, &todo);
}

bool mg_js_turn(struct mg_js *js) {
    bury(js);
    serve_streams(js); // first: what clients have sent goes into the batch that the store now hands over
    bool more = mg_store_part_turn(js->part);
    if (!mg_list_empty(&js->busy)) {
        serve_streams(js); // what became durable is delivered with its acknowledgements, before anything is written
        more = true;       // what that changed is handed over behind the flush
    }
    more |= mg_js_requests_run(js);
    more |= run_tasks(js);
    tell_others(js);
    return more || !mg_list_empty(&js->busy) || !mg_list_empty(&js->tasks);
}

// ---- streams --------------------------------------------------------------------------------------------------------

// Where the stream of this name is, or belongs.
static size_t place_of(const struct mg_js *js, mg_slice name, bool *found) {
    size_t lo = 0, hi = js->nstreams;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = mg_slice_cmp(js->streams[mid]->config.name, name);
        if (order == 0) *found = true;
        if (order < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

struct mg_js_stream *mg_js_find(const struct mg_js *js, mg_slice name) {
    bool found;
    size_t at = place_of(js, name, &found);
    return found ? js->streams[at] : NULL;
}

void mg_js_add(struct mg_js *js, struct mg_js_stream *s) {
    bool found;
    size_t at = place_of(js, s->config.name, &found);
    mg_assert(!found);
    if (js->nstreams == js->streams_cap) {
        js->streams_cap = js->streams_cap ? js->streams_cap * 2 : 16;
        js->streams = mg_realloc(js->streams, js->streams_cap * sizeof(js->streams[0]));
    }
    memmove(&js->streams[at + 1], &js->streams[at], (js->nstreams - at) * sizeof(js->streams[0]));
    js->streams[at] = s;
    js->nstreams++;
}

void mg_js_remove(struct mg_js *js, struct mg_js_stream *s) {
    bool found;
    size_t at = place_of(js, s->config.name, &found);
    mg_assert(found && js->streams[at] == s);
    js->nstreams--;
    memmove(&js->streams[at], &js->streams[at + 1], (js->nstreams - at) * sizeof(js->streams[0]));
}

// ---- room -----------------------------------------------------------------------------------------------------------

uint64_t mg_js_used(const struct mg_js *js, int storage) {
    const unsigned i = storage == MG_JS_MEMORY ? MG_STORAGE_MEMORY : MG_STORAGE_FILE;
    uint64_t all = atomic_load_explicit(&js->o.shared->used[i], memory_order_relaxed);
    return all - js->told_used[i] + mg_store_part_sums(js->part)->bytes[i];
}

bool mg_js_no_room(const struct mg_js *js, int storage) {
    int64_t most = storage == MG_JS_MEMORY ? js->o.max_memory : js->o.max_store;
    return most >= 0 && mg_js_used(js, storage) > (uint64_t)most;
}

// ---- calls into the store -------------------------------------------------------------------------------------------

void mg_js_wait(struct mg_js *js, struct mg_js_wait *w, void (*done)(struct mg_js_wait *, struct mg_js_stream *,
                                                                     const struct mg_result *)) {
    w->done = done;
    mg_list_push_back(&js->waits, &w->link);
}

void mg_js_wait_cancel(struct mg_js_wait *w) { mg_list_remove(&w->link); }

// ---- subscriptions --------------------------------------------------------------------------------------------------

static bool deliver(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_js_sub *s = mg_container_of(sink, struct mg_js_sub, sink);
    if (sub->flags & MG_SUB_DEAD) return false;
    if (m->route.n == 0) return s->fn(s->arg, m);
    // A consumer delivers to a subject that something in here has subscribed to: that is the one that counts.
    struct mg_msg routed = *m;
    routed.subject = m->route;
    routed.route = (mg_slice){NULL, 0};
    return s->fn(s->arg, &routed);
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

int64_t mg_js_now(struct mg_js *js) {
    int64_t now = mg_js_wall(js);
    if (now > js->now) js->now = now;
    return js->now;
}

static mg_slice number(char out[24], size_t n) {
    size_t at = 24;
    do {
        out[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return mg_slice_of(out + at, 24 - at);
}

uint32_t mg_js_publish(struct mg_js *js, mg_slice subject, mg_slice reply, mg_slice headers, mg_slice payload) {
    return mg_js_deliver(js, subject, subject, reply, headers, payload);
}

static struct mg_msg message(const struct mg_js *js, mg_slice subject, mg_slice payload, size_t headers,
                             char total[24]) {
    return (struct mg_msg){
        .subject = subject,
        .payload = payload,
        .hdr_len = (uint32_t)headers,
        .size_text = number(total, payload.n),
        .origin_shard = (uint16_t)mg_shard_id(js->shard),
        .origin_slot = UINT32_MAX,
        .reaction = true,
    };
}

static uint32_t route(struct mg_js *js, const struct mg_msg *m) {
    struct mg_publish_result result;
    int blocked = mg_router_publish(js->router, m, false, NULL, &result);
    mg_assert(blocked < 0);
    return result.delivered + result.sent;
}

uint32_t mg_js_publish_body(struct mg_js *js, mg_slice subject, struct mg_mbuf *body) {
    char total[24];
    if (js->router == NULL) return 0;
    struct mg_msg m = message(js, subject, mg_slice_of(body->data, body->len), 0, total);
    m.mbuf = body;
    return route(js, &m);
}

uint32_t mg_js_deliver(struct mg_js *js, mg_slice to, mg_slice subject, mg_slice reply, mg_slice headers,
                       mg_slice payload) {
    char total[24], head[24];
    if (js->router == NULL) return 0; // what the store still has to say is for nobody
    struct mg_mbuf *body = NULL;
    // The router wants headers and payload in one piece, which it may keep by reference.
    if (headers.n || payload.n >= 1024) {
        body = mg_mbuf_new(headers.n + payload.n);
        if (headers.n) memcpy(body->data, headers.p, headers.n);
        if (payload.n) memcpy(body->data + headers.n, payload.p, payload.n);
        body->len = (uint32_t)(headers.n + payload.n);
        payload = mg_slice_of(body->data, headers.n + payload.n);
    }
    struct mg_msg m = message(js, subject, payload, headers.n, total);
    m.route = to.p == subject.p ? (mg_slice){NULL, 0} : to;
    m.reply = reply;
    m.mbuf = body;
    if (headers.n) m.hdr_text = number(head, headers.n);
    uint32_t n = route(js, &m);
    mg_mbuf_unref(body);
    return n;
}

bool mg_js_may_send(struct mg_js *js) {
    unsigned n = mg_shard_count(js->shard), self = mg_shard_id(js->shard);
    for (unsigned to = 0; to < n; to++) {
        if (to == self || mg_credit(js->shard, to) > 0) continue;
        if (mg_list_empty(&js->credit.link)) mg_credit_wait(js->shard, to, &js->credit);
        return false;
    }
    return true;
}

bool mg_js_interest(struct mg_js *js, mg_slice subject) {
    if (mg_sublist_match_any(js->router->subs, subject)) return true;
    if (js->router->others == NULL || mg_interest_none(js->router->others)) return false;
    struct mg_imatch found;
    mg_interest_match(js->router->others, subject, &found);
    return found.plain || found.ngroups;
}
