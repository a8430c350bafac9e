// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The loop that the head of midge.h describes, over the seven functions of a system's socket file.
#include "client/port/rtos/midge_rtos.h"

#include <string.h>

enum { READS_A_TURN = 4 };

void midge_rtos_init(midge_rtos *r) { *r = (midge_rtos){.fd = -1}; }

static void lost(midge *m, midge_rtos *r, int err) {
    mgc_net_close(r);
    r->fd = -1;
    r->opened = r->blocked = false;
    midge_disconnected(m, err);
}

static void terminate(midge_str s, char out[MIDGE_RTOS_HOST_MAX + 1]) {
    size_t n = s.n < MIDGE_RTOS_HOST_MAX ? s.n : MIDGE_RTOS_HOST_MAX;
    memcpy(out, s.p, n);
    out[n] = '\0';
}

// The decimal text of a port.
static void port_text(uint16_t port, char out[6]) {
    char reversed[5];
    int digits = 0;
    do {
        reversed[digits++] = (char)('0' + port % 10);
        port = (uint16_t)(port / 10);
    } while (port > 0);
    while (digits > 0) {
        *out++ = reversed[--digits];
    }
    *out = '\0';
}

static int open_socket(midge *m, midge_rtos *r) {
    char host[MIDGE_RTOS_HOST_MAX + 1], port[6];
    midge_server server = midge_server_now(m);
    if (server.host.n > MIDGE_RTOS_HOST_MAX) return -1;
    terminate(server.host, host);
    port_text(server.port != 0 ? server.port : 4222, port);
    return mgc_net_open(r, host, port);
}

static void step_connect(midge *m, midge_rtos *r) {
    if (r->fd < 0 && open_socket(m, r) != 0) {
        lost(m, r, MIDGE_ECONNECT);
        return;
    }
    int rc = mgc_net_opened(r);
    if (rc < 0) {
        lost(m, r, MIDGE_ECONNECT);
    } else if (rc > 0) {
        r->opened = true;
        midge_connected(m);
    }
}

static void step_tls(midge *m, midge_rtos *r) {
    char name[MIDGE_RTOS_HOST_MAX + 1];
    midge_server server = midge_server_now(m);
    terminate(server.tls_name.n > 0 ? server.tls_name : server.host, name);
    int rc = r->tls_step != NULL ? r->tls_step(r, name) : -1;
    if (rc < 0) {
        lost(m, r, MIDGE_ETLS);
    } else if (rc > 0) {
        midge_tls_done(m);
    }
}

static void step_write(midge *m, midge_rtos *r) {
    r->blocked = false;
    while (r->opened && midge_want(m) == MIDGE_WANT_NONE) {
        size_t n;
        const void *p = midge_send_buf(m, &n);
        if (n == 0) return;
        int put = mgc_net_write(r, p, n);
        if (put < 0) {
            lost(m, r, MIDGE_EDISCONNECTED);
        } else if (put == 0) {
            r->blocked = true;
            return;
        } else {
            midge_send_ack(m, (size_t)put);
        }
    }
}

static void step_read(midge *m, midge_rtos *r) {
    for (int i = 0; i < READS_A_TURN && r->opened && midge_want(m) == MIDGE_WANT_NONE; i++) {
        size_t n;
        void *p = midge_recv_buf(m, &n);
        if (n == 0) return;
        int got = mgc_net_read(r, p, n);
        if (got < 0) {
            lost(m, r, MIDGE_EDISCONNECTED);
        } else if (got == 0) {
            return;
        } else {
            midge_recv_ack(m, (size_t)got);
        }
    }
}

bool midge_rtos_turn(midge *m, midge_rtos *r, uint32_t max_wait_ms) {
    uint32_t wait = midge_tick(m, mgc_net_now());
    step_write(m, r);
    if (midge_want(m) == MIDGE_WANT_NONE || r->fd >= 0) mgc_net_wait(r, wait < max_wait_ms ? wait : max_wait_ms);
    midge_tick(m, mgc_net_now());
    switch (midge_want(m)) {
    case MIDGE_WANT_CONNECT: step_connect(m, r); break;
    case MIDGE_WANT_TLS: step_tls(m, r); break;
    case MIDGE_WANT_CLOSE: lost(m, r, 0); break;
    case MIDGE_WANT_NONE: step_read(m, r); break;
    }
    step_write(m, r);
    if (midge_want(m) == MIDGE_WANT_CLOSE) lost(m, r, 0);
    return midge_state_of(m) != MIDGE_STATE_CLOSED;
}
