// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading one stored message directly from whoever has a copy (spec/jetstream-streams.md 8).
#include "client/core/js_priv.h"

// The server appends its headers to those that were stored, so the last ones of a name are its own.
static int read_stored(const midge_msg *msg, midge_js_stored *stored) {
    midge_str name, value;
    size_t at = 0;

    *stored = (midge_js_stored){.headers = msg->headers, .data = msg->data};
    while (midge_headers_next(msg->headers, &at, &name, &value)) {
        if (mgc_str_eq(name, "Nats-Subject")) stored->subject = value;
        if (mgc_str_eq(name, "Nats-Sequence")) stored->seq = mgc_u64_or_0(value);
        if (mgc_str_eq(name, "Nats-Time-Stamp")) stored->time = mgc_time(value);
    }
    return stored->seq > 0 ? 0 : MIDGE_EPROTO;
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    midge_js_get *op = user;
    midge_js_stored stored;

    (void)m;
    op->request = 0;
    if (err == 0 && msg->status != 0) err = msg->status == 404 ? MIDGE_ENOTFOUND : MIDGE_EJETSTREAM;
    if (err == 0) err = read_stored(msg, &stored);
    op->fn(op, err, err == 0 ? &stored : NULL, op->user);
}

int midge_js_get_msg(midge_js *js, midge_js_get *op, midge_js_get_fn fn, void *user) {
    mgc_text t;

    if (op->stream.n == 0 || (op->subject.n == 0 && op->seq == 0)) return MIDGE_EINVAL;
    op->js = js;
    op->fn = fn;
    op->user = user;
    mgc_text_begin(&t, js);
    mgc_text_form(&t, op->kv ? "@.DIRECT.GET.KV_?" : "@.DIRECT.GET.?", &op->stream, NULL);
    size_t body = t.n;
    if (op->seq > 0) {
        mgc_text_u64(&t, "{\"seq\":", op->seq);
        mgc_text_cstr(&t, "}");
    } else {
        if (op->kv) {
            mgc_text_form(&t, "." MGC_KV_SUBJECT, &op->stream, &op->subject);
        } else {
            mgc_text_form(&t, ".?", &op->subject, NULL);
        }
        body = t.n;
    }
    op->request = mgc_js_request(&t, body, false, on_reply, op);
    return op->request > 0 ? 0 : op->request;
}

int32_t mgc_js_request(const mgc_text *t, size_t body, bool wildcards, midge_reply_fn fn, void *user) {
    const midge_js *js = t->js;
    midge_request_opts opts = {.timeout = js->opts.timeout, .wildcards = wildcards};

    if (t->full) return MIDGE_ETOOLARGE;
    return midge_request(js->m, (midge_str){t->p, body}, MIDGE_NONE, t->p + body, t->n - body, &opts, fn, user);
}
