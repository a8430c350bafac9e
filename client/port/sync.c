// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The queue is a block of bytes behind a mutex; the owner's thread exchanges it for an empty one and works on the full
// one without the lock, so a callback never runs under it and a publisher waits for nobody but other publishers.
//
//      record := size (of all, rounded up to 8) | call or NULL | lengths | subject reply headers data
//
// A publish is all in its record. Everything else is a call on the stack of the caller, who waits for it; it goes
// through the queue as a pointer, behind what the caller published before. The owner is woken when the queue was empty.
// Between turns the owner waits in midge_poll; a full send buffer makes it wait for the server there, the queue fills,
// and publishers wait for room in it: that is the back-pressure.
#include "client/port/midge_sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_MAX_DEFAULT = 1024 * 1024, BLOCK_MIN = 4096 };

struct call {
    void (*run)(midge_sync *s, struct call *call); // on the owner's thread; ends with call_done, now or later
    midge_str subject, queue;
    const void *data;
    size_t len;
    midge_msg_fn fn;
    void *user;
    midge_sync *sync;
    midge_flush_op flush;
    midge_msg *reply;
    int32_t sub;
    uint32_t n; // max of unsubscribe; timeout
    int32_t result;
    bool done;
};

struct record {
    size_t size;
    struct call *call; // or NULL: a message
    size_t subject, reply, headers, data;
    char bytes[];
};

struct block {
    char *p;
    size_t n, size;
};

struct midge_sync {
    midge_conn *conn; // the owner's
    pthread_t owner;
    size_t queue_max;
    struct block working; // the owner's
    uint32_t end_timeout; // the owner's: how long the drain may take, MIDGE_FOREVER: none runs

    pthread_mutex_t lock; // of what follows
    pthread_cond_t room, done;
    struct block queue;
    uint64_t refused;
    int closed; // the reason why nothing is taken any more, 0: open
};

static bool on_owner(const midge_sync *s) { return pthread_equal(pthread_self(), s->owner) != 0; }

// ---- the queue, under the lock --------------------------------------------------------------------------------------

static size_t record_size(size_t bytes) { return (sizeof(struct record) + bytes + 7) & ~(size_t)7; }

static bool block_fit(struct block *b, size_t more) {
    size_t size = b->size != 0 ? b->size : BLOCK_MIN;
    while (size - b->n < more) {
        size *= 2;
    }
    if (size == b->size) return true;
    char *p = realloc(b->p, size);
    if (p == NULL) return false;
    b->p = p;
    b->size = size;
    return true;
}

// Room for a record at the end of the queue; NULL: out of memory.
static struct record *queue_add(midge_sync *s, size_t size) {
    if (!block_fit(&s->queue, size)) return NULL;
    struct record *r = (struct record *)(void *)(s->queue.p + s->queue.n);
    if (s->queue.n == 0) midge_wakeup(s->conn);
    s->queue.n += size;
    r->size = size;
    r->call = NULL;
    return r;
}

