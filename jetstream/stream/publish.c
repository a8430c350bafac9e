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

#include "jetstream/api/reply.h"
#include "jetstream/stream/js_stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/headers.h"

#define RECORD_MAX (32u * 1024 * 1024)
#define HEADER_MAX 65535u
#define SUBJECT_MAX 32768u // no subject of a message is longer

struct publish {
    struct mg_js_wait wait;
    mg_slice reply, bad; // in text; bad: what a refused rollup said, or the message id that was expected
    int refused;         // enum mg_js_errno: what `refuse` stands for
    char text[];
};

// What a message asks for in its headers.
struct wishes {
    mg_slice msg_id, last_msg_id, subject, ttl, bad_rollup;
    uint64_t last, subject_last;
    bool expects_last_id, rollup_subject, rollup_all, has_rollup, schedule;
};

// ---- answers --------------------------------------------------------------------------------------------------------

static const mg_slice none = {NULL, 0};

static void answer(struct mg_js_stream *s, mg_slice reply, mg_slice headers, mg_slice body) {
    if (reply.n && !s->config.no_ack) mg_js_publish(s->js, reply, none, headers, body);
}

// Sends the error and forgets it.
static void refuse(struct mg_js_stream *s, mg_slice reply, struct mg_js_error *e) {
    struct mg_buf *out = &s->js->scratch;
    bool busy = e->row->err_code == MG_JSE_STREAM_TOO_MANY_REQUESTS;
    out->len = 0;
    mg_js_pub_error(out, mg_js_stream_name(s), e);
    answer(s, reply, busy ? MG_S("NATS/1.0 429 Too Many Requests\r\n\r\n") : none, mg_buf_slice(out));
    mg_js_error_fini(e);
}

static void acknowledge(struct mg_js_stream *s, mg_slice reply, const struct mg_result *r) {
    struct mg_buf *out = &s->js->scratch;
    if (reply.n == 0 || s->config.no_ack) return;
    out->len = 0;
    mg_js_pub_ack(out, &(struct mg_js_pub_ack){.prefix = mg_buf_slice(&s->ack_prefix), .seq = r->seq,
                                               .duplicate = r->duplicate});
    answer(s, reply, none, mg_buf_slice(out));
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

static void read_rollup(struct wishes *w, mg_slice v) {
    w->has_rollup = true;
    w->rollup_subject = word_is(v, "sub");
    w->rollup_all = word_is(v, "all");
    w->bad_rollup = w->rollup_subject || w->rollup_all ? none : v;
}

// 0, or the error of a check that comes before those that need the stream's state.
static int read_wishes(const struct mg_js_stream *s, mg_slice headers, struct wishes *w) {
    mg_slice v;
    *w = (struct wishes){.last = MG_ANY_SEQ, .subject_last = MG_ANY_SEQ};
    if (headers.n == 0) return 0;
    if (mg_hdr_get(headers, MG_S("Nats-Incr"), &v)) return MG_JSE_MESSAGE_INCR_DISABLED;
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Stream"), &v) && !mg_slice_eq(v, mg_js_stream_name(s)))
        return MG_JSE_STREAM_NOT_MATCH;
    if (mg_hdr_get(headers, MG_S("Nats-TTL"), &w->ttl) && !s->config.allow_msg_ttl)
        return MG_JSE_MESSAGE_TTL_DISABLED;
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence"), &v)) w->subject_last = number_of(v);
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Subject-Sequence-Subject"), &w->subject) &&
        w->subject_last == MG_ANY_SEQ)
        return MG_JSE_STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID;
    if (mg_hdr_get(headers, MG_S("Nats-Expected-Last-Sequence"), &v)) w->last = number_of(v);
    mg_hdr_get(headers, MG_S("Nats-Msg-Id"), &w->msg_id);
    w->expects_last_id = mg_hdr_get(headers, MG_S("Nats-Expected-Last-Msg-Id"), &w->last_msg_id);
    w->schedule = mg_hdr_get(headers, MG_S("Nats-Schedule"), &v);
    if (mg_hdr_get(headers, MG_S("Nats-Rollup"), &v)) read_rollup(w, v);
    return 0;
}

