// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A message for one subscription: MSG or HMSG into the connection's queue. This is the hot end of the message path:
// small payloads are copied behind their control line, larger ones are referred to.
#include <inttypes.h>

#include "server/account/responses.h"
#include "server/base/assert.h"
#include "server/base/planted.h"
#include "server/conn/conn.h"

static inline char *put(char *at, mg_slice s) {
    if (s.n) memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_number(char *at, uint64_t v) {
    char digits[20];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n) *at++ = digits[--n];
    return at;
}

// The client cannot keep up: its queue is over max_pending. No -ERR (spec/client-protocol.md A11).
static void too_slow(struct mg_conn *c) {
    struct mg_core *core = c->core;
    core->counters.slow_consumers++;
    conn_log(c, MG_LOG_INF, "Slow Consumer Detected: MaxPending of %" PRId64 " Exceeded",
             core->settings->opts->max_pending);
    conn_abort(c, MG_CLOSE_SLOW_PENDING);
}

// Asks the publisher to pause a little: 2 ms, 5 ms when the queue is full. False: drop the message instead.
static bool stall_publisher(struct mg_conn *c, const struct mg_msg *m, size_t pending) {
    const struct mg_options *o = c->core->settings->opts;
    if (m->origin_id == c->cid) return true;
    if (o->no_fast_producer_stall) return false;
    uint32_t ns = (uint32_t)((int64_t)pending >= o->max_pending ? 5 * MG_MS : 2 * MG_MS);
    if (m->origin) {
        struct mg_conn *from = (struct mg_conn *)(uintptr_t)m->origin;
        if (ns > from->stall_request) from->stall_request = ns;
    } else if (m->origin_shard == mg_shard_id(c->core->shard)) { // came back from another shard
        struct mg_conn *from = mg_core_conn(c->core, m->origin_slot, m->origin_id);
        if (from && conn_alive(from)) conn_stall(from, ns);
    } else {
        struct mg_conn_rare *rare = conn_rare(c);
        // One request is as good as one for each message of a run.
        if (rare->stalled_cid == m->origin_id && c->core->now - rare->stalled_at < MG_MS) return true;
        rare->stalled_cid = m->origin_id;
        rare->stalled_at = c->core->now;
        struct mg_rec *rec = mg_post_data(c->core->shard, m->origin_shard, MG_REC_STALL, sizeof(struct rec_stall));
        const struct rec_stall body = {.cid = m->origin_id, .slot = m->origin_slot, .ns = ns};
        memcpy(rec->body, &body, sizeof(body));
    }
    return true;
}

// Delivery-time permissions, and the reply that this delivery allows (spec/accounts-security.md 7.3, 7.4).
static bool filter(struct mg_conn *c, struct mg_sub *sub, const struct mg_msg *m) {
    const struct mg_perms *perms = c->user ? c->user->perms : NULL;
    if ((sub->flags & CONN_SUB_FILTER) && !mg_perms_can_deliver(perms, m->subject, mg_sub_queue(sub))) return false;
    return true;
}

static void track_reply(struct mg_conn *c, const struct mg_msg *m) {
    const struct mg_perms *perms = c->user ? c->user->perms : NULL;
    const struct mg_resp_limits *lim = mg_perms_responses(perms);
    if (lim == NULL || m->reply.n == 0 || mg_perms_can_pub(perms, m->reply)) return;
    struct mg_conn_rare *rare = conn_rare(c);
    if (rare->responses == NULL) rare->responses = mg_responses_new(lim, mg_shard_random(c->core->shard));
    mg_responses_track(rare->responses, m->reply, c->core->now);
}

// Writes the control line and the payload.
static size_t write_msg(struct mg_conn *c, const struct mg_sub *sub, const struct mg_msg *m) {
    bool headers = m->hdr_len > 0 && c->headers;
    mg_slice payload = m->payload;
    if (m->hdr_len > 0 && !c->headers) payload = (mg_slice){payload.p + m->hdr_len, payload.n - m->hdr_len};
    bool copy = payload.n < MG_COPY_MAX;
    size_t line = sizeof("HMSG     \r\n\r\n") + m->subject.n + sub->sid_len + m->reply.n + m->hdr_text.n + 20;
    char *start = conn_reserve(c, line + m->size_text.n + (copy ? payload.n : 0));
    char *at = start;
    if (headers) *at++ = 'H';
    memcpy(at, "MSG ", 4);
    at = put(at + 4, m->subject);
    *at++ = ' ';
    at = put(at, mg_sub_sid(sub));
    *at++ = ' ';
    if (m->reply.n) {
        at = put(at, m->reply);
        *at++ = ' ';
    }
    if (headers) {
        at = put(at, m->hdr_text);
        *at++ = ' ';
    }
    at = payload.n == m->payload.n ? put(at, m->size_text) : put_number(at, payload.n);
    *at++ = '\r';
    *at++ = '\n';
    if (MG_LIKELY(copy)) {
        at = put(at, payload);
        *at++ = '\r';
        *at++ = '\n';
        c->core->dirty_bytes += (size_t)(at - start);
        conn_commit(c, at);
        return payload.n;
    }
    c->core->dirty_bytes += (size_t)(at - start) + payload.n;
    conn_commit(c, at);
    if (m->mbuf || m->slab) {
        mg_outq_refer(&c->out, &c->core->pool, payload.p, payload.n, m->mbuf);
        if (m->mbuf == NULL) c->core->slab_used = true;
    } else {
        mg_outq_copy(&c->out, &c->core->pool, payload.p, payload.n);
    }
    at = conn_reserve(c, 2);
    at[0] = '\r';
    at[1] = '\n';
    conn_commit(c, at + 2);
    return payload.n;
}

bool conn_deliver(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_conn *c = (struct mg_conn *)sink;
    if (MG_UNLIKELY((sub->flags & MG_SUB_DEAD) || c->state != MG_CONN_OPEN)) return false;
    if (m->origin_id == c->cid && !c->echo) return false; // it may have come back from another shard
    if (MG_UNLIKELY(c->filters) && !filter(c, sub, m)) return false;
    if (MG_UNLIKELY(sub->max) && sub->delivered >= sub->max + MG_PLANTED(one_too_many)) return false;
    size_t pending = mg_outq_pending(&c->out), max = (size_t)c->core->settings->opts->max_pending;
    if (MG_UNLIKELY(pending + m->payload.n > max / 4 * 3)) {
        if (pending + m->payload.n > max) {
            too_slow(c);
            return false;
        }
        if (pending > max / 4 * 3 && !stall_publisher(c, m, pending)) return false;
    }
    sub->delivered++;
    if (MG_UNLIKELY(sub->max) && sub->delivered == sub->max + MG_PLANTED(one_too_many)) conn_sub_expire(c, sub);
    if (MG_UNLIKELY(conn_traced(c))) conn_trace_msg(c, sub, m);
    size_t bytes = write_msg(c, sub, m);
    if (MG_UNLIKELY(c->filters)) track_reply(c, m);
    c->last_at = c->core->now;
    c->out_msgs++;
    c->out_bytes += bytes;
    c->core->counters.out_msgs++;
    c->core->counters.out_bytes += bytes;
    return true;
}
