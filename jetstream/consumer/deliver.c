// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Giving a message to somebody: headers, size, who takes it, and what is remembered of it.
//
// Order of effects (spec/jetstream-consumers.md 19.2): the record first, then the frame, then the status that ends the
// request. A redelivery that max_deliver counts waits for its record to be durable: otherwise a crash would forget it
// and deliver once too often.
#include "jetstream/consumer/consumer_impl.h"
#include "server/base/planted.h"

#define HEADER_BEGIN "NATS/1.0\r\n"
#define HEADER_END "\r\n"

static void begin_headers(struct mg_buf *out, mg_slice stored) {
    out->len = 0;
    if (stored.n > sizeof HEADER_END - 1) mg_buf_add(out, stored.p, stored.n - (sizeof HEADER_END - 1));
    else mg_buf_adds(out, HEADER_BEGIN);
}

// spec 7.3
static void strip_payload(struct mg_js_consumer *c, struct mg_js_delivery *d) {
    struct mg_buf *out = &c->env->headers;
    begin_headers(out, d->headers);
    mg_buf_addf(out, "Nats-Msg-Size: %zu\r\n" HEADER_END, d->payload.n);
    d->headers = mg_buf_slice(out);
    d->payload = mg_slice_of(NULL, 0);
}

// spec 11: every message of a pinned consumer says to whom.
static void add_pin(struct mg_js_consumer *c, struct mg_js_delivery *d) {
    struct mg_buf *out = &c->env->headers;
    if (d->headers.p == out->p && d->headers.n > 0) out->len -= sizeof HEADER_END - 1;
    else begin_headers(out, d->headers);
    mg_buf_adds(out, "Nats-Pin-Id: ");
    mg_buf_add_slice(out, pin_id(c));
    mg_buf_adds(out, "\r\n" HEADER_END);
    d->headers = mg_buf_slice(out);
}

static mg_slice ack_subject(struct mg_js_consumer *c, const struct mg_message *m, uint32_t count, uint64_t pending) {
    struct mg_buf *out = &c->env->reply;
    struct mg_js_ack_subject a = {.delivered = count, .seq = m->seq, .dseq = c->state.delivered.dseq + 1,
                                  .time = (uint64_t)m->time, .pending = pending};
    out->len = 0;
    mg_js_ack_prefix(out, c->env->domain, c->env->account, c->env->stream, consumer_name(c));
    mg_js_ack_numbers(out, &a);
    return mg_buf_slice(out);
}

// Replay at the original pace (spec 7.4): each message as long after the one before as it was stored after it.
static int64_t replay_hold(const struct mg_js_consumer *c, const struct mg_message *m) {
    const struct mg_js_replay *r = c->replay;
    if (r == NULL || r->stored == 0 || m->time - r->stored <= MG_JS_MS) return 0;
    return consumer_later(r->sent, m->time - r->stored);
}

// True: not yet; `want` says nothing until then, and the message is asked for again.
static bool hold(struct mg_js_consumer *c, int64_t now, const struct mg_message *m, size_t size) {
    int64_t until = replay_hold(c, m);
    if (until <= now && c->push != NULL) until = push_rate(c, now, size);
    if (until <= now) return false;
    c->hold_until = until;
    return true;
}

static void remember(struct mg_js_consumer *c, int64_t now, const struct mg_message *m, uint32_t count) {
    // A back-off step may be 0, an ack_wait of 0 means that nobody waits.
    bool timed = c->rules->ack != MG_JS_ACK_NONE && (c->rules->ack_wait > 0 || c->rules->backoff_len > 0);
    int64_t due = timed ? consumer_later(now, mg_js_rules_wait(c->rules, count)) : MG_JS_NEVER;
    bool again = mg_js_pending_find(&c->state.pending, m->seq) != NULL;
    consumer_commit(c, again ? MG_JS_DELTA_REDELIVER : MG_JS_DELTA_DELIVER, m->seq, due);
    if (!again && c->num_pending > 0) c->num_pending--;
    c->last_delivered = now;
    if (c->replay != NULL) {
        c->replay->stored = m->time;
        c->replay->sent = now;
    }
}

// One message less to give; the request may be satisfied by it (spec 19.1, 7).
static void settle_waiter(struct mg_js_consumer *c, int64_t now, struct mg_js_waiter *w) {
    if (w->left > 0) {
        if (w->heartbeat > 0) w->next_heartbeat = consumer_later(now, w->heartbeat);
        mg_js_waiting_cycle(c->waiting, w, c->rules->priority == MG_JS_PRIORITY_PRIORITIZED);
        return;
    }
    if (w->bytes_left > 0) consumer_status_pending(c, w, "409 Batch Completed");
    consumer_drop_waiter(c, w);
}

// The request that gets it, or NULL. Statuses that are sent on the way use the scratch of the headers.
static struct mg_js_waiter *choose(struct mg_js_consumer *c, int64_t now, const struct mg_message *m, size_t size,
                                   bool first, struct mg_js_delivery *d) {
    struct mg_js_waiter *w = consumer_next_waiter(c, now, size, first);
    if (w == NULL) {
        c->no_taker = c->waiting != NULL;
        return NULL;
    }
    d->to = mg_js_waiter_reply(w);
    d->headers = m->headers;
    d->payload = m->payload;
    if (c->rules->headers_only) strip_payload(c, d);
    if (c->rules->priority == MG_JS_PRIORITY_PINNED) add_pin(c, d);
    return w;
}

bool consumer_deliver(struct mg_js_consumer *c, int64_t now, const struct mg_message *m) {
    const struct mg_js_entry *e = mg_js_pending_find(&c->state.pending, m->seq);
    uint32_t count = e != NULL ? e->count + 1 : 1;
    uint64_t pending = e == NULL && c->num_pending > 0 ? c->num_pending - 1 : c->num_pending;
    struct mg_js_delivery d = {.to = c->rules->deliver_subject, .subject = m->subject, .headers = m->headers,
                               .payload = m->payload, .seq = m->seq, .dseq = c->state.delivered.dseq + 1,
                               .count = count, .after_record = e != NULL && c->rules->max_deliver > 0};
    if (MG_PLANTED(uncounted)) d.after_record = false;
    d.reply = ack_subject(c, m, count, pending);
    if (c->rules->headers_only) strip_payload(c, &d);
    size_t size = d.subject.n + d.reply.n + d.headers.n + d.payload.n; // spec 10.4: without the header of the pin
    if (hold(c, now, m, size)) return false;
    struct mg_js_waiter *w = NULL;
    if (c->push == NULL && (w = choose(c, now, m, size, e == NULL, &d)) == NULL) return false;
    remember(c, now, m, count);
    c->env->ops->deliver(c->app, &d);
    if (c->rules->ack == MG_JS_ACK_NONE || MG_PLANTED(gone_at_delivery)) c->env->ops->done(c->app, m->seq);
    if (w != NULL) settle_waiter(c, now, w);
    else push_sent(c, now, size - d.subject.n + d.to.n);
    if (c->push == NULL) consumer_used(c, now);
    return true;
}
