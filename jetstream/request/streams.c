// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Creating, updating, telling of and deleting a stream (spec/jetstream-streams.md 4, 5, 6).
//
// A create is checked, becomes a stream of the store, and enters service when that is durable: nothing is published to
// it before. Until then its name and subjects are taken, so that a second create meets it.
#include "jetstream/event.h"
#include "jetstream/request/request.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- what is told ---------------------------------------------------------------------------------------------------

static bool lost_range(const void *store, unsigned i, uint64_t *first, uint64_t *last) {
    uint64_t count;
    return mg_stream_lost(store, i, first, last, &count);
}

static struct mg_js_stream_state told(const struct mg_js_stream *s, const struct mg_stream_state *st) {
    bool fresh = st->last == 0 && st->msgs == 0;
    return (struct mg_js_stream_state){
        .messages = st->msgs, .bytes = st->bytes, .first_seq = fresh ? 0 : st->first, .last_seq = st->last,
        .first_time = st->msgs && st->first_time ? st->first_time : INT64_MIN,
        .last_time = st->last_time ? st->last_time : INT64_MIN,
        .num_subjects = st->subjects, .num_deleted = st->deleted, .consumers = mg_js_stream_consumers(s),
        .lost = st->lost, .lost_range = lost_range, .lost_arg = s->store,
    };
}

struct mg_js_stream_state mg_js_stream_glance(const struct mg_js_stream *s) {
    struct mg_stream_state st;
    mg_stream_glance(s->store, &st);
    return told(s, &st);
}

bool mg_js_stream_tell(struct mg_js_stream *s, struct mg_js_stream_info *info) {
    struct mg_stream_state st;
    bool known = mg_stream_state(s->store, &st) == 0;
    if (!known) mg_stream_glance(s->store, &st);
    *info = (struct mg_js_stream_info){
        .config = &s->config,
        .created = mg_stream_created(s->store),
        .state = told(s, &st),
        .now = mg_js_wall(s->js),
    };
    return known;
}

static void answer_info(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_js_stream_info *info,
                        bool created) {
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, rq->reply);
    mg_js_write_stream_info(&w, info);
    if (created) mg_jw_kbool(&w, "did_create", true);
    mg_js_reply_end(&w);
    mg_js_answer_behind(rq, s, &out);
}

static void tell_created(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_stream_info info;
    bool known = mg_js_stream_tell(s, &info);
    if (!known && r->err == 0) { // with a failed journal it never will be
        mg_js_request_barrier(rq, s, tell_created);
        return;
    }
    info.version = s->js->o.version;
    answer_info(rq, s, &info, true);
}

static void tell_updated(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_stream_info info;
    bool known = mg_js_stream_tell(s, &info);
    if (!known && r->err == 0) { // with a failed journal it never will be
        mg_js_request_barrier(rq, s, tell_updated);
        return;
    }
    info.version = s->js->o.version;
    info.domain = s->js->domain;
    answer_info(rq, s, &info, false);
}

// ---- checks against others ------------------------------------------------------------------------------------------

static const struct mg_js_stream_config *find_config(void *arg, mg_slice name) {
    struct mg_js_stream *s = mg_js_find(arg, name);
    return s ? &s->config : NULL;
}

static bool collides(const struct mg_js *js, const struct mg_js_stream_config *c) {
    const struct mg_js_stream *own = mg_js_find(js, c->name);
    for (size_t i = 0; i < c->subjects.n; i++)
        if (mg_js_taken_collides(&js->taken, c->subjects.v[i], own)) return true;
    return false;
}

// Would `more` bytes exceed what the server has? Instead of `old`, those that the stream has already.
static int check_reservation(const struct mg_js *js, const struct mg_js_stream_config *c, int64_t more, int64_t old,
                             struct mg_js_error *e) {
    int64_t most = c->storage == MG_JS_MEMORY ? js->o.max_memory : js->o.max_store;
    if (more <= 0 || most < 0) return 0;
    uint64_t others = js->reserved[c->storage] - (uint64_t)(old > 0 ? old : 0);
    if (others + (uint64_t)more <= (uint64_t)most) return 0;
    return mg_js_fail(e, c->storage == MG_JS_MEMORY ? MG_JSE_MEMORY_RESOURCES_EXCEEDED
                                                    : MG_JSE_STORAGE_RESOURCES_EXCEEDED);
}

static void stored_form(const struct mg_js_stream_config *c, struct mg_buf *out) {
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_js_stream_write(c, &w);
}

// ---- create ---------------------------------------------------------------------------------------------------------

static int check_create(struct mg_js *js, mg_slice token, struct mg_js_stream_request *r, struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&js->o.limits, find_config, js};
    mg_js_stream_stamp(&r->config);
    int rc = mg_js_stream_admit(&r->config, token, e);
    if (rc == 0 && js->o.limits.account_max_streams > 0 &&
        (int64_t)js->nstreams >= js->o.limits.account_max_streams && mg_js_find(js, token) == NULL)
        rc = mg_js_fail(e, MG_JSE_MAXIMUM_STREAMS_LIMIT);
    if (rc == 0) rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc == 0) rc = mg_js_stream_check_replicas(&r->config, e);
    if (rc == 0) rc = mg_js_stream_check_supported(&r->config, e);
    if (rc != 0) return rc;
    const struct mg_js_stream *old = mg_js_find(js, token);
    if (old != NULL)
        return mg_js_stream_same(&r->config, &old->config) ? 0 : mg_js_fail(e, MG_JSE_STREAM_NAME_EXIST);
    // One without max_bytes needs at least a byte that nobody was promised.
    rc = check_reservation(js, &r->config, r->config.max_bytes > 0 ? r->config.max_bytes : 1, 0, e);
    if (rc == 0 && collides(js, &r->config)) rc = mg_js_fail(e, MG_JSE_STREAM_SUBJECT_OVERLAP);
    return rc;
}

