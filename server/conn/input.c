// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes from the socket to commands. A read goes into the shard's slab and is parsed there; what is left over at its
// end (part of a message) moves into a small buffer of the connection, and back in front of the next read. A message
// of 32 KB and more is read straight into a buffer of its own, which grows with the bytes that have come, not with
// the bytes that were promised.
//
// Input can be paused (MG_PAUSE_*). Then the rest stays unparsed in `in`, and reading stops, so that TCP slows the
// sender.
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/json.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/conn/conn.h"

#define OWN_BUFFER_START 65536u
// Output that waits in the shard: above it nothing is read before sockets were flushed once more.
#define OUTPUT_HIGH (4u << 20)

void conn_pause(struct mg_conn *c, uint8_t why) {
    c->pause |= why;
    mg_sock_want_read(c->sock, false);
}

// Keeps n bytes at p for later.
static void keep(struct mg_conn *c, const char *p, size_t n, size_t need, struct mg_mbuf *mbuf) {
    mg_assert(c->in == NULL);
    c->in_need = need;
    if (n == 0) return;
    if (mbuf && p == mbuf->data && mbuf->len == n) {
        c->in = mg_mbuf_ref(mbuf);
        return;
    }
    c->in = mg_mbuf_new(n < 64 ? 64 : n);
    memcpy(c->in->data, p, n);
    c->in->len = (uint32_t)n;
}

// Of those that have arguments to be wrong.
static mg_slice verb(enum mg_op op) {
    switch (op) {
    case MG_OP_PUB: return MG_S("PUB");
    case MG_OP_HPUB: return MG_S("HPUB");
    case MG_OP_SUB: return MG_S("SUB");
    default: return MG_S("UNSUB");
    }
}

static void parse_failed(struct mg_conn *c, enum mg_parse err, const struct mg_parse_limits *lim,
                         const struct mg_cmd *cmd) {
    bool whole_line = err == MG_PARSE_ARGS || err == MG_PARSE_HEADERS_OFF || err == MG_PARSE_PAYLOAD;
    if (whole_line && conn_traced(c)) conn_trace(c, MG_TRACE_IN, verb(cmd->op), cmd->args);
    const char *wire = mg_parse_wire_error(err);
    if (wire) conn_err(c, mg_cstr(wire));
    struct mg_buf text = MG_BUF_INIT;
    mg_parse_log_text(err, lim, cmd, &text);
    conn_log(c, MG_LOG_ERR, "%.*s", (int)text.len, text.p ? text.p : "");
    mg_buf_fini(&text);
    enum mg_close_reason reason = MG_CLOSE_PROTOCOL_VIOLATION;
    if (err == MG_PARSE_CONTROL_LINE) reason = MG_CLOSE_MAX_CONTROL_LINE;
    else if (err == MG_PARSE_PAYLOAD) reason = MG_CLOSE_MAX_PAYLOAD;
    conn_close(c, reason);
}

static bool is_object(mg_slice text) {
    struct mg_json *doc = mg_json_parse(text);
    bool object = doc != NULL && (mg_json_type(doc) == MG_JSON_OBJECT || mg_json_type(doc) == MG_JSON_NULL);
    if (doc) mg_json_free(doc);
    return object;
}

// 0: done; -1: not done for lack of credit, present it again.
static int dispatch(struct mg_conn *c, const struct mg_cmd *cmd, struct mg_mbuf *mbuf) {
    switch (cmd->op) {
    case MG_OP_PUB:
    case MG_OP_HPUB: return conn_on_pub(c, cmd, mbuf);
    case MG_OP_SUB: return conn_on_sub(c, cmd);
    case MG_OP_UNSUB: conn_on_unsub(c, cmd); return 0;
    case MG_OP_PING: conn_on_ping(c); return 0;
    case MG_OP_PONG: conn_on_pong(c); return 0;
    case MG_OP_CONNECT: conn_on_connect(c, cmd); return 0;
    case MG_OP_INFO:
        // spec/client-protocol.md A4: ignored; bad JSON closes silently.
        if (!is_object(cmd->args)) conn_close(c, MG_CLOSE_PROTOCOL_VIOLATION);
        return 0;
    case MG_OP_OK: return 0;
    case MG_OP_ERR:
        conn_log(c, MG_LOG_ERR, "Client Error %.*s", (int)cmd->args.n, cmd->args.p);
        conn_close(c, MG_CLOSE_PARSE_ERROR);
        return 0;
    default: mg_assert(false);
    }
    return 0;
}