// ---- checks behind those of the store -------------------------------------------------------------------------------

// What the message is refused for if all that it expects of the stream's state holds: 0 or an error.
static int late_check(const struct mg_js_stream *s, const struct wishes *w, mg_slice headers, mg_slice payload) {
    const struct mg_js_stream_config *c = &s->config;
    if (w->schedule && !c->allow_msg_schedules) return MG_JSE_MESSAGE_SCHEDULES_DISABLED;
    if (w->has_rollup && (!c->allow_rollup_hdrs || c->deny_purge || w->bad_rollup.n)) return MG_JSE_STREAM_ROLLUP_FAILED;
    if (c->max_msg_size >= 0 && headers.n + payload.n > (size_t)c->max_msg_size)
        return MG_JSE_STREAM_MESSAGE_EXCEEDS_MAXIMUM;
    if (headers.n > HEADER_MAX) return MG_JSE_STREAM_HEADER_EXCEEDS_MAXIMUM;
    if (mg_js_no_room(s->js, s->config.storage)) return MG_JSE_INSUFFICIENT_RESOURCES;
    return 0;
}

static const char *store_error(int err) {
    switch (err) {
    case MG_EMAXMSGS: return "maximum messages exceeded";
    case MG_EMAXBYTES: return "maximum bytes exceeded";
    case MG_EMAXPERSUBJECT: return "maximum messages per subject exceeded";
    case MG_ECLOSED: return "store is closed";
    case MG_ERANGE: return "message too large";
    default: return mg_strerror(err);
    }
}

// What is said for an error of the store. seq: of the result.
static void explain(struct mg_js_error *e, int err, uint64_t seq) {
    switch (err) {
    case MG_EWRONGSEQ:
        mg_js_failf(e, MG_JSE_STREAM_WRONG_LAST_SEQUENCE, "%llu", (unsigned long long)seq);
        break;
    case MG_EFULL: mg_js_fail(e, MG_JSE_STREAM_TOO_MANY_REQUESTS); break;
    case MG_ENOSPC: mg_js_fail(e, MG_JSE_INSUFFICIENT_RESOURCES); break;
    default: mg_js_failf(e, MG_JSE_STREAM_STORE_FAILED, "%s", store_error(err));
    }
}

// What is said for an error that was found here. bad: the value that is to blame.
static void explain_own(struct mg_js_error *e, int err, mg_slice bad) {
    if (err == MG_JSE_STREAM_ROLLUP_FAILED && bad.n == 0) mg_js_failf(e, err, "rollup not permitted");
    else if (err == MG_JSE_STREAM_ROLLUP_FAILED)
        mg_js_failf(e, err, "rollup value invalid: \"%.*s\"", (int)bad.n, bad.p);
    else mg_js_fail(e, (enum mg_js_errno)err);
}

// ---- the append -----------------------------------------------------------------------------------------------------

// refused by the checks above: any code that is no error of the store.
#define REFUSED MG_EDENIED

static void appended(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct publish *p = mg_container_of(w, struct publish, wait);
    struct mg_js_error e = {0};
    if (r && r->err == 0) {
        acknowledge(s, p->reply, r);
    } else if (r && r->err != MG_EUNKNOWN) {
        if (r->err == REFUSED) explain_own(&e, p->refused, p->bad);
        else explain(&e, r->err, r->seq);
        refuse(s, p->reply, &e);
    }
    mg_free(p);
}

static char *keep(char *at, mg_slice from, mg_slice *to) {
    if (from.n) memcpy(at, from.p, from.n);
    *to = mg_slice_of(at, from.n);
    return at + from.n;
}

