// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A consumer's life, and which message it wants next. See consumer.h for how messages flow.
//
// `want` decides in the reference's order (spec/jetstream-consumers.md 19.2): what is to be delivered again comes first
// and is not bound by max_ack_pending, then the list of last_per_subject, then the next that matches. It says nothing
// when nobody could take a message. What changes the lasting state goes through consumer_commit alone.
#include "jetstream/consumer/consumer_impl.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

struct mg_js_consumer *mg_js_consumer_new(struct mg_js_consumer_env *env, const struct mg_js_consumer_rules *rules,
                                          mg_slice name, struct mg_js_state *state, int64_t now, void *app) {
    struct mg_js_consumer *c = mg_zalloc(offsetof(struct mg_js_consumer, name) + name.n);
    c->env = env;
    c->rules = rules;
    c->app = app;
    c->state = *state;
    *state = (struct mg_js_state){0};
    mg_assert(c->state.no_acks == (rules->ack == MG_JS_ACK_NONE));
    c->next = mg_js_state_next(&c->state);
    c->paused = rules->pause_until > now;
    c->name_len = (uint16_t)name.n;
    memcpy(c->name, name.p, name.n);
    if (consumer_is_push(c)) {
        c->push = mg_zalloc(sizeof *c->push);
        *c->push = (struct mg_js_push){.next_heartbeat = MG_JS_NEVER, .window = MG_JS_FLOW_WINDOW_FIRST,
                                       .bucket = (double)rules->rate_burst, .bucket_time = now};
    }
    if (rules->replay_original) c->replay = mg_zalloc(sizeof *c->replay);
    if (rules->inactive_jitter) c->jitter_ms = (uint16_t)(100 + env->ops->random(app) % 900);
    c->used = now;
    consumer_arm_inactive(c, now);
    return c;
}

void mg_js_consumer_free(struct mg_js_consumer *c) {
    if (c == NULL) return;
    mg_js_state_fini(&c->state);
    if (c->waiting != NULL) mg_js_waiting_fini(c->waiting);
    mg_free(c->waiting);
    mg_free(c->push);
    mg_free(c->pin);
    mg_free(c->replay);
    mg_free(c);
}

const struct mg_js_state *mg_js_consumer_state(const struct mg_js_consumer *c) { return &c->state; }
const struct mg_js_consumer_rules *mg_js_consumer_rules(const struct mg_js_consumer *c) { return c->rules; }
mg_slice mg_js_consumer_name(const struct mg_js_consumer *c) { return consumer_name(c); }
void *mg_js_consumer_app(const struct mg_js_consumer *c) { return c->app; }
uint64_t mg_js_consumer_next(const struct mg_js_consumer *c) { return c->next; }

bool mg_js_consumer_dormant(const struct mg_js_consumer *c) {
    return c->waiting == NULL && (c->push == NULL || !c->push->active) && c->pin == NULL && c->replay == NULL;
}

struct mg_js_consumer_past mg_js_consumer_past(const struct mg_js_consumer *c) {
    return (struct mg_js_consumer_past){c->last_delivered, c->last_acked, c->used, c->paused};
}

void mg_js_consumer_recall(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_past *past) {
    c->last_delivered = past->last_delivered;
    c->last_acked = past->last_acked;
    c->used = past->used;
    c->paused = past->paused;
    consumer_arm_inactive(c, now);
}

size_t mg_js_consumer_memory(const struct mg_js_consumer *c) {
    size_t n = sizeof *c + c->name_len + mg_js_pending_memory(&c->state.pending);
    if (c->state.skip != NULL) n += sizeof *c->state.skip + c->state.skip->packed.cap;
    if (c->push != NULL) n += sizeof *c->push;
    if (c->pin != NULL) n += sizeof *c->pin;
    if (c->replay != NULL) n += sizeof *c->replay;
    if (c->waiting == NULL) return n;
    for (const struct mg_list *l = c->waiting->queue.next; l != &c->waiting->queue; l = l->next) {
        const struct mg_js_waiter *w = mg_container_of(l, struct mg_js_waiter, link);
        n += sizeof *w + w->reply_len + (w->group != NULL ? sizeof *w->group : 0);
    }
    return n + sizeof *c->waiting;
}

