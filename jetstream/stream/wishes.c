// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The checks of a message that need nothing but its headers and the stream's configuration, in the reference's order
// (spec/jetstream-streams.md 12, column R1). Features that this server has not got are refused as the reference refuses
// them where they are switched off.
#include "jetstream/stream/wishes.h"

#include <string.h>
#include <strings.h>

#include "jetstream/api/errors.h"
#include "server/base/timefmt.h"
#include "server/proto/headers.h"
#include "server/proto/subject.h"

#define HEADER_MAX 65535u

// False: it is not there, or empty.
static bool get(mg_slice headers, mg_slice name, mg_slice *v) {
    *v = mg_slice_of(NULL, 0);
    return headers.n && mg_hdr_get(headers, name, v) && v->n > 0;
}

static bool digits(mg_slice v, uint64_t *n) {
    *n = 0;
    if (v.n == 0 || v.n > 19) return false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return false;
        *n = *n * 10 + (uint64_t)(v.p[i] - '0');
    }
    return true;
}

// Not a number counts as the largest one, which nothing equals (spec 12).
static uint64_t expected(mg_slice headers, mg_slice name) {
    mg_slice v;
    uint64_t n;
    if (!get(headers, name, &v)) return MG_ANY_SEQ;
    return digits(v, &n) ? n : MG_ANY_SEQ - 1;
}

static bool word_is(mg_slice v, const char *word) { return v.n == strlen(word) && strncasecmp(v.p, word, v.n) == 0; }

// spec/jetstream-streams.md 14: whole seconds, a duration of a second or more, or never.
struct mg_js_ttl mg_js_ttl_read(mg_slice text) {
    char copy[64];
    int64_t ns;
    uint64_t n;
    if (text.n == 0) return (struct mg_js_ttl){MG_JS_TTL_NONE, 0};
    if (word_is(text, "never")) return (struct mg_js_ttl){MG_JS_TTL_NEVER, 0};
    if (text.n < sizeof(copy)) {
        memcpy(copy, text.p, text.n);
        copy[text.n] = '\0';
        if (mg_parse_duration(copy, &ns) == 0)
            return ns < 1000000000 ? (struct mg_js_ttl){MG_JS_TTL_INVALID, 0}
                                   : (struct mg_js_ttl){MG_JS_TTL_SECONDS, ns / 1000000000};
    }
    if (!digits(text, &n) || n > INT64_MAX) return (struct mg_js_ttl){MG_JS_TTL_INVALID, 0};
    return (struct mg_js_ttl){n ? MG_JS_TTL_SECONDS : MG_JS_TTL_NONE, (int64_t)n};
}

