// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Moves the engine's bytes over a socket. One turn (midge_poll):
//
//      obey    tell the time; do what the engine wants: dial, shake hands, close
//      write   what waits in the send buffer, until the socket takes no more
//      wait    for the socket, the wake pipe or the next timer
//      look    take the result of a dial, go on with a handshake, read until the socket is empty, which runs callbacks
//      obey, write
//
// Writing fails first, mostly, when a server goes. What it said before (an -ERR that explains) may still lie in the
// receive buffer of the socket, so a failed write only stops writing; the end is what reading finds.
//
// Always: link says what is open (conn.h); the engine is told of a transport that is gone exactly once; `polling` is
// true while callbacks run.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/port/conn.h"
#include "client/port/sys.h"

enum { READS_A_TURN = 16, HOST_MAX = 255 };

// ---- the link -------------------------------------------------------------------------------------------------------

static void link_close(midge_conn *c) {
    switch (c->link) {
    case MGC_LINK_NONE: return;
    case MGC_LINK_DIALING: mgc_dial_cancel(c->dial); break;
    case MGC_LINK_OPEN:
    case MGC_LINK_HANDSHAKE:
        if (c->secure && c->link == MGC_LINK_OPEN && !c->write_broken) mgc_tls_end(c->tls);
        if (c->watch != NULL) c->watch(c, c->fd, false, c->watch_user);
        close(c->fd);
        break;
    }
    c->dial = NULL;
    c->fd = -1;
    c->secure = c->write_blocked = c->write_broken = false;
    c->link = MGC_LINK_NONE;
}

// The transport is gone; the reason is said already.
static void link_lost(midge_conn *c, int err) {
    link_close(c);
    midge_disconnected(&c->engine, err);
}

static ssize_t link_read(midge_conn *c, void *p, size_t n) {
    if (c->secure) return mgc_tls_read(c->tls, p, n);
    ssize_t got = recv(c->fd, p, n, 0);
    if (got > 0) return got;
    if (got == 0) return MGC_IO_END;
    return errno == EAGAIN || errno == EINTR ? MGC_IO_READ : MGC_IO_FAILED;
}

static ssize_t link_write(midge_conn *c, const void *p, size_t n) {
    if (c->secure) return mgc_tls_write(c->tls, p, n);
    ssize_t put = send(c->fd, p, n, MSG_NOSIGNAL);
    if (put >= 0) return put;
    return errno == EAGAIN || errno == EINTR ? MGC_IO_WRITE : MGC_IO_FAILED;
}

// ---- what the engine wants ------------------------------------------------------------------------------------------

static uint32_t connect_timeout(const midge_conn *c) {
    return c->config.connect_timeout != 0 ? c->config.connect_timeout : 2000;
}

static void host_of(const midge_server *server, char host[HOST_MAX + 1]) {
    size_t n = server->host.n < HOST_MAX ? server->host.n : HOST_MAX;
    memcpy(host, server->host.p, n);
    host[n] = '\0';
}