struct mg_js_consumer_facts mg_js_consumer_facts(struct mg_js_consumer *c, int64_t now, uint64_t stream_msgs,
                                               uint64_t stream_last) {
    consumer_check_waiting(c, now, false);
    const struct mg_js_pending *p = &c->state.pending;
    struct mg_js_consumer_facts i = {
        .delivered = c->state.delivered,
        .floor = c->state.floor,
        .last_delivered = c->last_delivered,
        .last_acked = c->last_acked,
        .num_pending = c->num_pending < stream_msgs ? c->num_pending : stream_msgs,
        .num_ack_pending = p->live,
        .num_redelivered = c->rules->max_deliver == 1 ? 0 : p->redelivered, // spec 9
        .num_waiting = c->waiting != NULL ? c->waiting->len : 0,
        .push_bound = c->push != NULL && c->push->active,
        .paused = c->rules->pause_until > now,
    };
    uint64_t ahead = c->next > stream_last ? 0 : stream_last - c->next + 1;
    if (i.num_pending > ahead) i.num_pending = ahead;
    if (i.paused) i.pause_remaining = c->rules->pause_until - now;
    if (c->pin != NULL) {
        i.pin_group = mg_slice_of(c->pin->group, c->pin->group_len);
        i.pin_id = pin_id(c);
        i.pin_time = c->pin->since;
    }
    return i;
}

// ---- changes of the lasting state -----------------------------------------------------------------------------------

void consumer_record(struct mg_js_consumer *c, const struct mg_js_delta *d) { c->env->ops->record(c->app, d); }

void consumer_apply(struct mg_js_consumer *c, const struct mg_js_delta *d) {
    int rc = mg_js_state_apply(&c->state, d);
    mg_assert(rc == 0);
    uint64_t next = mg_js_state_next(&c->state);
    if (next > c->next || d->op == MG_JS_DELTA_RESET) c->next = next;
    c->no_taker = false;
}

void consumer_commit(struct mg_js_consumer *c, enum mg_js_delta_op op, uint64_t seq, int64_t due) {
    struct mg_js_delta d = {op, seq, due > 0 ? mg_js_round_ms(due) : 0};
    consumer_record(c, &d);
    consumer_apply(c, &d);
}

void consumer_notice(struct mg_js_consumer *c, const struct mg_js_notice *n) { c->env->ops->notice(c->app, n); }

void consumer_forget(struct mg_js_consumer *c, struct mg_js_entry *e, const char *reason) {
    struct mg_js_notice n = {MG_JS_NOTICE_TERMINATED, e->seq, e->dseq, e->count, 0, {NULL, 0}, mg_cstr(reason)};
    bool live = e->state == MG_JS_ENTRY_LIVE;
    consumer_commit(c, MG_JS_DELTA_DROP, e->seq, 0);
    if (live) consumer_notice(c, &n);
}

bool consumer_park_spent(struct mg_js_consumer *c, struct mg_js_entry *e) {
    if (c->rules->max_deliver <= 0 || e->count < c->rules->max_deliver + MG_PLANTED(one_more)) return false;
    struct mg_js_notice n = {.kind = MG_JS_NOTICE_MAX_DELIVERIES, .seq = e->seq, .count = e->count};
    consumer_commit(c, MG_JS_DELTA_PARK, e->seq, 0);
    consumer_notice(c, &n);
    return true;
}

// ---- what to read ---------------------------------------------------------------------------------------------------

static struct mg_js_want nothing(void) { return (struct mg_js_want){MG_JS_WANT_NOTHING, 0, 0}; }

