// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages of a consumer, asked for in batches (ADR-13, ADR-37; spec/jetstream-consumers.md 10).
//
// One subscription to an inbox of its own a pull. `msgs` and `bytes` are what the server still owes us. A fetch asks
// once and ends when nothing is owed. A consume asks for the rest of the batch whenever half of it is used up, so
// requests overlap and messages never stop.
//
// How it fails: what the server cannot give it says with a status, and most of these say how much of a request is left:
// that is owed no more. When counts have drifted (a request was dropped without a word, a message was too large for the
// receive buffer) heartbeats stop, since no request is open; after two of them nothing is owed and it asks anew. The
// same after a reconnect, and a little later after a status that says "not now".
//
// What always holds: while active there is a subscription and the hook is added; while connected it is armed. After
// fn was called for the last time nothing of the struct is touched.
#include "client/core/js_priv.h"

static uint32_t heartbeat_of(const midge_js_pull *p) {
    if (p->heartbeat > 0) return p->heartbeat;
    if (p->no_wait || (!p->consume && p->expires < 10000)) return 0;
    return p->expires / 2 < 15000 ? p->expires / 2 : 15000;
}

// How long silence is normal.
static uint32_t patience(const midge_js_pull *p) {
    uint32_t heartbeat = heartbeat_of(p);
    return heartbeat > 0 ? 2 * heartbeat : p->expires + 2000;
}

static void put_member(mgc_text *t, const char *name, uint32_t v, bool ms) {
    if (v == 0) return;
    mgc_text_cstr(t, name);
    mgc_text_u64(t, v);
    if (ms) mgc_text_cstr(t, "000000");
}

// Asks for what is missing to a full batch.
static int ask(midge_js_pull *p) {
    mgc_text t = mgc_js_text(p->js);
    uint32_t msgs = p->batch - p->msgs, bytes = p->max_bytes > 0 ? p->max_bytes - p->bytes : 0;

    mgc_text_form(&t, p->js, "@.CONSUMER.MSG.NEXT.?.?", &p->stream, &p->consumer, NULL);
    size_t body = t.n;
    put_member(&t, "{\"batch\":", msgs, false);
    put_member(&t, ",\"max_bytes\":", bytes, false);
    if (p->no_wait) {
        mgc_text_cstr(&t, ",\"no_wait\":true");
    } else {
        put_member(&t, ",\"expires\":", p->expires, true);
        put_member(&t, ",\"idle_heartbeat\":", heartbeat_of(p), true);
    }
    mgc_text_cstr(&t, "}");
    if (t.full) return MIDGE_ETOOLARGE;
    int err = midge_publish_full(p->js->m, (midge_str){t.p, body}, midge_cstr(p->inbox), MIDGE_NONE, t.p + body,
                                 t.n - body);
    if (err != 0) return err;
    p->msgs += msgs;
    p->bytes += bytes;
    midge_hook_arm(p->js->m, &p->hook, patience(p));
    return 0;
}

// Asks anew a little later, and more and more later while nothing comes.
static void later(midge_js_pull *p) {
    p->waiting = true;
    midge_hook_arm(p->js->m, &p->hook, 250u << p->misses);
    if (p->misses < 5) p->misses++;
}

// Asks again if half is used up.
static void refill(midge_js_pull *p) {
    bool few = p->msgs <= p->batch / 2 || (p->max_bytes > 0 && p->bytes <= p->max_bytes / 2);

    // Not while draining, either.
    if (midge_state_of(p->js->m) != MIDGE_STATE_CONNECTED || p->waiting || !few || p->msgs >= p->batch ||
        (p->max_bytes > 0 && p->bytes >= p->max_bytes)) {
        return;
    }
    if (ask(p) != 0) later(p);
}

static void restart(midge_js_pull *p) {
    p->msgs = p->bytes = 0;
    p->waiting = false;
    refill(p);
}

void midge_js_stop(midge_js_pull *p) {
    if (!p->active) return;
    p->active = false;
    midge_hook_remove(p->js->m, &p->hook);
    midge_unsubscribe(p->js->m, p->sub, 0);
}

static void end(midge_js_pull *p, int err, midge_str text) {
    midge_js_stop(p);
    p->fn(p, NULL, err, text, p->user);
}

static void notice(midge_js_pull *p, int err, midge_str text) {
    if (p->consume) {
        p->fn(p, NULL, err, text, p->user);
    } else {
        end(p, err, text);
    }
}

static uint32_t less(uint32_t a, uint64_t b) { return b < a ? a - (uint32_t)b : 0; }

static void on_message(midge_js_pull *p, const midge_msg *msg) {
    int32_t sub = p->sub;

    p->misses = 0;
    p->msgs = less(p->msgs, 1);
    if (p->max_bytes > 0) {
        // spec/jetstream-consumers.md 10.4: the size of a message, and a budget that is used up ends the request
        p->bytes = less(p->bytes, msg->subject.n + msg->reply.n + msg->headers.n + msg->data.n);
        if (p->bytes == 0) p->msgs = 0;
    }
    if (p->consume) {
        refill(p);
        p->fn(p, msg, 0, MIDGE_NONE, p->user);
        return;
    }
    bool full = p->msgs == 0;
    p->fn(p, msg, 0, MIDGE_NONE, p->user);
    if (full && p->active && p->sub == sub) end(p, 0, MIDGE_NONE);
}

