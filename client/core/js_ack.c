// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements are messages to the reply subject (spec/jetstream-consumers.md 8).
#include "client/core/internal.h"

int midge_js_ack(midge *m, midge_str reply) { return midge_publish(m, reply, "+ACK", 4); }

int midge_js_progress(midge *m, midge_str reply) { return midge_publish(m, reply, "+WPI", 4); }

int midge_js_nak(midge *m, midge_str reply, uint32_t delay_ms) {
    uint8_t text[40], *p = MGC_PUT(text, "-NAK");

    if (delay_ms > 0) p = MGC_PUT(mgc_put_u32(MGC_PUT(p, " {\"delay\":"), delay_ms), "000000}");
    return midge_publish(m, reply, text, (size_t)(p - text));
}

int midge_js_term(midge *m, midge_str reply, midge_str reason) {
    uint8_t text[128], *p = MGC_PUT(text, "+TERM ");

    if (reason.n > sizeof(text) - 6) return MIDGE_ETOOLARGE;
    p = reason.n > 0 ? mgc_put_str(p, reason) : p - 1;
    return midge_publish(m, reply, text, (size_t)(p - text));
}

int32_t midge_js_ack_sync(midge_js *js, midge_str reply, midge_reply_fn fn, void *user) {
    return midge_request(js->m, reply, MIDGE_NONE, "+ACK", 4, &js->opts, fn, user);
}
