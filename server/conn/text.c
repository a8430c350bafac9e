// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Log lines of a connection: its prefix, and what is traced of it (spec/client-protocol.md B4).
#include <inttypes.h>

#include "server/conn/conn.h"

// Where nobody has to log in, or nobody was let in, it is who the client says.
void conn_who(const struct mg_conn *c, struct mg_auth_who *who) {
    *who = (struct mg_auth_who){.id = MG_AUTH_ID_NONE};
    if (c->user) *who = (struct mg_auth_who){(enum mg_auth_id)c->auth_id, c->user->name};
    else if (c->opts)
        mg_auth_who_says(mg_cstr(c->opts->nkey), mg_cstr(c->opts->user), mg_cstr(c->opts->auth_token), who);
}

// "v1.2:python3:name", without what the client did not say.
static void add_software(const struct mg_connect *o, struct mg_buf *b) {
    if (o->version[0]) mg_buf_addf(b, "v%s", o->version);
    if (o->lang[0]) mg_buf_addf(b, "%s%s", b->len ? ":" : "", o->lang);
    if (o->name[0]) mg_buf_addf(b, "%s%s", b->len ? ":" : "", o->name);
}

// Quoted, and empties it. Nothing if it is empty.
static void add_label(struct mg_buf *b, struct mg_buf *label) {
    if (label->len == 0) return;
    mg_buf_adds(b, " - ");
    mg_buf_add_quoted(b, mg_buf_slice(label));
    label->len = 0;
}

// Appends "127.0.0.1:4242 - cid:5" and what is known of the client, and a NUL.
static const char *prefix(const struct mg_conn *c, struct mg_buf *b) {
    bool v6 = strchr(c->peer.ip, ':') != NULL;
    mg_buf_addf(b, v6 ? "[%s]:%u - cid:%" PRIu64 : "%s:%u - cid:%" PRIu64, c->peer.ip, c->peer.port, c->cid);
    if (c->connected) {
        struct mg_buf label = MG_BUF_INIT;
        struct mg_auth_who who;
        conn_who(c, &who);
        add_software(c->opts, &label);
        add_label(b, &label);
        if (who.id != MG_AUTH_ID_NONE) mg_buf_adds(&label, "$G/");
        mg_auth_label(&label, &who);
        add_label(b, &label);
        mg_buf_fini(&label);
    }
    mg_buf_addc(b, '\0');
    return b->p;
}

void conn_log(struct mg_conn *c, enum mg_log_level level, const char *fmt, ...) {
    if (!mg_log_on(c->core->log, level)) return;
    struct mg_buf name = MG_BUF_INIT, text = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    mg_log_write(c->core->log, level, "%s - %.*s", prefix(c, &name), (int)text.len, text.p ? text.p : "");
    mg_buf_fini(&name);
    mg_buf_fini(&text);
}

// ---- trace ---------------------------------------------------------------------------------------------------------

void conn_trace(const struct mg_conn *c, enum mg_trace_dir dir, mg_slice op, mg_slice arg) {
    struct mg_buf name = MG_BUF_INIT;
    mg_trace_op(c->core->log, prefix(c, &name), dir, op, arg);
    mg_buf_fini(&name);
}

void conn_trace_connect(const struct mg_conn *c, mg_slice arg) {
    struct mg_buf name = MG_BUF_INIT;
    mg_trace_connect(c->core->log, prefix(c, &name), arg);
    mg_buf_fini(&name);
}

void conn_trace_pub(const struct mg_conn *c, const struct mg_cmd *cmd, mg_slice mapped) {
    struct mg_buf name = MG_BUF_INIT, text = MG_BUF_INIT;
    prefix(c, &name);
    mg_trace_op(c->core->log, name.p, MG_TRACE_IN, cmd->op == MG_OP_HPUB ? MG_S("HPUB") : MG_S("PUB"), cmd->args);
    if (mapped.n) {
        mg_buf_addf(&text, "%.*s -> %.*s", (int)cmd->subject.n, cmd->subject.p, (int)mapped.n, mapped.p);
        mg_trace_op(c->core->log, name.p, MG_TRACE_IN, MG_S("MAPPING"), mg_buf_slice(&text));
    }
    mg_trace_payload(c->core->log, name.p, MG_TRACE_IN, (mg_slice){cmd->payload, cmd->size}, cmd->hdr_len);
    mg_buf_fini(&name);
    mg_buf_fini(&text);
}

// As it goes out: without its headers to a client that does not know them.
void conn_trace_msg(const struct mg_conn *c, const struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_buf name = MG_BUF_INIT, line = MG_BUF_INIT;
    bool headers = m->hdr_len > 0 && c->headers;
    size_t skip = headers ? 0 : m->hdr_len;
    mg_slice sid = mg_sub_sid(sub);
    mg_buf_addf(&line, "%s %.*s %.*s ", headers ? "HMSG" : "MSG", (int)m->subject.n, m->subject.p, (int)sid.n, sid.p);
    if (m->reply.n) mg_buf_addf(&line, "%.*s ", (int)m->reply.n, m->reply.p);
    if (headers) mg_buf_addf(&line, "%.*s ", (int)m->hdr_text.n, m->hdr_text.p);
    if (skip) mg_buf_addf(&line, "%zu", m->payload.n - skip);
    else mg_buf_add_slice(&line, m->size_text);
    prefix(c, &name);
    mg_trace_op(c->core->log, name.p, MG_TRACE_OUT, mg_buf_slice(&line), (mg_slice){NULL, 0});
    mg_trace_payload(c->core->log, name.p, MG_TRACE_OUT, (mg_slice){m->payload.p + skip, m->payload.n - skip},
                     headers ? m->hdr_len : 0);
    mg_buf_fini(&name);
    mg_buf_fini(&line);
}
