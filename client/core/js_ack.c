// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements are messages to the reply subject (spec/jetstream-consumers.md 8).
#include "client/core/js_priv.h"

int midge_js_ack(midge *m, midge_str reply) { return midge_publish(m, reply, "+ACK", 4); }

int midge_js_progress(midge *m, midge_str reply) { return midge_publish(m, reply, "+WPI", 4); }

static int say(midge *m, midge_str reply, const char *form, const midge_str *a) {
    char text[128];
    mgc_text t = {.p = text, .size = sizeof(text)};

    mgc_text_form(&t, form, a, NULL);
    return t.full ? MIDGE_ETOOLARGE : midge_publish(m, reply, t.p, t.n);
}

int midge_js_nak(midge *m, midge_str reply, uint32_t delay_ms) {
    char digits[MGC_U32_MAX];
    midge_str delay = {digits, (size_t)(mgc_put_u32((uint8_t *)digits, delay_ms) - (uint8_t *)digits)};

    return say(m, reply, delay_ms > 0 ? "-NAK {\"delay\":?000000}" : "-NAK", &delay);
}

int midge_js_term(midge *m, midge_str reply, midge_str reason) {
    return say(m, reply, reason.n > 0 ? "+TERM ?" : "+TERM", &reason);
}

int32_t midge_js_ack_sync(midge_js *js, midge_str reply, midge_reply_fn fn, void *user) {
    return midge_request(js->m, reply, MIDGE_NONE, "+ACK", 4, &js->opts, fn, user);
}
