// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// SUB and UNSUB (spec/client-protocol.md A4, A8, A9, A13; spec/accounts-security.md 7.3).
#include <inttypes.h>

#include "server/account/errtext.h"
#include "server/account/perms.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"
#include "server/proto/subject.h"

#define SUBJECT_MAX 30000u // bytes: longer ones do not fit into a control line that we could send

static void violation(struct mg_conn *c, mg_slice subject, mg_slice queue, mg_slice sid) {
    struct mg_buf text = MG_BUF_INIT;
    mg_err_sub(&text, subject, queue);
    conn_err(c, mg_buf_slice(&text));
    text.len = 0;
    mg_log_sub(&text, subject, queue, sid);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
}

static void too_many_tokens(struct mg_conn *c, mg_slice subject, mg_slice sid) {
    struct mg_buf text = MG_BUF_INIT;
    mg_err_sub_tokens(&text, subject);
    conn_err(c, mg_buf_slice(&text));
    text.len = 0;
    mg_log_sub_tokens(&text, subject, sid);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p);
    mg_buf_fini(&text);
}

// The order of the checks is the reference's: subject, permission, tokens, limit (spec/accounts-security.md 7.3). The
// reference refuses a bad subject last, after the permissions; both orders answer with one -ERR.
static bool allowed(struct mg_conn *c, const struct mg_cmd *cmd) {
    const struct mg_options *o = c->core->settings->opts;
    const struct mg_perms *perms = c->user ? c->user->perms : NULL;
    if (mg_slice_eq(cmd->queue, MG_S("_sys_")) || !mg_perms_can_sub(perms, cmd->subject, cmd->queue)) {
        violation(c, cmd->subject, cmd->queue, cmd->sid);
        return false;
    }
    if (o->max_sub_tokens > 0 && (int64_t)mg_subject_tokens(cmd->subject) > o->max_sub_tokens) {
        too_many_tokens(c, cmd->subject, cmd->sid);
        return false;
    }
    if (o->max_subs > 0 && (int64_t)c->nsubs >= o->max_subs) core_expire(c->core); // those that are over do not count
    if (o->max_subs > 0 && (int64_t)c->nsubs >= o->max_subs) {
        if (core_may_say(c->core, &c->core->said_max_subs)) conn_log(c, MG_LOG_ERR, MG_ERR_MAX_SUBS);
        conn_err(c, MG_S(MG_ERR_MAX_SUBS));
        return false;
    }
    if (!mg_subject_valid(cmd->subject)) {
        conn_err(c, MG_S("Invalid Subject"));
        return false;
    }
    return true;
}

int conn_on_sub(struct mg_conn *c, const struct mg_cmd *cmd) {
    struct mg_core *core = c->core;
    if (core->router.others) {
        int blocked = mg_router_interest_blocked(&core->router);
        if (blocked >= 0) {
            conn_wait_credit(c, blocked);
            return -1;
        }
    }
    if (MG_UNLIKELY(conn_traced(c))) conn_trace(c, MG_TRACE_IN, MG_S("SUB"), cmd->args);
    c->active_at = core->now;
    c->last_at = core->now;
    if (cmd->subject.n + cmd->queue.n + cmd->sid.n > SUBJECT_MAX) {
        conn_close_err(c, MG_CLOSE_MAX_CONTROL_LINE, "maximum control line exceeded");
        return 0;
    }
    if (!allowed(c, cmd)) return 0;
    if (conn_sub_find(c, cmd->sid) == NULL) { // a sid in use: ignored, even with another subject (A9)
        struct mg_sub *sub = mg_alloc(mg_sub_size(cmd->subject.n, cmd->queue.n, cmd->sid.n));
        *sub = (struct mg_sub){.owner = c, .subject_len = (uint16_t)cmd->subject.n,
                               .queue_len = (uint16_t)cmd->queue.n, .sid_len = (uint16_t)cmd->sid.n};
        memcpy(sub->text, cmd->subject.p, cmd->subject.n);
        if (cmd->queue.n) memcpy(sub->text + cmd->subject.n, cmd->queue.p, cmd->queue.n);
        memcpy(sub->text + cmd->subject.n + cmd->queue.n, cmd->sid.p, cmd->sid.n);
        const struct mg_perms *perms = c->user ? c->user->perms : NULL;
        if (mg_perms_needs_filter(perms, cmd->subject, cmd->queue)) sub->flags |= CONN_SUB_FILTER;
        conn_sub_add(c, sub);
    }
    conn_ok(c);
    return 0;
}

void conn_on_unsub(struct mg_conn *c, const struct mg_cmd *cmd) {
    if (MG_UNLIKELY(conn_traced(c))) conn_trace(c, MG_TRACE_IN, MG_S("UNSUB"), cmd->args);
    c->active_at = c->core->now;
    c->last_at = c->core->now;
    // max counts from SUB on; unparsable or already reached: at once (A9).
    int64_t max = cmd->max.p ? mg_parse_size(cmd->max) : 0;
    struct mg_sub *sub = conn_sub_find(c, cmd->sid);
    if (sub) {
        if (max > 0 && sub->delivered < (uint64_t)max) sub->max = (uint64_t)max;
        else conn_sub_drop(c, sub);
    }
    conn_ok(c);
}
