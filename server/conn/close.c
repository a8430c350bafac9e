// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A connection's end. Closing marks it dead for deliveries at once; what is queued (an -ERR above all) still goes out,
// then the socket half-closes and drains, so that unread input does not destroy it (spec/client-protocol.md A5). The
// subscriptions are unlinked in slices between turns: a hundred thousand of them stall nobody. The struct is freed when
// its socket, its subscriptions and its work on other threads are all gone.
#include "server/account/responses.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

#define CLOSE_FLUSH_NS (1000 * MG_MS) // a closing connection's last bytes may take this long
#define REAP_SLICE 512u               // subscriptions unlinked at a time

static void leave_lists(struct mg_conn *c) {
    struct mg_core *core = c->core;
    core->nconns--;
    core->slots[c->slot].conn = NULL;
    core->slots[c->slot].next = core->free_slot;
    core->free_slot = c->slot;
    atomic_fetch_sub_explicit(&core->globals->connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&core->globals->shard[mg_shard_id(core->shard)].connections, 1, memory_order_relaxed);
    mg_list_remove(&c->link);
    if (c->nsubs > 0) mg_list_push_back(&core->dying, &c->link);
    core->ndying++;
}

static void stop_waiting(struct mg_conn *c) {
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->timer);
    mg_mbuf_unref(c->in);
    c->in = NULL;
    if (c->rare == NULL) return;
    mg_list_remove(&c->rare->waiter.link);
    if (!c->rare->work_running) mg_list_remove(&c->rare->work_link);
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->rare->stall);
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->rare->tls_timer);
}

static void end(struct mg_conn *c, enum mg_close_reason reason) {
    struct mg_core *core = c->core;
    c->reason = (uint8_t)reason;
    core->counters.closed[reason]++;
    conn_dbg(c, "Client connection closed: %s", mg_close_reason_text(reason));
    if (core->conn_closed) core->conn_closed(core->arg, c);
    stop_waiting(c);
    leave_lists(c);
}

void conn_close(struct mg_conn *c, enum mg_close_reason reason) {
    if (!conn_alive(c)) return;
    end(c, reason);
    c->state = MG_CONN_CLOSING;
    mg_sock_want_read(c->sock, false);
    mg_timer_at(c->core->shard, &c->timer, mg_loop_now(c->core->loop) + CLOSE_FLUSH_NS);
    if (c->want_write) return; // goes on when the socket can be written
    conn_mark_dirty(c);
}

void conn_peer_closed(struct mg_conn *c) {
    c->eof = true;
    conn_close(c, MG_CLOSE_CLIENT_CLOSED);
}

void conn_close_err(struct mg_conn *c, enum mg_close_reason reason, const char *text) {
    if (!conn_alive(c)) return;
    conn_err(c, mg_cstr(text));
    conn_close(c, reason);
}

void conn_abort(struct mg_conn *c, enum mg_close_reason reason) {
    if (c->state == MG_CONN_CLOSED) {
        mg_sock_close(c->sock);
        return;
    }
    if (conn_alive(c)) end(c, reason);
    c->state = MG_CONN_CLOSED;
    mg_timer_stop(mg_shard_wheel(c->core->shard), &c->timer);
    mg_sock_close(c->sock);
}

static void conn_free(struct mg_conn *c) {
    struct mg_core *core = c->core;
    mg_assert(c->nsubs == 0 && c->sock == NULL);
    mg_timer_stop(mg_shard_wheel(core->shard), &c->timer);
    mg_list_remove(&c->link);
    if (c->in_dirty) core->ndirty--;
    mg_list_remove(&c->dirty);
    mg_list_remove(&c->blocked);
    mg_outq_fini(&c->out, &core->pool);
    if (c->sub_mask) mg_free(c->subs.table); // emptied by UNSUB
    if (c->opts) mg_connect_fini(c->opts);
    mg_free(c->opts);
    mg_free(c->memo);
    mg_auth_unref(c->auth);
    if (c->rare) {
        mg_responses_free(c->rare->responses);
        conn_tls_fini(c);
        mg_auth_unref(c->rare->work_auth);
        mg_free(c->rare);
    }
    mg_free(c);
    core->ndying--;
}

void conn_release(struct mg_conn *c) {
    if (conn_alive(c) || !c->socket_gone || c->nsubs > 0 || (c->rare && c->rare->work_running)) return;
    conn_free(c);
}

bool conn_reap(struct mg_core *core) {
    if (mg_list_empty(&core->dying)) return false;
    struct mg_conn *c = mg_container_of(core->dying.next, struct mg_conn, link);
    if (!conn_sub_drop_some(c, REAP_SLICE)) {
        mg_list_remove(&c->link);
        conn_release(c);
    }
    return !mg_list_empty(&core->dying);
}
