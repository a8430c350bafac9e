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
// that is owed no more. A request that was refused is made again at once, then later and later while nothing comes.
// When counts have drifted (a request was dropped without a word, a message was too large for the receive buffer)
// heartbeats stop, since no request is open; after two of them nothing is owed and it asks anew, and so after a
// reconnect.
//
// What always holds: while active there is a subscription and the hook is added; while connected it is armed. After
// fn was called for the last time nothing of the struct is touched.
#include "client/core/js_priv.h"

// The interval of heartbeats; 0: none.
static uint32_t heartbeat_of(const midge_js_pull *p) {
    uint32_t half = p->expires / 2;

    if (p->no_wait) return 0;
    if (p->heartbeat > 0) return p->heartbeat;
    if (!p->consume && half < 5000) return 0;
    return half < 15000 ? half : 15000;
}

// From now on so much silence is normal.
static void expect_something(midge_js_pull *p) {
    midge_hook_arm(p->js->m, &p->hook, p->beat > 0 ? 2 * p->beat : p->expires + 2000);
}

static void put_member(mgc_text *t, const char *name, uint32_t v) {
    if (v > 0) mgc_text_u64(t, name, v);
}

static void put_ms(mgc_text *t, const char *name, uint32_t ms) {
    put_member(t, name, ms);
    if (ms > 0) mgc_text_cstr(t, "000000");
}

// Asks for what is missing to a full batch.
static int ask(midge_js_pull *p) {
    midge *m = p->js->m;
    uint32_t msgs = p->batch - p->msgs, bytes = p->max_bytes > 0 ? p->max_bytes - p->bytes : 0;
    mgc_text t;

    mgc_text_begin(&t, p->js);
    mgc_text_form(&t, "@.CONSUMER.MSG.NEXT.?.?", &p->stream, &p->consumer);
    size_t body = t.n;
    put_member(&t, "{\"batch\":", msgs);
    put_member(&t, ",\"max_bytes\":", bytes);
    if (p->no_wait) {
        mgc_text_cstr(&t, ",\"no_wait\":true");
    } else {
        put_ms(&t, ",\"expires\":", p->expires);
        put_ms(&t, ",\"idle_heartbeat\":", p->beat);
    }
    mgc_text_cstr(&t, "}");
    if (t.full) return MIDGE_ETOOLARGE;
    int err = midge_publish_full(m, (midge_str){t.p, body}, midge_cstr(p->inbox), MIDGE_NONE, t.p + body, t.n - body);
    if (err != 0) return err;
    p->msgs += msgs;
    p->bytes += bytes;
    expect_something(p);
    return 0;
}

int32_t mgc_js_inbox(midge *m, char *inbox, midge_msg_fn fn, void *user) {
    midge_str subject = {inbox, (size_t)midge_inbox(m, inbox, MIDGE_INBOX_MAX)};
    return midge_subscribe(m, subject, MIDGE_NONE, fn, user);
}

// Asks again a little later, and later and later while nothing comes.
static void later(midge_js_pull *p) {
    p->waiting = true;
    midge_hook_arm(p->js->m, &p->hook, 250u << p->fails);
    if (p->fails < 5) p->fails++;
}

