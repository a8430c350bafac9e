// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Drain of everything: first the subscriptions and open requests, then a PING behind the last message, then the end.
// While not connected there are no subscriptions to wait for; messages that wait are still sent by the next connection.
#include "client/core/internal.h"

int midge_drain(midge *m) {
    if (m->phase == MGC_CLOSED) return MIDGE_ECLOSED;
    if (m->drain) return 0;
    m->drain = MGC_DRAIN_SUBS;
    m->drain_mark = 0;
    m->drain_timer = m->now + m->config.drain_timeout;
    mgc_subs_drain(m);
    return 0;
}

void mgc_drain_step(midge *m) {
    if (!m->drain || m->phase == MGC_CLOSED) return;
    if (m->drain == MGC_DRAIN_SUBS) {
        if (m->subs_draining || m->requests_open) return;
        m->drain = MGC_DRAIN_PUBS;
    }
    if (m->phase != MGC_UP) {
        m->drain_mark = 0;
        if (m->send_at == m->send_end) mgc_end(m, 0);
    } else if (!m->drain_mark) {
        m->drain_mark = mgc_ping(m);
    } else if ((int32_t)(m->pongs - m->drain_mark) >= 0) {
        mgc_end(m, 0);
    }
}
