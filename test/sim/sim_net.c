// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// net.h in the simulator: a connection is two bounded pipes. The server's end is read and written in chunks that the
// seed chooses, may answer MG_EAGAIN at any time, and every read and write is a switch point: what a client causes
// by what it has just received may happen before the writer goes on, and its cause before the reader does.
//
// As TCP does: closing with unread input resets the connection, and then what the peer has not read yet may be lost.
#include <stdio.h>
#include <string.h>

#include "test/sim/sim_impl.h"

#define LINGER_DRAIN_MAX 65536
#define ALIVE UINT32_C(0x50c4a11e)
#define READY_MAX 512

struct pipe {
    char *buf; // cap bytes, a ring
    size_t cap, head, len;
    bool end;   // the writer closed: after the bytes comes an end of file
    bool reset; // both sides get MG_ERESET
};

struct sim_conn {
    struct mg_list link; // the world's
    struct mg_list wait; // the listener's, until accepted
    struct sim *sim;
    struct pipe in, out; // as the server sees it
    struct mg_sock *sock;
    bool client_open, server_open;
};

struct mg_sock {
    struct mg_list link;
    uint32_t alive; // a closed socket that is used again shows here
    struct mg_loop *loop;
    const struct mg_sock_ops *ops;
    void *owner;
    struct sim_conn *conn;
    size_t drained;
    uint64_t linger_at;
    bool want_read, want_write, lingering, closing;
};

struct mg_listener {
    struct mg_list link;
    struct mg_list backlog; // of struct sim_conn
    struct mg_loop *loop;
    const struct mg_listener_ops *ops;
    void *owner;
    uint16_t port;
};

// ---- pipes --------------------------------------------------------------------------------------------------------

static void pipe_init(struct pipe *p, size_t cap) {
    p->cap = cap;
    p->buf = mg_alloc(cap);
}

static size_t pipe_put(struct pipe *p, const char *src, size_t n) {
    if (n > p->cap - p->len) n = p->cap - p->len;
    for (size_t i = 0; i < n;) {
        size_t at = (p->head + p->len) % p->cap, run = p->cap - at;
        if (run > n - i) run = n - i;
        memcpy(p->buf + at, src + i, run);
        p->len += run;
        i += run;
    }
    return n;
}

static size_t pipe_get(struct pipe *p, char *dst, size_t n) {
    if (n > p->len) n = p->len;
    for (size_t i = 0; i < n;) {
        size_t run = p->cap - p->head;
        if (run > n - i) run = n - i;
        if (dst) memcpy(dst + i, p->buf + p->head, run);
        p->head = (p->head + run) % p->cap;
        p->len -= run;
        i += run;
    }
    return n;
}

static void reset(struct sim_conn *c) {
    // What was under way to the client may be lost or not; what was under way to the server always is.
    c->in.len = 0;
    if (sim_chance(c->sim, 128)) c->out.len = 0;
    c->in.reset = c->out.reset = true;
}

static void maybe_free(struct sim_conn *c) {
    if (c->client_open || c->server_open) return;
    mg_list_remove(&c->link);
    mg_list_remove(&c->wait);
    mg_free(c->in.buf);
    mg_free(c->out.buf);
    mg_free(c);
}

static void server_close(struct sim_conn *c) {
    if (c->in.len > 0 && !c->in.reset) reset(c);
    c->out.end = true;
    c->in.reset = true; // whoever writes now is told
    c->server_open = false;
    c->sock = NULL;
    maybe_free(c);
}

void net_free_conns(struct sim *s) { mg_assert(mg_list_empty(&s->conns)); }

// How many of n bytes this call moves; 0: none now.
static size_t portion(struct sim *s, size_t n) {
    if (sim_chance(s, s->knobs.again_chance)) return 0;
    if (s->knobs.chunk && n > s->knobs.chunk) n = sim_chance(s, 200) ? s->knobs.chunk : 1 + sim_below(s, n);
    return n;
}

// ---- the client's end ---------------------------------------------------------------------------------------------

static struct mg_listener *find_listener(struct sim *s, uint16_t port) {
    for (struct mg_list *l = s->loops.next; l != &s->loops; l = l->next) {
        struct mg_loop *loop = mg_container_of(l, struct mg_loop, link);
        for (struct mg_list *k = loop->listeners.next; k != &loop->listeners; k = k->next) {
            struct mg_listener *ln = mg_container_of(k, struct mg_listener, link);
            if (ln->port == port) return ln;
        }
    }
    return NULL;
}

struct sim_conn *sim_connect(struct sim *s, uint16_t port) {
    struct mg_listener *ln = find_listener(s, port);
    if (ln == NULL) return NULL;
    struct sim_conn *c = mg_zalloc(sizeof(*c));
    c->sim = s;
    pipe_init(&c->in, s->knobs.pipe);
    pipe_init(&c->out, s->knobs.pipe);
    c->client_open = c->server_open = true;
    mg_list_push_back(&s->conns, &c->link);
    mg_list_push_back(&ln->backlog, &c->wait);
    return c;
}

