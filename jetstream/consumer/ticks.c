// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What happens by time alone: messages that are due again, requests that expire, heartbeats, pins, the end of a pause,
// and a consumer that nobody uses (spec/jetstream-consumers.md 4, 9).
#include "jetstream/consumer/consumer_impl.h"

// ---- nobody uses it -------------------------------------------------------------------------------------------------

void consumer_arm_inactive(struct mg_js_consumer *c, int64_t now) {
    (void)now;
    bool watched = c->rules->inactive_after > 0 && (c->push == NULL || !c->push->active);
    int64_t at = consumer_later(consumer_later(c->used, c->rules->inactive_after), consumer_jitter(c));
    c->inactive_at = watched ? at : MG_JS_NEVER;
}

static void check_inactive(struct mg_js_consumer *c, int64_t now) {
    int64_t period = consumer_later(c->rules->inactive_after, consumer_jitter(c));
    if (c->inactive_at > now) return;
    if (c->push == NULL) {
        consumer_check_waiting(c, now, false);
        if (c->waiting != NULL) {
            c->inactive_at = consumer_later(now, period);
            return;
        }
        // What is pending may still be worked on: the time runs from when that would be due again.
        int64_t latest = mg_js_pending_latest(&c->state.pending);
        if (latest > 0 && latest != MG_JS_NEVER && consumer_later(latest, period) > now) {
            c->inactive_at = consumer_later(latest, period);
            return;
        }
    }
    c->inactive_at = MG_JS_NEVER;
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_INACTIVE});
}

// ---- due again ------------------------------------------------------------------------------------------------------

// What is due joins the queue in the stream's order. What was delivered often enough is given up at once: it must not
// wait for somebody to ask.
static void check_due(struct mg_js_consumer *c, int64_t now) {
    struct mg_js_pending *p = &c->state.pending;
    uint32_t n = mg_js_pending_expire(p, now);
    if (n == 0) return;
    c->no_taker = false;
    for (; n > 0; n--) {
        struct mg_js_entry *e = mg_js_pending_queued(p, n);
        if (e != NULL) consumer_park_spent(c, e);
    }
}

// ---- the clock ------------------------------------------------------------------------------------------------------

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t mg_js_consumer_deadline(struct mg_js_consumer *c) {
    // spec 20: a millisecond late on purpose, so that what is due together comes together.
    int64_t due = mg_js_pending_wake(&c->state.pending);
    int64_t at = due == MG_JS_NEVER ? due : consumer_later(due, MG_JS_MS);
    at = least(at, c->inactive_at);
    if (c->waiting != NULL) at = least(at, c->waiting->wake);
    if (c->push != NULL) at = least(at, c->push->next_heartbeat);
    if (c->pin != NULL) at = least(at, c->pin->until);
    if (c->paused) at = least(at, c->rules->pause_until);
    if (c->hold_until > 0) at = least(at, c->hold_until);
    return at;
}

void mg_js_consumer_tick(struct mg_js_consumer *c, int64_t now) {
    if (c->hold_until <= now) c->hold_until = 0;
    if (c->paused && c->rules->pause_until <= now) {
        c->paused = false;
        consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_RESUMED, .time = c->rules->pause_until});
    }
    check_due(c, now);
    if (c->pin != NULL && c->pin->until <= now) pin_expire(c, "timeout");
    // As in the reference the clock ends one-shot requests even where max_ack_pending holds back what they wait for.
    if (c->waiting != NULL && c->waiting->wake <= now) consumer_check_waiting(c, now, true);
    push_tick(c, now);
    check_inactive(c, now);
}
