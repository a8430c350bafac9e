// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A world for one consumer: a stream of messages in memory, a clock that tests turn, and a log of all effects as lines
// of text. Beside the consumer lives its shadow: a state that was decoded from a snapshot and sees nothing but the
// encoded deltas. Whenever the log is read, both must be the same.
#ifndef MG_TEST_CONSUMER_WORLD_H
#define MG_TEST_CONSUMER_WORLD_H

#include "test/unit/cmocka_inc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/consumer/consumer.h"
#include "jetstream/consumer/start.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

#define WORLD_MSGS 4096
#define MS INT64_C(1000000)
#define SEC INT64_C(1000000000)
#define WORLD_T0 (1000 * SEC)

struct world_msg {
    char subject[16];
    int64_t time;
    bool there;
    bool damaged; // and cannot be read
};

struct world {
    struct mg_js_consumer_env env;
    struct mg_js_consumer_rules rules;
    const mg_slice *filters; // a message matches if one of them does
    unsigned filters_len;    // 0: all
    struct mg_js_consumer *c;
    struct mg_js_state shadow;
    struct world_msg msgs[WORLD_MSGS]; // by number, from 1 on
    uint64_t last;
    int64_t now;
    struct mg_buf log;
    char deaf[64];      // an inbox that nobody listens to
    char remapped[64];  // the same, and it came through an import
    bool quiet;         // no log of deliveries
    // Everything that was recorded since `base`, and how much of that must be durable by now: what a crash leaves.
    struct mg_buf base;
    struct mg_js_delta *deltas;
    size_t deltas_len, deltas_cap, durable;
    uint64_t random;
    size_t payload;     // size of payloads
    char flow[128];     // reply of the last flow control request
    char ack[256];      // reply of the last delivery
    uint64_t last_seq;
    void (*hook)(struct world *w, const struct mg_js_delivery *d);
    void *user;
};

static inline void world_text(struct world *w, mg_slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r') continue;
        mg_buf_addc(&w->log, s.p[i] == '\n' ? '|' : s.p[i]);
    }
}

static inline void world_record(void *app, const struct mg_js_delta *d) {
    struct world *w = app;
    struct mg_buf bytes = MG_BUF_INIT;
    struct mg_js_delta_coder coder = {0};
    mg_js_delta_encode(&coder, &bytes, d);
    assert_int_equal(mg_js_state_replay(&w->shadow, mg_buf_slice(&bytes)), 0);
    mg_buf_fini(&bytes);
    if (w->deltas_len == w->deltas_cap) {
        w->deltas_cap = w->deltas_cap ? 2 * w->deltas_cap : 64;
        w->deltas = mg_realloc(w->deltas, w->deltas_cap * sizeof *w->deltas);
    }
    w->deltas[w->deltas_len++] = *d;
}

static inline void world_deliver(void *app, const struct mg_js_delivery *d) {
    struct world *w = app;
    struct mg_js_ack_subject a;
    assert_true(mg_js_ack_parse(d->reply, &a));
    assert_int_equal(a.seq, d->seq);
    assert_int_equal(a.dseq, d->dseq);
    assert_int_equal(a.delivered, d->count);
    assert_int_equal(w->shadow.delivered.dseq, d->dseq); // recorded before it is sent
    if (d->after_record) w->durable = w->deltas_len;
    snprintf(w->ack, sizeof w->ack, "%.*s", (int)d->reply.n, d->reply.p);
    w->last_seq = d->seq;
    if (w->hook != NULL) w->hook(w, d);
    if (w->quiet) return;
    mg_buf_addf(&w->log, "%.*s<%.*s s%" PRIu64 " d%" PRIu64 " x%u p%" PRIu64 "%s", (int)d->to.n, d->to.p,
                (int)d->subject.n, d->subject.p, d->seq, d->dseq, d->count, a.pending, d->after_record ? " after" : "");
    if (d->headers.n > 0) {
        mg_buf_addc(&w->log, ' ');
        world_text(w, d->headers);
    }
    mg_buf_addc(&w->log, '\n');
}

static inline void world_send(void *app, mg_slice to, mg_slice reply, mg_slice headers) {
    struct world *w = app;
    if (reply.n > 0) snprintf(w->flow, sizeof w->flow, "%.*s", (int)reply.n, reply.p);
    mg_buf_addf(&w->log, "%.*s<", (int)to.n, to.p);
    world_text(w, headers.n > 0 ? headers : MG_S("(answer)"));
    mg_buf_addc(&w->log, '\n');
}

static inline void world_done(void *app, uint64_t seq) {
    struct world *w = app;
    if (!w->quiet) mg_buf_addf(&w->log, "done %" PRIu64 "\n", seq);
}

static inline enum mg_js_interest world_interest(void *app, mg_slice inbox) {
    struct world *w = app;
    if (mg_slice_eq(inbox, mg_cstr(w->deaf))) return MG_JS_INTEREST_NO;
    return mg_slice_eq(inbox, mg_cstr(w->remapped)) ? MG_JS_INTEREST_NO_REMAPPED : MG_JS_INTEREST_YES;
}