bool sim_conn_readable(const struct sim_conn *c) { return c->out.len > 0 || c->out.end || c->out.reset; }
bool sim_conn_writable(const struct sim_conn *c) { return c->in.len < c->in.cap || c->in.reset; }

ptrdiff_t sim_conn_read(struct sim_conn *c, char *p, size_t n) {
    if (c->out.len == 0) {
        if (c->out.reset) return MG_ERESET;
        return c->out.end ? MG_EEOF : MG_EAGAIN;
    }
    return (ptrdiff_t)pipe_get(&c->out, p, n);
}

ptrdiff_t sim_conn_write(struct sim_conn *c, const char *p, size_t n) {
    if (c->in.reset) return MG_ERESET;
    size_t put = pipe_put(&c->in, p, n);
    return put > 0 || n == 0 ? (ptrdiff_t)put : MG_EAGAIN;
}

void sim_conn_shutdown(struct sim_conn *c) { c->in.end = true; }

void sim_conn_close(struct sim_conn *c, bool hard) {
    if (hard || c->out.len > 0) reset(c);
    c->in.end = true;
    c->out.reset = true;
    c->out.len = 0;
    c->client_open = false;
    maybe_free(c);
}

// ---- sockets ------------------------------------------------------------------------------------------------------

static void check_alive(const struct mg_sock *s) {
    sim_check(s->alive == ALIVE && !s->closing, "a socket is used after it was closed");
}

void mg_sock_seed_close(const struct mg_sock_seed *seed) { server_close((struct sim_conn *)seed->fd); } // NOLINT

int mg_sock_attach(struct mg_loop *loop, const struct mg_sock_seed *seed, const struct mg_sock_ops *ops, void *owner,
                   struct mg_sock **out) {
    struct mg_sock *s = mg_zalloc(sizeof(*s));
    s->alive = ALIVE;
    s->loop = loop;
    s->ops = ops;
    s->owner = owner;
    s->conn = (struct sim_conn *)seed->fd; // NOLINT
    s->linger_at = MG_NEVER;
    s->want_read = true;
    sim_check(s->conn->sock == NULL, "a connection is attached twice");
    s->conn->sock = s;
    mg_list_push_back(&loop->socks, &s->link);
    *out = s;
    return 0;
}

ptrdiff_t mg_sock_readv(struct mg_sock *s, const struct iovec *iov, int n) {
    check_alive(s);
    if (sim_chance(s->loop->sim, 32)) sim_switch(s->loop->sim);
    struct pipe *p = &s->conn->in;
    if (p->reset) return MG_ERESET;
    if (p->len == 0) return p->end ? MG_EEOF : MG_EAGAIN;
    size_t left = portion(s->loop->sim, p->len), got = 0;
    if (left == 0) return MG_EAGAIN;
    for (int i = 0; i < n && left > 0; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
        pipe_get(p, iov[i].iov_base, part);
        left -= part;
        got += part;
    }
    mg_assert(got > 0); // a read into nothing
    return (ptrdiff_t)got;
}

ptrdiff_t mg_sock_writev(struct mg_sock *s, const struct iovec *iov, int n) {
    check_alive(s);
    mg_loop_switch_point();
    struct pipe *p = &s->conn->out;
    if (p->reset) return MG_ERESET;
    size_t left = p->cap - p->len, put = 0;
    if (left > 0) left = portion(s->loop->sim, left);
    if (left == 0) return MG_EAGAIN;
    for (int i = 0; i < n && left > 0; i++) {
        size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
        pipe_put(p, iov[i].iov_base, part);
        left -= part;
        put += part;
    }
    mg_loop_switch_point();
    return (ptrdiff_t)put;
}

void mg_sock_want_read(struct mg_sock *s, bool on) {
    check_alive(s);
    if (!s->lingering) s->want_read = on;
}

void mg_sock_want_write(struct mg_sock *s, bool on) {
    check_alive(s);
    if (!s->lingering) s->want_write = on;
}

void mg_sock_close(struct mg_sock *s) {
    sim_check(s->alive == ALIVE, "a socket is closed after it is gone");
    if (s->closing) return;
    s->closing = true;
    mg_list_remove(&s->link);
    mg_list_push_back(&s->loop->closing, &s->link);
}

void mg_sock_close_lingering(struct mg_sock *s, uint64_t linger_ns) {
    sim_check(s->alive == ALIVE, "a socket is closed after it is gone");
    if (s->closing || s->lingering) return;
    s->lingering = true;
    if (s->conn->out.reset) {
        mg_sock_close(s);
        return;
    }
    s->conn->out.end = true;
    s->linger_at = s->loop->sim->now + linger_ns;
    s->want_read = true;
    s->want_write = false;
}

static void drain_lingering(struct mg_sock *s) {
    struct pipe *p = &s->conn->in;
    bool over = s->linger_at <= s->loop->sim->now || p->reset;
    s->drained += pipe_get(p, NULL, p->len);
    if (over || p->end || s->drained >= LINGER_DRAIN_MAX) mg_sock_close(s);
}

// ---- what the loop polls ------------------------------------------------------------------------------------------

