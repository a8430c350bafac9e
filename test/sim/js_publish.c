// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Publishing: a window of messages, answered in any order of time; some with an id, again or anew, some with an
// expectation, some that roll up their subject.
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_world.h"

#define WINDOW 12u

static void acknowledged(struct js_call *c, const struct sim_msg *m) {
    struct js_msg *msg = c->arg;
    struct mg_buf body = MG_BUF_INIT;
    uint64_t seq;
    mg_buf_add_slice(&body, m->payload);
    mg_buf_addc(&body, '\0');
    const struct js_stream *st = msg->stream;
    bool there = st->phase == JS_PRESENT && st->generation == msg->generation && !c->cl->w->stopping;
    sim_check(m->payload.n || !there, "nobody takes a message for stream %u, which is there", st->no);
    if (m->payload.n == 0 || js_error(&body)) {
        js_refused(msg); // nobody takes it, or the stream does not
    } else {
        sim_check(js_number(&body, "", "seq", &seq), "a strange answer to a publish: %s", body.p);
        if (strstr(body.p, "\"duplicate\":")) js_duplicate(msg, seq);
        else js_stored(msg, seq);
    }
    sim_trace("client %u: message %llu: %s", c->cl->serial, (unsigned long long)js_msg_number(msg->stream->m, msg),
              body.p);
    c->done = true;
    mg_buf_fini(&body);
}

// An id that somebody has used for this stream, or a new one.
static uint64_t some_id(struct js_client *cl, const struct js_stream *s) {
    struct js_model *m = s->m;
    size_t back = m->nmsgs < 30 ? m->nmsgs : 30;
    for (unsigned i = 0; i < 4 && back; i++) {
        const struct js_msg *o = m->msgs[m->nmsgs - 1 - js_below(cl, back)];
        if (o->stream == s && o->id) return o->id;
    }
    return ++m->ids;
}

static uint64_t last_of(const struct js_stream *s, unsigned subject) {
    for (uint64_t seq = s->last; seq > 0; seq--) {
        const struct js_msg *msg = js_at(s, seq);
        if (msg && msg->subject == subject) return seq;
    }
    return 0;
}

static void write_headers(struct js_client *cl, struct js_msg *msg, struct mg_buf *out) {
    struct js_stream *s = msg->stream;
    if (s->dedupe && js_chance(cl, 100)) msg->id = js_chance(cl, 128) ? some_id(cl, s) : ++s->m->ids;
    if (msg->id) mg_buf_addf(out, "Nats-Msg-Id: m%llu\r\n", (unsigned long long)msg->id);
    unsigned what = (unsigned)js_below(cl, s->kind == JS_KV ? 6 : 14);
    if (what == 0) {
        msg->expect = s->last + 1;
        mg_buf_addf(out, "Nats-Expected-Last-Sequence: %llu\r\n", (unsigned long long)s->last);
    } else if (what == 1) {
        uint64_t last = last_of(s, msg->subject);
        msg->expect_subject = last + 1;
        mg_buf_addf(out, "Nats-Expected-Last-Subject-Sequence: %llu\r\n", (unsigned long long)last);
    } else if (what == 2 && s->kind == JS_KV) {
        msg->rollup = true;
        msg->rollup_all = js_chance(cl, 60);
        mg_buf_addf(out, "Nats-Rollup: %s\r\n", msg->rollup_all ? "all" : "sub");
    }
    mg_buf_addc(out, '\0');
}

static void publish_one(struct js_client *cl, struct js_stream *s, struct js_call *call) {
    char subject[24];
    struct js_msg *msg = js_publish(s, (unsigned)js_below(cl, JS_SUBJECTS), cl->serial);
    struct mg_buf headers = MG_BUF_INIT, body = MG_BUF_INIT;
    write_headers(cl, msg, &headers);
    snprintf(subject, sizeof(subject), "s%u.%u", s->no, msg->subject);
    mg_buf_addf(&body, "%llu ", (unsigned long long)js_msg_number(s->m, msg));
    for (uint64_t n = js_below(cl, js_chance(cl, 20) ? 3000 : 60); n > 0; n--) mg_buf_addc(&body, 'x');
    mg_buf_addc(&body, '\0');
    *call = (struct js_call){.came = acknowledged, .arg = msg};
    js_begin(cl, call, subject, headers.p, body.p);
    mg_buf_fini(&headers);
    mg_buf_fini(&body);
}

void js_do_publish(struct js_client *cl) {
    struct js_stream *s = js_some_stream(cl);
    if (s == NULL) return;
    struct js_call calls[WINDOW];
    unsigned n = 1 + (unsigned)js_below(cl, WINDOW);
    s->users++;
    for (unsigned i = 0; i < n; i++) publish_one(cl, s, &calls[i]);
    for (unsigned i = 0; i < n; i++) {
        bool answered = js_await(&calls[i], 100 * MG_SEC);
        sim_check(answered || cl->lost, "a publish is not answered");
        js_end(&calls[i]);
    }
    s->users--;
}
