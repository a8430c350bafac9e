// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements are messages to the reply subject (spec/jetstream-consumers.md 8).
#include "client/core/js_priv.h"

int midge_js_ack(midge *m, midge_str reply) { return midge_publish(m, reply, "+ACK", 4); }

int midge_js_progress(midge *m, midge_str reply) { return midge_publish(m, reply, "+WPI", 4); }

int midge_js_nak(midge *m, midge_str reply, uint32_t delay_ms) {
    char text[40];
    mgc_text t = {.p = text, .size = sizeof(text)};

    mgc_text_cstr(&t, "-NAK");
    if (delay_ms > 0) {
        mgc_text_cstr(&t, " {\"delay\":");
        mgc_text_ms_as_ns(&t, delay_ms);
        mgc_text_cstr(&t, "}");
    }
    return midge_publish(m, reply, t.p, t.n);
}

int midge_js_term(midge *m, midge_str reply, midge_str reason) {
    char text[128];
    mgc_text t = {.p = text, .size = sizeof(text)};

    mgc_text_form(&t, reason.n > 0 ? "+TERM ?" : "+TERM", &reason, NULL);
    return t.full ? MIDGE_ETOOLARGE : midge_publish(m, reply, t.p, t.n);
}

int32_t midge_js_ack_sync(midge_js *js, midge_str reply, midge_reply_fn fn, void *user) {
    return midge_request(js->m, reply, MIDGE_NONE, "+ACK", 4, &js->opts, fn, user);
}