static bool can_read(const struct mg_sock *s) {
    return s->want_read && (s->conn->in.len > 0 || s->conn->in.end || s->conn->in.reset);
}

static bool can_write(const struct mg_sock *s) {
    return s->want_write && (s->conn->out.len < s->conn->out.cap || s->conn->out.reset);
}

static bool sock_ready(const struct mg_sock *s) {
    return can_read(s) || can_write(s) || s->linger_at <= s->loop->sim->now;
}

bool net_ready(struct mg_loop *loop) {
    for (struct mg_list *l = loop->socks.next; l != &loop->socks; l = l->next)
        if (sock_ready(mg_container_of(l, struct mg_sock, link))) return true;
    for (struct mg_list *l = loop->listeners.next; l != &loop->listeners; l = l->next)
        if (!mg_list_empty(&mg_container_of(l, struct mg_listener, link)->backlog)) return true;
    return false;
}

uint64_t net_next_timer(struct mg_loop *loop) {
    uint64_t at = MG_NEVER;
    for (struct mg_list *l = loop->socks.next; l != &loop->socks; l = l->next) {
        struct mg_sock *s = mg_container_of(l, struct mg_sock, link);
        if (s->linger_at < at) at = s->linger_at;
    }
    return at;
}

static void dispatch_sock(struct mg_sock *s) {
    if (s->closing) return;
    if (s->lingering) {
        drain_lingering(s);
        return;
    }
    if (can_write(s)) s->ops->writable(s->owner);
    if (!s->closing && !s->lingering && can_read(s)) s->ops->readable(s->owner);
}

static void dispatch_accepts(struct mg_loop *loop) {
    for (struct mg_list *l = loop->listeners.next; l != &loop->listeners; l = l->next) {
        struct mg_listener *ln = mg_container_of(l, struct mg_listener, link);
        if (mg_list_empty(&ln->backlog)) continue;
        struct sim_conn *c = mg_container_of(ln->backlog.next, struct sim_conn, wait);
        mg_list_remove(&c->wait);
        struct mg_sock_seed seed = {.fd = (intptr_t)c, .peer = {.ip = "127.0.0.1", .port = 40000}};
        ln->ops->accepted(ln->owner, &seed);
        return; // it may have closed the listener
    }
}

// Sockets that are ready get their calls in an order that the seed chooses; some are left for the next poll, as if
// they had become ready later. Memory of closed ones stays until net_run_closing.
void net_dispatch(struct mg_loop *loop) {
    struct mg_sock *ready[READY_MAX];
    size_t n = 0;
    for (struct mg_list *l = loop->socks.next; l != &loop->socks && n < READY_MAX; l = l->next) {
        struct mg_sock *s = mg_container_of(l, struct mg_sock, link);
        if (!sock_ready(s)) continue;
        size_t at = sim_below(loop->sim, n + 1);
        ready[n++] = ready[at];
        ready[at] = s;
    }
    if (n > 1) n = 1 + sim_below(loop->sim, n);
    dispatch_accepts(loop);
    for (size_t i = 0; i < n; i++) dispatch_sock(ready[i]);
}

void net_run_closing(struct mg_loop *loop) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &loop->closing);
    while (!mg_list_empty(&now)) {
        struct mg_sock *s = mg_container_of(now.next, struct mg_sock, link);
        mg_list_remove(&s->link);
        const struct mg_sock_ops *ops = s->ops;
        void *owner = s->owner;
        server_close(s->conn);
        s->alive = 0;
        mg_free(s);
        ops->closed(owner);
    }
}

// ---- listeners ----------------------------------------------------------------------------------------------------

int mg_listener_open(struct mg_loop *loop, const char *host, uint16_t port, const struct mg_listener_ops *ops,
                     void *owner, struct mg_listener **out, char *err, size_t errlen) {
    if (port == 0) port = loop->sim->next_port++;
    if (find_listener(loop->sim, port)) {
        snprintf(err, errlen, "listen tcp %s:%u: bind: address already in use", host, port);
        return MG_EIO;
    }
    struct mg_listener *l = mg_zalloc(sizeof(*l));
    l->loop = loop;
    l->ops = ops;
    l->owner = owner;
    l->port = port;
    mg_list_init(&l->backlog);
    mg_list_push_back(&loop->listeners, &l->link);
    *out = l;
    return 0;
}

uint16_t mg_listener_port(const struct mg_listener *l) { return l->port; }

void mg_listener_close(struct mg_listener *l) {
    if (l == NULL) return;
    while (!mg_list_empty(&l->backlog)) {
        struct sim_conn *c = mg_container_of(l->backlog.next, struct sim_conn, wait);
        mg_list_remove(&c->wait);
        reset(c);
        server_close(c);
    }
    mg_list_remove(&l->link);
    mg_free(l);
}

size_t mg_net_addresses(struct mg_addr *out, size_t max, bool all) {
    if (max == 0) return 0;
    out[0] = (struct mg_addr){.ip = "192.0.2.1", .port = 0};
    if (!all || max == 1) return 1;
    out[1] = (struct mg_addr){.ip = "127.0.0.1", .port = 0};
    return 2;
}
