// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The publish path: a message on a subject of the stream becomes an append to the store, its result an acknowledgement.
//
// The order of the checks is visible to clients (spec/jetstream-streams.md 12, column R1). What needs the stream's state
// is the store's; what comes behind that in the order travels along as `refuse`. Acknowledgements leave when the store
// says that the message is durable.
#include <stdio.h>
#include <string.h>

#include "jetstream/stream/js_stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/headers.h"

#define RECORD_MAX (32u * 1024 * 1024)
#define HEADER_MAX 65535u

struct publish {
    struct mg_js_wait wait;
    mg_slice reply;   // in text
    mg_slice msg_id;  // in text
    int refused;      // enum mg_js_err + 1, when `refuse` came back
    char text[];
};

// What a message asks for in its headers.
struct wishes {
    mg_slice msg_id, last_msg_id;
    bool expects_last_id, rollup_subject, rollup_all, ttl;
    uint64_t last, subject_last;
    mg_slice subject;
};

// ---- answers --------------------------------------------------------------------------------------------------------

static const mg_slice none = {NULL, 0};

// Sends the error and forgets it.
static void refuse(struct mg_js_stream *s, mg_slice reply, struct mg_js_error *e) {
    s->refused++;
    if (reply.n && !s->config.no_ack) {
        struct mg_buf out = MG_BUF_INIT;
        mg_js_reply_publish_error(&out, mg_js_stream_name(s), e);
        mg_js_publish(s->js, reply, none, none, mg_buf_slice(&out));
        mg_buf_fini(&out);
    }
    mg_js_error_fini(e);
}

static void acknowledge(struct mg_js_stream *s, mg_slice reply, uint64_t seq, bool duplicate) {
    s->acks++;
    if (reply.n == 0 || s->config.no_ack) return;
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_publish(&out, mg_js_stream_name(s), s->js->domain, seq, duplicate);
    mg_js_publish(s->js, reply, none, none, mg_buf_slice(&out));
    mg_buf_fini(&out);
}

// ---- headers --------------------------------------------------------------------------------------------------------

// Not a number counts as the largest one, which nothing equals (spec 12).
static uint64_t number_of(mg_slice v) {
    uint64_t n = 0;
    if (v.n == 0 || v.n > 19) return MG_ANY_SEQ - 1;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return MG_ANY_SEQ - 1;
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    return n;
}

static bool word_is(mg_slice v, const char *word) {
    return v.n == strlen(word) && strncasecmp(v.p, word, v.n) == 0;
}

// 0, or the error of a check that comes before those that need the stream's state.
static int read_wishes(struct mg_js_stream *s, mg_slice headers, struct wishes *w, mg_slice *bad) {
    mg_slice v;
    *w = (struct wishes){.last = MG_ANY_SEQ, .subject_last = MG_ANY_SEQ};
    if (headers.n == 0) return 0;
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Stream"), &v) && !mg_slice_eq(v, mg_js_stream_name(s)))
        return MG_JSE_STREAM_NOT_MATCH;
    if (mg_hdr_get(headers, MG_S("Nats-TTL"), &v)) {
        if (!s->config.allow_msg_ttl) return MG_JSE_MESSAGE_TTL_DISABLED;
        w->ttl = true;
    }
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence"), &v)) w->subject_last = number_of(v);
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence-Subject"), &v)) {
        if (w->subject_last == MG_ANY_SEQ) return MG_JSE_STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID;
        w->subject = v;
    }
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Sequence"), &v)) w->last = number_of(v);
    if (mg_hdr_get(headers, MG_S("Nats-Msg-Id"), &v)) w->msg_id = v;
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Msg-Id"), &v)) {
        w->last_msg_id = v;
        w->expects_last_id = true;
    }
    if (mg_hdr_get(headers, MG_S("Nats-Rollup"), &v)) {
        w->rollup_subject = word_is(v, "sub");
        w->rollup_all = word_is(v, "all");
        if (!w->rollup_subject && !w->rollup_all) *bad = v;
    }
    return 0;
}
