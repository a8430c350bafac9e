// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/server/seam/fake_seam.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timer.h"

// ---- loops ------------------------------------------------------------------------------------------------------

int mg_loop_new(struct mg_loop **out, const struct mg_loop_hooks *hooks) {
    struct mg_loop *loop = mg_zalloc(sizeof(*loop));
    loop->hooks = *hooks;
    loop->now = UINT64_C(1000) * 1000000000;
    loop->timer_at = MG_NEVER;
    loop->awake = true;
    *out = loop;
    return MG_OK;
}

void mg_loop_free(struct mg_loop *loop) {
    mg_assert(loop->nwork == 0);
    for (size_t i = 0; i < loop->nsocks; i++) mg_assert(loop->socks[i]->closed);
    mg_free(loop);
}

void mg_loop_stop(struct mg_loop *loop) { loop->stopped = true; }
void mg_loop_run(struct mg_loop *loop) { fake_run(&loop, 1); }

void mg_loop_wake(struct mg_loop *loop) {
    loop->awake = true;
    loop->rings++;
}

void mg_loop_set_timer(struct mg_loop *loop, uint64_t at) { loop->timer_at = at; }
uint64_t mg_loop_now(struct mg_loop *loop) { return loop->now; }
uint64_t mg_loop_clock(struct mg_loop *loop) { return loop->now; }
int64_t mg_loop_wall(struct mg_loop *loop) { return (int64_t)loop->now; }

uint64_t mg_loop_entropy(struct mg_loop *loop) { return ++loop->entropy * UINT64_C(0x9e3779b97f4a7c15); }

void mg_loop_work(struct mg_loop *loop, struct mg_work *w) {
    mg_assert(loop->nwork < FAKE_MAX);
    for (size_t i = 0; i < loop->nwork; i++) mg_assert(loop->work[i] != w); // it is under way already
    loop->work[loop->nwork++] = w;
}

// The test runs the loops itself.
int mg_thread_start(struct mg_thread **out, const char *name, void (*fn)(void *), void *arg) {
    (void)name;
    (void)fn;
    (void)arg;
    *out = NULL;
    return MG_OK;
}

void mg_thread_join(struct mg_thread *t) { mg_assert(t == NULL); }
void mg_thread_yield_to_others(int nice) { (void)nice; }
void mg_thread_prompt(void) {}
void mg_thread_breathe(void) {}

static bool run_work(struct mg_loop *loop) {
    if (loop->nwork == 0 || loop->hold_work) return false;
    struct mg_work *w = loop->work[--loop->nwork];
    w->run(w);
    w->done(w);
    return true;
}

// One event of s. False: there is none.
static bool deliver(struct mg_sock *s) {
    if (s->closed) return false;
    if (s->closing) {
        s->closed = true;
        s->ops->closed(s->owner);
        return true;
    }
    if (s->want_write && s->window != 0) {
        s->ops->writable(s->owner);
        return true;
    }
    if (!s->want_read || (s->in.len == s->in_pos && !s->peer_eof)) return false;
    s->ops->readable(s->owner);
    return true;
}

static bool pending(const struct mg_loop *loop) {
    if (loop->awake || (loop->nwork > 0 && !loop->hold_work) || loop->timer_at <= loop->now) return true;
    for (size_t i = 0; i < loop->nsocks; i++) {
        const struct mg_sock *s = loop->socks[i];
        if (s->closed) continue;
        if (s->closing || (s->want_write && s->window != 0)) return true;
        if (s->want_read && (s->in.len > s->in_pos || s->peer_eof)) return true;
    }
    return false;
}

bool fake_turn(struct mg_loop *loop) {
    mg_assert(!loop->stopped);
    if (loop->timer_at <= loop->now) {
        loop->timer_at = MG_NEVER;
        loop->hooks.timer(loop->hooks.arg);
    }
    run_work(loop);
    for (size_t i = 0; i < loop->nsocks; i++) deliver(loop->socks[i]);
    loop->awake = false;
    if (loop->hooks.before_poll(loop->hooks.arg)) loop->awake = true;
    return loop->awake;
}

