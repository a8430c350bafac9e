// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The state machine: phases of a connection, timers, the end.
//
//      WAIT -> OPEN -> INFO -> [TLS] -> HELLO -> UP        with tls_first: OPEN -> TLS -> INFO -> HELLO -> UP
//       ^        \_______\_______\________\______/
//       |                                     v
//       +------- midge_disconnected ------- LOST           mgc_end: from anywhere to CLOSED
//
// mgc_lost is the one way out of a connection: it makes everything ready for the next one (the buffers, the table of
// subscriptions) and tells, before the port has closed. mgc_end is the one way to CLOSED; it ends what is open.
// The engine's time begins with 0 at the first midge_tick, so that what is asked before has a sensible deadline.
#include "client/core/internal.h"

// xoroshiro64*: 64 bits of state are what config.seed has, and a multiplication of 32 bits is all it needs.
uint32_t mgc_random(midge *m) {
    uint32_t a = m->rnd[0], b = m->rnd[1] ^ m->rnd[0], result = a * 0x9e3779bbu;
    m->rnd[0] = (a << 26 | a >> 6) ^ b ^ b << 9;
    m->rnd[1] = b << 13 | b >> 19;
    return result;
}

uint32_t mgc_random_below(midge *m, uint32_t limit) {
    uint32_t r = mgc_random(m) >> 16;
    return r * (limit >> 16) + ((r * (limit & 0xffff) + r) >> 16);
}

void mgc_event(midge *m, const midge_event *event) {
    if (m->config.on_event) m->config.on_event(m, event, m->config.user_data);
}

void mgc_event_type(midge *m, enum midge_event_type type, int err) {
    mgc_event(m, &(midge_event){.type = type, .err = err});
}

static void defaults(midge_config *c) {
    if (!c->connect_timeout) c->connect_timeout = 2000;
    if (!c->ping_interval) c->ping_interval = 120000;
    if (!c->reconnect_wait) c->reconnect_wait = 100;
    if (!c->reconnect_wait_max) c->reconnect_wait_max = 8000;
    if (!c->reconnect_jitter) c->reconnect_jitter = 100;
    if (!c->drain_timeout) c->drain_timeout = 30000;
    if (!c->max_pings_out) c->max_pings_out = 2;
    if (!c->lang.n) c->lang = MIDGE_STR("midge");
    if (!c->version.n) c->version = MIDGE_STR(MIDGE_VERSION);
    if (!c->inbox_prefix.n) c->inbox_prefix = MIDGE_STR("_INBOX");
}

int midge_init(midge *m, const midge_config *config) {
    const midge_config *c = config;
    if (!c->recv_buf || !c->send_buf || c->recv_size < 512 || c->send_size < 512 || !c->servers || !c->servers_len ||
        (c->subs_len && !c->subs) || (c->requests_len && (!c->requests || !c->subs_len)) ||
        c->subs_len > MGC_TABLE_MAX || c->requests_len > MGC_TABLE_MAX || (c->tls_first && !c->tls_available))
        return MIDGE_EINVAL;
    memset(m, 0, sizeof(*m));
    m->config = *c;
    defaults(&m->config);
    midge_str prefix = m->config.inbox_prefix;
    if (mgc_hello_size(&m->config) > c->recv_size || prefix.n > MGC_PREFIX_MAX || !mgc_subject_ok(prefix, false))
        return MIDGE_EINVAL;
    m->rnd[0] = (uint32_t)c->seed ^ 0x2545f491u; // the state must not be zero; any other seed is as good
    m->rnd[1] = (uint32_t)(c->seed >> 32) | (m->rnd[0] == 0);
    for (int i = 0; i < 8; i++) mgc_random(m);
    m->subs_free = m->requests_free = MGC_NONE;
    m->info.max_payload = -1;
    mgc_servers_init(m);
    return 0;
}

enum midge_state midge_state_of(const midge *m) {
    if (m->phase == MGC_CLOSED) return MIDGE_STATE_CLOSED;
    if (m->drain) return MIDGE_STATE_DRAINING;
    if (m->phase == MGC_UP) return MIDGE_STATE_CONNECTED;
    return m->ever ? MIDGE_STATE_RECONNECTING : MIDGE_STATE_CONNECTING;
}

int midge_error(const midge *m) { return m->err; }
const midge_info *midge_info_of(const midge *m) { return &m->info; }
midge_stats midge_stats_of(const midge *m) { return m->stats; }

enum midge_want midge_want(const midge *m) {
    if (m->phase == MGC_OPEN) return MIDGE_WANT_CONNECT;
    if (m->phase == MGC_TLS) return MIDGE_WANT_TLS;
    return m->open && (m->phase == MGC_LOST || m->phase == MGC_CLOSED) ? MIDGE_WANT_CLOSE : MIDGE_WANT_NONE;
}

void midge_connected(midge *m) {
    if (m->phase != MGC_OPEN) return;
    m->phase = m->config.tls_first ? MGC_TLS : MGC_INFO;
}