// A counter's increment: digits with or without a sign.
static bool is_increment(mg_slice v) {
    size_t i = v.n && (v.p[0] == '+' || v.p[0] == '-');
    if (i == v.n) return false;
    for (; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9') return false;
    return true;
}

static bool too_large(const struct mg_js_stream_config *c, mg_slice headers, mg_slice payload) {
    return c->max_msg_size >= 0 && headers.n + payload.n > (size_t)c->max_msg_size;
}

// Batches are not there (spec/jetstream-streams.md 18, 19). The reply of a fast one says that it is.
int mg_js_wishes_check_batch(const struct mg_js_stream_config *c, mg_slice reply, mg_slice headers, mg_slice payload) {
    static const mg_slice suffix = {".$FI", 4};
    mg_slice v;
    bool fast = reply.n > suffix.n && memcmp(reply.p + reply.n - suffix.n, suffix.p, suffix.n) == 0;
    if (!fast && !(headers.n && get(headers, MG_S("Nats-Batch-Id"), &v))) return 0;
    if (too_large(c, headers, payload)) return MG_JSE_STREAM_MESSAGE_EXCEEDS_MAXIMUM;
    return fast ? MG_JSE_BATCH_PUBLISH_DISABLED : MG_JSE_ATOMIC_PUBLISH_DISABLED;
}

int mg_js_wishes_read(struct mg_js_wishes *w, const struct mg_js_stream_config *c, mg_slice headers) {
    mg_slice v;
    *w = (struct mg_js_wishes){.last = MG_ANY_SEQ, .subject_last = MG_ANY_SEQ};
    if (headers.n == 0) return 0;
    if (get(headers, MG_S("Nats-Incr"), &v))
        return is_increment(v) ? MG_JSE_MESSAGE_INCR_DISABLED : MG_JSE_MESSAGE_INCR_INVALID;
    if (get(headers, MG_S("Nats-Expected-Stream"), &v) && !mg_slice_eq(v, c->name)) return MG_JSE_STREAM_NOT_MATCH;
    if (get(headers, MG_S("Nats-TTL"), &v)) w->ttl = mg_js_ttl_read(v);
    if ((w->ttl.kind == MG_JS_TTL_SECONDS || w->ttl.kind == MG_JS_TTL_NEVER) && !c->allow_msg_ttl)
        return MG_JSE_MESSAGE_TTL_DISABLED;
    w->subject_last = expected(headers, MG_S("Nats-Expected-Last-Subject-Sequence"));
    if (get(headers, MG_S("Nats-Expected-Last-Subject-Sequence-Subject"), &w->subject) &&
        w->subject_last == MG_ANY_SEQ)
        return MG_JSE_STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID;
    w->last = expected(headers, MG_S("Nats-Expected-Last-Sequence"));
    get(headers, MG_S("Nats-Msg-Id"), &w->msg_id);
    get(headers, MG_S("Nats-Expected-Last-Msg-Id"), &w->last_msg_id);
    if (get(headers, MG_S("Nats-Rollup"), &v)) {
        w->rollup_subject = word_is(v, "sub");
        w->rollup_all = word_is(v, "all");
        if (!w->rollup_subject && !w->rollup_all) w->bad_rollup = v;
        w->rollup_forbidden = !c->allow_rollup_hdrs || c->deny_purge;
    }
    return 0;
}

// Schedules are not there (spec/jetstream-streams.md 20).
static int check_schedule(mg_slice subject, mg_slice headers) {
    mg_slice v, by;
    if (get(headers, MG_S("Nats-Schedule"), &v)) return MG_JSE_MESSAGE_SCHEDULES_DISABLED;
    bool scheduler = get(headers, MG_S("Nats-Scheduler"), &by);
    if (get(headers, MG_S("Nats-Schedule-Next"), &v)) {
        bool purge = mg_slice_eq(v, MG_S("purge")) && scheduler && !mg_slice_eq(by, subject) &&
                     mg_subject_valid_literal(by);
        return purge ? MG_JSE_MESSAGE_SCHEDULES_DISABLED : MG_JSE_MESSAGE_SCHEDULES_SCHEDULER_INVALID;
    }
    return scheduler ? MG_JSE_MESSAGE_SCHEDULES_SCHEDULER_INVALID : 0;
}

int mg_js_wishes_check_early(const struct mg_js_stream_config *c, mg_slice subject, mg_slice headers) {
    mg_slice v;
    (void)c;
    if (headers.n == 0) return 0;
    int err = check_schedule(subject, headers);
    if (err) return err;
    return get(headers, MG_S("Nats-Stream-Source"), &v) ? MG_JSE_MESSAGE_SOURCE_HDR_NOT_ALLOWED : 0;
}

int mg_js_wishes_check_late(const struct mg_js_wishes *w, const struct mg_js_stream_config *c, mg_slice headers,
                            mg_slice payload) {
    if (w->rollup_forbidden || w->bad_rollup.n) return MG_JSE_STREAM_ROLLUP_FAILED;
    if (too_large(c, headers, payload)) return MG_JSE_STREAM_MESSAGE_EXCEEDS_MAXIMUM;
    return headers.n > HEADER_MAX ? MG_JSE_STREAM_HEADER_EXCEEDS_MAXIMUM : 0;
}
