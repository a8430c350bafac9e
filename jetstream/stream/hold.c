// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Nats-Expected-Last-Msg-Id after a start (spec/jetstream-streams.md 12). The store knows the id of the message that
// was appended last, but not across a start: the first message that asks for it waits until the last one was read, and
// those behind it wait as well, so that their order stays. That happens once.
#include "jetstream/stream/publish.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/headers.h"

#define HELD_MAX 10000u // messages; the reading takes milliseconds

struct held {
    struct mg_list link;
    struct mg_js_inbound in; // in text
    char text[];
};

static mg_slice keep(char **at, mg_slice from) {
    char *to = *at;
    if (from.n) memcpy(to, from.p, from.n);
    *at += from.n;
    return mg_slice_of(to, from.n);
}

static void push(struct mg_js_stream *s, const struct mg_js_inbound *in) {
    struct held *h = mg_alloc(sizeof(*h) + in->subject.n + in->reply.n + in->headers.n + in->payload.n);
    char *at = h->text;
    h->in = (struct mg_js_inbound){keep(&at, in->subject), keep(&at, in->reply), keep(&at, in->headers),
                                   keep(&at, in->payload), NULL};
    mg_list_push_back(&s->held, &h->link);
}

static struct held *pop(struct mg_js_stream *s) {
    struct held *h = mg_container_of(s->held.next, struct held, link);
    mg_list_remove(&h->link);
    return h;
}

static void release(struct mg_js_stream *s) {
    struct mg_list all;
    mg_list_init(&all);
    mg_list_splice(&all, &s->held);
    while (!mg_list_empty(&all)) {
        struct held *h = mg_container_of(all.next, struct held, link);
        mg_list_remove(&h->link);
        mg_js_stream_take(s, &h->in);
        mg_free(h);
    }
}

// The last message was read. One that is removed since tells nothing: it is as if it had no id.
static void came(struct mg_js_reading *rd) {
    struct mg_js_stream *s = rd->stream;
    struct mg_stream_state st = {.last = 0};
    mg_slice id = {NULL, 0};
    mg_stream_state(s->store, &st);
    if (rd->r.err == 0 && rd->r.msg.seq == st.last && rd->r.msg.headers.n)
        mg_hdr_get(rd->r.msg.headers, MG_S("Nats-Msg-Id"), &id);
    mg_stream_set_last_id(s->store, id);
    mg_js_reading_end(rd);
    release(s);
}

static void gone(struct mg_js_reading *rd) { mg_js_stream_unhold(rd->stream); }

bool mg_js_stream_hold(struct mg_js_stream *s, const struct mg_js_inbound *in) {
    bool first = mg_list_empty(&s->held);
    if (first) s->held_count = 0;
    if (s->held_count >= HELD_MAX) return false;
    s->held_count++;
    push(s, in);
    if (!first) return true;
    s->last_message = (struct mg_js_reading){.r = {.kind = MG_READ_LAST, .seq = MG_ANY_SEQ}, .done = came,
                                             .gone = gone};
    if (mg_js_read(s, &s->last_message) == 0) came(&s->last_message);
    return true;
}

void mg_js_stream_unhold(struct mg_js_stream *s) {
    while (!mg_list_empty(&s->held)) mg_free(pop(s));
}
