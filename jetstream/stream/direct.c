// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Direct gets (spec/jetstream-streams.md 8): reads that are answered by messages as they are stored, headers first, or
// by a status. Nothing but the request's reply subject knows of it.
#include "jetstream/stream/direct.h"

#include <stdio.h>

#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

static const struct mg_field ask_fields[] = {
    MG_FIELD(struct mg_js_ask, seq, UINT64),          MG_FIELD(struct mg_js_ask, last_by_subj, STRING),
    MG_FIELD(struct mg_js_ask, next_by_subj, STRING), MG_FIELD(struct mg_js_ask, batch, INT),
    MG_FIELD(struct mg_js_ask, max_bytes, INT),       MG_FIELD(struct mg_js_ask, start_time, TIME),
    MG_FIELD(struct mg_js_ask, multi_last, STRINGS),  MG_FIELD(struct mg_js_ask, up_to_seq, UINT64),
    MG_FIELD(struct mg_js_ask, up_to_time, TIME),     MG_FIELD(struct mg_js_ask, no_hdr, BOOL),
};
static const struct mg_shape ask_shape = MG_SHAPE("JSApiMsgGetRequest", struct mg_js_ask, ask_fields);
static const mg_slice none = {NULL, 0};

// ---- life -----------------------------------------------------------------------------------------------------------

static struct mg_js_direct *direct_new(struct mg_js_stream *s, mg_slice to) {
    struct mg_js_direct *d = mg_zalloc(sizeof(*d) + to.n);
    memcpy(d->text, to.p, to.n);
    d->to = mg_slice_of(d->text, to.n);
    d->stream = s;
    mg_list_init(&d->task.link);
    return d;
}

