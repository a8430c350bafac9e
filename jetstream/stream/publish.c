// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The publish path: a message on a subject of the stream becomes an append to the store, its result an acknowledgement.
//
// The order of the checks is visible to clients (spec/jetstream-streams.md 12, column R1). What needs the stream's
// state is the store's; what comes between or behind that travels along as `refuse_early` and `refuse`.
// Acknowledgements leave when the store says that the message is durable.
#include <stdio.h>

#include "jetstream/api/reply.h"
#include "jetstream/stream/expiry.h"
#include "jetstream/stream/publish.h"
#include "jetstream/stream/wishes.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/proto/headers.h"

#define RECORD_MAX (32u * 1024 * 1024)
#define SUBJECT_MAX 32768u // no subject of a message is longer

struct publish {
    struct mg_js_wait wait;
    mg_slice reply, bad; // in text; bad: what a refused rollup said
    int early, late;     // enum mg_js_errno: what `refuse_early` and `refuse` stand for
    struct mg_append_facts facts;
    struct mg_js_copy *copy; // to be republished; NULL: it is not
    int64_t expires;         // ns since the epoch; 0: it does not by itself
    char text[];
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

// ---- errors ---------------------------------------------------------------------------------------------------------

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

// What is said for an error of the store.
static void explain(struct mg_js_error *e, const struct mg_result *r, mg_slice last_id) {
    int err = r->err;
    switch (err) {
    case MG_EWRONGSEQ:
        mg_js_failf(e, MG_JSE_STREAM_WRONG_LAST_SEQUENCE, "%llu", (unsigned long long)r->seq);
        break;
    case MG_EWRONGID: mg_js_failf(e, MG_JSE_STREAM_WRONG_LAST_MSG_ID, "%.*s", (int)last_id.n, last_id.p); break;
    case MG_EFULL: mg_js_fail(e, MG_JSE_STREAM_TOO_MANY_REQUESTS); break;
    case MG_ENOSPC: mg_js_fail(e, MG_JSE_INSUFFICIENT_RESOURCES); break;
    default: mg_js_failf(e, MG_JSE_STREAM_STORE_FAILED, "%s", store_error(err));
    }
}

// What is said for an error that was found here. bad: the value that is to blame.
static void explain_own(struct mg_js_error *e, int err, mg_slice bad) {
    if (err != MG_JSE_STREAM_ROLLUP_FAILED) mg_js_fail(e, (enum mg_js_errno)err);
    else if (bad.n == 0) mg_js_failf(e, MG_JSE_STREAM_ROLLUP_FAILED, "rollup not permitted");
    else mg_js_failf(e, MG_JSE_STREAM_ROLLUP_FAILED, "rollup value invalid: \"%.*s\"", (int)bad.n, bad.p);
}

static void refuse_own(struct mg_js_stream *s, mg_slice reply, int err, mg_slice bad) {
    struct mg_js_error e = {0};
    explain_own(&e, err, bad);
    refuse(s, reply, &e);
}

// ---- the append -----------------------------------------------------------------------------------------------------

// Refused by the checks of this folder: codes that are no errors of the store.
#define REFUSED_EARLY MG_EINVAL
#define REFUSED MG_EDENIED

static void publish_free(struct publish *p) {
    mg_buf_fini(&p->facts.last_id);
    mg_js_copy_free(p->copy);
    mg_free(p);
}

static void appended(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct publish *p = mg_container_of(w, struct publish, wait);
    int err = r ? r->err : MG_EUNKNOWN;
    if (err == 0) {
        if (p->copy && !r->duplicate) mg_js_copy_publish(s, p->copy, r->seq, &p->facts);
        if (!r->duplicate) mg_js_expiry_added(s, r->seq, p->expires);
        acknowledge(s, p->reply, r);
    } else if (err == REFUSED_EARLY && p->early) {
        refuse_own(s, p->reply, p->early, none);
    } else if (err == REFUSED) {
        refuse_own(s, p->reply, p->late, p->bad);
    } else if (err != MG_EUNKNOWN) {
        struct mg_js_error e = {0};
        explain(&e, r, mg_buf_slice(&p->facts.last_id));
        refuse(s, p->reply, &e);
    }
    publish_free(p);
}

static char *keep(char *at, mg_slice from, mg_slice *to) {
    if (from.n) memcpy(at, from.p, from.n);
    *to = mg_slice_of(at, from.n);
    return at + from.n;
}

// What comes behind the sizes (spec 12, row 14).
static int check_room(struct mg_js_stream *s, const struct mg_js_wishes *w, bool skip) {
    if (mg_js_no_room(s->js, s->config.storage)) return MG_JSE_INSUFFICIENT_RESOURCES;
    return !skip && w->ttl.kind == MG_JS_TTL_INVALID ? MG_JSE_MESSAGE_TTL_INVALID : 0;
}

static int64_t expiry_of(const struct mg_js_stream *s, int64_t seconds) {
    const int64_t most = INT64_MAX / 4 / 1000000000;
    return mg_store_part_time(s->js->part) + (seconds < most ? seconds : most) * 1000000000;
}

static void append(struct mg_js_stream *s, mg_slice reply, const struct mg_js_wishes *w, struct mg_append *a) {
    struct publish *p = mg_alloc(sizeof(*p) + reply.n + w->bad_rollup.n);
    char row[MG_JS_EXPIRY_KEY];
    *p = (struct publish){.early = mg_js_wishes_check_early(&s->config, a->subject, a->headers)};
    p->late = mg_js_wishes_check_late(w, &s->config, a->headers, a->payload);
    if (p->late == 0) p->late = check_room(s, w, a->skip);
    keep(keep(p->text, reply, &p->reply), w->rollup_forbidden ? none : w->bad_rollup, &p->bad);
    p->copy = mg_js_copy_new(s, a);
    p->facts.want_previous = p->copy != NULL;
    a->refuse_early = p->early ? REFUSED_EARLY : 0;
    a->refuse = p->late ? REFUSED : 0;
    a->facts = &p->facts;
    if (w->ttl.kind == MG_JS_TTL_SECONDS && s->config.allow_msg_ttl && !a->skip) {
        p->expires = expiry_of(s, w->ttl.seconds);
        a->row = mg_js_expiry_row(p->expires, row);
    }
    mg_js_wait(s->js, &p->wait, appended);
    int err = mg_stream_append(s->store, a, &p->wait);
    if (err == 0) return;
    mg_js_wait_cancel(&p->wait);
    p->early = 0;
    appended(&p->wait, s, &(struct mg_result){.err = err});
}

// ---- headers as they are stored -------------------------------------------------------------------------------------

// An inline status is not stored, nor what the broker itself adds; a block that becomes empty is dropped. What does not
// look like headers stays as it came.
static mg_slice storable(mg_slice headers, struct mg_buf *space) {
    const mg_slice line = MG_S("NATS/1.0\r\n");
    mg_slice v;
    if (!mg_slice_starts(headers, MG_S("NATS/1.0"))) return headers;
    bool plain = mg_slice_starts(headers, line); // also one that is empty
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

// With delete markers a message lives at least as long as they do (spec 14), or one could be missed. True: it is to be
// stored with the headers that are in *space.
static bool live_longer(const struct mg_js_stream *s, struct mg_js_wishes *w, mg_slice headers, struct mg_buf *space) {
    const mg_slice name = MG_S("Nats-TTL:");
    int64_t least = s->config.subject_delete_marker_ttl / 1000000000;
    if (w->ttl.kind != MG_JS_TTL_SECONDS || w->ttl.seconds >= least) return false;
    if (s->config.max_msgs_per_subject == 1) return false; // there is no other that could hide it
    const char *end = headers.p + headers.n - 2, *eol;
    for (const char *at = headers.p; at < end; at = eol + 1) {
        eol = memchr(at, '\n', (size_t)(end - at));
        if (eol == NULL) eol = end - 1;
        mg_slice line = mg_slice_of(at, (size_t)(eol + 1 - at));
        if (!mg_slice_starts(line, name)) mg_buf_add_slice(space, line);
    }
    mg_buf_addf(space, "Nats-TTL: %lld\r\n\r\n", (long long)least);
    w->ttl.seconds = least;
    return true;
}

static mg_slice stored_subject(const struct mg_js_stream *s, mg_slice subject, char *out, size_t cap) {
    mg_slice to = subject;
    if (s->transform == NULL || !mg_transform_matches(s->transform, subject)) return subject;
    if (mg_transform_apply(s->transform, subject, mg_shard_random(s->js->shard), out, cap, &to) != 0) return subject;
    return to;
}

static struct mg_append append_of(const struct mg_js_wishes *w) {
    bool rollup = w->rollup_subject || w->rollup_all;
    return (struct mg_append){
        .msg_id = w->msg_id,
        .expect_last = MG_PLANTED(expect_behind) ? MG_ANY_SEQ : w->last,
        .expect_subject_last = w->subject_last,
        .expect_subject = w->subject,
        .expects_id = w->last_msg_id.n > 0,
        .expect_id = w->last_msg_id,
        .rollup_subject = w->rollup_subject,
        .rollup_all = w->rollup_all,
        .no_limit_per_subject = rollup,
    };
}

static void refuse_for(struct mg_js_stream *s, mg_slice reply, int err) {
    struct mg_js_error e = {0};
    explain(&e, &(struct mg_result){.err = err}, none);
    refuse(s, reply, &e);
}

static void hold(struct mg_js_stream *s, const struct mg_js_inbound *in) {
    if (!mg_js_stream_hold(s, in)) refuse_for(s, in->reply, MG_EFULL);
}

void mg_js_stream_take(struct mg_js_stream *s, const struct mg_js_inbound *in) {
    char subject[SUBJECT_MAX];
    struct mg_buf space = MG_BUF_INIT, longer = MG_BUF_INIT;
    struct mg_js_wishes w;
    mg_slice headers = storable(in->headers, &space), to = stored_subject(s, in->subject, subject, sizeof(subject));
    bool large = s->config.storage == MG_JS_FILE && to.n + headers.n + in->payload.n > RECORD_MAX;
    int err = s->config.sealed ? MG_JSE_STREAM_SEALED
                               : mg_js_wishes_check_batch(&s->config, in->reply, headers, in->payload);
    if (!large && err == 0) err = mg_js_wishes_read(&w, &s->config, headers);
    if (large) {
        refuse_for(s, in->reply, MG_ERANGE);
    } else if (err) {
        refuse_own(s, in->reply, err, none);
    } else if (w.last_msg_id.n && !mg_stream_last_id_known(s->store)) {
        hold(s, in);
    } else {
        struct mg_append a = append_of(&w);
        a.subject = to;
        a.headers = live_longer(s, &w, headers, &longer) ? mg_buf_slice(&longer) : headers;
        a.payload = in->payload;
        if (a.headers.n == 0 || a.headers.p == in->headers.p) a.mbuf = in->mbuf;
        a.skip = s->config.retention == MG_JS_INTEREST && !mg_js_stream_wanted(s, to);
        append(s, in->reply, &w, &a);
    }
    mg_buf_fini(&longer);
    mg_buf_fini(&space);
}

bool mg_js_stream_publish(void *arg, const struct mg_msg *m) {
    struct mg_js_stream *s = arg;
    if (s->deleting) return false;
    const struct mg_js_inbound in = {
        .subject = m->subject,
        .reply = m->reply,
        .headers = mg_slice_of(m->payload.p, m->hdr_len),
        .payload = mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len),
        .mbuf = m->mbuf,
    };
    if (mg_list_empty(&s->held)) mg_js_stream_take(s, &in);
    else hold(s, &in);
    return true;
}
