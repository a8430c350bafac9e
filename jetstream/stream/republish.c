// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Republishing (spec/jetstream-streams.md 14): what was stored on a subject of the source pattern goes out once more
// on the mapped subject, with headers that say where it is stored. It leaves when the message is durable, before its
// acknowledgement. A mapped subject that is no literal one silences the copy.
#include "jetstream/stream/publish.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"
#include "server/proto/subject.h"

#define SUBJECT_MAX 32768u

struct mg_js_copy {
    mg_slice to, subject, headers, payload; // in text
    size_t payload_len;                     // of the message
    bool headers_only;                      // payload is empty then
    char text[];
};

static mg_slice keep(char **at, mg_slice from) {
    char *to = *at;
    if (from.n) memcpy(to, from.p, from.n);
    *at += from.n;
    return mg_slice_of(to, from.n);
}

struct mg_js_copy *mg_js_copy_new(struct mg_js_stream *s, const struct mg_append *a) {
    char subject[SUBJECT_MAX];
    mg_slice to;
    if (s->republish == NULL || a->skip || !mg_transform_matches(s->republish, a->subject)) return NULL;
    uint64_t random = mg_shard_random(s->js->shard);
    if (mg_transform_apply(s->republish, a->subject, random, subject, sizeof(subject), &to) != 0) return NULL;
    if (!mg_subject_valid_literal(to)) return NULL;
    mg_slice payload = s->config.republish->headers_only ? mg_slice_of(NULL, 0) : a->payload;
    struct mg_js_copy *c = mg_alloc(sizeof(*c) + to.n + a->subject.n + a->headers.n + payload.n);
    char *at = c->text;
    c->payload_len = a->payload.n;
    c->headers_only = s->config.republish->headers_only;
    c->to = keep(&at, to);
    c->subject = keep(&at, a->subject);
    c->headers = keep(&at, a->headers);
    c->payload = keep(&at, payload);
    return c;
}

void mg_js_copy_publish(struct mg_js_stream *s, const struct mg_js_copy *c, uint64_t seq,
                        const struct mg_append_facts *facts) {
    static const mg_slice none = {NULL, 0};
    struct mg_buf h = MG_BUF_INIT;
    struct mg_js_where w = {.subject = c->subject, .seq = seq, .time = facts->time};
    mg_js_write_where(&h, s, c->headers, &w);
    mg_buf_addf(&h, "Nats-Last-Sequence: %llu\r\n", (unsigned long long)facts->previous);
    if (c->headers_only) mg_buf_addf(&h, "Nats-Msg-Size: %zu\r\n", c->payload_len);
    mg_buf_adds(&h, "\r\n");
    mg_js_publish(s->js, c->to, none, mg_buf_slice(&h), c->payload);
    mg_buf_fini(&h);
}

void mg_js_copy_free(struct mg_js_copy *c) { mg_free(c); }
