// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements (spec/jetstream-consumers.md 8). An acknowledgement names its message by the stream's number alone,
// so that of any delivery counts. The first one that ends the message wins; all later ones change nothing, and are
// answered just the same.
#include "jetstream/consumer/consumer_impl.h"

static bool delivered_ever(const struct mg_js_consumer *c, uint64_t seq) {
    return seq > 0 && seq <= c->state.delivered.seq;
}

// Tells of the delivery whose subject was used.
static void sample(struct mg_js_consumer *c, int64_t now, const struct mg_js_entry *e,
                   const struct mg_js_ack_subject *a) {
    int percent = c->rules->sample;
    if (percent <= 0 || (percent < 100 && c->env->ops->random(c->app) % 100 > (uint64_t)percent)) return;
    int64_t at = e->due == MG_JS_NEVER ? now : e->due - mg_js_rules_wait(c->rules, e->count);
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_ACK_METRIC, .seq = e->seq, .dseq = a->dseq,
                                              .count = a->delivered, .time = now > at ? now - at : 0});
}

static void ack_one(struct mg_js_consumer *c, int64_t now, const struct mg_js_ack_subject *a, bool sampled) {
    struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, a->seq);
    if (e == NULL) return;
    if (sampled && e->state == MG_JS_ENTRY_LIVE) sample(c, now, e, a);
    consumer_commit(c, MG_JS_DELTA_DROP, a->seq, 0);
    c->env->ops->done(c->app, a->seq);
}

// spec 8: all up to seq. Those that were given up below the floor are still acknowledged one by one.
static void ack_all(struct mg_js_consumer *c, int64_t now, const struct mg_js_ack_subject *a) {
    struct mg_js_pending *p = &c->state.pending;
    if (a->seq <= c->state.floor.seq) {
        ack_one(c, now, a, false);
        return;
    }
    struct mg_js_delta d = {MG_JS_DELTA_DROP_TO, a->seq, 0};
    consumer_record(c, &d);
    for (const struct mg_js_entry *e = mg_js_pending_from(p, 0); e != NULL && e->seq <= a->seq;
         e = mg_js_pending_from(p, e->seq + 1))
        c->env->ops->done(c->app, e->seq);
    consumer_apply(c, &d);
}

// False: it gets no answer.
static bool finish(struct mg_js_consumer *c, int64_t now, const struct mg_js_ack_subject *a, bool sampled) {
    if (!delivered_ever(c, a->seq)) return false;
    c->last_acked = now;
    if (c->rules->ack == MG_JS_ACK_ALL) ack_all(c, now, a);
    else ack_one(c, now, a, sampled);
    return true;
}

static void nak(struct mg_js_consumer *c, int64_t now, const struct mg_js_ack_subject *a, const struct mg_js_ack *ack) {
    struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, a->seq);
    if (a->dseq <= c->state.floor.dseq || a->dseq > c->state.delivered.dseq) return;
    if (e == NULL || e->state != MG_JS_ENTRY_LIVE) return;
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_NAKED, .seq = a->seq, .dseq = a->dseq,
                                              .count = a->delivered});
    if (ack->verb == MG_JS_ACK_NAK) {
        mg_js_pending_enqueue(&c->state.pending, e);
        consumer_commit(c, MG_JS_DELTA_DUE, a->seq, now); // the queue is not kept: so it is due after a restart
        return;
    }
    int64_t due = consumer_later(now, ack->delay);
    // spec 9: with a back-off list the delay counts from its first step.
    if (c->rules->backoff_len > 0)
        due = consumer_later(due, mg_js_rules_wait(c->rules, e->count) - c->rules->backoff[0]);
    mg_js_pending_dequeue(&c->state.pending, e);
    consumer_commit(c, MG_JS_DELTA_DUE, a->seq, due);
}

static void progress(struct mg_js_consumer *c, int64_t now, uint64_t seq) {
    const struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, seq);
    if (e == NULL || e->state != MG_JS_ENTRY_LIVE) return;
    consumer_commit(c, MG_JS_DELTA_DUE, seq, consumer_later(now, mg_js_rules_wait(c->rules, e->count)));
}

static bool term(struct mg_js_consumer *c, int64_t now, const struct mg_js_ack_subject *a, mg_slice reason) {
    bool answer = finish(c, now, a, false);
    consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_TERMINATED, .seq = a->seq, .dseq = a->dseq,
                                              .count = a->delivered, .text = reason});
    return answer;
}

void mg_js_consumer_ack(struct mg_js_consumer *c, int64_t now, mg_slice subject, mg_slice reply, mg_slice payload) {
    struct mg_js_ack_subject a;
    if (c->rules->ack == MG_JS_ACK_NONE || !mg_js_ack_parse(subject, &a)) return;
    if (a.seq == 0 || a.seq == MG_JS_ACK_BAD) return;
    if (c->rules->inactive_after > 0) consumer_used(c, now);
    struct mg_js_ack ack = mg_js_ack_read(payload);
    bool answer = true;
    switch (ack.verb) {
    case MG_JS_ACK_OK: answer = finish(c, now, &a, true); break;
    case MG_JS_ACK_TERM: answer = term(c, now, &a, ack.rest); break;
    case MG_JS_ACK_NEXT:
        finish(c, now, &a, true);
        mg_js_consumer_pull(c, now, reply, ack.rest);
        answer = false;
        break;
    case MG_JS_ACK_NAK:
    case MG_JS_ACK_NAK_DELAY:
        if (ack.bad_delay)
            consumer_notice(c, &(struct mg_js_notice){.kind = MG_JS_NOTICE_BAD_DELAY, .text = payload});
        nak(c, now, &a, &ack);
        break;
    case MG_JS_ACK_PROGRESS: progress(c, now, a.seq); break;
    case MG_JS_ACK_UNKNOWN: break;
    }
    if (answer && reply.n > 0) c->env->ops->send(c->app, reply, mg_slice_of(NULL, 0), mg_slice_of(NULL, 0));
}