static inline void world_notice(void *app, const struct mg_js_notice *n) {
    static const char *const names[] = {"max", "naked", "terminated", "metric", "paused", "resumed", "pinned",
                                        "unpinned", "bad-delay", "inactive"};
    struct world *w = app;
    if (w->quiet) return;
    mg_buf_addf(&w->log, "! %s", names[n->kind]);
    if (n->seq > 0) mg_buf_addf(&w->log, " s%" PRIu64 " d%" PRIu64 " x%" PRIu64, n->seq, n->dseq, n->count);
    if (n->kind == MG_JS_NOTICE_ACK_METRIC) mg_buf_addf(&w->log, " t%" PRId64, n->time);
    if (n->group.n > 0) mg_buf_addf(&w->log, " %.*s", (int)n->group.n, n->group.p);
    if (n->text.n > 0 && n->kind != MG_JS_NOTICE_PINNED) mg_buf_addf(&w->log, " %.*s", (int)n->text.n, n->text.p);
    mg_buf_addc(&w->log, '\n');
}

static inline uint64_t world_random(void *app) {
    struct world *w = app;
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return w->random >> 11;
}

static inline bool world_lets_through(void *app, mg_slice subject) {
    const struct world *w = app;
    for (unsigned i = 0; i < w->filters_len; i++)
        if (mg_subject_match(subject, w->filters[i])) return true;
    return w->filters_len == 0;
}

static const struct mg_js_consumer_ops world_ops = {world_record, world_deliver, world_send, world_done,
                                                    world_interest, world_notice, world_random,
                                                    world_lets_through};

// Rules with the usual defaults: pull, explicit, 30 s.
static inline struct world *world_new(void) {
    struct world *w = mg_zalloc(sizeof *w);
    w->now = WORLD_T0;
    w->env.ops = &world_ops;
    w->env.stream = MG_S("S");
    w->rules = (struct mg_js_consumer_rules){
        .ack = MG_JS_ACK_EXPLICIT, .ack_wait = 30 * SEC, .max_deliver = -1, .max_ack_pending = 1000, .max_waiting = 512,
        .pin_timeout = 120 * SEC};
    return w;
}

static inline bool world_matches(struct world *w, uint64_t seq) {
    return w->msgs[seq].there && world_lets_through(w, mg_cstr(w->msgs[seq].subject));
}

static inline uint64_t world_count(struct world *w) {
    uint64_t n = 0;
    for (uint64_t s = mg_js_consumer_next(w->c); s <= w->last; s++) n += world_matches(w, s);
    return n;
}

static inline void world_begin_state(struct world *w, struct mg_js_state *state) {
    w->base.len = w->deltas_len = w->durable = 0;
    mg_js_state_encode(state, &w->base);
    mg_js_state_fini(&w->shadow);
    assert_int_equal(mg_js_state_decode(&w->shadow, mg_buf_slice(&w->base)), 0);
    w->c = mg_js_consumer_new(&w->env, &w->rules, MG_S("C"), state, w->now, w);
    mg_js_consumer_set_num_pending(w->c, world_count(w));
}

static inline void world_begin(struct world *w, uint64_t next) {
    struct mg_js_state state;
    mg_js_state_init(&state, next, w->rules.ack == MG_JS_ACK_NONE);
    world_begin_state(w, &state);
}