static void created(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    if (r->err != 0) {
        mg_js_remove(rq->js, s);
        mg_js_stream_free(s);
        mg_js_answer_store_error(rq, MG_JSE_STREAM_CREATE, r->err);
        return;
    }
    mg_js_event_stream(rq->js, mg_js_stream_name(s), MG_JS_CREATED);
    tell_created(rq, s, r);
}

static void create(struct mg_js_request *rq, struct mg_js_stream_config *c) {
    struct mg_js *js = rq->js;
    struct mg_stream_limits limits = mg_js_stream_limits(c);
    struct mg_buf text = MG_BUF_INIT;
    struct mg_stream *store = NULL;
    stored_form(c, &text);
    void *ctx = mg_js_request_then(rq, created);
    int err = mg_stream_create(js->part, c->name, mg_buf_slice(&text),
                               c->storage == MG_JS_MEMORY ? MG_STORAGE_MEMORY : MG_STORAGE_FILE, &limits, c->first_seq,
                               &store, ctx);
    mg_buf_fini(&text);
    if (err != 0) {
        mg_js_request_failed(rq);
        mg_js_answer_store_error(rq, MG_JSE_STREAM_CREATE, err);
        return;
    }
    mg_js_add(js, mg_js_stream_new(js, store, c));
}

void mg_js_do_stream_create(struct mg_js_request *rq) {
    struct mg_js_stream_request r = {.pedantic = false};
    struct mg_js_error e = {0};
    int rc = mg_js_stream_read(&r, rq->body, rq->js->o.strict, &e);
    if (rc == 0) rc = check_create(rq->js, rq->stream, &r, &e);
    struct mg_js_stream *old = rc == 0 ? mg_js_find(rq->js, rq->stream) : NULL;
    if (rc != 0) mg_js_answer_error(rq, &e);
    else if (old) mg_js_request_barrier(rq, old, tell_created);
    else create(rq, &r.config);
    mg_js_stream_request_fini(&r);
}

// ---- update ---------------------------------------------------------------------------------------------------------

static int check_update(struct mg_js *js, mg_slice token, struct mg_js_stream_request *r, struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&js->o.limits, find_config, js};
    int rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc != 0) return rc;
    if (!mg_slice_eq(r->config.name, token)) return mg_js_fail(e, MG_JSE_STREAM_MISMATCH);
    struct mg_js_stream *old = mg_js_find(js, token);
    if (old == NULL || old->deleting) return mg_js_fail(e, MG_JSE_STREAM_NOT_FOUND);
    mg_js_stream_stamp(&r->config);
    rc = mg_js_stream_update(&old->config, &r->config, e);
    if (rc == 0) rc = mg_js_stream_check_supported(&r->config, e);
    if (rc == 0) rc = check_reservation(js, &r->config, r->config.max_bytes, old->config.max_bytes, e);
    if (rc == 0 && collides(js, &r->config)) rc = mg_js_fail(e, MG_JSE_STREAM_SUBJECT_OVERLAP);
    if (rc == 0) rc = mg_js_stream_check_consumers(old, &r->config, e);
    return rc;
}

static void was_updated(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    mg_js_event_stream(rq->js, mg_js_stream_name(s), MG_JS_UPDATED);
    tell_updated(rq, s, r);
}

static void updated(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    if (r->err != 0) mg_js_answer_store_error(rq, MG_JSE_STREAM_UPDATE, r->err);
    else was_updated(rq, s, r);
}

void mg_js_do_stream_update(struct mg_js_request *rq) {
    struct mg_js_stream_request r = {.pedantic = false};
    struct mg_js_error e = {0};
    int rc = mg_js_stream_read(&r, rq->body, rq->js->o.strict, &e);
    if (rc == 0) rc = check_update(rq->js, rq->stream, &r, &e);
    if (rc != 0) {
        mg_js_answer_error(rq, &e);
        mg_js_stream_request_fini(&r);
        return;
    }
    struct mg_js_stream *s = mg_js_find(rq->js, rq->stream);
    struct mg_stream_limits limits = mg_js_stream_limits(&r.config);
    struct mg_buf text = MG_BUF_INIT;
    stored_form(&r.config, &text);
    mg_slice kept = MG_PLANTED(unsaved_config) ? mg_stream_config(s->store) : mg_buf_slice(&text);
    int err = mg_stream_configure(s->store, kept, &limits, mg_js_request_then(rq, updated));
    mg_buf_fini(&text);
    if (err == 0) {
        mg_js_stream_reconfigure(s, &r.config);
    } else {
        mg_js_request_failed(rq);
        mg_js_answer_store_error(rq, MG_JSE_STREAM_UPDATE, err);
    }
    mg_js_stream_request_fini(&r);
}

// ---- delete ---------------------------------------------------------------------------------------------------------

static void deleted(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    if (r->err != 0) {
        mg_js_answer_store_error(rq, MG_JSE_STREAM_DELETE, r->err);
        return;
    }
    mg_js_remove(rq->js, s);
    mg_js_stream_leave(s);
    mg_js_event_stream(rq->js, rq->stream, MG_JS_DELETED);
    mg_js_answer_success(rq);
}

void mg_js_do_stream_delete(struct mg_js_request *rq) {
    if (!mg_js_request_empty(rq)) return;
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return;
    int err = mg_stream_delete(s->store, mg_js_request_then(rq, deleted));
    if (err == 0) {
        mg_js_stream_retire(s);
        return;
    }
    mg_js_request_failed(rq);
    mg_js_answer_store_error(rq, MG_JSE_STREAM_DELETE, err);
}
