// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Acknowledgements on the wire: the reply subject of a delivered message, and what clients send to it
// (spec/jetstream-consumers.md 7.2, 8). Pure functions on slices.
#ifndef MG_JETSTREAM_CONSUMER_ACK_H
#define MG_JETSTREAM_CONSUMER_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

#define MG_JS_ACK_BAD UINT64_MAX // a token that is no number, or too large

struct mg_js_ack_subject {
    mg_slice domain, account; // of the long form only
    mg_slice stream, consumer;
    uint64_t delivered; // how often it has been delivered
    uint64_t seq;       // of the stream
    uint64_t dseq;      // of the consumer
    uint64_t time;      // ns since the epoch
    uint64_t pending;
};

// Appends $JS.ACK.<stream>.<consumer>. or, when account is not empty, $JS.ACK.<domain or _>.<account>.<stream>....
void mg_js_ack_prefix(struct mg_buf *out, mg_slice domain, mg_slice account, mg_slice stream, mg_slice consumer);
// Appends <delivered>.<seq>.<dseq>.<time>.<pending>.
void mg_js_ack_numbers(struct mg_buf *out, const struct mg_js_ack_subject *a);
// Both forms: 9 tokens, or 11 and more. False: another number of tokens or another subject. Numbers may be
// MG_JS_ACK_BAD. Slices point into `subject`.
bool mg_js_ack_parse(mg_slice subject, struct mg_js_ack_subject *out);

enum mg_js_ack_verb {
    MG_JS_ACK_OK,
    MG_JS_ACK_NAK,
    MG_JS_ACK_NAK_DELAY,
    MG_JS_ACK_PROGRESS,
    MG_JS_ACK_TERM,
    MG_JS_ACK_NEXT,
    MG_JS_ACK_UNKNOWN
};

struct mg_js_ack {
    enum mg_js_ack_verb verb;
    int64_t delay;  // NAK_DELAY, ns
    bool bad_delay; // NAK: there was a delay that could not be read
    mg_slice rest;  // TERM: the reason, without blanks around it; NEXT: the request
};

// payload: without headers.
struct mg_js_ack mg_js_ack_read(mg_slice payload);

#endif