static void append(struct mg_js_stream *s, mg_slice reply, const struct wishes *w, struct mg_append *a) {
    struct publish *p = mg_alloc(sizeof(*p) + reply.n + w->bad_rollup.n);
    p->refused = late_check(s, w, a->headers, a->payload);
    a->refuse = p->refused ? REFUSED : 0;
    keep(keep(p->text, reply, &p->reply), w->bad_rollup, &p->bad);
    mg_js_wait(s->js, &p->wait, appended);
    int err = mg_stream_append(s->store, a, &p->wait);
    if (err == 0) return;
    mg_js_wait_cancel(&p->wait);
    appended(&p->wait, s, &(struct mg_result){.err = err});
}

static void refuse_own(struct mg_js_stream *s, mg_slice reply, int err) {
    struct mg_js_error e = {0};
    explain_own(&e, err, none);
    refuse(s, reply, &e);
}

// ---- headers as they are stored -------------------------------------------------------------------------------------

// An inline status is not stored, nor what the broker itself adds; a block that becomes empty is dropped.
static mg_slice storable(mg_slice headers, struct mg_buf *space) {
    const mg_slice line = MG_S("NATS/1.0\r\n");
    mg_slice v;
    if (headers.n == 0) return headers;
    bool plain = mg_slice_starts(headers, line) && headers.n > line.n + 2;
    if (plain && !mg_hdr_get(headers, MG_S("Nats-Request-Info"), &v)) return headers;
    const char *eol = memchr(headers.p, '\n', headers.n);
    if (eol == NULL) return headers;
    mg_buf_add_slice(space, line);
    for (const char *at = eol + 1, *end = headers.p + headers.n; at < end; at = eol + 1) {
        eol = memchr(at, '\n', (size_t)(end - at));
        if (eol == NULL) eol = end - 1;
        mg_slice one = mg_slice_of(at, (size_t)(eol + 1 - at));
        if (!mg_slice_starts(one, MG_S("Nats-Request-Info:"))) mg_buf_add_slice(space, one);
    }
    return space->len > line.n + 2 ? mg_buf_slice(space) : none;
}

static mg_slice stored_subject(const struct mg_js_stream *s, mg_slice subject, char *out, size_t cap) {
    mg_slice to = subject;
    if (s->transform == NULL || !mg_transform_matches(s->transform, subject)) return subject;
    if (mg_transform_apply(s->transform, subject, mg_shard_random(s->js->shard), out, cap, &to) != 0) return subject;
    return to;
}

bool mg_js_stream_publish(void *arg, const struct mg_msg *m) {
    struct mg_js_stream *s = arg;
    char subject[SUBJECT_MAX];
    struct mg_buf space = MG_BUF_INIT;
    struct wishes w;
    if (s->deleting) return false;
    mg_slice headers = storable(mg_slice_of(m->payload.p, m->hdr_len), &space);
    struct mg_append a = {
        .subject = stored_subject(s, m->subject, subject, sizeof(subject)),
        .headers = headers,
        .payload = mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len),
    };
    int err = s->config.storage == MG_JS_FILE && a.subject.n + headers.n + a.payload.n > RECORD_MAX
                  ? MG_JSE_STREAM_STORE_FAILED
              : s->config.sealed ? MG_JSE_STREAM_SEALED
                                 : read_wishes(s, headers, &w);
    if (err == MG_JSE_STREAM_STORE_FAILED) {
        struct mg_js_error e = {0};
        explain(&e, MG_ERANGE, 0);
        refuse(s, m->reply, &e);
    } else if (err) {
        refuse_own(s, m->reply, err);
    } else {
        a.msg_id = w.msg_id;
        a.expect_last = w.last;
        a.expect_subject_last = w.subject_last;
        a.expect_subject = w.subject;
        a.rollup_subject = w.rollup_subject;
        a.rollup_all = w.rollup_all;
        a.no_limit_per_subject = w.has_rollup;
        a.skip = s->config.retention == MG_JS_INTEREST && !mg_js_stream_wanted(s, a.subject);
        append(s, m->reply, &w, &a);
    }
    mg_buf_fini(&space);
    return true;
}
