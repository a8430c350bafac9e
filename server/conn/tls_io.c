// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A connection with TLS (spec/client-protocol.md A15, spec/accounts-security.md 18.3): which of the four beginnings
// it has, the handshake, and the detour of its bytes through the session. A handshake step costs milliseconds, so it
// runs on a worker thread, a few at a time a shard; while it does, the session belongs to that thread and the
// connection waits.
#include "server/account/errtext.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

#define HANDSHAKES_AT_ONCE 2u
#define CIPHER_READ 65536u
#define ENCRYPT_AT_ONCE 65536u

// What a load balancer or somebody without TLS does on this port is not worth an error.
static void fail(struct mg_conn *c, const char *text) {
    if (!c->rare->tls_probe) conn_log(c, MG_LOG_ERR, "TLS handshake error: %s", text);
    else conn_dbg(c, "TLS handshake error: %s", text);
    conn_abort(c, MG_CLOSE_TLS_HANDSHAKE);
}

static void arm(struct mg_conn *c, uint64_t ns) {
    mg_timer_at(c->core->shard, &conn_rare(c)->tls_timer, mg_loop_now(c->core->loop) + ns);
}

// ---- how it begins -------------------------------------------------------------------------------------------------

static void go_plain(struct mg_conn *c) {
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->rare->tls_timer);
    c->state = MG_CONN_OPEN;
    conn_timer_start(c);
}

static void go_handshake(struct mg_conn *c) {
    c->state = MG_CONN_HANDSHAKE;
    c->rare->tls_left = c->core->settings->opts->tls_opts.timeout_ns;
    arm(c, c->rare->tls_left);
}

// INFO was sent: TLS comes now, or may come.
static void after_info(struct mg_conn *c) {
    const struct mg_options *o = c->core->settings->opts;
    if (!o->allow_non_tls) {
        go_handshake(c);
        return;
    }
    c->state = MG_CONN_PEEK;
    arm(c, o->tls_opts.timeout_ns);
}

void conn_tls_begin(struct mg_conn *c) {
    const struct mg_tls_options *o = &c->core->settings->opts->tls_opts;
    struct mg_conn_rare *rare = conn_rare(c);
    rare->tls_ctx = mg_tls_ctx_ref(c->core->settings->tls);
    switch (o->first) {
    case MG_TLS_FIRST_OFF: after_info(c); break;
    case MG_TLS_FIRST_ON:
        rare->tls_first = true;
        go_handshake(c);
        break;
    case MG_TLS_FIRST_AUTO:
        rare->tls_first = true;
        c->state = MG_CONN_PEEK;
        arm(c, o->first_wait_ns);
        break;
    }
}

void conn_tls_timeout(struct mg_timer *t) {
    struct mg_conn_rare *rare = mg_container_of(t, struct mg_conn_rare, tls_timer);
    struct mg_conn *c = rare->conn;
    if (c->state == MG_CONN_HANDSHAKE) {
        conn_dbg(c, "TLS handshake timeout");
        conn_abort(c, MG_CLOSE_TLS_HANDSHAKE);
    } else if (c->state == MG_CONN_PEEK && rare->tls_first) { // nobody began: INFO first after all
        rare->tls_first = false;
        conn_info(c, true, false);
        after_info(c);
    } else if (c->state == MG_CONN_PEEK) { // silence: plain
        go_plain(c);
    }
}

// ---- handshake -----------------------------------------------------------------------------------------------------

static void handshake_run(struct mg_work *w) {
    struct mg_conn_rare *rare = mg_container_of(w, struct mg_conn_rare, work);
    rare->tls_status = mg_tls_handshake(rare->tls);
}

static void handshake_next(struct mg_core *core);

