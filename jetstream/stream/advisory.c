// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Events of a consumer, for whoever subscribes to them (spec/jetstream-consumers.md 16). Nothing is written when nobody
// does.
#include "jetstream/api/reply.h"
#include "jetstream/event.h"
#include "jetstream/stream/member.h"
#include "server/base/log.h"

#define PREFIX "$JS.EVENT."

struct event {
    const char *subject; // behind the prefix, before stream and consumer
    const char *type;    // behind io.nats.jetstream.
};

static const struct event created = {"ADVISORY.CONSUMER.CREATED", "advisory.v1.consumer_action"};
static const struct event deleted = {"ADVISORY.CONSUMER.DELETED", "advisory.v1.consumer_action"};
static const struct event events[] = {
    [MG_JS_NOTICE_MAX_DELIVERIES] = {"ADVISORY.CONSUMER.MAX_DELIVERIES", "advisory.v1.max_deliver"},
    [MG_JS_NOTICE_NAKED] = {"ADVISORY.CONSUMER.MSG_NAKED", "advisory.v1.nak"},
    [MG_JS_NOTICE_TERMINATED] = {"ADVISORY.CONSUMER.MSG_TERMINATED", "advisory.v1.terminated"},
    [MG_JS_NOTICE_ACK_METRIC] = {"METRIC.CONSUMER.ACK", "metric.v1.consumer_ack"},
    [MG_JS_NOTICE_PAUSED] = {"ADVISORY.CONSUMER.PAUSE", "advisory.v1.consumer_pause"},
    [MG_JS_NOTICE_RESUMED] = {"ADVISORY.CONSUMER.PAUSE", "advisory.v1.consumer_pause"},
    [MG_JS_NOTICE_PINNED] = {"ADVISORY.CONSUMER.PINNED", "advisory.v1.consumer_group_pinned"},
    [MG_JS_NOTICE_UNPINNED] = {"ADVISORY.CONSUMER.UNPINNED", "advisory.v1.consumer_group_unpinned"},
};

// False: nobody wants it. Else w stands behind stream and consumer, or before them.
static bool begin(struct mg_js_stream *s, mg_slice name, const struct event *e, bool account, struct mg_buf *subject,
                  struct mg_buf *out, struct mg_jw *w) {
    struct mg_js *js = s->js;
    mg_slice stream = mg_js_stream_name(s);
    mg_buf_addf(subject, PREFIX "%s.%.*s.%.*s", e->subject, (int)stream.n, stream.p, (int)name.n, name.p);
    if (!mg_js_interest(js, mg_buf_slice(subject))) return false;
    mg_js_event_begin(js, w, out, e->type);
    if (account) mg_jw_kstr(w, "account", "$G");
    mg_js_write_slice(w, "stream", stream);
    mg_js_write_slice(w, "consumer", name);
    return true;
}

void mg_js_advise_action(struct mg_js_stream *s, mg_slice consumer, bool is_new) {
    struct mg_buf subject = MG_BUF_INIT, out = MG_BUF_INIT;
    struct mg_jw w;
    if (begin(s, consumer, is_new ? &created : &deleted, false, &subject, &out, &w)) {
        mg_jw_kstr(&w, "action", is_new ? "create" : "delete");
        mg_js_event_send(s->js, mg_buf_slice(&subject), &w, &out);
    }
    mg_buf_fini(&subject);
}

static void write_delivery(struct mg_jw *w, const struct mg_js_notice *n) {
    mg_jw_kuint(w, "consumer_seq", n->dseq);
    mg_jw_kuint(w, "stream_seq", n->seq);
}

static void write_members(struct mg_jw *w, const struct mg_js_notice *n) {
    switch (n->kind) {
    case MG_JS_NOTICE_MAX_DELIVERIES:
        mg_jw_kuint(w, "stream_seq", n->seq);
        mg_jw_kuint(w, "deliveries", n->count);
        break;
    case MG_JS_NOTICE_NAKED:
    case MG_JS_NOTICE_TERMINATED:
        write_delivery(w, n);
        mg_jw_kuint(w, "deliveries", n->count);
        if (n->text.n) mg_js_write_slice(w, "reason", n->text);
        break;
    case MG_JS_NOTICE_ACK_METRIC:
        write_delivery(w, n);
        mg_jw_kint(w, "ack_time", n->time);
        mg_jw_kuint(w, "deliveries", n->count);
        break;
    case MG_JS_NOTICE_PAUSED:
    case MG_JS_NOTICE_RESUMED:
        mg_jw_kbool(w, "paused", n->kind == MG_JS_NOTICE_PAUSED);
        mg_js_write_time(w, "pause_until", n->time ? n->time : INT64_MIN);
        break;
    case MG_JS_NOTICE_PINNED:
        mg_js_write_slice(w, "group", n->group);
        mg_js_write_slice(w, "pinned_id", n->text);
        break;
    case MG_JS_NOTICE_UNPINNED:
        mg_js_write_slice(w, "group", n->group);
        mg_js_write_slice(w, "reason", n->text);
        break;
    case MG_JS_NOTICE_BAD_DELAY:
    case MG_JS_NOTICE_INACTIVE: break;
    }
}

void mg_js_advise(struct mg_js_member *m, const struct mg_js_notice *n) {
    struct mg_buf subject = MG_BUF_INIT, out = MG_BUF_INIT;
    struct mg_jw w;
    if (n->kind == MG_JS_NOTICE_BAD_DELAY) {
        mg_log_wrn(m->stream->js->log, "JetStream: bad delay in a negative acknowledgement: %.*s", (int)n->text.n,
                   n->text.p);
        return;
    }
    bool pins = n->kind == MG_JS_NOTICE_PINNED || n->kind == MG_JS_NOTICE_UNPINNED;
    if (begin(m->stream, mg_js_member_name(m), &events[n->kind], pins, &subject, &out, &w)) {
        write_members(&w, n);
        mg_js_event_send(m->stream->js, mg_buf_slice(&subject), &w, &out);
    }
    mg_buf_fini(&subject);
}