// Asks for more if half is used up; not while draining, nor without a connection.
static void refill(midge_js_pull *p) {
    bool few = p->msgs <= p->batch / 2, full = p->msgs >= p->batch;

    if (p->max_bytes > 0) {
        few = few || p->bytes <= p->max_bytes / 2;
        full = full || p->bytes >= p->max_bytes;
    }
    if (!few || full || p->waiting || midge_state_of(p->js->m) != MIDGE_STATE_CONNECTED) return;
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

// Only a consume goes on after it.
static void notice(midge_js_pull *p, int err, midge_str text) {
    if (!p->consume) midge_js_stop(p);
    p->fn(p, NULL, err, text, p->user);
}

static uint32_t less(uint32_t a, uint32_t b) { return b < a ? a - b : 0; }

static void on_message(midge_js_pull *p, const midge_msg *msg) {
    midge *m = p->js->m;
    int32_t sub = p->sub;

    p->fails = 0;
    p->msgs = less(p->msgs, 1);
    if (p->max_bytes > 0) {
        // spec/jetstream-consumers.md 10.4: the size of a message, and a budget that is used up ends the request
        p->bytes = less(p->bytes, (uint32_t)(msg->subject.n + msg->reply.n + msg->headers.n + msg->data.n));
        if (p->bytes == 0) p->msgs = 0;
    }
    bool full = !p->consume && p->msgs == 0;
    if (p->consume) refill(p);
    p->fn(p, msg, 0, MIDGE_NONE, p->user);
    if (full && midge_sub_alive(m, sub)) end(p, 0, MIDGE_NONE); // otherwise it was ended in fn, and may be no more
}

// spec/jetstream-consumers.md 10.2. The ordinary ends of a request are 404, 408 and some of 409, which are told apart
// by their words.
static void on_status(midge_js_pull *p, const midge_msg *msg) {
    midge_str text = midge_headers_description(msg->headers);
    midge_str left = mgc_header(msg->headers, "Nats-Pending-Messages");
    int err = msg->status == 503 ? MIDGE_ENORESPONDERS : MIDGE_EJETSTREAM;

    if (msg->status == 100) {
        p->fails = 0;
        return;
    }
    p->msgs = less(p->msgs, (uint32_t)mgc_u64_or_0(left));
    p->bytes = less(p->bytes, (uint32_t)mgc_u64_or_0(mgc_header(msg->headers, "Nats-Pending-Bytes")));
    bool ordinary = msg->status == 404 || msg->status == 408 || mgc_begins(text, "batch") ||
                    (mgc_begins(text, "message size") && !p->consume);
    if (msg->status == 400 || mgc_begins(text, "consumer ")) {
        end(p, mgc_begins(text, "consumer d") ? MIDGE_ENOTFOUND : MIDGE_EINVAL, text);
    } else if (!p->consume) {
        end(p, ordinary ? 0 : err, text);
    } else if (ordinary) {
        refill(p);
    } else {
        if (left.n == 0) p->msgs = p->bytes = 0; // how much it was we are not told
        if (p->fails == 0) {
            p->fails = 1;
            refill(p);
        } else {
            later(p);
            notice(p, err, text);
        }
    }
}

static void on_msg(midge *m, const midge_msg *msg, void *user) {
    midge_js_pull *p = user;

    (void)m;
    if (!p->waiting) expect_something(p);
    // spec/jetstream-consumers.md 7.1: only what is about the request carries the inbox as its subject.
    if (mgc_str_eq(msg->subject, p->inbox)) {
        on_status(p, msg);
    } else {
        on_message(p, msg);
    }
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    midge_js_pull *p = MGC_OF_HOOK(midge_js_pull, hook);
    int err = MIDGE_EDISCONNECTED;

    (void)m;
    switch (why) {
    case MIDGE_HOOK_UP: restart(p); return;
    case MIDGE_HOOK_DOWN: hook->armed = false; break;
    case MIDGE_HOOK_CLOSED: end(p, MIDGE_ECLOSED, MIDGE_NONE); return;
    case MIDGE_HOOK_TIME: {
        bool waited = p->waiting;
        if (p->consume) restart(p);
        if (waited) return;
        err = p->beat > 0 ? MIDGE_EHEARTBEAT : MIDGE_ETIMEOUT;
        break;
    }
    }
    notice(p, err, MIDGE_NONE);
}

static int start(midge_js *js, midge_js_pull *p, midge_js_pull_fn fn, void *user) {
    midge *m = js->m;

    p->js = js;
    p->fn = fn;
    p->user = user;
    p->msgs = p->bytes = 0;
    p->fails = 0;
    p->waiting = false;
    if (p->batch == 0) p->batch = 100;
    p->beat = heartbeat_of(p);
    if (p->stream.n == 0 || p->consumer.n == 0 || p->beat > p->expires / 2) return MIDGE_EINVAL;
    p->sub = mgc_js_inbox(m, p->inbox, on_msg, p);
    if (p->sub < 0) return p->sub;
    p->active = true;
    midge_hook_add(m, &p->hook, on_hook);
    // While disconnected it waits for the connection, which makes it ask.
    expect_something(p);
    int err = midge_state_of(m) == MIDGE_STATE_CONNECTED ? ask(p) : 0;
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
