// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What others change: a delivery that reached nobody, messages that leave the stream, other rules, a pause, a reset
// (spec/jetstream-consumers.md 2.2, 9, 14.3, 15).
#include "jetstream/consumer/consumer_impl.h"

#include "server/base/assert.h"
#include "server/base/errors.h"

// spec 9: it is not counted; the number of the consumer that it used is gone.
void mg_js_consumer_bounced(struct mg_js_consumer *c, int64_t now, uint64_t seq, mg_slice to) {
    struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, seq);
    bool counted = e != NULL && e->state == MG_JS_ENTRY_LIVE && e->count > 0;
    if (c->push != NULL) {
        if (counted) consumer_commit(c, MG_JS_DELTA_BOUNCE, seq, e->due); // waits for ack_wait
        mg_js_consumer_active(c, now, false);
        return;
    }
    if (counted) {
        mg_js_pending_enqueue(&c->state.pending, e);
        consumer_commit(c, MG_JS_DELTA_BOUNCE, seq, now);
    }
    consumer_check_waiting(c, now, false);
    struct mg_js_waiter *w = c->waiting != NULL ? mg_js_waiting_find(c->waiting, to) : NULL;
    if (w == NULL) return;
    mg_js_waiting_want(c->waiting, w, w->left + 1);
    if (w->given > 0) w->given--;
}

// ---- messages leave the stream --------------------------------------------------------------------------------------

// What was pending and goes counts as acknowledged: the info tells when that was last.
void mg_js_consumer_removed(struct mg_js_consumer *c, int64_t now, uint64_t seq, mg_slice subject) {
    // What last_per_subject passes over does not count, and what it misses is found out when its turn comes.
    if (c->state.skip != NULL && seq >= c->next && seq < c->state.resume) return;
    if (seq >= c->next) {
        if (c->num_pending > 0 && c->env->ops->matches(c->app, subject)) c->num_pending--;
        return;
    }
    struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, seq);
    if (e == NULL) return;
    c->last_acked = now;
    consumer_forget(c, e, MG_JS_REASON_DELETED);
}

void mg_js_consumer_purged_one(struct mg_js_consumer *c, int64_t now, uint64_t seq) {
    if (mg_js_pending_find(&c->state.pending, seq) == NULL) return;
    c->last_acked = now;
    consumer_commit(c, MG_JS_DELTA_DROP, seq, 0);
}

static bool anything_below(struct mg_js_consumer *c, uint64_t first) {
    const struct mg_js_entry *e = mg_js_pending_from(&c->state.pending, 0);
    return c->state.floor.seq + 1 < first || (e != NULL && e->seq < first);
}

void mg_js_consumer_purged(struct mg_js_consumer *c, int64_t now, uint64_t first) {
    if (!anything_below(c, first)) return;
    const struct mg_js_entry *e = mg_js_pending_from(&c->state.pending, 0);
    if (e != NULL && e->seq < first) c->last_acked = now;
    consumer_commit(c, MG_JS_DELTA_FIRST, first, 0);
    c->epoch++;
}

void mg_js_consumer_trim(struct mg_js_consumer *c, int64_t now, uint64_t first) {
    for (struct mg_js_entry *e; (e = mg_js_pending_from(&c->state.pending, 0)) != NULL && e->seq < first;)
        consumer_forget(c, e, MG_JS_REASON_LIMITS);
    mg_js_consumer_purged(c, now, first);
}

// ---- other rules ----------------------------------------------------------------------------------------------------

// Due times follow the new waits. Written one by one: rare, and a replay needs no rules.
static void shift_due(struct mg_js_consumer *c, const struct mg_js_consumer_rules *old) {
    struct mg_js_pending *p = &c->state.pending;
    for (struct mg_js_entry *e = mg_js_pending_from(p, 0); e != NULL; e = mg_js_pending_from(p, e->seq + 1)) {
        int64_t by = mg_js_rules_wait(c->rules, e->count) - mg_js_rules_wait(old, e->count);
        if (e->state != MG_JS_ENTRY_LIVE || e->due == MG_JS_NEVER || by == 0) continue;
        consumer_commit(c, MG_JS_DELTA_DUE, e->seq, consumer_later(e->due, by));
    }
}

// spec 2.2: on a new deliver subject everything pending comes again, in the stream's order.
static void requeue_all(struct mg_js_consumer *c, int64_t now) {
    struct mg_js_pending *p = &c->state.pending;
    for (struct mg_js_entry *e = mg_js_pending_from(p, 0); e != NULL; e = mg_js_pending_from(p, e->seq + 1)) {
        if (e->state != MG_JS_ENTRY_LIVE) continue;
        mg_js_pending_dequeue(p, e);
        mg_js_pending_enqueue(p, e);
        consumer_commit(c, MG_JS_DELTA_DUE, e->seq, now);
    }
}

void mg_js_consumer_revise(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_rules *rules,
                           bool new_filters) {
    const struct mg_js_consumer_rules *old = c->rules;
    mg_assert(mg_js_rules_push(rules) == mg_js_rules_push(old) && rules->ack == old->ack);
    bool moved = !mg_slice_eq(rules->deliver_subject, old->deliver_subject);
    if (rules->inactive_after != old->inactive_after) c->used = now;
    c->rules = rules;
    c->paused = rules->pause_until > now;
    c->no_taker = false;
    if (new_filters) c->epoch++;
    shift_due(c, old);
    if (moved) {
        mg_js_consumer_active(c, now, false); // until interest in the new one is told
        requeue_all(c, now);
    }
    if (rules->priority != MG_JS_PRIORITY_PINNED) pin_clear(c);
    consumer_arm_inactive(c, now);
}

void mg_js_consumer_pause(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_rules *rules) {
    bool paused = rules->pause_until > now;
    c->rules = rules;
    c->paused = paused;
    c->no_taker = false;
    consumer_notice(c, &(struct mg_js_notice){.kind = paused ? MG_JS_NOTICE_PAUSED : MG_JS_NOTICE_RESUMED,
                                              .time = c->rules->pause_until});
}

// ---- reset ----------------------------------------------------------------------------------------------------------

static const char *refuse_reset(const struct mg_js_consumer_rules *r, uint64_t seq, uint64_t start_time_seq) {
    switch (r->deliver) {
    case MG_JS_DELIVER_ALL: return NULL;
    case MG_JS_DELIVER_BY_START_SEQUENCE: return seq < r->start_seq ? "below start seq" : NULL;
    case MG_JS_DELIVER_BY_START_TIME: return seq < start_time_seq ? "below start time" : NULL;
    default: return "not allowed";
    }
}

int mg_js_consumer_reset(struct mg_js_consumer *c, int64_t now, uint64_t seq, uint64_t start_time_seq,
                         uint64_t *reset_seq, const char **why) {
    (void)now;
    *reset_seq = seq == 0 ? c->state.floor.seq + 1 : seq;
    *why = seq == 0 ? NULL : refuse_reset(c->rules, seq, start_time_seq);
    if (*reset_seq == UINT64_MAX) *why = "not allowed"; // nothing comes behind it
    if (*why != NULL) return MG_EDENIED;
    consumer_commit(c, MG_JS_DELTA_RESET, *reset_seq, 0);
    c->last_delivered = c->last_acked = 0;
    c->epoch++;
    return 0;
}
