// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Output of a connection. Whatever is produced during a turn is appended to its queue and the connection becomes
// dirty; at the end of the turn, after everything for other shards was posted, the socket gets it in one write. What
// the socket does not take waits for it to become writable, up to write_deadline (spec/client-protocol.md A11).
#include "server/base/errors.h"
#include "server/base/planted.h"
#include "server/base/timefmt.h"
#include "server/conn/conn.h"

#define IOVECS 512
#define LINGER_NS (2 * MG_SEC)

void conn_mark_dirty(struct mg_conn *c) {
    if (c->in_dirty || c->state == MG_CONN_CLOSED) return;
    c->in_dirty = true;
    mg_list_push_back(&c->core->dirty, &c->dirty);
    c->core->ndirty++;
}

void conn_write(struct mg_conn *c, const char *p, size_t n) {
    mg_outq_copy(&c->out, &c->core->pool, p, n);
    c->core->dirty_bytes += n;
    conn_mark_dirty(c);
}

void conn_err(struct mg_conn *c, mg_slice text) {
    conn_write(c, "-ERR '", 6);
    conn_write(c, text.p, text.n);
    conn_write(c, "'\r\n", 3);
    if (conn_traced(c)) conn_trace(c, MG_TRACE_OUT, MG_S("-ERR"), text);
}

void conn_ok(struct mg_conn *c) {
    if (MG_LIKELY(!c->verbose)) return;
    conn_write(c, "+OK\r\n", 5);
    if (conn_traced(c)) conn_trace(c, MG_TRACE_OUT, MG_S("OK"), (mg_slice){NULL, 0});
}

// ---- blocked sockets -----------------------------------------------------------------------------------------------

static void arm_deadline(struct mg_core *core) {
    if (mg_list_empty(&core->blocked)) {
        mg_timer_stop(mg_shard_wheel(core->shard), &core->deadline);
        return;
    }
    struct mg_conn *first = mg_container_of(core->blocked.next, struct mg_conn, blocked);
    if (mg_timer_active(&core->deadline) && core->deadline.at <= first->blocked_until) return;
    mg_timer_at(core->shard, &core->deadline, first->blocked_until);
}

static void set_blocked(struct mg_conn *c) {
    struct mg_core *core = c->core;
    if (c->is_blocked && c->sent_bytes < c->blocked_bytes) return; // the batch that blocked is still on its way
    mg_list_remove(&c->blocked);
    c->is_blocked = true;
    c->blocked_until = mg_loop_now(core->loop) + core->settings->opts->write_deadline_ns;
    c->blocked_bytes = c->sent_bytes + mg_outq_pending(&c->out);
    mg_list_push_back(&core->blocked, &c->blocked);
    arm_deadline(core);
}

static void set_unblocked(struct mg_conn *c) {
    if (!c->is_blocked) return;
    c->is_blocked = false;
    mg_list_remove(&c->blocked);
}

static void too_late(struct mg_conn *c) {
    struct mg_core *core = c->core;
    char deadline[40];
    struct iovec iov[IOVECS];
    core->counters.slow_consumers++;
    conn_log(c, MG_LOG_INF, "Slow Consumer Detected: WriteDeadline of %s exceeded with %d chunks of %zu total bytes.",
             mg_fmt_duration(deadline, (int64_t)core->settings->opts->write_deadline_ns),
             mg_outq_iovecs(&c->out, iov, IOVECS), mg_outq_pending(&c->out));
}

void core_deadline(struct mg_timer *t) {
    struct mg_core *core = mg_container_of(t, struct mg_core, deadline);
    uint64_t now = mg_loop_clock(core->loop);
    while (!mg_list_empty(&core->blocked)) {
        struct mg_conn *c = mg_container_of(core->blocked.next, struct mg_conn, blocked);
        if (c->blocked_until > now) break;
        if (c->authed) too_late(c);
        conn_abort(c, MG_CLOSE_SLOW_DEADLINE);
        set_unblocked(c);
    }
    arm_deadline(core);
}

// ---- flushing ------------------------------------------------------------------------------------------------------

static int flush_plain(struct mg_conn *c) {
    struct iovec iov[IOVECS];
    for (int round = 0; round < 4; round++) {
        int n = mg_outq_iovecs(&c->out, iov, IOVECS);
        if (n == 0) {
            mg_outq_sent(&c->out, &c->core->pool, 0);
            return 0;
        }
        size_t offered = 0;
        for (int i = 0; i < n; i++) offered += iov[i].iov_len;
        ptrdiff_t put = mg_sock_writev(c->sock, iov, n);
        if (put < 0) return (int)put;
        c->sent_bytes += (uint64_t)put;
        mg_outq_sent(&c->out, &c->core->pool, (size_t)put);
        if (mg_outq_empty(&c->out)) return 0;
        if ((size_t)put < offered) return MG_EAGAIN;
    }
    return MG_EAGAIN;
}

void conn_flush(struct mg_conn *c) {
    if (c->state == MG_CONN_CLOSED) return;
    int rc = c->tls ? conn_tls_flush(c) : flush_plain(c);
    if (rc == MG_EAGAIN) {
        if (!c->want_write && !MG_PLANTED(no_more_writes)) mg_sock_want_write(c->sock, true);
        c->want_write = true;
        set_blocked(c);
        return;
    }
    if (c->want_write) mg_sock_want_write(c->sock, false);
    c->want_write = false;
    set_unblocked(c);
    if (rc < 0) {
        conn_abort(c, MG_CLOSE_WRITE_ERROR);
        return;
    }
    if (c->state == MG_CONN_CLOSING) {
        c->state = MG_CONN_CLOSED;
        mg_timer_stop(mg_shard_wheel(c->core->shard), &c->timer);
        if (c->eof || c->core->draining) mg_sock_close(c->sock);
        else mg_sock_close_lingering(c->sock, LINGER_NS);
    }
}

void conn_writable(void *owner) {
    struct mg_conn *c = owner;
    conn_flush(c);
}

bool core_flush(void *app, unsigned max) {
    struct mg_core *core = app;
    core->dirty_bytes = 0;
    while (max-- > 0 && !mg_list_empty(&core->dirty)) {
        struct mg_conn *c = mg_container_of(core->dirty.next, struct mg_conn, dirty);
        mg_list_remove(&c->dirty);
        c->in_dirty = false;
        core->ndirty--;
        // A socket that took no more will say when it can; until then more output just waits.
        if (!c->want_write || c->state == MG_CONN_CLOSING) conn_flush(c);
    }
    return !mg_list_empty(&core->dirty);
}

void mg_core_release_slab(struct mg_core *core) {
    if (!core->slab_used) return;
    core->slab_used = false;
    for (struct mg_list *l = core->dirty.next; l != &core->dirty; l = l->next)
        mg_outq_settle(&mg_container_of(l, struct mg_conn, dirty)->out, &core->pool);
    for (struct mg_list *l = core->blocked.next; l != &core->blocked && !MG_PLANTED(slab_reused); l = l->next)
        mg_outq_settle(&mg_container_of(l, struct mg_conn, blocked)->out, &core->pool);
    mg_outpool_slab_done(&core->pool);
}
