// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Log lines of a connection: its prefix, and the protocol trace (spec/client-protocol.md B4).
#include <inttypes.h>

#include "server/conn/conn.h"

static void add_prefix(struct mg_conn *c, struct mg_buf *b) {
    bool v6 = strchr(c->peer.ip, ':') != NULL;
    mg_buf_addf(b, v6 ? "[%s]:%u - cid:%" PRIu64 : "%s:%u - cid:%" PRIu64, c->peer.ip, c->peer.port, c->cid);
    if (c->connected) {
        if (c->opts->version[0] || c->opts->lang[0] || c->opts->name[0])
            mg_buf_addf(b, " - \"v%s:%s:%s\"", c->opts->version, c->opts->lang, c->opts->name);
        if (c->user) {
            struct mg_auth_who who;
            conn_who(c, &who);
            mg_buf_adds(b, " - \"$G/");
            mg_auth_label(b, &who);
            mg_buf_adds(b, "\"");
        }
    }
    mg_buf_adds(b, " - ");
}

void conn_who(const struct mg_conn *c, struct mg_auth_who *who) {
    *who = (struct mg_auth_who){.id = (enum mg_auth_id)c->auth_id};
    if (c->user) who->name = c->user->name;
}

void conn_log(struct mg_conn *c, enum mg_log_level level, const char *fmt, ...) {
    if (!mg_log_on(c->core->log, level)) return;
    struct mg_buf b = MG_BUF_INIT;
    add_prefix(c, &b);
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    mg_log_write(c->core->log, level, "%.*s", (int)b.len, b.p);
    mg_buf_fini(&b);
}

void conn_trace(struct mg_conn *c, const char *direction, const char *op, mg_slice args) {
    conn_log(c, MG_LOG_TRC, args.n ? "%s [%s %.*s]" : "%s [%s%.*s]", direction, op, (int)args.n, args.p ? args.p : "");
}

static void trace_payload(struct mg_conn *c, const char *direction, mg_slice payload, uint32_t hdr_len) {
    const struct mg_options *o = c->core->settings->opts;
    struct mg_buf b = MG_BUF_INIT;
    bool only_headers = atomic_load_explicit(&c->core->log->trace_headers, memory_order_relaxed);
    if (only_headers) payload.n = hdr_len;
    if (only_headers && payload.n == 0) return;
    bool cut = o->max_traced_msg_len > 0 && (int64_t)payload.n > o->max_traced_msg_len;
    if (cut) payload.n = (size_t)o->max_traced_msg_len;
    mg_buf_add_quoted(&b, payload);
    conn_log(c, MG_LOG_TRC, "%s MSG_PAYLOAD: [%.*s%s]", direction, (int)b.len, b.p, cut ? "..." : "");
    mg_buf_fini(&b);
}

void conn_trace_pub(struct mg_conn *c, const struct mg_cmd *cmd) {
    conn_trace(c, "<<-", cmd->op == MG_OP_HPUB ? "HPUB" : "PUB", cmd->args);
    trace_payload(c, "<<-", (mg_slice){cmd->payload, cmd->size}, cmd->hdr_len);
}

void conn_trace_msg(struct mg_conn *c, const struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_buf b = MG_BUF_INIT;
    mg_slice sid = mg_sub_sid(sub);
    mg_buf_addf(&b, "%.*s %.*s ", (int)m->subject.n, m->subject.p, (int)sid.n, sid.p);
    if (m->reply.n) mg_buf_addf(&b, "%.*s ", (int)m->reply.n, m->reply.p);
    if (m->hdr_len) mg_buf_addf(&b, "%.*s ", (int)m->hdr_text.n, m->hdr_text.p);
    mg_buf_add_slice(&b, m->size_text);
    conn_trace(c, "->>", m->hdr_len && c->headers ? "HMSG" : "MSG", mg_buf_slice(&b));
    mg_buf_fini(&b);
    trace_payload(c, "->>", m->payload, m->hdr_len);
}
