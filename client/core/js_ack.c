// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements are messages to the reply subject (spec/jetstream-consumers.md 8).
#include "client/core/js_priv.h"

static int answer(midge *m, midge_str reply, midge_str text) {
    if (reply.n == 0) return MIDGE_EINVAL;
    return midge_publish(m, reply, text.p, text.n);
}

int midge_js_ack(midge *m, midge_str reply) { return answer(m, reply, MIDGE_STR("+ACK")); }

int midge_js_progress(midge *m, midge_str reply) { return answer(m, reply, MIDGE_STR("+WPI")); }

int midge_js_nak(midge *m, midge_str reply, uint32_t delay_ms) {
    char text[40];
    mgc_text t = {.p = text, .size = sizeof(text)};

    mgc_text_cstr(&t, "-NAK");
    if (delay_ms > 0) {
        mgc_text_cstr(&t, " {\"delay\":");
        mgc_text_ms_as_ns(&t, delay_ms);
        mgc_text_cstr(&t, "}");
    }
    return answer(m, reply, mgc_text_since(&t, 0));
}

int midge_js_term(midge *m, midge_str reply, midge_str reason) {
    char text[128];
    mgc_text t = {.p = text, .size = sizeof(text)};

    mgc_text_cstr(&t, "+TERM");
    if (reason.n > 0) mgc_text_cstr(&t, " ");
    mgc_text_put(&t, reason.p, reason.n);
    return t.full ? MIDGE_ETOOLARGE : answer(m, reply, mgc_text_since(&t, 0));
}

int32_t midge_js_ack_sync(midge_js *js, midge_str reply, midge_reply_fn fn, void *user) {
    midge_request_opts opts = mgc_js_opts(js);

    if (reply.n == 0) return MIDGE_EINVAL;
    return midge_request(js->m, reply, MIDGE_NONE, "+ACK", 4, &opts, fn, user);
}