void mg_js_direct_free(struct mg_js_direct *d) {
    mg_list_remove(&d->task.link);
    mg_js_reading_end(&d->rd);
    mg_js_direct_multi_free(d);
    mg_shape_fini(&ask_shape, &d->ask);
    mg_free(d);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static void gone(struct mg_js_reading *rd) { mg_js_direct_free(mg_container_of(rd, struct mg_js_direct, rd)); }

static void came(struct mg_js_reading *rd) {
    struct mg_js_direct *d = mg_container_of(rd, struct mg_js_direct, rd);
    d->then(d);
}

void mg_js_direct_read(struct mg_js_direct *d, enum mg_read_kind kind, uint64_t seq,
                       void (*then)(struct mg_js_direct *d)) {
    struct mg_read *r = &d->rd.r;
    r->kind = kind;
    r->seq = seq;
    r->filters = &d->filter;
    r->filters_len = d->filter.n > 0;
    d->then = then;
    d->rd.done = came;
    d->rd.gone = gone;
    if (mg_js_read(d->stream, &d->rd) == 0) then(d);
}

static void resume(struct mg_js_task *t) {
    struct mg_js_direct *d = mg_container_of(t, struct mg_js_direct, task);
    mg_list_remove(&d->rd.link);
    d->then(d);
}

void mg_js_direct_later(struct mg_js_direct *d, void (*then)(struct mg_js_direct *d)) {
    d->then = then;
    d->rd.stream = d->stream;
    d->rd.gone = gone;
    mg_list_push_back(&d->stream->reads, &d->rd.link);
    mg_js_later(d->stream->js, &d->task, resume);
}

// ---- statuses -------------------------------------------------------------------------------------------------------

static void status(struct mg_js_stream *s, mg_slice to, const char *text) {
    char headers[160];
    int n = snprintf(headers, sizeof(headers), "NATS/1.0 %s\r\n\r\n", text);
    mg_js_publish(s->js, to, none, mg_slice_of(headers, (size_t)n), none);
}

void mg_js_direct_status(struct mg_js_direct *d, const char *text) {
    status(d->stream, d->to, text);
    mg_js_direct_free(d);
}

static void nothing(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_direct *d = mg_container_of(w, struct mg_js_direct, wait);
    if (r) status(s, d->to, d->own);
    d->own = NULL;
    mg_js_direct_free(d);
}

void mg_js_direct_nothing(struct mg_js_direct *d, const char *text) {
    mg_js_direct_multi_free(d);
    if (d->stream->deleting) { // behind its deletion nothing is answered
        mg_js_direct_free(d);
        return;
    }
    d->own = (void *)(uintptr_t)text;
    mg_js_wait(d->stream->js, &d->wait, nothing);
    mg_stream_barrier(d->stream->store, &d->wait);
}

// ---- several messages -----------------------------------------------------------------------------------------------

int64_t mg_js_direct_max_bytes(const struct mg_js_direct *d) {
    return d->ask.max_bytes ? d->ask.max_bytes : d->stream->js->o.max_pending;
}

bool mg_js_direct_send(struct mg_js_direct *d) {
    const struct mg_message *m = &d->rd.r.msg;
    struct mg_buf headers = MG_BUF_INIT;
    if (!d->ask.no_hdr || d->ask.multi_last.n) { // without headers the reference does not count either
        if (d->pending > 0) d->pending--;
        mg_js_write_where(&headers, d->stream, m->headers, &(struct mg_js_where){m->subject, m->seq, m->time});
        mg_buf_addf(&headers, "Nats-Num-Pending: %llu\r\nNats-Last-Sequence: %llu\r\n\r\n",
                    (unsigned long long)d->pending, (unsigned long long)d->last_seq);
    }
    d->last_seq = m->seq;
    d->sent++;
    d->sent_bytes += m->subject.n + m->headers.n + m->payload.n;
    mg_js_publish(d->stream->js, d->to, none, mg_buf_slice(&headers), m->payload);
    mg_buf_fini(&headers);
    int64_t most = mg_js_direct_max_bytes(d);
    return most > 0 ? d->sent_bytes < (uint64_t)most : false;
}

void mg_js_direct_end(struct mg_js_direct *d, uint64_t ceiling) {
    char headers[200];
    int n = snprintf(headers, sizeof(headers),
                     "NATS/1.0 204 EOB\r\nNats-Num-Pending: %llu\r\nNats-Last-Sequence: %llu\r\n",
                     (unsigned long long)d->pending, (unsigned long long)d->last_seq);
    if (ceiling)
        n += snprintf(headers + n, sizeof(headers) - (size_t)n, "Nats-UpTo-Sequence: %llu\r\n",
                      (unsigned long long)ceiling);
    n += snprintf(headers + n, sizeof(headers) - (size_t)n, "\r\n");
    mg_js_publish(d->stream->js, d->to, none, mg_slice_of(headers, (size_t)n), none);
    mg_js_direct_free(d);
}

// ---- requests -------------------------------------------------------------------------------------------------------

static bool sensible(const struct mg_js_ask *a) {
    bool last = a->last_by_subj.n > 0, next = a->next_by_subj.n > 0, multi = a->multi_last.n > 0;
    bool time = a->start_time.set;
    return !(a->seq && (last || time)) && !(time && last) && !(last && (next || a->batch > 0 || multi)) &&
           !(next && multi) && !(a->up_to_seq && a->up_to_time.set);
}

static bool asks(const struct mg_js_ask *a) {
    return a->seq || a->last_by_subj.n || a->next_by_subj.n || a->multi_last.n || a->start_time.set;
}

static const char *refusal(const struct mg_js_ask *a, bool by_key, mg_slice key) {
    if (by_key) {
        bool plain = !asks(a) && a->batch == 0 && !a->up_to_seq && !a->up_to_time.set;
        return plain && key.n ? NULL : "408 Bad Request";
    }
    return !asks(a) ? "408 Empty Request" : !sensible(a) ? "408 Bad Request" : NULL;
}

static void begin(struct mg_js_direct *d) {
    if (d->ask.multi_last.n) mg_js_direct_multi(d);
    else if (d->ask.batch != 0) mg_js_direct_batch(d);
    else mg_js_direct_one(d);
}

bool mg_js_stream_direct(void *arg, const struct mg_msg *m) {
    struct mg_js_stream *s = arg;
    mg_slice body = mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len), key = none;
    size_t prefix = sizeof("$JS.API.DIRECT.GET.") - 1 + mg_js_stream_name(s).n;
    bool by_key = m->subject.n > prefix;
    if (s->deleting || m->reply.n == 0) return !s->deleting;
    if (by_key) key = mg_slice_of(m->subject.p + prefix + 1, m->subject.n - prefix - 1);
    struct mg_js_direct *d = direct_new(s, m->reply);
    struct mg_buf err = MG_BUF_INIT;
    const char *why = NULL;
    if (mg_js_level_too_high(m)) why = "412 Required Api Level";
    else if (body.n == 0 && !by_key) why = "408 Empty Request";
    else if (body.n && mg_shape_read_whole(&ask_shape, body, &d->ask, &err) != 0) why = "408 Malformed Request";
    else why = refusal(&d->ask, by_key, key);
    mg_buf_fini(&err);
    if (why) {
        mg_js_direct_status(d, why);
        return true;
    }
    if (by_key) mg_string_set(&d->ask.last_by_subj, key);
    begin(d);
    return true;
}