static void established(struct mg_conn *c) {
    struct mg_conn_rare *rare = c->rare;
    mg_timer_stop(mg_shard_wheel(c->core->shard), &rare->tls_timer);
    rare->tls_done = true;
    c->state = MG_CONN_OPEN;
    conn_dbg(c, "TLS handshake complete");
    conn_dbg(c, "TLS version %s, cipher suite %s", mg_tls_version(rare->tls), mg_tls_cipher(rare->tls));
    if (rare->tls_first) conn_info(c, true, false);
    conn_timer_start(c);
}

static void handshake_done(struct mg_work *w) {
    struct mg_conn_rare *rare = mg_container_of(w, struct mg_conn_rare, work);
    struct mg_conn *c = rare->conn;
    struct mg_core *core = c->core;
    core->tls_running--;
    rare->work_running = false;
    handshake_next(core);
    if (conn_alive(c)) {
        mg_shard_input(core->shard);
        if (rare->tls_status == 0) established(c);
        else arm(c, rare->tls_left);
        conn_mark_dirty(c); // the session's own bytes
        if (rare->tls_status != 0 && rare->tls_status != MG_EAGAIN) {
            conn_flush(c); // the alert
            fail(c, mg_tls_error(rare->tls));
        }
    }
    conn_resume(c, MG_PAUSE_WORK);
    conn_release(c);
}

static void handshake_next(struct mg_core *core) {
    while (core->tls_running < HANDSHAKES_AT_ONCE && !mg_list_empty(&core->tls_waiting)) {
        struct mg_conn_rare *rare = mg_container_of(core->tls_waiting.next, struct mg_conn_rare, work_link);
        mg_list_remove(&rare->work_link);
        rare->work.run = handshake_run;
        rare->work.done = handshake_done;
        if (rare->tls == NULL) { // not before its turn: a session costs 37 KB, and a flood of them must wait cheaply
            rare->tls = mg_tls_new(rare->tls_ctx);
            mg_tls_feed(rare->tls, rare->tls_early.p, rare->tls_early.len);
            mg_buf_fini(&rare->tls_early);
        }
        rare->work_running = true;
        core->tls_running++;
        mg_loop_work(core->loop, &rare->work);
    }
}

static bool is_hello(const char *p) { return (unsigned char)p[0] == 0x16; }

static void handshake_step(struct mg_conn *c, const char *p, size_t n) {
    struct mg_conn_rare *rare = c->rare;
    if (!c->tls) {
        conn_dbg(c, "Starting TLS client connection handshake");
        rare->tls_probe = !is_hello(p);
        c->tls = true;
    }
    if (rare->tls) mg_tls_feed(rare->tls, p, n);
    else mg_buf_add(&rare->tls_early, p, n);
    conn_pause(c, MG_PAUSE_WORK);
    // The clock stands while it is our turn: else a herd that comes back at once would time out, and come back again.
    uint64_t now = mg_loop_now(c->core->loop), until = rare->tls_timer.at;
    rare->tls_left = until > now ? until - now : 0;
    mg_timer_stop(mg_shard_wheel(c->core->shard), &rare->tls_timer);
    // Who has begun goes first, so that some are done early rather than all late.
    if (rare->tls) mg_list_push_front(&c->core->tls_waiting, &rare->work_link);
    else mg_list_push_back(&c->core->tls_waiting, &rare->work_link);
    handshake_next(c->core);
}

// ---- bytes in ------------------------------------------------------------------------------------------------------

static ptrdiff_t read_cipher(struct mg_conn *c, char **p) {
    struct mg_core *core = c->core;
    if (core->cipher == NULL) core->cipher = mg_alloc(CIPHER_READ);
    struct iovec iov = {core->cipher, CIPHER_READ};
    *p = core->cipher;
    ptrdiff_t n = mg_sock_readv(c->sock, &iov, 1);
    if (n == MG_EEOF) conn_peer_closed(c);
    else if (n < 0 && n != MG_EAGAIN) conn_abort(c, n == MG_ERESET ? MG_CLOSE_CLIENT_CLOSED : MG_CLOSE_READ_ERROR);
    return n;
}

