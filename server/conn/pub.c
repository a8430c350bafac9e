// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// PUB and HPUB: mapping, permissions, routing, and 503 when a request found nobody (spec/client-protocol.md A5 - A9,
// A18).
#include "server/account/errtext.h"
#include "server/account/perms.h"
#include "server/account/responses.h"
#include "server/base/assert.h"
#include "server/base/planted.h"
#include "server/conn/conn.h"
#include "server/proto/headers.h"
#include "server/proto/subject.h"

#define SUBJECT_MAX 30000u      // bytes of subject and reply
#define STALL_MAX (10 * MG_MS)  // a read: spec/client-protocol.md A11

// ---- what may not be published -------------------------------------------------------------------------------------

static void pub_violation(struct mg_conn *c, mg_slice subject) {
    struct mg_buf text = MG_BUF_INIT;
    mg_err_pub(&text, subject);
    conn_err(c, mg_buf_slice(&text));
    text.len = 0;
    mg_log_pub(&text, subject);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
}

static void reply_violation(struct mg_conn *c, mg_slice reply) {
    struct mg_buf text = MG_BUF_INIT;
    mg_err_pub_reply(&text, reply);
    conn_err(c, mg_buf_slice(&text));
    text.len = 0;
    mg_log_pub_reply(&text, reply);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
}

// The prefix and at least one byte more.
static bool below(mg_slice subject, mg_slice prefix) {
    return subject.n > prefix.n && mg_slice_starts(subject, prefix);
}

static bool pub_allowed(struct mg_conn *c, mg_slice subject) {
    if (MG_UNLIKELY(subject.p[0] == '_' || subject.p[0] == '$'))
        if (below(subject, MG_S("_GR_.")) || mg_slice_starts(subject, MG_S("$NRG."))) return false;
    const struct mg_perms *perms = c->user ? c->user->perms : NULL;
    if (MG_LIKELY(perms == NULL) || mg_perms_can_pub(perms, subject)) return true;
    return c->rare && c->rare->responses && mg_responses_allow(c->rare->responses, subject, c->core->now);
}

static bool reply_reserved(mg_slice reply) {
    if (MG_LIKELY(reply.n == 0 || (reply.p[0] != '_' && reply.p[0] != '$'))) return false;
    return mg_slice_starts(reply, MG_S("_R_.")) || below(reply, MG_S("$JS.ACK.")) || below(reply, MG_S("_GR_."));
}

// ---- nobody --------------------------------------------------------------------------------------------------------

// The requester's own plain subscription for the reply, if it has one (A7).
static struct mg_sub *reply_sub(struct mg_conn *c, mg_slice reply) {
    const struct mg_match *match = mg_sublist_match(c->core->router.subs, reply);
    for (uint32_t i = 0; i < match->nplain; i++)
        if (match->plain[i]->owner == c && !(match->plain[i]->flags & MG_SUB_DEAD)) return match->plain[i];
    return NULL;
}

static void send_503(struct mg_conn *c, mg_slice subject, mg_slice reply) {
    struct mg_sub *sub = reply_sub(c, reply);
    if (sub == NULL || !conn_alive(c)) return;
    size_t cap = subject.n + reply.n + sub->sid_len + 128;
    char *at = conn_reserve(c, cap);
    size_t n = mg_hdr_write_503(at, cap, reply, mg_sub_sid(sub), subject);
    mg_assert(n <= cap);
    conn_commit(c, at + n);
}

void conn_nobody(void *app, uint32_t slot, uint64_t id, mg_slice subject, mg_slice reply) {
    struct mg_conn *c = mg_core_conn(app, slot, id);
    if (c) send_503(c, subject, reply);
}

// ---- pausing -------------------------------------------------------------------------------------------------------

static void on_credit(struct mg_credit_waiter *w) {
    struct mg_conn_rare *rare = mg_container_of(w, struct mg_conn_rare, waiter);
    conn_resume(rare->conn, MG_PAUSE_CREDIT);
}

void conn_wait_credit(struct mg_conn *c, int shard) {
    struct mg_conn_rare *rare = conn_rare(c);
    rare->waiter.resume = on_credit;
    conn_pause(c, MG_PAUSE_CREDIT);
    mg_credit_wait(c->core->shard, (unsigned)shard, &rare->waiter);
}

void conn_stall_over(struct mg_timer *t) {
    struct mg_conn_rare *rare = mg_container_of(t, struct mg_conn_rare, stall);
    conn_resume(rare->conn, MG_PAUSE_STALL);
}

// A subscriber asked for a pause: at most 10 ms a read in total, so a slow subscriber never stops anybody.
void conn_stall(struct mg_conn *c, uint64_t ns) {
    struct mg_conn_rare *rare = conn_rare(c);
    c->stall_request = 0;
    if (rare->stall_spent + ns > STALL_MAX || (c->pause & MG_PAUSE_STALL)) return;
    rare->stall_spent += ns;
    c->stalls++;
    c->core->counters.stalled_clients++;
    conn_pause(c, MG_PAUSE_STALL);
    mg_timer_at(c->core->shard, &rare->stall, mg_loop_now(c->core->loop) + ns);
}

