// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading one stored message directly from whoever has a copy (spec/jetstream-streams.md 8).
#include "client/core/js_priv.h"

// The server appends its headers to those that were stored, so the last ones of a name are its own.
static int read_stored(const midge_msg *msg, midge_js_stored *stored) {
    midge_str name, value, seq = MIDGE_NONE;
    size_t at = 0;

    *stored = (midge_js_stored){.headers = msg->headers, .data = msg->data};
    while (midge_headers_next(msg->headers, &at, &name, &value)) {
        if (mgc_str_eq(name, "Nats-Subject")) stored->subject = value;
        if (mgc_str_eq(name, "Nats-Sequence")) seq = value;
        if (mgc_str_eq(name, "Nats-Time-Stamp")) stored->time = mgc_time(value);
    }
    return mgc_u64(seq, &stored->seq) ? 0 : MIDGE_EPROTO;
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    midge_js_get *op = user;
    midge_js_stored stored;

    (void)m;
    op->request = 0;
    if (err == 0 && msg->status != 0) err = msg->status == 404 ? MIDGE_ENOTFOUND : MIDGE_EJETSTREAM;
    if (err == 0) err = read_stored(msg, &stored);
    op->fn(op->js, err, err == 0 ? &stored : NULL, op->user);
}

int mgc_js_get(midge_js *js, midge_js_get *op, const char *form, const midge_str *a, const midge_str *b,
               const midge_str *c, uint64_t seq, midge_js_get_fn fn, void *user) {
    mgc_text t = mgc_js_text(js);
    midge_request_opts opts = mgc_js_opts(js);

    mgc_text_form(&t, js, form, a, b, c);
    size_t body = t.n;
    if (seq > 0) {
        mgc_text_cstr(&t, "{\"seq\":");
        mgc_text_u64(&t, seq);
        mgc_text_cstr(&t, "}");
    }
    if (t.full) return MIDGE_ETOOLARGE;
    op->js = js;
    op->fn = fn;
    op->user = user;
    op->request = midge_request(js->m, (midge_str){t.p, body}, MIDGE_NONE, t.p + body, t.n - body, &opts, on_reply, op);
    return op->request > 0 ? 0 : op->request;
}

int midge_js_get_last(midge_js *js, midge_js_get *op, midge_str stream, midge_str subject, midge_js_get_fn fn,
                      void *user) {
    if (stream.n == 0 || subject.n == 0) return MIDGE_EINVAL;
    return mgc_js_get(js, op, "@.DIRECT.GET.?.?", &stream, &subject, NULL, 0, fn, user);
}

int midge_js_get_seq(midge_js *js, midge_js_get *op, midge_str stream, uint64_t seq, midge_js_get_fn fn, void *user) {
    if (stream.n == 0 || seq == 0) return MIDGE_EINVAL;
    return mgc_js_get(js, op, "@.DIRECT.GET.?", &stream, NULL, NULL, seq, fn, user);
}