static inline void world_same(struct world *w) {
    struct mg_buf a = MG_BUF_INIT, b = MG_BUF_INIT;
    mg_js_state_encode(mg_js_consumer_state(w->c), &a);
    mg_js_state_encode(&w->shadow, &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    mg_buf_fini(&a);
    mg_buf_fini(&b);
}

// As after a crash that lost nothing: a new consumer from what was written.
static inline void world_restart(struct world *w) {
    struct mg_buf bytes = MG_BUF_INIT;
    struct mg_js_state state;
    world_same(w);
    mg_js_state_encode(&w->shadow, &bytes);
    mg_js_consumer_free(w->c);
    assert_int_equal(mg_js_state_decode(&state, mg_buf_slice(&bytes)), 0);
    mg_buf_fini(&bytes);
    world_begin_state(w, &state);
}

// A crash: of the changes that need not be durable yet, only the first `kept` survive.
static inline void world_crash(struct world *w, size_t kept) {
    struct mg_js_state state;
    mg_js_consumer_free(w->c);
    assert_int_equal(mg_js_state_decode(&state, mg_buf_slice(&w->base)), 0);
    for (size_t i = 0; i < w->durable + kept; i++) assert_int_equal(mg_js_state_apply(&state, &w->deltas[i]), 0);
    world_begin_state(w, &state);
}

static inline void world_free(struct world *w) {
    if (w->c != NULL) world_same(w);
    mg_js_consumer_free(w->c);
    mg_js_state_fini(&w->shadow);
    mg_buf_fini(&w->log);
    mg_buf_fini(&w->base);
    mg_free(w->deltas);
    mg_buf_fini(&w->env.headers);
    mg_buf_fini(&w->env.reply);
    mg_free(w);
}

// One message that is wanted, or false.
static inline bool world_step(struct world *w) {
    static const char bytes[1 << 16];
    struct mg_js_want q = mg_js_consumer_want(w->c, w->now);
    if (q.kind == MG_JS_WANT_NOTHING) return false;
    uint64_t seq = q.seq;
    if (q.kind == MG_JS_WANT_NEXT) {
        while (seq <= w->last && !world_matches(w, seq)) seq++;
        if (seq > w->last) {
            mg_js_consumer_end(w->c, w->now, &q, w->last);
            return false;
        }
        if (w->msgs[seq].damaged) {
            mg_js_consumer_pass(w->c, &q, seq);
            return true;
        }
    } else if (seq > w->last || !w->msgs[seq].there) {
        mg_js_consumer_gone(w->c, w->now, &q);
        return true;
    }
    struct mg_message m = {.seq = seq, .time = w->msgs[seq].time, .subject = mg_cstr(w->msgs[seq].subject),
                              .payload = mg_slice_of(bytes, w->payload)};
    mg_js_consumer_message(w->c, w->now, &q, &m);
    return true;
}

static inline void world_run(struct world *w) {
    unsigned steps = 0;
    while (world_step(w)) assert_true(++steps < 100000); // an end, or somebody spins
}

static inline void world_pub(struct world *w, const char *subject) {
    assert_true(++w->last < WORLD_MSGS);
    struct world_msg *m = &w->msgs[w->last];
    *m = (struct world_msg){.time = w->now, .there = true};
    snprintf(m->subject, sizeof m->subject, "%s", subject);
    if (w->c == NULL) return;
    mg_js_consumer_stored(w->c, w->last, mg_cstr(subject));
    world_run(w);
}

static inline void world_pubs(struct world *w, unsigned n) {
    while (n-- > 0) world_pub(w, "a");
}

static inline void world_pull(struct world *w, const char *reply, const char *body) {
    mg_js_consumer_pull(w->c, w->now, mg_cstr(reply), mg_cstr(body));
    world_run(w);
}

// What a client sends for the message `seq`, delivered as number dseq of the consumer.
static inline void world_ack_as(struct world *w, uint64_t seq, uint64_t dseq, const char *reply, const char *payload) {
    char subject[128];
    snprintf(subject, sizeof subject, "$JS.ACK.S.C.1.%" PRIu64 ".%" PRIu64 ".1000.0", seq, dseq);
    mg_js_consumer_ack(w->c, w->now, mg_cstr(subject), mg_cstr(reply), mg_cstr(payload));
    world_run(w);
}
static inline void world_ack(struct world *w, uint64_t seq, const char *payload) {
    world_ack_as(w, seq, seq, "", payload);
}

// Time passes; the clock stops at every deadline.
static inline void world_pass(struct world *w, int64_t ns) {
    int64_t end = w->now + ns;
    for (;;) {
        int64_t at = mg_js_consumer_deadline(w->c);
        if (at > end) break;
        if (at > w->now) w->now = at;
        mg_js_consumer_tick(w->c, w->now);
        world_run(w);
    }
    w->now = end;
}

static inline void world_delete(struct world *w, uint64_t seq) {
    if (!w->msgs[seq].there) return;
    w->msgs[seq].there = false;
    mg_js_consumer_removed(w->c, w->now, seq, mg_cstr(w->msgs[seq].subject));
    world_run(w);
}

static inline void world_expect(struct world *w, const char *text) {
    mg_buf_addc(&w->log, 0);
    assert_string_equal(w->log.p, text);
    w->log.len = 0;
    world_same(w);
}

static inline void world_floors(struct world *w, uint64_t delivered_d, uint64_t delivered_s, uint64_t floor_d,
                                uint64_t floor_s) {
    struct mg_js_consumer_facts i = mg_js_consumer_facts(w->c, w->now, UINT64_MAX, w->last);
    assert_int_equal(i.delivered.dseq, delivered_d);
    assert_int_equal(i.delivered.seq, delivered_s);
    assert_int_equal(i.floor.dseq, floor_d);
    assert_int_equal(i.floor.seq, floor_s);
}

static inline void world_counts(struct world *w, uint64_t pending, uint64_t ack_pending, uint64_t redelivered,
                                uint64_t waiting) {
    struct mg_js_consumer_facts i = mg_js_consumer_facts(w->c, w->now, UINT64_MAX, w->last);
    assert_int_equal(i.num_pending, pending);
    assert_int_equal(i.num_ack_pending, ack_pending);
    assert_int_equal(i.num_redelivered, redelivered);
    assert_int_equal(i.num_waiting, waiting);
}

#endif