void conn_input(struct mg_conn *c, char *p, size_t n, struct mg_mbuf *mbuf) {
    struct mg_core *core = c->core;
    while (n > 0) {
        if (MG_UNLIKELY(!c->authed) && mg_parser_at_verb(&c->parser) && (*p | 0x20) != 'c' &&
            !conn_auth_without_connect(c))
            return;
        const struct mg_parse_limits lim = {core->settings->opts->max_control_line, c->max_payload, c->headers};
        struct mg_parser before = c->parser;
        struct mg_cmd cmd;
        size_t consumed, need;
        enum mg_parse r = mg_parse(&c->parser, &lim, p, n, &cmd, &consumed, &need);
        if (MG_UNLIKELY(r > MG_PARSE_PARTIAL)) {
            parse_failed(c, r, &lim, &cmd);
            return;
        }
        if (r == MG_PARSE_PARTIAL) {
            keep(c, p + consumed, n - consumed, need, mbuf);
            return;
        }
        if (dispatch(c, &cmd, mbuf) != 0) {
            if (!MG_PLANTED(lost_place)) c->parser = before;
            keep(c, p, n, 0, mbuf);
            return;
        }
        p += consumed;
        n -= consumed;
        if (MG_UNLIKELY(!conn_alive(c))) return;
        if (MG_UNLIKELY(c->pause)) {
            keep(c, p, n, 0, mbuf);
            return;
        }
    }
    c->in_need = 0;
}

void conn_resume(struct mg_conn *c, uint8_t why) {
    c->pause &= (uint8_t)~why;
    if (c->pause || !conn_alive(c)) return;
    struct mg_core *core = c->core;
    mg_shard_input(core->shard);
    struct mg_mbuf *in = c->in;
    c->in = NULL;
    if (in) {
        size_t n = in->len;
        conn_input(c, in->data, n, in);
        mg_mbuf_unref(in);
        mg_turn_charge(core->shard, n);
    }
    if (c->pause || !conn_alive(c)) return;
    if (c->tls) conn_tls_readable(c);
    if (!c->pause && conn_alive(c) && !MG_PLANTED(deaf_after_credit)) mg_sock_want_read(c->sock, true);
}

// Room in the message's own buffer: all of it once a quarter has come.
static struct mg_mbuf *own_buffer(struct mg_conn *c) {
    struct mg_mbuf *in = c->in;
    size_t want = (size_t)in->len * 4 > OWN_BUFFER_START ? (size_t)in->len * 4 : OWN_BUFFER_START;
    if (c->in_need && want > c->in_need) want = c->in_need;
    if (in->cap < want) c->in = mg_mbuf_grow(in, want);
    return c->in;
}

static bool wants_own_buffer(const struct mg_conn *c) {
    return c->in && (c->in_need >= MG_OWN_BUFFER || c->in->len >= MG_OWN_BUFFER);
}

// After a read and before what was read is parsed: what the sender knew of when it sent must be known here, too. A
// drain before the read would not do: bytes and their cause may both come between the two (shard.h, "Order").
static bool caught_up(struct mg_conn *c) {
    if (MG_PLANTED(drain_before_read)) return true;
    mg_shard_input(c->core->shard);
    return conn_alive(c);
}

