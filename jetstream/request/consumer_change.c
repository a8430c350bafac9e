// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Pausing, resetting and unpinning a consumer (spec/jetstream-consumers.md 11, 15).
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- pause ----------------------------------------------------------------------------------------------------------

struct pause {
    struct mg_js_time pause_until;
};
static const struct mg_field pause_fields[] = {MG_FIELD(struct pause, pause_until, TIME)};
static const struct mg_shape pause_shape = MG_SHAPE("JSApiConsumerPauseRequest", struct pause, pause_fields);

static void paused(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct pause *p = rq->own;
    (void)s;
    if (r->err != 0) {
        mg_js_answer_store_error(rq, MG_JSE_CONSUMER_CREATE, r->err);
        return;
    }
    int64_t now = mg_js_now(rq->js), until = p->pause_until.set ? mg_js_time_ns(p->pause_until) : INT64_MIN;
    struct mg_js_pause answer = {until > now, p->pause_until, until > now ? until - now : 0};
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_pause(&out, &answer);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

void mg_js_do_consumer_pause(struct mg_js_request *rq) {
    struct pause *p = mg_zalloc(sizeof(*p));
    rq->own = p;
    if (!mg_js_request_optional(rq, &pause_shape, p)) return;
    struct mg_js_member *m = mg_js_request_consumer(rq);
    if (m == NULL) return;
    if (!m->live) {
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_NOT_FOUND);
        return;
    }
    if (mg_js_time_is_zero(p->pause_until)) p->pause_until = (struct mg_js_time){.set = false};
    p->pause_until.offset = 0; // told in UTC, whatever the zone of the request
    mg_js_member_pause(m, p->pause_until);
    void *ctx = mg_js_request_then(rq, paused);
    int err = 0;
    if (m->persistent && !MG_PLANTED(unpaused)) err = mg_js_member_store_config(m, ctx);
    else mg_stream_barrier(m->stream->store, ctx);
    if (err == 0) return;
    mg_js_request_failed(rq);
    mg_js_answer_store_error(rq, MG_JSE_CONSUMER_CREATE, err);
}

// ---- reset ----------------------------------------------------------------------------------------------------------

struct reset {
    uint64_t seq;
    uint64_t reset_seq;
    struct mg_js_request *rq;
    struct mg_js_member *m;
    struct mg_js_reading rd;
    struct mg_js_knowing knowing;
};
static const struct mg_field reset_fields[] = {MG_FIELD(struct reset, seq, UINT64)};
static const struct mg_shape reset_shape = MG_SHAPE("JSApiConsumerResetRequest", struct reset, reset_fields);

static void drop_reset(struct mg_js_request *rq) {
    struct reset *t = rq->own;
    mg_js_reading_end(&t->rd);
    mg_free(t);
}

static void tell_reset(struct mg_js_knowing *k, struct mg_js_member *m) {
    struct reset *t = mg_container_of(k, struct reset, knowing);
    if (m == NULL) {
        mg_js_answer_nothing(t->rq);
        return;
    }
    struct mg_js_consumer_config config;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, t->rq->reply);
    mg_js_write_consumer_info(&w, &info);
    mg_jw_kuint(&w, "reset_seq", t->reset_seq);
    mg_js_reply_end(&w);
    if (MG_PLANTED(reset_at_once)) {
        mg_js_answer(t->rq, &out);
        mg_buf_fini(&out);
        return;
    }
    mg_js_member_flush(m);
    mg_js_answer_behind(t->rq, m->stream, &out);
}

static void reset(struct reset *t, uint64_t start_time_seq) {
    struct mg_js_member *m = t->m;
    struct mg_js *js = t->rq->js;
    struct mg_js_error e = {0};
    const char *why;
    js->inside++;
    int rc = mg_js_consumer_reset(m->c, mg_js_now(js), t->seq, start_time_seq, &t->reset_seq, &why);
    js->inside--;
    if (rc != 0) {
        mg_js_failf(&e, MG_JSE_CONSUMER_INVALID_RESET, "%s", why);
        mg_js_answer_error(t->rq, &e);
        return;
    }
    mg_js_member_restart(m);
    mg_js_member_wake(m);
    t->knowing.known = tell_reset;
    mg_js_member_know(m, &t->knowing);
}