// spec/jetstream-consumers.md 10.2: 409 has many meanings, told apart by their words.
static void on_conflict(midge_js_pull *p, midge_str text, bool counted) {
    if (mgc_begins(text, "consumer deleted")) {
        end(p, MIDGE_ENOTFOUND, text);
    } else if (mgc_begins(text, "consumer is push")) {
        end(p, MIDGE_EINVAL, text);
    } else if (mgc_begins(text, "batch completed")) {
        if (p->consume) {
            refill(p);
        } else {
            end(p, 0, text);
        }
    } else {
        if (mgc_begins(text, "leadership change") || mgc_begins(text, "server shutdown")) {
            p->msgs = p->bytes = 0;
            later(p);
        } else if (counted) { // Message Size Exceeds MaxBytes
            later(p);
        } // otherwise a limit was exceeded and the request is gone: heartbeats will be missed
        notice(p, MIDGE_EJETSTREAM, text);
    }
}

static void on_status(midge_js_pull *p, const midge_msg *msg) {
    midge_str text = midge_headers_description(msg->headers);
    midge_str left = midge_headers_get(msg->headers, MIDGE_STR("Nats-Pending-Messages"));
    midge_str bytes = midge_headers_get(msg->headers, MIDGE_STR("Nats-Pending-Bytes"));

    p->msgs = less(p->msgs, mgc_u64_or_0(left));
    p->bytes = less(p->bytes, mgc_u64_or_0(bytes));
    switch (msg->status) {
    case 100: p->misses = 0; break;
    case 400: end(p, MIDGE_EINVAL, text); break;
    case 409: on_conflict(p, text, left.n > 0); break;
    case 503:
        p->msgs = p->bytes = 0;
        later(p);
        notice(p, MIDGE_ENORESPONDERS, MIDGE_NONE);
        break;
    case 404:
    case 408:
        if (p->consume) {
            refill(p);
        } else {
            end(p, 0, text);
        }
        break;
    default: notice(p, MIDGE_EJETSTREAM, text); break;
    }
}

static void on_msg(midge *m, const midge_msg *msg, void *user) {
    midge_js_pull *p = user;

    if (!p->waiting) midge_hook_arm(m, &p->hook, patience(p));
    // spec/jetstream-consumers.md 7.1: only what is about the request carries the inbox as its subject.
    if (mgc_str_eq(msg->subject, p->inbox)) {
        on_status(p, msg);
    } else {
        on_message(p, msg);
    }
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    midge_js_pull *p = (midge_js_pull *)(void *)((char *)hook - offsetof(midge_js_pull, hook));

    (void)m;
    switch (why) {
    case MIDGE_HOOK_UP: restart(p); break;
    case MIDGE_HOOK_DOWN:
        hook->armed = false;
        p->misses = 0;
        notice(p, MIDGE_EDISCONNECTED, MIDGE_NONE);
        break;
    case MIDGE_HOOK_CLOSED: end(p, MIDGE_ECLOSED, MIDGE_NONE); break;
    case MIDGE_HOOK_TIME:
        if (p->waiting) {
            restart(p);
        } else {
            if (p->consume) restart(p);
            notice(p, heartbeat_of(p) > 0 ? MIDGE_EHEARTBEAT : MIDGE_ETIMEOUT, MIDGE_NONE);
        }
        break;
    }
}

static int start(midge_js *js, midge_js_pull *p, midge_js_pull_fn fn, void *user) {
    midge *m = js->m;

    p->js = js;
    p->fn = fn;
    p->user = user;
    p->msgs = p->bytes = 0;
    p->misses = 0;
    p->waiting = false;
    if (p->batch == 0) p->batch = 100;
    if (p->stream.n == 0 || p->consumer.n == 0 || heartbeat_of(p) > p->expires / 2) return MIDGE_EINVAL;
    int n = midge_inbox(m, p->inbox, sizeof(p->inbox));
    if (n < 0) return n;
    p->sub = midge_subscribe(m, (midge_str){p->inbox, (size_t)n}, MIDGE_NONE, on_msg, p);
    if (p->sub < 0) return p->sub;
    midge_hook_add(m, &p->hook, on_hook);
    // While disconnected it waits for the connection, which makes it ask.
    midge_hook_arm(m, &p->hook, patience(p));
    int err = midge_state_of(m) == MIDGE_STATE_CONNECTED ? ask(p) : 0;
    p->active = true;
    if (err != 0) midge_js_stop(p);
    return err;
}

int midge_js_fetch(midge_js *js, midge_js_pull *p, midge_js_pull_fn fn, void *user) {
    p->consume = false;
    if (p->expires == 0) p->expires = 5000;
    return start(js, p, fn, user);
}

int midge_js_consume(midge_js *js, midge_js_pull *p, midge_js_pull_fn fn, void *user) {
    p->consume = true;
    p->no_wait = false;
    if (p->expires == 0) p->expires = 30000;
    return start(js, p, fn, user);
}