typedef ptrdiff_t reader(struct mg_conn *c, const struct iovec *iov, int n);

static ptrdiff_t read_own(struct mg_conn *c, reader *read) {
    struct mg_core *core = c->core;
    struct mg_mbuf *in = own_buffer(c);
    size_t limit = c->in_need && c->in_need < in->cap ? c->in_need : in->cap;
    struct iovec iov[2] = {{in->data + in->len, limit - in->len}, {core->slab, MG_SLAB_BYTES}};
    bool to_end = c->in_need && limit == c->in_need; // what follows the message goes to the slab
    ptrdiff_t n = read(c, iov, to_end ? 2 : 1);
    if (n <= 0 || !caught_up(c)) return n;
    size_t own = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
    in->len += (uint32_t)own;
    if (c->in_need && in->len < c->in_need) return n;
    c->in = NULL;
    conn_input(c, in->data, in->len, in);
    mg_mbuf_unref(in);
    size_t rest = (size_t)n - own;
    if (rest == 0 || !conn_alive(c)) return n;
    if (c->in == NULL) {
        conn_input(c, core->slab, rest, NULL);
    } else { // paused in front of the message: the rest has to wait behind it
        size_t len = c->in->len;
        struct mg_mbuf *joined = mg_mbuf_new(len + rest);
        memcpy(joined->data, c->in->data, len);
        memcpy(joined->data + len, core->slab, rest);
        joined->len = (uint32_t)(len + rest);
        mg_mbuf_unref(c->in);
        c->in = joined;
        c->in_need = 0;
    }
    return n;
}

static ptrdiff_t read_slab(struct mg_conn *c, reader *read) {
    struct mg_core *core = c->core;
    size_t before = c->in ? c->in->len : 0;
    struct iovec iov = {core->slab + before, MG_SLAB_BYTES - before};
    ptrdiff_t n = read(c, &iov, 1);
    if (n <= 0 || !caught_up(c)) return n;
    if (c->in) {
        memcpy(core->slab, c->in->data, before);
        mg_mbuf_unref(c->in);
        c->in = NULL;
    }
    conn_input(c, core->slab, before + (size_t)n, NULL);
    return n;
}

static ptrdiff_t read_socket(struct mg_conn *c, const struct iovec *iov, int n) {
    return mg_sock_readv(c->sock, iov, n);
}

ptrdiff_t conn_read_once(struct mg_conn *c, reader *read) {
    struct mg_core *core = c->core;
    if (core->slab == NULL) core->slab = mg_alloc(MG_SLAB_BYTES);
    mg_core_release_slab(core);
    core->now = mg_loop_now(core->loop);
    return wants_own_buffer(c) ? read_own(c, read) : read_slab(c, read);
}

void conn_readable(void *owner) {
    struct mg_conn *c = owner;
    struct mg_core *core = c->core;
    if (MG_PLANTED(drain_before_read)) mg_shard_input(core->shard);
    if (!conn_alive(c) || core->draining) return;
    if (MG_UNLIKELY(c->pause)) {
        mg_sock_want_read(c->sock, false);
        return;
    }
    if (core->dirty_bytes > OUTPUT_HIGH) { // let sockets drain before more is produced; poll calls again
        mg_turn_end(core->shard);
        return;
    }
    if (MG_UNLIKELY(c->rare && c->rare->stall_spent)) c->rare->stall_spent = 0;
    if (MG_UNLIKELY(c->state != MG_CONN_OPEN || c->tls)) {
        conn_tls_readable(c);
        return;
    }
    ptrdiff_t n = conn_read_once(c, read_socket);
    if (n > 0) mg_turn_charge(core->shard, (size_t)n);
    else if (n == MG_EEOF) conn_peer_closed(c);
    else if (n != MG_EAGAIN) conn_abort(c, n == MG_ERESET ? MG_CLOSE_CLIENT_CLOSED : MG_CLOSE_READ_ERROR);
}
