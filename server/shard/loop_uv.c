// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// loop.h over libuv. The order inside of uv_run is timers, idle, prepare, poll: the prepare callback is `before_poll`,
// and an active idle handle makes the poll return at once.
#include "server/shard/loop_uv.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define SLICE_SHORT UINT64_C(100000) // ns: the least that Linux takes

static void on_idle(uv_idle_t *h) { (void)h; }

// Not uv_async: the loop spins while a sender is between its flag and its write, and one that yields to others
// (mg_thread_yield_to_others) may be pushed aside there by that very loop.
static void on_bell(uv_poll_t *h, int status, int events) {
    struct mg_loop *loop = h->data;
    uint64_t rings;
    (void)status, (void)events;
    ssize_t n = read(loop->bell_fd, &rings, sizeof(rings));
    (void)n; // nothing: it was read before
}

static void on_prepare(uv_prepare_t *h) {
    struct mg_loop *loop = h->data;
    bool more = loop->hooks.before_poll(loop->hooks.arg);
    if (more != loop->idle_on) {
        if (more) uv_idle_start(&loop->idle, on_idle);
        else uv_idle_stop(&loop->idle);
        loop->idle_on = more;
    }
    loop->now_stale = true;
}

static void on_timer(uv_timer_t *h) {
    struct mg_loop *loop = h->data;
    loop->timer_at = MG_NEVER;
    loop->now_stale = true;
    loop->hooks.timer(loop->hooks.arg);
}

int mg_loop_new(struct mg_loop **out, const struct mg_loop_hooks *hooks) {
    struct mg_loop *loop = mg_zalloc(sizeof(*loop));
    if (uv_loop_init(&loop->uv) != 0) {
        mg_free(loop);
        return MG_EIO;
    }
    loop->hooks = *hooks;
    loop->timer_at = MG_NEVER;
    loop->now = uv_hrtime();
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->timer);
    loop->prepare.data = loop->idle.data = loop->timer.data = loop->bell.data = loop;
    loop->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = loop->bell_fd < 0 ? UV_EIO : uv_poll_init(&loop->uv, &loop->bell, loop->bell_fd);
    uv_prepare_start(&loop->prepare, on_prepare);
    if (rc == 0) rc = uv_poll_start(&loop->bell, UV_READABLE, on_bell);
    if (rc != 0) {
        mg_loop_free(loop);
        return MG_EIO;
    }
    *out = loop;
    return 0;
}

void mg_loop_run(struct mg_loop *loop) { uv_run(&loop->uv, UV_RUN_DEFAULT); }
void mg_loop_stop(struct mg_loop *loop) { uv_stop(&loop->uv); }

void mg_loop_wake(struct mg_loop *loop) {
    const uint64_t one = 1;
    ssize_t n = write(loop->bell_fd, &one, sizeof(one));
    (void)n; // it can only fail when it has been rung very often
}

static void close_own(uv_handle_t *h, void *arg) {
    struct mg_loop *loop = arg;
    bool own = h == (uv_handle_t *)&loop->prepare || h == (uv_handle_t *)&loop->idle ||
               h == (uv_handle_t *)&loop->timer || h == (uv_handle_t *)&loop->bell;
    mg_assert(own || uv_is_closing(h)); // sockets and listeners were closed by their owners
    if (!uv_is_closing(h)) uv_close(h, NULL);
}

void mg_loop_free(struct mg_loop *loop) {
    uv_walk(&loop->uv, close_own, loop);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    int rc = uv_loop_close(&loop->uv);
    mg_assert(rc == 0);
    if (loop->bell_fd >= 0) close(loop->bell_fd);
    mg_free(loop);
}

void mg_loop_set_timer(struct mg_loop *loop, uint64_t at) {
    if (at == loop->timer_at) return;
    loop->timer_at = at;
    if (at == MG_NEVER) {
        uv_timer_stop(&loop->timer);
        return;
    }
    uint64_t now = uv_hrtime();
    uint64_t ms = at > now ? (at - now + 999999) / 1000000 : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, ms, 0);
}

uint64_t mg_loop_clock(struct mg_loop *loop) {
    loop->now = uv_hrtime();
    loop->now_stale = false;
    return loop->now;
}

uint64_t mg_loop_now(struct mg_loop *loop) { return loop->now_stale ? mg_loop_clock(loop) : loop->now; }

int64_t mg_loop_wall(struct mg_loop *loop) {
    (void)loop;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t mg_loop_entropy(struct mg_loop *loop) {
    (void)loop;
    uint64_t v;
    ssize_t n = getrandom(&v, sizeof(v), 0);
    mg_assert(n == (ssize_t)sizeof(v));
    return v;
}

// ---- threads and work --------------------------------------------------------------------------------------------

struct mg_thread {
    uv_thread_t uv;
    char name[16];
    void (*fn)(void *);
    void *arg;
};

static void thread_main(void *arg) {
    struct mg_thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
}

int mg_thread_start(struct mg_thread **out, const char *name, void (*fn)(void *), void *arg) {
    struct mg_thread *t = mg_zalloc(sizeof(*t));
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->fn = fn;
    t->arg = arg;
    // The new thread inherits a full signal mask: signals belong to the program, not to its shards.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // Subjects of 64 KB are on the stack of whoever handles them, and a message may beget others. Only what was touched
    // costs memory.
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = 2048 * 1024};
    int rc = uv_thread_create_ex(&t->uv, &options, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        mg_free(t);
        return MG_EIO;
    }
    *out = t;
    return 0;
}

void mg_thread_join(struct mg_thread *t) {
    uv_thread_join(&t->uv);
    mg_free(t);
}

// On Linux the "process" of such a call is a thread. Elsewhere it would be all of them, so nothing is done.
#ifdef __linux__
struct sched_attributes { // as the system call has it; libraries do not
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice, deadline, period;
};

// How long a thread runs before others are looked at, and how soon it may push them aside: shorter is more of both.
// Linux 6.12 and later; before, the slice is ignored, or the call fails and nothing has changed.
static void set_slice(uint64_t ns) {
    struct sched_attributes a = {.size = sizeof(a)};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0 || a.policy != SCHED_OTHER) return;
    a.size = sizeof(a);
    a.slice = ns;
    syscall(SYS_sched_setattr, 0, &a, 0);
}

void mg_thread_yield_to_others(int nice) {
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + nice);
}

void mg_thread_prompt(void) { set_slice(SLICE_SHORT); }
#else
void mg_thread_yield_to_others(int nice) { (void)nice; }

void mg_thread_prompt(void) {}
#endif

void mg_thread_breathe(void) { sched_yield(); }

_Static_assert(sizeof(uv_work_t) <= sizeof(((struct mg_work *)0)->impl), "uv_work_t fits into mg_work");

static void work_run(uv_work_t *req) {
    struct mg_work *w = req->data;
    w->run(w);
}

static void work_done(uv_work_t *req, int status) {
    (void)status;
    struct mg_work *w = req->data;
    w->done(w);
}

void mg_loop_work(struct mg_loop *loop, struct mg_work *w) {
    uv_work_t *req = (uv_work_t *)(void *)w->impl;
    req->data = w;
    int rc = uv_queue_work(&loop->uv, req, work_run, work_done);
    mg_assert(rc == 0);
}
