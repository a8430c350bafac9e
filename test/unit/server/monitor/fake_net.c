// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/server/monitor/fake_net.h"

#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- loop -------------------------------------------------------------------------------------------------------

void fake_init(struct mg_loop *loop) {
    *loop = (struct mg_loop){.now = 1000 * MG_SEC};
    mg_wheel_init(&loop->wheel, loop->now);
}

void fake_fini(struct mg_loop *loop) {
    for (size_t i = 0; i < loop->nsocks; i++) {
        mg_assert(loop->socks[i]->closed || loop->socks[i]->refused);
        mg_buf_fini(&loop->socks[i]->in);
        mg_buf_fini(&loop->socks[i]->out);
        mg_free(loop->socks[i]);
    }
    mg_assert(loop->nwork == 0);
}

uint64_t mg_loop_now(struct mg_loop *loop) { return loop->now; }
int64_t mg_loop_wall(struct mg_loop *loop) { return (int64_t)(loop->now - 1000 * MG_SEC) + 1767323045000000000; }

void mg_loop_work(struct mg_loop *loop, struct mg_work *w) {
    mg_assert(loop->nwork < FAKE_MAX_SOCKS);
    loop->work[loop->nwork++] = w;
}

static bool run_work(struct mg_loop *loop) {
    if (loop->nwork == 0 || loop->hold_work) return false;
    struct mg_work *w = loop->work[--loop->nwork];
    w->run(w);
    w->done(w);
    return true;
}

// One event of s. False: there is none.
static bool deliver(struct mg_sock *s) {
    if (s->closed || s->refused) return false;
    if (s->closing) {
        s->closed = true;
        s->ops->closed(s->owner);
        return true;
    }
    if (s->want_write && s->window != 0) {
        s->want_write = false;
        s->ops->writable(s->owner);
        return true;
    }
    if (s->want_read && (s->in.len > s->in_pos || s->peer_eof || s->peer_reset)) {
        s->ops->readable(s->owner);
        return true;
    }
    return false;
}

void fake_run(struct mg_loop *loop) {
    bool more = true;
    for (unsigned rounds = 0; more; rounds++) {
        mg_assert(rounds < 100000); // otherwise it spins
        more = run_work(loop);
        for (size_t i = 0; i < loop->nsocks; i++) more |= deliver(loop->socks[i]);
    }
}

void fake_advance(struct mg_loop *loop, uint64_t ns) {
    loop->now += ns;
    mg_wheel_advance(&loop->wheel, loop->now);
    fake_run(loop);
}

// ---- sockets ----------------------------------------------------------------------------------------------------

struct mg_sock *fake_connect(struct mg_loop *loop) {
    mg_assert(loop->nsocks < FAKE_MAX_SOCKS);
    struct mg_sock *s = mg_zalloc(sizeof(*s));
    s->loop = loop;
    s->read_max = s->window = SIZE_MAX;
    loop->socks[loop->nsocks++] = s;
    struct mg_sock_seed seed = {.fd = (intptr_t)s};
    loop->listener_ops->accepted(loop->listener_owner, &seed);
    return s;
}

void fake_send_bytes(struct mg_sock *s, const void *p, size_t n) { mg_buf_add(&s->in, p, n); }
void fake_send(struct mg_sock *s, const char *text) { mg_buf_adds(&s->in, text); }

int mg_sock_attach(struct mg_loop *loop, const struct mg_sock_seed *seed, const struct mg_sock_ops *ops, void *owner,
                   struct mg_sock **out) {
    struct mg_sock *s = (struct mg_sock *)seed->fd;
    mg_assert(s->loop == loop);
    s->ops = ops;
    s->owner = owner;
    s->want_read = true;
    *out = s;
    return MG_OK;
}

void mg_sock_seed_close(const struct mg_sock_seed *seed) { ((struct mg_sock *)seed->fd)->refused = true; }

ptrdiff_t mg_sock_readv(struct mg_sock *s, const struct iovec *iov, int n) {
    mg_assert(n == 1 && !s->closing);
    if (s->peer_reset) return MG_ERESET;
    size_t have = s->in.len - s->in_pos;
    if (have == 0) return s->peer_eof ? MG_EEOF : MG_EAGAIN;
    if (have > iov->iov_len) have = iov->iov_len;
    if (have > s->read_max) have = s->read_max;
    memcpy(iov->iov_base, s->in.p + s->in_pos, have);
    s->in_pos += have;
    return (ptrdiff_t)have;
}

ptrdiff_t mg_sock_writev(struct mg_sock *s, const struct iovec *iov, int n) {
    mg_assert(n == 1 && !s->closing);
    if (s->peer_reset) return MG_ERESET;
    size_t take = iov->iov_len < s->window ? iov->iov_len : s->window;
    if (take == 0) return MG_EAGAIN;
    mg_buf_add(&s->out, iov->iov_base, take);
    if (s->window != SIZE_MAX) s->window -= take;
    return (ptrdiff_t)take;
}

void mg_sock_want_read(struct mg_sock *s, bool on) { s->want_read = on; }
void mg_sock_want_write(struct mg_sock *s, bool on) { s->want_write = on; }

void mg_sock_close(struct mg_sock *s) {
    mg_assert(!s->closing);
    s->closing = true;
}

void mg_sock_close_lingering(struct mg_sock *s, uint64_t linger_ns) {
    mg_assert(linger_ns > 0);
    s->lingering = true;
    mg_sock_close(s);
}

int mg_listener_open(struct mg_loop *loop, const char *host, uint16_t port, const struct mg_listener_ops *ops,
                     void *owner, struct mg_listener **out, char *err, size_t errlen) {
    if (strcmp(host, "bad") == 0) {
        snprintf(err, errlen, "listen tcp bad:%u: no", (unsigned)port);
        return MG_EIO;
    }
    loop->listener_ops = ops;
    loop->listener_owner = owner;
    *out = (struct mg_listener *)loop;
    return MG_OK;
}

uint16_t mg_listener_port(const struct mg_listener *l) {
    (void)l;
    return 8222;
}

void mg_listener_close(struct mg_listener *l) { ((struct mg_loop *)l)->listener_ops = NULL; }