void fake_run(struct mg_loop *const *loops, size_t n) {
    bool more = true;
    for (unsigned rounds = 0; more; rounds++) {
        mg_assert(rounds < 100000); // otherwise somebody spins
        more = false;
        for (size_t i = 0; i < n; i++) {
            if (loops[i]->stopped || !pending(loops[i])) continue;
            fake_turn(loops[i]);
            more = true;
        }
    }
}

void fake_advance(struct mg_loop *const *loops, size_t n, uint64_t ns) {
    for (size_t i = 0; i < n; i++) loops[i]->now += ns;
    fake_run(loops, n);
}

// ---- sockets ----------------------------------------------------------------------------------------------------

struct mg_sock *fake_sock_new(void) {
    struct mg_sock *s = mg_zalloc(sizeof(*s));
    s->window = SIZE_MAX;
    return s;
}

void fake_sock_free(struct mg_sock *s) {
    mg_assert(s->closed);
    mg_buf_fini(&s->in);
    mg_buf_fini(&s->out);
    mg_free(s);
}

struct mg_sock_seed fake_seed(struct mg_sock *s) { return (struct mg_sock_seed){.fd = (intptr_t)s}; }
void fake_send(struct mg_sock *s, const char *text) { mg_buf_adds(&s->in, text); }

const char *fake_take(struct mg_sock *s) {
    mg_buf_addc(&s->out, '\0');
    s->out.len = 0;
    return s->out.p;
}

int mg_sock_attach(struct mg_loop *loop, const struct mg_sock_seed *seed, const struct mg_sock_ops *ops, void *owner,
                   struct mg_sock **out) {
    struct mg_sock *s = (struct mg_sock *)seed->fd;
    mg_assert(s->ops == NULL && loop->nsocks < FAKE_MAX);
    s->loop = loop;
    s->ops = ops;
    s->owner = owner;
    s->want_read = true;
    loop->socks[loop->nsocks++] = s;
    *out = s;
    return MG_OK;
}

void mg_sock_seed_close(const struct mg_sock_seed *seed) { ((struct mg_sock *)seed->fd)->closed = true; }

ptrdiff_t mg_sock_readv(struct mg_sock *s, const struct iovec *iov, int n) {
    mg_assert(!s->closing);
    if (s->in.len == s->in_pos) return s->peer_eof ? MG_EEOF : MG_EAGAIN;
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        size_t have = s->in.len - s->in_pos;
        if (have > iov[i].iov_len) have = iov[i].iov_len;
        if (have) memcpy(iov[i].iov_base, s->in.p + s->in_pos, have);
        s->in_pos += have;
        total += have;
    }
    return (ptrdiff_t)total;
}

ptrdiff_t mg_sock_writev(struct mg_sock *s, const struct iovec *iov, int n) {
    mg_assert(!s->closing);
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        size_t take = iov[i].iov_len < s->window ? iov[i].iov_len : s->window;
        mg_buf_add(&s->out, iov[i].iov_base, take);
        if (s->window != SIZE_MAX) s->window -= take;
        total += take;
    }
    return total > 0 ? (ptrdiff_t)total : MG_EAGAIN;
}

void mg_sock_want_read(struct mg_sock *s, bool on) { s->want_read = on; }
void mg_sock_want_write(struct mg_sock *s, bool on) { s->want_write = on; }

void mg_sock_close(struct mg_sock *s) { s->closing = true; }

void mg_sock_close_lingering(struct mg_sock *s, uint64_t linger_ns) {
    mg_assert(linger_ns > 0);
    s->lingering = true;
    s->closing = true;
}

// ---- listeners: none ----------------------------------------------------------------------------------------------

int mg_listener_open(struct mg_loop *loop, const char *host, uint16_t port, const struct mg_listener_ops *ops,
                     void *owner, struct mg_listener **out, char *err, size_t errlen) {
    mg_assert(loop && host && ops && err && errlen > 0 && port == 0);
    *out = owner;
    return MG_OK;
}

uint16_t mg_listener_port(const struct mg_listener *l) { return l ? 4222 : 0; }
void mg_listener_close(struct mg_listener *l) { mg_assert(l != NULL); }
