// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the server says of JetStream: publish acknowledgements and errors (JSON), and the facts in the reply subject of
// a consumer's message.
#include "client/core/js_text.h"

// spec/jetstream-streams.md 11: the codes that programs act upon, without their 10,000.
static int error_of(uint32_t err_code) {
    switch (err_code - 10000) {
    case 70:  // wrong last message id
    case 71:  // wrong last sequence
    case 164: // the same, while another write is on its way
        return MIDGE_EEXISTS;
    case 14: // consumer not found
    case 37: // no message found
    case 59: // stream not found
        return MIDGE_ENOTFOUND;
    default: return MIDGE_EJETSTREAM;
    }
}

int midge_js_reply_parse(midge_str json, midge_js_reply *reply) {
    midge_str error = mgc_json_get(json, "error");

    *reply = (midge_js_reply){.stream = mgc_json_get(json, "stream")};
    if (error.n > 0) { // spec/jetstream-streams.md 12: errors also carry a stream and a seq of 0
        reply->code = (uint16_t)mgc_json_u64(error, "code");
        reply->err_code = (uint16_t)mgc_json_u64(error, "err_code");
        reply->description = mgc_json_get(error, "description");
        return error_of(reply->err_code);
    }
    reply->domain = mgc_json_get(json, "domain");
    reply->seq = mgc_json_u64(json, "seq");
    reply->duplicate = mgc_str_eq(mgc_json_get(json, "duplicate"), "true");
    return reply->stream.n > 0 && reply->seq > 0 ? 0 : MIDGE_EPROTO;
}

// The text up to the next dot, which is taken away with it.
static midge_str next_token(midge_str *rest) {
    midge_str token = {rest->p, 0};

    while (token.n < rest->n && token.p[token.n] != '.') token.n++;
    size_t used = token.n + (token.n < rest->n);
    rest->p += used;
    rest->n -= used;
    return token;
}

// spec/jetstream-consumers.md 7.2: $JS.ACK.<stream>.<consumer>.<5 numbers>, or from 11 tokens on
// $JS.ACK.<domain or _>.<account hash>.<stream>.<consumer>.<5 numbers>.<more>.
int midge_js_meta_parse(midge_str reply, midge_js_meta *meta) {
    size_t dots = 0;

    if (!mgc_begins(reply, "$js.ack.")) return MIDGE_EINVAL;
    for (size_t i = 0; i < reply.n; i++) dots += reply.p[i] == '.';
    if (dots != 8 && dots < 10) return MIDGE_EINVAL;
    meta->domain = MIDGE_NONE;
    midge_str rest = {reply.p + 8, reply.n - 8};
    if (dots > 8) {
        midge_str domain = next_token(&rest);
        if (!mgc_str_eq(domain, "_")) meta->domain = domain;
        next_token(&rest);
    }
    meta->stream = next_token(&rest);
    meta->consumer = next_token(&rest);
    uint64_t numbers[5]; // delivered ... pending, which midge_js_meta has in the same order
    for (size_t i = 0; i < 5; i++) {
        if (!mgc_u64(next_token(&rest), &numbers[i])) return MIDGE_EINVAL;
    }
    memcpy((char *)meta + offsetof(midge_js_meta, delivered), numbers, sizeof(numbers));
    return 0;
}