// Nobody could take a message now. One-shot requests hear that they reached the end (spec 10.4).
static struct mg_js_want nobody(struct mg_js_consumer *c, int64_t now) {
    consumer_check_waiting(c, now, true);
    return nothing();
}

static bool stalled(const struct mg_js_consumer *c) {
    const struct mg_js_pending *p = &c->state.pending;
    if (p->live + p->parked >= MG_JS_PENDING_MAX) return true;
    return c->rules->max_ack_pending > 0 && p->live >= c->rules->max_ack_pending;
}

static struct mg_js_entry *next_again(struct mg_js_consumer *c) {
    struct mg_js_entry *e;
    while ((e = mg_js_pending_next(&c->state.pending)) != NULL && consumer_park_spent(c, e)) continue;
    return e;
}

struct mg_js_want mg_js_consumer_want(struct mg_js_consumer *c, int64_t now) {
    if (c->push != NULL ? !push_may_send(c) : c->waiting == NULL) return nothing();
    if (c->rules->pause_until > now || c->no_taker) return nobody(c, now);
    const struct mg_js_entry *e = next_again(c);
    if (c->hold_until > now) return nothing();
    if (e != NULL) return (struct mg_js_want){MG_JS_WANT_SEQ, e->seq, c->epoch};
    if (stalled(c)) return nothing();
    uint64_t head = mg_js_state_skip_head(&c->state);
    if (head > 0) return (struct mg_js_want){MG_JS_WANT_SEQ, head, c->epoch};
    return (struct mg_js_want){MG_JS_WANT_NEXT, c->next, c->epoch};
}

// Is what was read for w still what is wanted? For NEXT the position may have moved past what w asked for.
static bool still_wanted(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w) {
    if (w->epoch != c->epoch) return false;
    struct mg_js_want again = mg_js_consumer_want(c, now);
    return again.kind == w->kind && (w->kind == MG_JS_WANT_SEQ ? again.seq == w->seq : again.seq >= w->seq);
}

bool mg_js_consumer_message(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w,
                            const struct mg_message *m) {
    if (w->kind == MG_JS_WANT_NOTHING || !still_wanted(c, now, w)) return false;
    if (w->kind == MG_JS_WANT_SEQ ? m->seq != w->seq : m->seq < c->next) return false;
    return consumer_deliver(c, now, m);
}

void mg_js_consumer_gone(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w) {
    (void)now;
    if (w->kind != MG_JS_WANT_SEQ || w->epoch != c->epoch) return;
    struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, w->seq);
    if (e != NULL) {
        consumer_forget(c, e, MG_JS_REASON_DELETED);
    } else if (mg_js_state_skip_head(&c->state) == w->seq) {
        consumer_commit(c, MG_JS_DELTA_SKIP, w->seq, 0);
        if (c->num_pending > 0) c->num_pending--;
    }
}

void mg_js_consumer_pass(struct mg_js_consumer *c, const struct mg_js_want *w, uint64_t last) {
    if (w->kind == MG_JS_WANT_NEXT && w->epoch == c->epoch && last >= c->next) c->next = last + 1;
}

void mg_js_consumer_end(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w, uint64_t last) {
    if (w->kind != MG_JS_WANT_NEXT || w->epoch != c->epoch) return;
    mg_js_consumer_pass(c, w, last);
    mg_free(c->replay); // caught up: from here on as fast as it goes
    c->replay = NULL;
    consumer_check_waiting(c, now, true);
}

// ---- counts ---------------------------------------------------------------------------------------------------------

void mg_js_consumer_set_num_pending(struct mg_js_consumer *c, uint64_t n) {
    c->num_pending = n;
    c->no_taker = false;
}

bool mg_js_consumer_stored(struct mg_js_consumer *c, uint64_t seq, mg_slice subject) {
    if (seq < c->next || !c->env->ops->matches(c->app, subject)) return false;
    c->num_pending++;
    c->no_taker = false;
    return true;
}
