// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// PING and PONG, and the connection's one timer: first the authentication timeout, then pings
// (spec/client-protocol.md A10).
#include "server/account/errtext.h"
#include "server/conn/conn.h"

#define FIRST_PING_NS (2 * MG_SEC)
#define RTT_AGAIN_NS (3600 * MG_SEC)

void conn_send_ping(struct mg_conn *c) {
    c->pings_out++;
    c->ping_sent_at = mg_loop_clock(c->core->loop);
    if (conn_traced(c)) conn_trace(c, MG_TRACE_OUT, MG_S("PING"), (mg_slice){NULL, 0});
    conn_write(c, "PING\r\n", 6);
}

static void start_ping(struct mg_conn *c, uint64_t in_ns) {
    c->auth_timer = false;
    mg_timer_at(c->core->shard, &c->timer, mg_loop_now(c->core->loop) + in_ns);
}

void conn_first_ping(struct mg_conn *c) {
    uint64_t interval = c->core->settings->opts->ping_interval_ns;
    uint64_t in = interval < FIRST_PING_NS ? interval : FIRST_PING_NS;
    start_ping(c, in + mg_shard_random(c->core->shard) % (in / 5 + 1));
}

void conn_timer_start(struct mg_conn *c) {
    const struct mg_settings *s = c->core->settings;
    if (!c->authed) {
        c->auth_timer = true;
        mg_timer_at(c->core->shard, &c->timer, mg_loop_now(c->core->loop) + mg_auth_timeout_ns(s->auth));
    } else {
        start_ping(c, s->opts->ping_interval_ns);
    }
}

void conn_timer(struct mg_timer *t) {
    struct mg_conn *c = mg_container_of(t, struct mg_conn, timer);
    if (c->state == MG_CONN_CLOSING) { // its last bytes did not get out in time
        conn_abort(c, c->reason);
        return;
    }
    mg_assert(c->state != MG_CONN_CLOSED);
    if (c->auth_timer) {
        c->core->counters.auth_errors++;
        conn_dbg(c, MG_ERR_AUTH_TIMEOUT);
        conn_close_err(c, MG_CLOSE_AUTH_TIMEOUT, MG_ERR_AUTH_TIMEOUT);
        return;
    }
    const struct mg_options *o = c->core->settings->opts;
    uint64_t now = mg_loop_clock(c->core->loop), interval = o->ping_interval_ns;
    bool active = c->active_at && now - c->active_at < interval;
    bool rtt_known = c->rtt_ns && !c->rtt_guessed && now - c->ping_sent_at < RTT_AGAIN_NS;
    if (!active || !rtt_known) {
        if ((int64_t)c->pings_out + 1 > o->ping_max) {
            c->core->counters.stale_connections++;
            conn_dbg(c, "Stale Client Connection - Closing");
            conn_close_err(c, MG_CLOSE_STALE, "Stale Connection");
            return;
        }
        conn_send_ping(c);
    }
    start_ping(c, interval);
}

void conn_on_ping(struct mg_conn *c) {
    if (MG_UNLIKELY(conn_traced(c))) {
        conn_trace(c, MG_TRACE_IN, MG_S("PING"), (mg_slice){NULL, 0});
        conn_trace(c, MG_TRACE_OUT, MG_S("PONG"), (mg_slice){NULL, 0});
    }
    c->active_at = c->core->now;
    conn_write(c, "PONG\r\n", 6);
    // The first PONG after CONNECT is followed by the INFO that says who the client is (A1 step 6).
    if (c->connected && !c->first_pong) {
        c->first_pong = true;
        if (c->info_async) conn_info(c, false, true);
    }
}

void conn_on_pong(struct mg_conn *c) {
    if (MG_UNLIKELY(conn_traced(c))) conn_trace(c, MG_TRACE_IN, MG_S("PONG"), (mg_slice){NULL, 0});
    c->pings_out = 0;
    if (c->ping_sent_at) {
        uint64_t rtt = mg_loop_clock(c->core->loop) - c->ping_sent_at;
        c->rtt_ns = rtt ? rtt : 1;
        c->rtt_guessed = false;
    }
}
