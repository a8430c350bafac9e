// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Five handles: a poll for the wake pipe, a poll for the socket, a timer, and a prepare, which runs before the loop
// waits: there what was published is written and the timer is set anew, so that no call is needed after publishing.
// A check would be the wrong half of the turn: it runs before the closing callbacks, and those may publish.
//
// The poll of the socket is a heap object of its own, because its closing takes a turn of the loop and the next socket
// may come before; it stops before the socket is closed (midge_conn_watch), as libuv demands.
#include <stdlib.h>

#include "client/port/midge_uv.h"

struct midge_uv {
    uv_loop_t *loop;
    midge_conn *conn;
    midge_uv_closed_fn fn;
    void *user;
    uv_poll_t wake;
    uv_poll_t *socket; // NULL: none
    uv_timer_t timer;
    uv_prepare_t prepare;
    int socket_events;
    int open; // handles whose closing is awaited
    int err;
    bool ending, turning;
};

static void on_handle_closed(uv_handle_t *handle) {
    midge_uv *u = handle->data;
    if (handle->type == UV_POLL && (uv_poll_t *)handle != &u->wake) free(handle);
    if (--u->open > 0) return;
    if (u->fn != NULL) u->fn(u->conn, u->err, u->user);
    free(u);
}

static void end(midge_uv *u, int err) {
    if (u->ending) return;
    u->ending = true;
    u->err = err;
    midge_conn_watch(u->conn, NULL, NULL);
    if (u->socket != NULL) uv_close((uv_handle_t *)u->socket, on_handle_closed);
    u->socket = NULL;
    uv_close((uv_handle_t *)&u->wake, on_handle_closed);
    uv_close((uv_handle_t *)&u->timer, on_handle_closed);
    uv_close((uv_handle_t *)&u->prepare, on_handle_closed);
}

static void turn(midge_uv *u) {
    if (u->ending || u->turning) return;
    u->turning = true;
    int rc = midge_poll(u->conn, 0);
    u->turning = false;
    if (rc != 0) end(u, rc);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    (void)status; // an error is found by reading
    (void)events;
    turn(handle->data);
}

static void on_timer(uv_timer_t *handle) { turn(handle->data); }

static void arm(midge_uv *u, uint32_t wait) {
    struct pollfd p[2];
    midge_conn_pollfds(u->conn, p);
    int events = (p[1].events & POLLIN ? UV_READABLE : 0) | (p[1].events & POLLOUT ? UV_WRITABLE : 0);
    if (u->socket != NULL && events != u->socket_events) {
        u->socket_events = events;
        uv_poll_start(u->socket, events, on_ready);
    }
    if (wait == MIDGE_FOREVER) {
        uv_timer_stop(&u->timer);
    } else {
        uv_update_time(u->loop);
        uv_timer_start(&u->timer, on_timer, wait, 0);
    }
}

static void on_prepare(uv_prepare_t *handle) {
    midge_uv *u = handle->data;
    uint32_t wait = midge_conn_timeout(u->conn);
    if (wait == 0) {
        turn(u);
        if (u->ending) return;
        wait = midge_conn_timeout(u->conn);
    }
    if (!u->ending) arm(u, wait);
}

// A new socket, or the one that is there goes.
static void on_socket(midge_conn *c, int fd, bool open, void *user) {
    midge_uv *u = user;
    (void)c;
    if (open) {
        u->socket = malloc(sizeof *u->socket);
        u->socket_events = 0;
        if (u->socket == NULL) return; // the timer of the handshake ends it
        if (uv_poll_init(u->loop, u->socket, fd) != 0) {
            free(u->socket);
            u->socket = NULL;
            return;
        }
        u->socket->data = u;
        u->open++;
    } else if (u->socket != NULL) {
        uv_poll_stop(u->socket);
        uv_close((uv_handle_t *)u->socket, on_handle_closed);
        u->socket = NULL;
    }
}

midge_uv *midge_uv_attach(uv_loop_t *loop, midge_conn *c, midge_uv_closed_fn fn, void *user) {
    struct pollfd p[2];
    midge_uv *u = calloc(1, sizeof *u);
    if (u == NULL) return NULL;
    *u = (midge_uv){.loop = loop, .conn = c, .fn = fn, .user = user, .open = 3};
    midge_conn_pollfds(c, p);
    if (uv_poll_init(loop, &u->wake, p[0].fd) != 0) {
        free(u);
        return NULL;
    }
    uv_timer_init(loop, &u->timer);
    uv_prepare_init(loop, &u->prepare);
    u->wake.data = u->timer.data = u->prepare.data = u;
    midge_conn_watch(c, on_socket, u);
    uv_poll_start(&u->wake, UV_READABLE, on_ready);
    uv_prepare_start(&u->prepare, on_prepare);
    return u;
}

void midge_uv_detach(midge_uv *u) { end(u, 0); }