static void want_connect(midge_conn *c) {
    char host[HOST_MAX + 1];
    midge_server server = midge_server_now(&c->engine);
    uint16_t port = server.port != 0 ? server.port : 4222;
    host_of(&server, host);
    mgc_reason_begin(c);
    snprintf(c->server, sizeof c->server, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    c->dial = mgc_dial_start(host, port, connect_timeout(c), c->wake[1]);
    if (c->dial != NULL) {
        c->link = MGC_LINK_DIALING;
        return;
    }
    mgc_reason_connect(c, MIDGE_ECONNECT, "the system has no memory or no thread for it");
    midge_disconnected(&c->engine, MIDGE_ECONNECT);
}

// Goes on with the handshake.
static void handshake(midge_conn *c) {
    char why[200] = "";
    int rc = mgc_tls_handshake(c->tls, why, sizeof why);
    if (rc == MGC_IO_READ || rc == MGC_IO_WRITE) {
        c->tls_wants = rc == MGC_IO_READ ? POLLIN : POLLOUT;
    } else if (rc == 0) {
        c->link = MGC_LINK_OPEN;
        c->secure = true;
        midge_tls_done(&c->engine);
    } else {
        mgc_reason_connect(c, MIDGE_ETLS, why);
        link_lost(c, MIDGE_ETLS);
    }
}

static void want_tls(midge_conn *c) {
    char name[HOST_MAX + 1], why[200] = "";
    midge_server server = midge_server_now(&c->engine);
    if (server.tls_name.n > 0) server.host = server.tls_name;
    host_of(&server, name);
    if (c->tls == NULL) c->tls = mgc_tls_new(&c->tls_config, why, sizeof why);
    if (c->tls == NULL || mgc_tls_start(c->tls, c->fd, name, why, sizeof why) != 0) {
        mgc_reason_connect(c, MIDGE_ETLS, why);
        link_lost(c, MIDGE_ETLS);
        return;
    }
    c->link = MGC_LINK_HANDSHAKE;
    handshake(c);
}

static void want_close(midge_conn *c) {
    if (c->link == MGC_LINK_DIALING && !c->closed) {
        mgc_reason_connect(c, MIDGE_ETIMEOUT, "no answer in time; check the address, is a firewall between?");
    } else if (c->link == MGC_LINK_HANDSHAKE && !c->closed) {
        mgc_reason_connect(c, MIDGE_ETIMEOUT, "no answer in the TLS handshake; does the server do TLS first?");
    }
    mgc_reason_engine(c);
    link_lost(c, 0);
}

// Tells the time and does what is wanted, until nothing more can be done at once. Returns the engine's next timer.
static uint32_t obey(midge_conn *c) {
    for (;;) {
        uint32_t wait = midge_tick(&c->engine, mgc_now_ms());
        switch (midge_want(&c->engine)) {
        case MIDGE_WANT_NONE: return wait;
        case MIDGE_WANT_CONNECT:
            if (c->link == MGC_LINK_DIALING) return wait;
            want_connect(c);
            break;
        case MIDGE_WANT_TLS:
            if (c->link == MGC_LINK_HANDSHAKE) return wait;
            want_tls(c);
            break;
        case MIDGE_WANT_CLOSE: want_close(c); break;
        }
    }
}

// ---- bytes ----------------------------------------------------------------------------------------------------------

static void write_turn(midge_conn *c) {
    c->write_blocked = false;
    while (c->link == MGC_LINK_OPEN && !c->write_broken) {
        size_t n;
        const void *p = midge_send_buf(&c->engine, &n);
        if (n == 0) return;
        ssize_t put = link_write(c, p, n);
        if (put > 0) {
            midge_send_ack(&c->engine, (size_t)put);
        } else if (put == MGC_IO_READ || put == MGC_IO_WRITE) {
            c->write_blocked = true;
            return;
        } else {
            c->write_broken = true;
        }
    }
}

// The server is slower than the program publishes: larger writes help it. (While disconnected the whole of send_max is
// there at once, see on_event.)
static void grow_under_load(midge_conn *c) {
    size_t size = c->config.send_size;
    if (size < c->send_max && midge_pending_bytes(&c->engine) > size / 2) {
        mgc_grow_send(c, size < c->send_max / 2 ? size * 2 : c->send_max); // without memory it stays as it is
    }
}

static void explain_end(midge_conn *c, ssize_t result) {
    char why[128] = "the server closed it";
    if (result == MGC_IO_FAILED && !c->secure) mgc_errno_text(errno, why, sizeof why);
    if (result == MGC_IO_FAILED && c->secure) snprintf(why, sizeof why, "TLS failed");
    mgc_reason_lost(c, MIDGE_EDISCONNECTED, why);
}

static void read_turn(midge_conn *c) {
    for (int i = 0; i < READS_A_TURN && c->link == MGC_LINK_OPEN; i++) {
        size_t room;
        void *p = midge_recv_buf(&c->engine, &room);
        if (room == 0) return;
        ssize_t got = link_read(c, p, room);
        if (got == MGC_IO_READ || got == MGC_IO_WRITE) return;
        if (got < 0) {
            explain_end(c, got);
            link_lost(c, MIDGE_EDISCONNECTED);
            return;
        }
        midge_recv_ack(&c->engine, (size_t)got);
        if (midge_want(&c->engine) != MIDGE_WANT_NONE || (!c->secure && (size_t)got < room)) return;
    }
}

static void dial_result(midge_conn *c) {
    char reason[200];
    int fd;
    switch (mgc_dial_take(c->dial, &fd, reason, sizeof reason)) {
    case MGC_DIAL_RUNNING: return;
    case MGC_DIAL_CONNECTED:
        c->dial = NULL;
        c->fd = fd;
        c->link = MGC_LINK_OPEN;
        if (c->watch != NULL) c->watch(c, fd, true, c->watch_user);
        midge_connected(&c->engine);
        return;
    case MGC_DIAL_FAILED:
        c->dial = NULL;
        c->link = MGC_LINK_NONE;
        mgc_reason_connect(c, MIDGE_ECONNECT, reason);
        midge_disconnected(&c->engine, MIDGE_ECONNECT);
        return;
    }
}

static void look(midge_conn *c, const struct pollfd ready[2]) {
    if (ready[0].revents != 0) mgc_wake_clear(c->wake[0]);
    midge_tick(&c->engine, mgc_now_ms());
    bool socket_ready = ready[1].revents != 0;
    if (c->link == MGC_LINK_DIALING) {
        dial_result(c);
    } else if (c->link == MGC_LINK_HANDSHAKE && socket_ready) {
        handshake(c);
    } else if (c->link == MGC_LINK_OPEN && (socket_ready || (c->secure && mgc_tls_pending(c->tls)))) {
        read_turn(c);
    }
}

// ---- turns ----------------------------------------------------------------------------------------------------------

static int end_of(midge_conn *c) {
    if (!c->closed) return 0;
    obey(c);
    return c->err;
}

static bool has_work(midge_conn *c) {
    size_t n = 0;
    if (c->link != MGC_LINK_OPEN) return false;
    if (c->secure && mgc_tls_pending(c->tls)) return true;
    if (!c->write_blocked && !c->write_broken) midge_send_buf(&c->engine, &n);
    return n > 0;
}

static uint32_t work(midge_conn *c) {
    uint32_t wait = obey(c);
    write_turn(c);
    grow_under_load(c);
    // What was written may be what a closing engine waited for.
    if (midge_want(&c->engine) != MIDGE_WANT_NONE) wait = obey(c);
    return has_work(c) ? 0 : wait;
}

int midge_poll(midge_conn *c, uint32_t timeout_ms) {
    struct pollfd p[2];
    if (c->polling) return MIDGE_EINVAL;
    c->polling = true;
    size_t waiting = midge_pending_bytes(&c->engine);
    uint32_t wait = work(c);
    if (!c->closed) {
        // There may be room now that the program looks for: not even a long wait is one then.
        if (midge_pending_bytes(&c->engine) < waiting) wait = 0;
        midge_conn_pollfds(c, p);
        if (wait > timeout_ms) wait = timeout_ms;
        if (poll(p, 2, wait > INT_MAX ? -1 : (int)wait) < 0) p[0].revents = p[1].revents = 0; // a signal
        look(c, p);
        work(c);
    }
    int rc = end_of(c);
    c->polling = false;
    return rc;
}

void midge_conn_pollfds(midge_conn *c, struct pollfd out[2]) {
    out[0] = (struct pollfd){.fd = c->wake[0], .events = POLLIN};
    out[1] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    if (c->link == MGC_LINK_HANDSHAKE) out[1].events = c->tls_wants;
    if (c->link == MGC_LINK_OPEN && c->write_blocked) {
        // The engine may refuse to read until it has written; what has come already must not end the wait then.
        size_t room;
        midge_recv_buf(&c->engine, &room);
        out[1].events = room > 0 ? POLLIN | POLLOUT : POLLOUT;
    }
}

uint32_t midge_conn_timeout(midge_conn *c) {
    if (c->polling) return 0; // in a callback
    c->polling = true;
    uint32_t wait = midge_tick(&c->engine, mgc_now_ms());
    c->polling = false;
    bool wanted = midge_want(&c->engine) != MIDGE_WANT_NONE && c->link != MGC_LINK_DIALING &&
                  c->link != MGC_LINK_HANDSHAKE;
    return c->closed || wanted || has_work(c) ? 0 : wait;
}

void midge_wakeup(midge_conn *c) { mgc_wake(c->wake[1]); }

void midge_conn_watch(midge_conn *c, midge_socket_fn fn, void *user) {
    c->watch = fn;
    c->watch_user = user;
    if (fn != NULL && c->fd >= 0) fn(c, c->fd, true, user);
}

// ---- lifecycle ------------------------------------------------------------------------------------------------------

static void on_event(midge *m, const midge_event *event, void *user) {
    midge_conn *c = user;
    mgc_reason_event(c, event);
    switch (event->type) {
    case MIDGE_EVENT_CLOSED: c->closed = true; break;
    case MIDGE_EVENT_DISCONNECTED:
        if (c->config.send_size < c->send_max) mgc_grow_send(c, c->send_max); // without memory less can wait
        break;
    case MIDGE_EVENT_TOO_LARGE:
        if (mgc_grow_recv(c, event->size) == 0) return;
        break;
    default: break;
    }
    if (c->on_event != NULL) c->on_event(m, event, c->user_data);
}

static int start(midge_conn *c, const midge_options *o, char *err, size_t err_size) {
    int rc = mgc_memory_init(c, o);
    if (rc != 0) {
        snprintf(err, err_size, "%s", midge_strerror(rc));
        return rc;
    }
    if (mgc_options_apply(c, o, err, err_size) != 0) return MIDGE_EINVAL;
    if (mgc_pipe(c->wake) != 0) {
        c->wake[0] = c->wake[1] = -1;
        mgc_errno_text(errno, err, err_size);
        return MIDGE_ECONNECT;
    }
    c->on_event = o->on_event;
    c->user_data = o->user_data;
    c->config.on_event = on_event;
    c->config.user_data = c;
    rc = midge_init(&c->engine, &c->config);
    if (rc != 0) snprintf(err, err_size, "an option is invalid: inbox prefix, or sizes too small for the credentials");
    return rc;
}

static void release(midge_conn *c) {
    if (c->wake[0] >= 0) close(c->wake[0]);
    if (c->wake[1] >= 0) close(c->wake[1]);
    mgc_options_fini(c);
    mgc_memory_fini(c);
    free(c);
}

midge_conn *midge_conn_new(const midge_options *o, char *err, size_t err_size) {
    static const midge_options defaults;
    midge_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        snprintf(err, err_size, "%s", midge_strerror(MIDGE_ENOMEM));
        return NULL;
    }
    c->fd = c->wake[0] = c->wake[1] = -1;
    if (start(c, o != NULL ? o : &defaults, err, err_size) == 0) return c;
    release(c);
    return NULL;
}

void midge_conn_free(midge_conn *c) {
    if (c == NULL) return;
    c->polling = true; // for callbacks that are told of the end
    midge_close(&c->engine);
    link_close(c);
    release(c);
}

midge *midge_engine(midge_conn *c) { return &c->engine; }
midge_conn *midge_conn_of(midge *m) { return (midge_conn *)m; }
const char *midge_conn_server(const midge_conn *c) { return c->server; }
int midge_conn_fd(const midge_conn *c) { return c->fd; }

int midge_conn_error(const midge_conn *c, char *text, size_t size) {
    if (text != NULL && size > 0) snprintf(text, size, "%s", c->text);
    return c->err;
}
