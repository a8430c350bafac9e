// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Frames without payload: texts and headers as clients compare them (spec/jetstream-consumers.md 10.2, 12.2).
#include "jetstream/consumer/consumer_impl.h"

#include <inttypes.h>

static struct mg_buf *begin(struct mg_js_consumer *c, const char *text) {
    struct mg_buf *b = &c->env->headers;
    b->len = 0;
    mg_buf_adds(b, "NATS/1.0 ");
    mg_buf_adds(b, text);
    mg_buf_adds(b, "\r\n");
    return b;
}

static void finish(struct mg_js_consumer *c, mg_slice to, mg_slice reply) {
    mg_buf_adds(&c->env->headers, "\r\n");
    c->env->ops->send(c->app, to, reply, mg_buf_slice(&c->env->headers));
}

void consumer_status(struct mg_js_consumer *c, mg_slice to, const char *text) {
    begin(c, text);
    finish(c, to, mg_slice_of(NULL, 0));
}

void consumer_status_pending(struct mg_js_consumer *c, const struct mg_js_waiter *w, const char *text) {
    struct mg_buf *b = begin(c, text);
    mg_buf_addf(b, "Nats-Pending-Messages: %" PRId64 "\r\nNats-Pending-Bytes: %" PRId64 "\r\n", w->left, w->bytes_left);
    finish(c, mg_js_waiter_reply(w), mg_slice_of(NULL, 0));
}

void consumer_heartbeat(struct mg_js_consumer *c, mg_slice to) {
    struct mg_buf *b = begin(c, "100 Idle Heartbeat");
    mg_buf_addf(b, "Nats-Last-Consumer: %" PRIu64 "\r\nNats-Last-Stream: %" PRIu64 "\r\n", c->state.delivered.dseq,
                c->next - 1);
    if (c->push != NULL && c->push->flow_id[0] != 0) {
        mg_buf_adds(b, "Nats-Consumer-Stalled: ");
        push_flow_subject(c, b);
        mg_buf_adds(b, "\r\n");
    }
    finish(c, to, mg_slice_of(NULL, 0));
}