static void found_time(struct mg_js_reading *rd) {
    struct reset *t = mg_container_of(rd, struct reset, rd);
    t->m = mg_js_member_find(rd->stream, t->rq->consumer);
    if (t->m == NULL || !t->m->live) mg_js_answer_nothing(t->rq);
    else reset(t, rd->r.err == 0 ? rd->r.msg.seq : mg_stream_visible(rd->stream->store) + 1);
}

static void time_gone(struct mg_js_reading *rd) { mg_js_answer_nothing(mg_container_of(rd, struct reset, rd)->rq); }

void mg_js_do_consumer_reset(struct mg_js_request *rq) {
    rq->unseen = true; // spec/jetstream-consumers.md 1: it goes to the consumer, not to the API
    struct mg_js_stream *s = mg_js_find(rq->js, rq->stream);
    struct mg_js_member *m = s && !s->deleting ? mg_js_member_find(s, rq->consumer) : NULL;
    if (m == NULL && s && !s->deleting && mg_js_request_wakes(rq, s, rq->consumer)) return;
    if (m == NULL || !m->live) { // as if nobody had subscribed, but something takes all of $JS.API
        mg_js_answer_nothing(rq);
        return;
    }
    struct reset *t = mg_zalloc(sizeof(*t));
    rq->own = t;
    rq->drop = drop_reset;
    t->rq = rq;
    t->m = m;
    if (rq->body.n && !mg_js_request_lenient(rq, &reset_shape, t)) return;
    if (t->seq == 0 || m->terms->rules.deliver != MG_JS_DELIVER_BY_START_TIME) {
        reset(t, 0);
        return;
    }
    t->rd.r.kind = MG_READ_TIME;
    t->rd.r.time = m->terms->rules.start_time;
    t->rd.done = found_time;
    t->rd.gone = time_gone;
    if (mg_js_read(s, &t->rd) == 0) found_time(&t->rd);
}

// ---- unpin ----------------------------------------------------------------------------------------------------------

struct unpin {
    mg_slice group;
};
static const struct mg_field unpin_fields[] = {MG_FIELD(struct unpin, group, STRING)};
static const struct mg_shape unpin_shape = MG_SHAPE("JSApiConsumerUnpinRequest", struct unpin, unpin_fields);

static bool has_group(const struct mg_js_consumer_config *c, mg_slice group) {
    for (size_t i = 0; i < c->priority_groups.n; i++)
        if (mg_slice_eq(c->priority_groups.v[i], group)) return true;
    return false;
}

static void unpin(struct mg_js_request *rq, mg_slice group) {
    struct mg_js_member *m = mg_js_request_consumer(rq);
    struct mg_buf out = MG_BUF_INIT;
    if (m == NULL) return;
    if (!m->live || !has_group(&m->terms->config, group)) {
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_INVALID_PRIORITY_GROUP);
        return;
    }
    rq->js->inside++;
    mg_js_consumer_unpin(m->c, mg_js_now(rq->js), group);
    rq->js->inside--;
    mg_js_member_wake(m);
    mg_js_reply_plain(&out, rq->reply);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

void mg_js_do_consumer_unpin(struct mg_js_request *rq) {
    struct unpin u = {.group = {NULL, 0}};
    struct mg_js_error e = {0};
    if (!mg_js_request_lenient(rq, &unpin_shape, &u)) return;
    if (u.group.n == 0) {
        mg_js_failf(&e, MG_JSE_INVALID_JSON, "consumer group not specified");
        mg_js_answer_error(rq, &e);
    } else if (!mg_js_group_valid(u.group)) {
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_INVALID_GROUP_NAME);
    } else {
        unpin(rq, u.group);
    }
    mg_shape_fini(&unpin_shape, &u);
}