static struct timespec after(uint32_t timeout_ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

// Waits until a record of that size may be added. Calls are added whatever the queue holds: they are few.
static int wait_for_room(midge_sync *s, size_t size, uint32_t timeout_ms) {
    struct timespec end = after(timeout_ms);
    if (size > s->queue_max) return MIDGE_ETOOLARGE;
    while (s->closed == 0 && s->queue.n + size > s->queue_max) {
        if (timeout_ms == 0 || on_owner(s)) return MIDGE_ETIMEOUT;
        if (timeout_ms == MIDGE_FOREVER) {
            pthread_cond_wait(&s->room, &s->lock);
        } else if (pthread_cond_timedwait(&s->room, &s->lock, &end) == ETIMEDOUT) {
            return MIDGE_ETIMEOUT;
        }
    }
    return s->closed;
}

// ---- calls ----------------------------------------------------------------------------------------------------------

static void call_done(struct call *call, int32_t result) {
    midge_sync *s = call->sync;
    pthread_mutex_lock(&s->lock);
    call->result = result;
    call->done = true;
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
}

// Through the queue, or at once if this is the owner.
static int32_t call_run(midge_sync *s, struct call *call) {
    call->sync = s;
    if (on_owner(s)) {
        call->run(s, call);
        return call->result;
    }
    pthread_mutex_lock(&s->lock);
    struct record *r = s->closed == 0 ? queue_add(s, record_size(0)) : NULL;
    if (r == NULL) {
        call->result = s->closed != 0 ? s->closed : MIDGE_ENOMEM;
    } else {
        r->call = call;
        while (!call->done) {
            pthread_cond_wait(&s->done, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return call->result;
}

static void run_subscribe(midge_sync *s, struct call *call) {
    call_done(call, midge_subscribe(midge_engine(s->conn), call->subject, call->queue, call->fn, call->user));
}

static void run_unsubscribe(midge_sync *s, struct call *call) {
    call_done(call, midge_unsubscribe(midge_engine(s->conn), call->sub, call->n));
}

static void on_flushed(midge *m, int err, uint32_t rtt_ms, void *user) {
    (void)m;
    (void)rtt_ms;
    call_done(user, err);
}

static void run_flush(midge_sync *s, struct call *call) {
    int rc = midge_flush(midge_engine(s->conn), &call->flush, call->n, on_flushed, call);
    if (rc != 0) call_done(call, rc);
}

// A copy in one piece of memory.
static midge_msg *copy_message(const midge_msg *msg) {
    midge_msg *copy = malloc(sizeof *copy + msg->subject.n + msg->reply.n + msg->headers.n + msg->data.n);
    if (copy == NULL) return NULL;
    *copy = *msg;
    char *at = (char *)(copy + 1);
    midge_str *const parts[] = {&copy->subject, &copy->reply, &copy->headers, &copy->data};
    for (int i = 0; i < 4; i++) {
        if (parts[i]->n > 0) memcpy(at, parts[i]->p, parts[i]->n);
        parts[i]->p = at;
        at += parts[i]->n;
    }
    return copy;
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    struct call *call = user;
    (void)m;
    if (err == 0) call->reply = copy_message(msg);
    call_done(call, err == 0 && call->reply == NULL ? MIDGE_ENOMEM : err);
}

static void run_request(midge_sync *s, struct call *call) {
    midge_request_opts opts = {.timeout = call->n};
    int rc = midge_conn_reserve(s->conn, call->subject.n + call->queue.n + call->len);
    int32_t handle = rc;
    while (rc == 0) {
        handle = midge_request(midge_engine(s->conn), call->subject, call->queue, call->data, call->len, &opts,
                               on_reply, call);
        if (handle != MIDGE_EFULL) break;
        rc = midge_poll(s->conn, MIDGE_FOREVER); // until there is room
    }
    if (rc != 0 || handle < 0) call_done(call, rc != 0 ? rc : handle);
}

// ---- the owner ------------------------------------------------------------------------------------------------------

static void send_message(midge_sync *s, const struct record *r) {
    const char *p = r->bytes;
    midge_str subject = {p, r->subject}, reply = {p + r->subject, r->reply};
    midge_str headers = {p + r->subject + r->reply, r->headers};
    int rc = midge_publish_wait(s->conn, subject, reply, headers, headers.p + headers.n, r->data, MIDGE_FOREVER);
    if (rc == 0) return;
    pthread_mutex_lock(&s->lock);
    s->refused++;
    pthread_mutex_unlock(&s->lock);
}

// Takes what is queued and does it. False: there was nothing.
static bool work_off(midge_sync *s) {
    pthread_mutex_lock(&s->lock);
    struct block full = s->queue;
    s->queue = s->working;
    s->queue.n = 0;
    s->working = full;
    if (full.n > 0) pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    for (size_t at = 0; at < full.n;) {
        struct record *r = (struct record *)(void *)(full.p + at);
        at += r->size;
        if (r->call != NULL) {
            r->call->run(s, r->call);
        } else {
            send_message(s, r);
        }
    }
    return full.n > 0;
}

// The drain that has begun: to its end, or as long as it may take.
static int own_end(midge_sync *s) {
    struct timespec now, end = after(s->end_timeout);
    int rc = 0;
    while (rc == 0) {
        work_off(s);
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = ((int64_t)end.tv_sec - now.tv_sec) * 1000 + (end.tv_nsec - now.tv_nsec) / 1000000;
        if (left <= 0) {
            midge_close(midge_engine(s->conn));
            midge_poll(s->conn, 0);
            return MIDGE_ETIMEOUT;
        }
        rc = midge_poll(s->conn, (uint32_t)left);
    }
    return rc;
}

static void *own(void *arg) {
    midge_sync *s = arg;
    int rc;
    do {
        while (work_off(s)) {
        }
        rc = midge_poll(s->conn, MIDGE_FOREVER);
        if (s->end_timeout != MIDGE_FOREVER && rc == 0) rc = own_end(s);
    } while (rc == 0);
    pthread_mutex_lock(&s->lock);
    s->closed = rc;
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
    work_off(s); // calls that came in between end with ECLOSED
    return NULL;
}

// ---- the face -------------------------------------------------------------------------------------------------------

static void init_locks(midge_sync *s) {
    pthread_condattr_t clock;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->room, &clock);
    pthread_cond_init(&s->done, &clock);
    pthread_condattr_destroy(&clock);
}

static void release(midge_sync *s) {
    midge_conn_free(s->conn);
    free(s->queue.p);
    free(s->working.p);
    pthread_cond_destroy(&s->room);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

midge_sync *midge_sync_connect(const midge_options *o, char *err, size_t err_size) {
    sigset_t all, old;
    midge_sync *s = calloc(1, sizeof *s);
    if (s == NULL) {
        snprintf(err, err_size, "%s", midge_strerror(MIDGE_ENOMEM));
        return NULL;
    }
    s->queue_max = o != NULL && o->send_max != 0 ? o->send_max : QUEUE_MAX_DEFAULT;
    s->end_timeout = MIDGE_FOREVER;
    s->conn = midge_connect(o, err, err_size);
    if (s->conn == NULL) {
        free(s);
        return NULL;
    }
    init_locks(s);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_mutex_lock(&s->lock); // the thread does not begin to work before `owner` is there
    int error = pthread_create(&s->owner, NULL, own, s);
    pthread_mutex_unlock(&s->lock);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0) return s;
    snprintf(err, err_size, "the system has no thread for the connection");
    release(s);
    return NULL;
}

int midge_sync_publish(midge_sync *s, midge_str subject, midge_str reply, midge_str headers, const void *data,
                       size_t len, uint32_t timeout_ms) {
    const midge_str parts[] = {subject, reply, headers, {data, len}};
    size_t size = record_size(subject.n + reply.n + headers.n + len);
    pthread_mutex_lock(&s->lock);
    int rc = wait_for_room(s, size, timeout_ms);
    struct record *r = rc == 0 ? queue_add(s, size) : NULL;
    if (r != NULL) {
        r->subject = subject.n;
        r->reply = reply.n;
        r->headers = headers.n;
        r->data = len;
        char *at = r->bytes;
        for (int i = 0; i < 4; i++) {
            if (parts[i].n > 0) memcpy(at, parts[i].p, parts[i].n);
            at += parts[i].n;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rc == 0 && r == NULL ? MIDGE_ENOMEM : rc;
}

uint64_t midge_sync_refused(midge_sync *s) {
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->refused;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int32_t midge_sync_subscribe(midge_sync *s, midge_str subject, midge_str queue, midge_msg_fn fn, void *user) {
    struct call call = {.run = run_subscribe, .subject = subject, .queue = queue, .fn = fn, .user = user};
    return call_run(s, &call);
}

int midge_sync_unsubscribe(midge_sync *s, int32_t sub, uint32_t max) {
    struct call call = {.run = run_unsubscribe, .sub = sub, .n = max};
    return call_run(s, &call);
}

static uint32_t engine_timeout(uint32_t timeout_ms) {
    return timeout_ms == 0 ? 1 : timeout_ms > INT32_MAX ? INT32_MAX : timeout_ms;
}

int midge_sync_request(midge_sync *s, midge_str subject, midge_str headers, const void *data, size_t len,
                       uint32_t timeout_ms, midge_msg **reply) {
    struct call call = {.run = run_request,
                        .subject = subject,
                        .queue = headers,
                        .data = data,
                        .len = len,
                        .n = engine_timeout(timeout_ms)};
    if (on_owner(s)) return MIDGE_EINVAL;
    int rc = call_run(s, &call);
    *reply = call.reply;
    return rc;
}

int midge_sync_flush(midge_sync *s, uint32_t timeout_ms) {
    struct call call = {.run = run_flush, .n = engine_timeout(timeout_ms)};
    return on_owner(s) ? MIDGE_EINVAL : call_run(s, &call);
}

static void run_end(midge_sync *s, struct call *call) {
    int rc = 0;
    if (call->n == 0) {
        midge_close(midge_engine(s->conn));
    } else {
        rc = midge_drain(midge_engine(s->conn));
        s->end_timeout = call->n < INT32_MAX ? call->n : INT32_MAX;
        midge_wakeup(s->conn);
    }
    call_done(call, rc);
}

int midge_sync_free(midge_sync *s, uint32_t drain_timeout_ms) {
    struct call call = {.run = run_end, .n = drain_timeout_ms};
    if (s == NULL) return 0;
    int rc = call_run(s, &call);
    pthread_join(s->owner, NULL);
    if (rc == 0 && s->closed != MIDGE_ECLOSED) rc = s->closed;
    release(s);
    return rc;
}
