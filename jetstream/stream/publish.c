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

static void answer_error(struct mg_js_stream *s, mg_slice reply, const struct mg_js_error *e) {
    struct mg_buf out = MG_BUF_INIT;
    s->refused++;
    if (reply.n && !s->config.no_ack) {
        struct mg_jw w;
        mg_buf_adds(&out, "{\"error\":");
        mg_jw_init(&w, &out, 0);
        mg_js_error_write(e, &w);
        mg_buf_adds(&out, ",\"stream\":");
        mg_jw_init(&w, &out, 0);
        mg_jw_str(&w, mg_js_stream_name(s));
        mg_buf_adds(&out, ",\"seq\":0}");
        mg_js_publish(s->js, reply, (mg_slice){NULL, 0}, (mg_slice){NULL, 0}, mg_buf_slice(&out));
    }
    mg_buf_fini(&out);
}

static void refuse(struct mg_js_stream *s, mg_slice reply, enum mg_js_err err) {
    struct mg_js_error e;
    mg_js_error_set(&e, err);
    answer_error(s, reply, &e);
}

static void acknowledge(struct mg_js_stream *s, mg_slice reply, uint64_t seq, bool duplicate) {
    struct mg_buf out = MG_BUF_INIT;
    s->acks++;
    if (reply.n == 0 || s->config.no_ack) return;
    mg_buf_addf(&out, "{\"stream\":\"%.*s\",", (int)s->config.name.n, s->config.name.p);
    if (s->js->domain.n) mg_buf_addf(&out, "\"domain\":\"%.*s\",", (int)s->js->domain.n, s->js->domain.p);
    mg_buf_addf(&out, "\"seq\":%llu%s}", (unsigned long long)seq, duplicate ? ",\"duplicate\": true" : "");
    mg_js_publish(s->js, reply, (mg_slice){NULL, 0}, (mg_slice){NULL, 0}, mg_buf_slice(&out));
    mg_buf_fini(&out);
}

static void answer_store_error(struct mg_js_stream *s, mg_slice reply, const struct mg_result *r) {
    struct mg_js_error e;
    char number[24];
    switch (r->err) {
    case MG_EWRONGSEQ:
        snprintf(number, sizeof(number), "%llu", (unsigned long long)r->seq);
        mg_js_error_set1(&e, MG_JS_ERR_STREAM_WRONG_LAST_SEQUENCE, mg_cstr(number));
        break;
    case MG_EMAXMSGS:
    case MG_EMAXBYTES:
    case MG_EMAXPERSUBJECT: mg_js_error_set1(&e, MG_JS_ERR_STREAM_STORE_FAILED, mg_cstr(mg_strerror(r->err))); break;
    case MG_EFULL: mg_js_error_set(&e, MG_JS_ERR_STREAM_TOO_MANY_REQUESTS); break;
    case MG_ENOSPC: mg_js_error_set(&e, MG_JS_ERR_INSUFFICIENT_RESOURCES); break;
    default: mg_js_error_set1(&e, MG_JS_ERR_STREAM_STORE_FAILED, mg_cstr(mg_strerror(r->err))); break;
    }
    answer_error(s, reply, &e);
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
        return MG_JS_ERR_STREAM_NOT_MATCH + 1;
    if (mg_hdr_get(headers, MG_S("Nats-TTL"), &v)) {
        if (!s->config.allow_msg_ttl) return MG_JS_ERR_MESSAGE_TTL_DISABLED + 1;
        w->ttl = true;
    }
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence"), &v)) w->subject_last = number_of(v);
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence-Subject"), &v)) {
        if (w->subject_last == MG_ANY_SEQ) return MG_JS_ERR_STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID + 1;
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
