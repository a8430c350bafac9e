// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A connection's beginning: which shard gets it, the limit, the first INFO, who has to log in
// (spec/client-protocol.md A1, A13).
#include <stdio.h>

#include "server/account/errtext.h"
#include "server/account/nkey.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

static void on_closed(void *owner) {
    struct mg_conn *c = owner;
    c->sock = NULL;
    c->socket_gone = true;
    conn_release(c);
}

static const struct mg_sock_ops sock_ops = {
    .readable = conn_readable,
    .writable = conn_writable,
    .closed = on_closed,
};

// The shard with the fewest connections; ties go round. With one shard: this one.
static unsigned least_loaded(struct mg_core *core) {
    unsigned n = mg_shard_count(core->shard), best = 0;
    int64_t fewest = INT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        int64_t here = atomic_load_explicit(&core->globals->shard[i].connections, memory_order_relaxed);
        if (here < fewest) {
            fewest = here;
            best = i;
        }
    }
    return best;
}

void mg_core_accept(struct mg_core *core, const struct mg_sock_seed *seed) {
    unsigned to = least_loaded(core);
    // Counted here, where sockets are handed out, so that the next choice sees it.
    atomic_fetch_add_explicit(&core->globals->shard[to].connections, 1, memory_order_relaxed);
    if (to == mg_shard_id(core->shard)) {
        conn_open(core, seed);
        return;
    }
    struct mg_rec *rec = mg_post_data(core->shard, to, MG_REC_ADOPT, sizeof(*seed));
    memcpy(rec->body, seed, sizeof(*seed));
}

static uint32_t take_slot(struct mg_core *core, struct mg_conn *c) {
    if (core->free_slot == UINT32_MAX) {
        uint32_t n = core->nslots ? core->nslots * 2 : 64;
        core->slots = mg_realloc(core->slots, n * sizeof(*core->slots));
        for (uint32_t i = n; i-- > core->nslots;) {
            core->slots[i] = (struct mg_slot){.next = core->free_slot};
            core->free_slot = i;
        }
        core->nslots = n;
    }
    uint32_t slot = core->free_slot;
    core->free_slot = core->slots[slot].next;
    core->slots[slot].conn = c;
    return slot;
}

struct mg_conn_rare *conn_rare(struct mg_conn *c) {
    if (c->rare) return c->rare;
    struct mg_conn_rare *r = mg_zalloc(sizeof(*r));
    r->conn = c;
    mg_list_init(&r->waiter.link);
    mg_list_init(&r->work_link);
    mg_timer_init(&r->stall, conn_stall_over);
    mg_timer_init(&r->tls_timer, conn_tls_timeout);
    c->rare = r;
    return r;
}

static void make_nonce(struct mg_conn *c) {
    if (!mg_auth_nonce_required(c->core->settings->auth)) return;
    uint64_t raw[2] = {mg_loop_entropy(c->core->loop), mg_loop_entropy(c->core->loop)};
    mg_nonce_text((const uint8_t *)raw, c->nonce);
}

static struct mg_conn *conn_new(struct mg_core *core, const struct mg_sock_seed *seed) {
    struct mg_conn *c = mg_zalloc(sizeof(*c));
    c->sink.deliver = conn_deliver;
    c->core = core;
    c->peer = seed->peer;
    c->cid = atomic_fetch_add_explicit(&core->globals->next_cid, 1, memory_order_relaxed);
    c->state = MG_CONN_OPEN;
    c->verbose = c->pedantic = c->echo = true; // what holds before CONNECT
    c->max_payload = core->settings->opts->max_payload;
    c->start_wall = mg_loop_wall(core->loop);
    c->start_at = c->last_at = mg_loop_now(core->loop);
    mg_list_init(&c->link);
    mg_list_init(&c->dirty);
    mg_list_init(&c->blocked);
    mg_timer_init(&c->timer, conn_timer);
    return c;
}

// True if this second's TLS connections are used up (tls.connection_rate_limit).
static bool throttled(struct mg_conn *c) {
    const struct mg_settings *s = c->core->settings;
    if (s->tls == NULL || s->opts->tls_opts.rate_limit <= 0) return false;
    uint64_t second = mg_loop_now(c->core->loop) / MG_SEC << 32, next;
    uint64_t seen = atomic_load_explicit(&c->core->globals->tls_rate, memory_order_relaxed);
    do {
        next = (seen >> 32 == second >> 32 ? seen : second) + 1;
    } while (!atomic_compare_exchange_weak_explicit(&c->core->globals->tls_rate, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return (int64_t)(next & UINT32_MAX) > s->opts->tls_opts.rate_limit;
}

static void begin(struct mg_conn *c) {
    const struct mg_settings *s = c->core->settings;
    if (throttled(c)) {
        conn_info(c, true, false);
        conn_close_err(c, MG_CLOSE_MAX_CONNECTIONS, MG_ERR_THROTTLED);
        return;
    }
    c->authed = !mg_auth_required(s->auth);
    make_nonce(c);
    if (s->tls && s->opts->tls_opts.first != MG_TLS_FIRST_OFF) { // no INFO yet
        conn_tls_begin(c);
        return;
    }
    conn_info(c, true, false);
    if (s->tls) conn_tls_begin(c);
    else conn_timer_start(c);
}

void conn_open(struct mg_core *core, const struct mg_sock_seed *seed) {
    struct mg_conn *c = conn_new(core, seed);
    if (core->draining || mg_sock_attach(core->loop, seed, &sock_ops, c, &c->sock) != 0) {
        if (core->draining) mg_sock_seed_close(seed);
        atomic_fetch_sub_explicit(&core->globals->shard[mg_shard_id(core->shard)].connections, 1, memory_order_relaxed);
        mg_free(c);
        return;
    }
    c->slot = take_slot(core, c);
    mg_list_push_back(&core->conns, &c->link);
    core->nconns++;
    core->counters.total_connections++;
    int64_t before = atomic_fetch_add_explicit(&core->globals->connections, 1, memory_order_relaxed);
    conn_dbg(c, "Client connection created");
    if (before >= core->settings->opts->max_connections) {
        // In clear text even where TLS is required (A15): INFO, unless TLS comes before it, and the error.
        const struct mg_settings *s = core->settings;
        if (s->tls == NULL || s->opts->tls_opts.first == MG_TLS_FIRST_OFF) conn_info(c, true, false);
        core->now = mg_loop_now(core->loop);
        if (core_may_say(core, &core->said_max_conns)) conn_log(c, MG_LOG_ERR, MG_ERR_MAX_CONNECTIONS);
        conn_close_err(c, MG_CLOSE_MAX_CONNECTIONS, MG_ERR_MAX_CONNECTIONS);
        return;
    }
    begin(c);
}