void midge_tls_done(midge *m) {
    if (m->phase != MGC_TLS) return;
    m->tls_on = true;
    m->phase = m->config.tls_first ? MGC_INFO : MGC_HELLO;
    if (m->phase == MGC_HELLO) mgc_hello(m);
}

void mgc_up(midge *m) {
    bool again = m->ever;
    m->phase = MGC_UP;
    m->ever = m->established = true;
    m->auth_failed = m->auth_gone = 0;
    m->timer = m->now + m->config.ping_interval;
    m->unanswered = 0;
    m->why = 0;
    if (again) m->stats.reconnects++;
    mgc_flush_pay(m);
    mgc_event_type(m, again ? MIDGE_EVENT_RECONNECTED : MIDGE_EVENT_CONNECTED, 0);
    if (m->phase == MGC_UP) mgc_hooks_say(m, MIDGE_HOOK_UP);
    mgc_drain_step(m);
}

void mgc_lost(midge *m, int err) {
    bool up = m->phase == MGC_UP;
    if (err == MIDGE_EDISCONNECTED && m->why) err = m->why;
    m->err = err;
    m->why = 0;
    m->phase = MGC_LOST;
    m->tls_on = m->said_hello = false;
    mgc_input_reset(m);
    mgc_output_cut(m);
    if (!up) return;
    mgc_subs_cut(m);
    mgc_flush_end(m, MIDGE_EDISCONNECTED, false);
    if (m->phase != MGC_CLOSED) mgc_event_type(m, MIDGE_EVENT_DISCONNECTED, err);
    if (m->phase != MGC_CLOSED) mgc_hooks_say(m, MIDGE_HOOK_DOWN);
}

void midge_disconnected(midge *m, int err) {
    if (!m->open) return;
    if (m->phase != MGC_LOST && m->phase != MGC_CLOSED) mgc_lost(m, err ? err : MIDGE_EDISCONNECTED);
    m->open = false;
    if (m->phase == MGC_CLOSED) return;
    mgc_servers_next(m);
    mgc_drain_step(m);
}

void mgc_end(midge *m, int err) {
    if (m->phase == MGC_CLOSED) return;
    m->phase = MGC_CLOSED;
    m->err = err;
    m->aside_n = 0;
    mgc_input_reset(m);
    m->send_base = m->send_at = m->send_end = 0;
    mgc_flush_end(m, MIDGE_ECLOSED, true);
    mgc_requests_end(m);
    mgc_hooks_say(m, MIDGE_HOOK_CLOSED);
    mgc_event_type(m, MIDGE_EVENT_CLOSED, err);
}

void midge_close(midge *m) { mgc_end(m, 0); }

static void timer(midge *m) {
    switch (m->phase) {
    case MGC_WAIT:
        m->phase = MGC_OPEN;
        m->open = true;
        m->timer = m->now + m->config.connect_timeout;
        break;
    case MGC_UP:
        if (m->unanswered >= m->config.max_pings_out) {
            mgc_lost(m, MIDGE_ESTALE);
            break;
        }
        m->unanswered++;
        m->timer = m->now + m->config.ping_interval;
        mgc_ping(m);
        break;
    case MGC_LOST:
    case MGC_CLOSED: break; // it is the port's turn
    default: mgc_lost(m, MIDGE_ETIMEOUT);
    }
}

static void sooner(const midge *m, uint32_t *wait, uint32_t at) {
    uint32_t left = mgc_due(m, at) ? 0 : at - m->now;
    if (left < *wait) *wait = left;
}

uint32_t midge_tick(midge *m, uint32_t now_ms) {
    if (!m->ticked) {
        m->ticked = true;
        m->epoch = now_ms;
    }
    m->now = now_ms - m->epoch;
    if (m->dropped && m->phase != MGC_CLOSED) {
        size_t dropped = m->dropped;
        m->dropped = 0;
        mgc_event(m, &(midge_event){.type = MIDGE_EVENT_DROPPED, .size = dropped});
    }
    if (mgc_due(m, m->timer)) timer(m);
    mgc_requests_tick(m);
    mgc_flush_tick(m);
    mgc_hooks_tick(m);
    mgc_drain_step(m);
    if (m->drain && mgc_due(m, m->drain_timer)) mgc_end(m, MIDGE_ETIMEOUT);
    if (m->phase == MGC_CLOSED) return UINT32_MAX;

    uint32_t wait = UINT32_MAX;
    if (m->phase != MGC_LOST) sooner(m, &wait, m->timer);
    if (m->requests_open) sooner(m, &wait, m->config.requests[m->config.requests[0].link[0]].deadline);
    for (const midge_flush_op *op = m->flushes; op; op = op->next) sooner(m, &wait, op->deadline);
    for (const midge_hook *hook = m->hooks; hook; hook = hook->next)
        if (hook->armed) sooner(m, &wait, hook->deadline);
    if (m->drain) sooner(m, &wait, m->drain_timer);
    return wait;
}