static ptrdiff_t read_session(struct mg_conn *c, const struct iovec *iov, int n) {
    (void)n;
    return mg_tls_read(c->rare->tls, iov[0].iov_base, iov[0].iov_len);
}

static void read_plain_text(struct mg_conn *c) {
    while (conn_alive(c) && !c->pause) {
        ptrdiff_t n = conn_read_once(c, read_session);
        if (n == MG_EAGAIN) return;
        if (n == MG_EEOF) conn_peer_closed(c);
        else if (n <= 0) conn_abort(c, MG_CLOSE_READ_ERROR);
        else mg_turn_charge(c->core->shard, (size_t)n);
    }
}

static void begin_with(struct mg_conn *c, const char *p, size_t n) {
    if (c->state == MG_CONN_PEEK && !c->rare->tls_first && !is_hello(p)) {
        go_plain(c);
        mg_shard_input(c->core->shard); // see caught_up in input.c
        if (conn_alive(c)) conn_input(c, (char *)(uintptr_t)p, n, NULL);
        return;
    }
    if (c->state == MG_CONN_PEEK) go_handshake(c);
    handshake_step(c, p, n);
}

void conn_tls_readable(struct mg_conn *c) {
    if (c->state == MG_CONN_OPEN) read_plain_text(c); // what was left when it was paused
    if (!conn_alive(c) || c->pause) return;
    mg_core_release_slab(c->core); // plain bytes may be copied on from `cipher` by reference
    char *p;
    ptrdiff_t n = read_cipher(c, &p);
    if (n <= 0) return;
    if (c->state != MG_CONN_OPEN) {
        begin_with(c, p, (size_t)n);
        mg_core_release_slab(c->core);
        return;
    }
    mg_tls_feed(c->rare->tls, p, (size_t)n);
    read_plain_text(c);
}

// ---- bytes out -----------------------------------------------------------------------------------------------------

static int send_cipher(struct mg_conn *c) {
    struct mg_tls *t = c->rare->tls;
    for (mg_slice out = mg_tls_pending(t); out.n > 0; out = mg_tls_pending(t)) {
        const struct iovec iov = {(void *)(uintptr_t)out.p, out.n};
        ptrdiff_t put = mg_sock_writev(c->sock, &iov, 1);
        if (put < 0) return (int)put;
        mg_tls_sent(t, (size_t)put);
        if ((size_t)put < out.n) return MG_EAGAIN;
    }
    return 0;
}

int conn_tls_flush(struct mg_conn *c) {
    struct mg_conn_rare *rare = c->rare;
    // During a handshake step the session is not ours: the end of the step flushes. (Later work is a password's.)
    if (rare->tls == NULL || (rare->work_running && !rare->tls_done)) return 0;
    for (;;) {
        int rc = send_cipher(c);
        if (rc != 0) return rc;
        struct iovec iov[64];
        int n = rare->tls_done ? mg_outq_iovecs(&c->out, iov, 64) : 0;
        if (n == 0) break;
        size_t taken = 0;
        for (int i = 0; i < n && taken < ENCRYPT_AT_ONCE; i++) {
            if (mg_tls_write(rare->tls, iov[i].iov_base, iov[i].iov_len) != 0) return MG_EIO;
            taken += iov[i].iov_len;
        }
        c->sent_bytes += taken;
        mg_outq_sent(&c->out, &c->core->pool, taken);
    }
    if (c->state == MG_CONN_CLOSING && rare->tls_done) {
        mg_tls_close(rare->tls);
        return send_cipher(c);
    }
    return 0;
}

void conn_tls_fini(struct mg_conn *c) {
    if (c->rare->tls) mg_tls_free(c->rare->tls);
    mg_tls_ctx_unref(c->rare->tls_ctx);
    mg_buf_fini(&c->rare->tls_early);
    c->rare->tls = NULL;
}
