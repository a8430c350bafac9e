// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Direct gets (spec/jetstream-streams.md 8): a read that is answered by a message as it is stored, headers first, or by
// a status. Nothing but the request's reply subject knows of it.
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/request/fields.h"
#include "jetstream/stream/js_stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define MULTI_MAX 1024u // subjects of one multi get

struct ask {
    uint64_t seq;
    mg_slice last_by_subj, next_by_subj;
    int64_t batch, max_bytes;
    struct mg_js_time start_time, up_to_time;
    struct mg_strings multi_last;
    uint64_t up_to_seq;
    bool no_hdr;
};
static const struct mg_field ask_fields[] = {
    MG_FIELD(struct ask, seq, UINT64),          MG_FIELD(struct ask, last_by_subj, STRING),
    MG_FIELD(struct ask, next_by_subj, STRING), MG_FIELD(struct ask, batch, INT),
    MG_FIELD(struct ask, max_bytes, INT),       MG_FIELD(struct ask, start_time, TIME),
    MG_FIELD(struct ask, multi_last, STRINGS),  MG_FIELD(struct ask, up_to_seq, UINT64),
    MG_FIELD(struct ask, up_to_time, TIME),     MG_FIELD(struct ask, no_hdr, BOOL),
};
static const struct mg_shape ask_shape = MG_SHAPE("JSApiMsgGetRequest", struct ask, ask_fields);

struct direct {
    struct mg_js_wait wait;
    struct mg_js_reading rd;
    struct mg_js_stream *stream;
    struct ask ask;
    mg_slice filter; // of the read
    mg_slice to;     // in text
    char text[];
};

static void direct_free(struct direct *d) {
    mg_js_reading_end(&d->rd);
    mg_shape_fini(&ask_shape, &d->ask);
    mg_free(d);
}

static void status(struct mg_js_stream *s, mg_slice to, const char *text) {
    static const mg_slice none = {NULL, 0};
    char headers[128];
    int n = snprintf(headers, sizeof(headers), "NATS/1.0 %s\r\n\r\n", text);
    mg_js_publish(s->js, to, none, mg_slice_of(headers, (size_t)n), none);
}

// ---- one message ----------------------------------------------------------------------------------------------------

static void send(struct direct *d, const struct mg_message *m) {
    static const mg_slice none = {NULL, 0};
    struct mg_buf headers = MG_BUF_INIT;
    if (!d->ask.no_hdr) {
        mg_js_write_where(&headers, d->stream, m->headers, &(struct mg_js_where){m->subject, m->seq, m->time});
        mg_buf_adds(&headers, "\r\n");
    }
    mg_js_publish(d->stream->js, d->to, none, mg_buf_slice(&headers), m->payload);
    mg_buf_fini(&headers);
}

static void nothing(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct direct *d = mg_container_of(w, struct direct, wait);
    if (r) status(s, d->to, "404 Message Not Found");
    direct_free(d);
}

static void answer(struct mg_js_reading *rd) {
    struct direct *d = mg_container_of(rd, struct direct, rd);
    char text[80];
    if (rd->r.err == MG_ENOTFOUND) { // its removal may not be durable yet
        mg_js_wait(d->stream->js, &d->wait, nothing);
        mg_stream_barrier(d->stream->store, &d->wait);
        return;
    }
    if (rd->r.err == 0) {
        send(d, &rd->r.msg);
    } else {
        snprintf(text, sizeof(text), "500 %s", mg_strerror(rd->r.err));
        status(d->stream, d->to, text);
    }
    direct_free(d);
}

static void gone(struct mg_js_reading *rd) { direct_free(mg_container_of(rd, struct direct, rd)); }

// By start time: first the number that it leads to, then on from there.
static void started(struct mg_js_reading *rd) {
    struct direct *d = mg_container_of(rd, struct direct, rd);
    if (rd->r.err != 0 || d->filter.n == 0) {
        answer(rd);
        return;
    }
    rd->r.kind = MG_READ_NEXT;
    rd->r.seq = rd->r.msg.seq;
    rd->done = answer;
    if (mg_js_read(d->stream, rd) == 0) answer(rd);
}

static void get_one(struct direct *d) {
    const struct ask *a = &d->ask;
    struct mg_read *r = &d->rd.r;
    d->filter = a->last_by_subj.n ? a->last_by_subj : a->next_by_subj;
    r->kind = a->last_by_subj.n ? MG_READ_LAST : a->next_by_subj.n ? MG_READ_NEXT : MG_READ_SEQ;
    r->seq = a->last_by_subj.n ? MG_ANY_SEQ : a->seq;
    r->filters = &d->filter;
    r->filters_len = d->filter.n > 0;
    d->rd.done = answer;
    d->rd.gone = gone;
    if (a->start_time.set) {
        r->kind = MG_READ_TIME;
        r->time = mg_js_time_ns(a->start_time);
        d->rd.done = started;
    }
    if (mg_js_read(d->stream, &d->rd) == 0) d->rd.done(&d->rd);
}

// ---- requests -------------------------------------------------------------------------------------------------------

static bool sensible(const struct ask *a) {
    bool last = a->last_by_subj.n > 0, next = a->next_by_subj.n > 0, multi = a->multi_last.n > 0;
    bool time = a->start_time.set;
    return !(a->seq && (last || time)) && !(time && last) && !(last && (next || a->batch > 0 || multi)) &&
           !(next && multi) && !(a->up_to_seq && a->up_to_time.set);
}

static bool asks(const struct ask *a) {
    return a->seq || a->last_by_subj.n || a->next_by_subj.n || a->multi_last.n || a->start_time.set;
}

static struct direct *direct_new(struct mg_js_stream *s, mg_slice to) {
    struct direct *d = mg_zalloc(sizeof(*d) + to.n);
    memcpy(d->text, to.p, to.n);
    d->to = mg_slice_of(d->text, to.n);
    d->stream = s;
    return d;
}

static const char *refusal(const struct mg_js_stream *s, const struct ask *a, bool by_key, mg_slice key) {
    (void)s;
    if (by_key) {
        bool plain = !asks(a) && a->batch == 0 && a->max_bytes == 0 && !a->up_to_seq && !a->up_to_time.set;
        return plain && key.n ? NULL : "408 Bad Request";
    }
    return !asks(a) ? "408 Empty Request" : !sensible(a) ? "408 Bad Request" : NULL;
}

bool mg_js_stream_direct(void *arg, const struct mg_msg *m) {
    struct mg_js_stream *s = arg;
    mg_slice body = mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len), key = {NULL, 0};
    size_t prefix = sizeof("$JS.API.DIRECT.GET.") - 1 + mg_js_stream_name(s).n;
    bool by_key = m->subject.n > prefix;
    if (s->deleting || m->reply.n == 0) return !s->deleting;
    if (by_key) key = mg_slice_of(m->subject.p + prefix + 1, m->subject.n - prefix - 1);
    struct direct *d = direct_new(s, m->reply);
    struct mg_buf err = MG_BUF_INIT;
    const char *why = NULL;
    if (mg_js_level_too_high(m)) why = "412 Required Api Level";
    else if (body.n == 0 && !by_key) why = "408 Empty Request";
    else if (mg_shape_read(&ask_shape, body, false, &d->ask, &err) != 0) why = "408 Malformed Request";
    else why = refusal(s, &d->ask, by_key, key);
    mg_buf_fini(&err);
    if (why) {
        status(s, m->reply, why);
        direct_free(d);
        return true;
    }
    if (by_key) mg_string_set(&d->ask.last_by_subj, key);
    get_one(d);
    return true;
}
