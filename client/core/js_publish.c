// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Publishing into a stream: a request whose answer is the acknowledgement.
//
// The good path: subject and headers are put together in js->buf, midge_request copies them, the answer is parsed, fn
// is called. Again (ADR-22) it is sent, after retry_wait, when nobody listened: a stream that moves to another server
// has no listener for a moment. After a timeout or a lost connection the message may be stored already, so only one with
// an id is sent again: the stream recognises it.
//
// What always holds: an op that has begun has either a request or an armed hook, until fn is called or it is cancelled.
#include "client/core/js_priv.h"

mgc_text mgc_js_text(const midge_js *js) { return (mgc_text){.p = js->buf, .size = js->size}; }

midge_request_opts mgc_js_opts(const midge_js *js) { return (midge_request_opts){.timeout = js->timeout}; }

static void add_u64(midge_headers *h, midge_str name, uint64_t v) {
    char digits[20];
    mgc_text t = {.p = digits, .size = sizeof(digits)};

    mgc_text_u64(&t, v);
    midge_headers_add(h, name, mgc_text_since(&t, 0));
}

static void add_if(midge_headers *h, midge_str name, midge_str value) {
    if (value.n > 0) midge_headers_add(h, name, value);
}

// spec/jetstream-streams.md 12: the headers of a publish.
static int build_headers(const midge_js_pub *op, mgc_text *t, midge_str *block) {
    midge_headers h;
    midge_str name, value;
    size_t at = 0;

    midge_headers_begin(&h, t->p + t->n, t->size - t->n);
    size_t none = h.n;
    while (midge_headers_next(op->headers, &at, &name, &value)) midge_headers_add(&h, name, value);
    add_if(&h, MIDGE_STR("Nats-Msg-Id"), op->msg_id);
    add_if(&h, MIDGE_STR("Nats-Expected-Stream"), op->expect_stream);
    add_if(&h, MIDGE_STR("Nats-Expected-Last-Msg-Id"), op->expect_last_msg_id);
    if (op->expect & MIDGE_JS_LAST_SEQ) add_u64(&h, MIDGE_STR("Nats-Expected-Last-Sequence"), op->expect_last_seq);
    if (op->expect & MIDGE_JS_LAST_SUBJECT_SEQ) {
        add_u64(&h, MIDGE_STR("Nats-Expected-Last-Subject-Sequence"), op->expect_last_subject_seq);
    }
    if (op->kv_operation) {
        midge_headers_add(&h, MIDGE_STR("KV-Operation"), midge_cstr(op->kv_operation));
        if (op->kv_operation[0] == 'P') midge_headers_add(&h, MIDGE_STR("Nats-Rollup"), MIDGE_STR("sub"));
    }
    if (h.n == none) {
        *block = MIDGE_NONE;
        return h.err;
    }
    return midge_headers_end(&h, block);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user);

static int send(midge_js_pub *op) {
    mgc_text t = mgc_js_text(op->js);
    midge_request_opts opts = mgc_js_opts(op->js);
    midge_str subject = op->subject, block;

    if (op->kv) {
        mgc_kv_subject(&t, op->kv, op->subject, true);
        subject = mgc_text_since(&t, 0);
    }
    if (t.full) return MIDGE_ETOOLARGE;
    int err = build_headers(op, &t, &block);
    if (err != 0) return err;
    op->request = midge_request(op->js->m, subject, block, op->data, op->len, &opts, on_reply, op);
    if (op->request > 0) return 0;
    err = op->request;
    op->request = 0;
    return err;
}

static void finish(midge_js_pub *op, int err, const midge_js_reply *reply) {
    midge_hook_remove(op->js->m, &op->hook);
    op->fn(op->js, err, reply, op->user);
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why);

// A try has failed: waits for the next one, or gives up.
static void failed(midge_js_pub *op, int err) {
    bool again = err == MIDGE_ENORESPONDERS ||
                 (op->msg_id.n > 0 && (err == MIDGE_ETIMEOUT || err == MIDGE_EDISCONNECTED)) || err == MIDGE_EFULL;

    if (!again || op->left == 0) {
        finish(op, err, NULL);
        return;
    }
    op->left--;
    midge_hook_add(op->js->m, &op->hook, on_hook);
    midge_hook_arm(op->js->m, &op->hook, op->retry_wait ? op->retry_wait : 250);
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    midge_js_pub *op = (midge_js_pub *)(void *)((char *)hook - offsetof(midge_js_pub, hook));

    (void)m;
    if (why == MIDGE_HOOK_CLOSED && op->request == 0) finish(op, MIDGE_ECLOSED, NULL);
    if (why != MIDGE_HOOK_TIME) return;
    int err = send(op);
    if (err != 0) failed(op, err);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    midge_js_pub *op = user;
    midge_js_reply reply;

    (void)m;
    op->request = 0;
    if (err != 0) {
        failed(op, err);
        return;
    }
    err = midge_js_reply_parse(msg->data, &reply); // 429 also has its error in the body
    finish(op, err, err == MIDGE_EPROTO ? NULL : &reply);
}

int midge_js_publish(midge_js *js, midge_js_pub *op, midge_js_reply_fn fn, void *user) {
    op->js = js;
    op->fn = fn;
    op->user = user;
    op->left = op->retries == 0 ? 2 : op->retries == MIDGE_JS_ONCE ? 0 : op->retries;
    return send(op);
}

void midge_js_publish_cancel(midge_js_pub *op) {
    if (!op->js) return;
    if (op->request > 0) midge_request_cancel(op->js->m, op->request);
    op->request = 0;
    midge_hook_remove(op->js->m, &op->hook);
}
