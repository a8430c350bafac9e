// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Flush: a PING of one's own; its PONG says that all before it was processed. Operations form a list in the order of
// their PINGs; those without a number wait for a connection.
#include "client/core/internal.h"

int midge_flush(midge *m, midge_flush_op *op, uint32_t timeout_ms,
                void (*fn)(midge *m, int err, uint32_t rtt_ms, void *user), void *user) {
    if (!fn) return MIDGE_EINVAL;
    if (m->phase == MGC_CLOSED) return MIDGE_ECLOSED;
    *op = (midge_flush_op){.fn = fn, .user = user, .started = m->now};
    op->deadline = m->now + (timeout_ms ? timeout_ms : 5000);
    if (m->phase == MGC_UP) op->ping = mgc_ping(m);
    midge_flush_op **last = &m->flushes;
    while (*last) last = &(*last)->next;
    *last = op;
    return 0;
}

static void finish(midge *m, midge_flush_op **at, int err) {
    midge_flush_op *op = *at;
    *at = op->next;
    op->fn(m, err, m->now - op->started, op->user);
}

void mgc_flush_pong(midge *m) {
    while (m->flushes && m->flushes->ping && (int32_t)(m->pongs - m->flushes->ping) >= 0) finish(m, &m->flushes, 0);
}

void mgc_flush_tick(midge *m) {
    for (midge_flush_op **at = &m->flushes; *at;) {
        if (mgc_due(m, (*at)->deadline)) {
            finish(m, at, MIDGE_ETIMEOUT);
            at = &m->flushes; // the callback may have changed the list
        } else {
            at = &(*at)->next;
        }
    }
}

void mgc_flush_pay(midge *m) {
    uint32_t ping = 0;
    for (midge_flush_op *op = m->flushes; op; op = op->next) {
        if (op->ping) continue;
        if (!ping) ping = mgc_ping(m);
        op->ping = ping;
        op->started = m->now;
    }
}

void mgc_flush_end(midge *m, int err, bool all) {
    while (m->flushes && (all || m->flushes->ping)) finish(m, &m->flushes, err);
}
