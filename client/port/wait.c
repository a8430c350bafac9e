// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Loops of turns that end with a condition or a deadline.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/port/conn.h"
#include "client/port/sys.h"

struct deadline {
    uint32_t began, timeout; // MIDGE_FOREVER: none
};

static struct deadline deadline_in(uint32_t timeout_ms) { return (struct deadline){mgc_now_ms(), timeout_ms}; }

// Milliseconds that are left.
static uint32_t left(const struct deadline *d) {
    if (d->timeout == MIDGE_FOREVER) return MIDGE_FOREVER;
    uint32_t spent = mgc_now_ms() - d->began;
    return spent < d->timeout ? d->timeout - spent : 0;
}

// A turn within the deadline; ETIMEOUT when there is no time left.
static int turn(midge_conn *c, const struct deadline *d) {
    uint32_t wait = left(d);
    int rc = midge_poll(c, wait);
    return rc == 0 && wait == 0 ? MIDGE_ETIMEOUT : rc;
}

int midge_wait(midge_conn *c, const bool *done, uint32_t timeout_ms) {
    struct deadline d = deadline_in(timeout_ms);
    while (!*done) {
        int rc = turn(c, &d);
        if (rc != 0) return *done ? 0 : rc;
    }
    return 0;
}

int midge_connect_wait(midge_conn *c, uint32_t timeout_ms) {
    struct deadline d = deadline_in(timeout_ms);
    while (midge_state_of(&c->engine) != MIDGE_STATE_CONNECTED) {
        int rc = turn(c, &d);
        if (rc != 0) return rc;
    }
    return 0;
}

midge_conn *midge_connect(const midge_options *o, char *err, size_t err_size) {
    midge_conn *c = midge_conn_new(o, err, err_size);
    if (c == NULL || midge_connect_wait(c, MIDGE_FOREVER) == 0) return c;
    midge_conn_error(c, err, err_size);
    midge_conn_free(c);
    return NULL;
}

int midge_drain_wait(midge_conn *c, uint32_t timeout_ms) {
    struct deadline d = deadline_in(timeout_ms);
    int rc = midge_drain(&c->engine);
    while (rc == 0) {
        rc = turn(c, &d);
    }
    return rc == MIDGE_ECLOSED ? 0 : rc;
}

// ---- flush ----------------------------------------------------------------------------------------------------------

struct flush {
    midge_flush_op op;
    bool done;
    int err;
};

static void on_flushed(midge *m, int err, uint32_t rtt_ms, void *user) {
    struct flush *f = user;
    (void)m;
    (void)rtt_ms;
    f->done = true;
    f->err = err;
}

int midge_flush_wait(midge_conn *c, uint32_t timeout_ms) {
    struct flush f = {.done = false};
    if (c->polling) return MIDGE_EINVAL;
    int rc = midge_flush(&c->engine, &f.op, timeout_ms == MIDGE_FOREVER ? INT32_MAX : timeout_ms, on_flushed, &f);
    if (rc != 0) return rc;
    // The operation is on this stack, so there is no leaving before the engine lets go of it: its own timer ends it.
    while (!f.done) {
        rc = midge_poll(c, MIDGE_FOREVER);
        if (rc != 0 && !f.done) return rc;
    }
    return f.err;
}

// ---- publish --------------------------------------------------------------------------------------------------------

int midge_publish_wait(midge_conn *c, midge_str subject, midge_str reply, midge_str headers, const void *data,
                       size_t len, uint32_t timeout_ms) {
    int rc = midge_publish_full(&c->engine, subject, reply, headers, data, len);
    if (rc == 0) return 0;
    if (c->polling) return rc;
    struct deadline d = deadline_in(timeout_ms);
    bool reserved = false;
    for (;;) {
        if (rc == MIDGE_ETOOLARGE && !reserved) {
            reserved = true;
            rc = midge_conn_reserve(c, subject.n + reply.n + headers.n + len);
        } else if (rc == MIDGE_EFULL) {
            rc = turn(c, &d);
        }
        if (rc != 0) return rc;
        rc = midge_publish_full(&c->engine, subject, reply, headers, data, len);
        if (rc == 0) return 0;
    }
}

// ---- request --------------------------------------------------------------------------------------------------------

struct request {
    midge_conn *conn;
    bool done;
    int err;
};

// Copies a reply into the connection's memory.
static int keep_reply(midge_conn *c, const midge_msg *msg) {
    const midge_str parts[] = {msg->subject, msg->reply, msg->headers, msg->data};
    midge_str *const copies[] = {&c->reply.subject, &c->reply.reply, &c->reply.headers, &c->reply.data};
    size_t n = 1; // never nothing
    for (int i = 0; i < 4; i++) {
        n += parts[i].n;
    }
    if (n > c->reply_size) {
        char *bytes = realloc(c->reply_bytes, n);
        if (bytes == NULL) return MIDGE_ENOMEM;
        c->reply_bytes = bytes;
        c->reply_size = n;
    }
    c->reply = *msg;
    char *at = c->reply_bytes;
    for (int i = 0; i < 4; i++) {
        if (parts[i].n > 0) memcpy(at, parts[i].p, parts[i].n);
        *copies[i] = (midge_str){at, parts[i].n};
        at += parts[i].n;
    }
    return 0;
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    struct request *r = user;
    (void)m;
    r->done = true;
    r->err = err == 0 && msg != NULL ? keep_reply(r->conn, msg) : err;
}

int midge_request_wait(midge_conn *c, midge_str subject, midge_str headers, const void *data, size_t len,
                       uint32_t timeout_ms, const midge_msg **reply) {
    struct request r = {.conn = c};
    struct deadline d = deadline_in(timeout_ms);
    bool reserved = false;
    int32_t handle;
    if (c->polling) return MIDGE_EINVAL;
    for (;;) {
        midge_request_opts opts = {.timeout = timeout_ms == MIDGE_FOREVER ? INT32_MAX : left(&d) + 1};
        handle = midge_request(&c->engine, subject, headers, data, len, &opts, on_reply, &r);
        int rc = handle > 0 ? 0 : handle;
        if (handle > 0) break;
        if (rc == MIDGE_ETOOLARGE && !reserved) {
            reserved = true;
            rc = midge_conn_reserve(c, subject.n + headers.n + len);
        } else if (rc == MIDGE_EFULL) {
            rc = turn(c, &d);
        }
        if (rc != 0) return rc;
    }
    // The engine's timer ends it; r is on this stack until then.
    while (!r.done) {
        int rc = midge_poll(c, MIDGE_FOREVER);
        if (rc != 0 && !r.done) {
            midge_request_cancel(&c->engine, handle);
            return rc;
        }
    }
    if (r.err == 0) *reply = &c->reply;
    return r.err;
}