// ---- the verb ------------------------------------------------------------------------------------------------------

enum { GO_ON, STOP };

// Everything that can refuse the message. Answers the publisher.
static int check(struct mg_conn *c, const struct mg_cmd *cmd, mg_slice subject) {
    if (MG_UNLIKELY(c->pedantic) && !mg_subject_valid_literal(cmd->subject))
        conn_err(c, MG_S("Invalid Publish Subject"));
    if (MG_UNLIKELY(!pub_allowed(c, subject))) {
        pub_violation(c, subject);
        return STOP;
    }
    if (MG_UNLIKELY(reply_reserved(cmd->reply))) {
        reply_violation(c, cmd->reply);
        return STOP;
    }
    if (MG_UNLIKELY(c->verbose)) conn_ok(c);
    return GO_ON;
}

static void count_in(struct mg_conn *c, const struct mg_cmd *cmd) {
    struct mg_core *core = c->core;
    c->in_msgs++;
    c->in_bytes += cmd->size;
    core->counters.in_msgs++;
    core->counters.in_bytes += cmd->size;
    c->active_at = c->last_at = core->now;
}

static enum mg_mapped map_subject(struct mg_conn *c, mg_slice subject, char *out, size_t cap, mg_slice *result) {
    // A message that waited for credit is mapped as it was the first time: that is what was checked and answered.
    struct mg_conn_rare *rare = conn_rare(c);
    if (!c->pub_checked) rare->map_random = mg_shard_random(c->core->shard);
    uint64_t rnd = rare->map_random;
    return mg_mapper_apply(c->core->settings->mapper, subject, (uint32_t)((rnd >> 32) % 100),
                           rnd * UINT64_C(0x9e3779b97f4a7c15), out, cap, result);
}

static int route(struct mg_conn *c, const struct mg_cmd *cmd, mg_slice subject, struct mg_mbuf *mbuf) {
    struct mg_core *core = c->core;
    const struct mg_msg m = {
        .subject = subject, .reply = cmd->reply, .payload = {cmd->payload, cmd->size}, .hdr_len = cmd->hdr_len,
        .size_text = cmd->size_text, .hdr_text = cmd->hdr_len ? cmd->hdr_text : (mg_slice){NULL, 0},
        .mbuf = mbuf, .slab = mbuf == NULL,
        .origin = c, .origin_id = c->cid, .origin_slot = c->slot, .origin_shard = (uint16_t)mg_shard_id(core->shard),
    };
    bool want_outcome = c->no_responders && cmd->reply.n > 0;
    struct mg_publish_result result;
    int blocked = mg_router_publish(&core->router, &m, want_outcome, &c->memo, &result);
    if (MG_UNLIKELY(blocked >= 0)) {
        conn_wait_credit(c, blocked);
        return -1;
    }
    if (want_outcome && result.delivered == 0 && result.sent == 0) send_503(c, subject, cmd->reply);
    return 0;
}

int conn_on_pub(struct mg_conn *c, const struct mg_cmd *cmd, struct mg_mbuf *mbuf) {
    struct mg_core *core = c->core;
    mg_slice subject = cmd->subject;
    char mapped[SUBJECT_MAX];
    if (!c->pub_checked && MG_UNLIKELY(subject.n + cmd->reply.n > SUBJECT_MAX)) {
        conn_close_err(c, MG_CLOSE_MAX_CONTROL_LINE, "maximum control line exceeded");
        return 0;
    }
    enum mg_mapped how = MG_MAP_UNCHANGED;
    if (MG_UNLIKELY(core->settings->mapper != NULL))
        how = map_subject(c, subject, mapped, SUBJECT_MAX - cmd->reply.n, &subject);
    if (MG_UNLIKELY(conn_traced(c)) && !c->pub_checked)
        conn_trace_pub(c, cmd, how == MG_MAP_CHANGED ? subject : (mg_slice){NULL, 0});
    // A message that had to wait for credit was checked and answered before.
    if (!c->pub_checked && check(c, cmd, subject) == STOP) {
        count_in(c, cmd);
        return 0;
    }
    if (how != MG_MAP_DROPPED && route(c, cmd, subject, mbuf) != 0) {
        c->pub_checked = true;
        return -1;
    }
    c->pub_checked = false;
    count_in(c, cmd);
    if (MG_UNLIKELY(core_turn_full(core))) mg_turn_end(core->shard);
    // A client that cannot take what it publishes to itself may be gone by now, and must not start a timer.
    if (MG_UNLIKELY(c->stall_request) && (conn_alive(c) || MG_PLANTED(pause_closed))) conn_stall(c, c->stall_request);
    return 0;
}
