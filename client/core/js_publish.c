// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Publishing into a stream: a request whose answer is the acknowledgement.
//
// The good path: subject and headers are put together in js->buf, midge_request copies them, the answer is parsed, fn
// is called. Again (ADR-22) it is sent, after retry_wait, when nobody listened: a stream that moves to another server
// has no listener for a moment. After a timeout the message may be stored already, so only one with an id is sent
// again: the stream recognises it.
//
// What always holds: an op that has begun has either a request or an armed hook, until fn is called or it is cancelled.
#include "client/core/js_priv.h"

// A header line; a line break in the value makes t full.
static void put_header(mgc_text *t, const char *name, midge_str value) {
    if (value.n == 0) return;
    if (mgc_find(value.p, '\r', value.n) || mgc_find(value.p, '\n', value.n)) t->full = true;
    midge_str key = midge_cstr(name);
    mgc_text_form(t, "?: ?\r\n", &key, &value);
}

static void put_number(mgc_text *t, const char *name, uint64_t v) {
    mgc_text_u64(t, name, v);
    mgc_text_cstr(t, "\r\n");
}

// spec/jetstream-streams.md 12: the headers of a publish. The caller's block goes first, without its empty line.
static void put_headers(mgc_text *t, const midge_js_pub *op) {
    size_t from = t->n;

    if (op->headers.n > 2) {
        mgc_text_put(t, op->headers.p, op->headers.n - 2);
    } else {
        mgc_text_cstr(t, "NATS/1.0\r\n");
    }
    size_t none = t->n;
    put_header(t, "Nats-Msg-Id", op->msg_id);
    put_header(t, "Nats-Expected-Stream", op->expect_stream);
    put_header(t, "Nats-Expected-Last-Msg-Id", op->expect_last_msg_id);
    if (op->expect & MIDGE_JS_LAST_SEQ) put_number(t, "Nats-Expected-Last-Sequence: ", op->expect_last_seq);
    if (op->expect & MIDGE_JS_LAST_SUBJECT_SEQ) {
        put_number(t, "Nats-Expected-Last-Subject-Sequence: ", op->expect_last_subject_seq);
    }
    if (op->operation != MIDGE_KV_PUT) {
        mgc_text_cstr(t, "KV-Operation: ");
        mgc_text_cstr(t, op->operation == MIDGE_KV_PURGE ? "PURGE\r\nNats-Rollup: sub\r\n" : "DEL\r\n");
    }
    if (t->n == none && op->headers.n == 0) {
        t->n = from;
    } else {
        mgc_text_cstr(t, "\r\n");
    }
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user);

static int send(midge_js_pub *op) {
    const midge_js *js = op->js;
    midge_str subject = op->subject;
    mgc_text t;

    mgc_text_begin(&t, js);
    if (op->kv) {
        // spec/jetstream-streams.md 22: only below the API's subject do writes get into another domain.
        bool api = js->domain.n > 0 || js->prefix.n > 0;
        mgc_text_form(&t, api ? "@." MGC_KV_SUBJECT : MGC_KV_SUBJECT, &op->kv->bucket, &op->subject);
        subject = (midge_str){t.p, t.n};
    }
    size_t from = t.n;
    put_headers(&t, op);
    if (t.full) return MIDGE_ETOOLARGE;
    int32_t request = midge_request(js->m, subject, (midge_str){t.p + from, t.n - from}, op->data, op->len,
                                    &js->opts, on_reply, op);
    if (request < 0) return request;
    op->request = request;
    return 0;
}

static void finish(midge_js_pub *op, int err, const midge_js_reply *reply) {
    midge_hook_remove(op->js->m, &op->hook);
    op->fn(op->js, err, reply, op->user);
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why);

// A try has failed: waits for the next one, or gives up.
static void failed(midge_js_pub *op, int err) {
    midge *m = op->js->m;
    bool again = err == MIDGE_ENORESPONDERS || err == MIDGE_EFULL || (err == MIDGE_ETIMEOUT && op->msg_id.n > 0);

    if (!again || op->left == 0) {
        finish(op, err, NULL);
        return;
    }
    op->left--;
    midge_hook_add(m, &op->hook, on_hook);
    midge_hook_arm(m, &op->hook, op->retry_wait ? op->retry_wait : 250);
}

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    midge_js_pub *op = MGC_OF_HOOK(midge_js_pub, hook);
    int err = MIDGE_ECLOSED;

    (void)m;
    if (why == MIDGE_HOOK_TIME) err = send(op);
    if (err != 0 && (why == MIDGE_HOOK_TIME || why == MIDGE_HOOK_CLOSED)) failed(op, err);
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
    midge_request_cancel(op->js->m, op->request);
    op->request = 0;
    midge_hook_remove(op->js->m, &op->hook);
}
