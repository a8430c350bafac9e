// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Creating, updating and deleting a stream (spec/jetstream-streams.md 4, 5): the side of the catalogue.
//
// A change is checked against all streams; name, subjects and bytes are taken, so that another one meets them; then an
// errand goes to the stream's shard (stream_change.c). When it is back the catalogue says how things are now, those who
// have waited for that are looked at again, and at last the client is answered. So whoever has the answer, or hears of
// it, finds the catalogue as it was told; and the stream's shard has announced new subjects before it sent the errand
// back, so they are known wherever the answer is.
#include "jetstream/event.h"
#include "jetstream/request/stream_change.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- checks against others ------------------------------------------------------------------------------------------

static const struct mg_js_stream_config *find_config(void *arg, mg_slice name) {
    const struct mg_js_item *e = mg_js_catalogue_find(arg, name);
    return e ? e->config : NULL;
}

// Sets *behind if it is not known yet, because the other stream is being changed.
static int check_subjects(const struct mg_js *js, const struct mg_js_stream_config *c, struct mg_js_item **behind,
                          struct mg_js_error *e) {
    const struct mg_js_item *own = mg_js_catalogue_find(js->all, c->name);
    struct mg_js_item *other = mg_js_catalogue_collides(js->all, c, own);
    if (other == NULL) return 0;
    if (!other->busy) return mg_js_fail(e, MG_JSE_STREAM_SUBJECT_OVERLAP);
    if (!MG_PLANTED(untaken)) *behind = other;
    return 0;
}

// Would `more` bytes exceed what the server has? Instead of `old`, those that the stream has already.
static int check_reservation(const struct mg_js *js, const struct mg_js_stream_config *c, int64_t more, int64_t old,
                             struct mg_js_error *e) {
    int64_t most = c->storage == MG_JS_MEMORY ? js->o.max_memory : js->o.max_store;
    if (more <= 0 || most < 0) return 0;
    uint64_t others = js->all->reserved[c->storage] - (uint64_t)(old > 0 ? old : 0);
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

static int check_create(struct mg_js *js, mg_slice token, struct mg_js_stream_request *r, struct mg_js_item **behind,
                        struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&js->o.limits, find_config, js->all};
    const struct mg_js_item *old = mg_js_catalogue_find(js->all, token);
    mg_js_stream_stamp(&r->config);
    int rc = mg_js_stream_admit(&r->config, token, e);
    if (rc == 0 && js->o.limits.account_max_streams > 0 &&
        (int64_t)mg_js_catalogue_streams(js->all) >= js->o.limits.account_max_streams && old == NULL)
        rc = mg_js_fail(e, MG_JSE_MAXIMUM_STREAMS_LIMIT);
    if (rc == 0) rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc == 0) rc = mg_js_stream_check_replicas(&r->config, e);
    if (rc == 0) rc = mg_js_stream_check_supported(&r->config, e);
    if (rc != 0) return rc;
    if (old != NULL)
        return mg_js_stream_same(&r->config, old->config) ? 0 : mg_js_fail(e, MG_JSE_STREAM_NAME_EXIST);
    // One without max_bytes needs at least a byte that nobody was promised.
    rc = check_reservation(js, &r->config, r->config.max_bytes > 0 ? r->config.max_bytes : 1, 0, e);
    return rc == 0 ? check_subjects(js, &r->config, behind, e) : rc;
}

static void create(struct mg_js_request *rq, const struct mg_js_stream_config *c) {
    struct mg_js *js = rq->js;
    unsigned shard = mg_js_catalogue_place(js->all, mg_shard_count(js->shard));
    struct mg_js_change *ch = mg_js_change_new(rq, MG_JS_CHANGE_CREATE, c->name);
    stored_form(c, &ch->config);
    ch->entry = mg_js_catalogue_add(js->all, c->name, shard, c);
    ch->entry->busy = true;
    if (MG_PLANTED(answered_early)) {
        mg_js_publish(js, rq->to, (mg_slice){NULL, 0}, (mg_slice){NULL, 0}, MG_S("{}"));
        rq->to.n = 0;
    }
    mg_js_errand_send(js, &ch->errand, shard);
}

void mg_js_do_stream_create(struct mg_js_request *rq) {
    struct mg_js *js = rq->js;
    struct mg_js_stream_request r = {.pedantic = false};
    struct mg_js_error e = {0};
    struct mg_js_item *old = mg_js_catalogue_find(js->all, rq->stream), *behind = old && old->busy ? old : NULL;
    int rc = behind ? 0 : mg_js_stream_read(&r, rq->body, js->o.strict, &e);
    if (rc == 0 && !behind) rc = check_create(js, rq->stream, &r, &behind, &e);
    if (rc != 0) mg_js_answer_error(rq, &e);
    else if (behind) mg_js_request_behind(rq, behind);
    else if (old) mg_js_errand_send(js, &mg_js_change_new(rq, MG_JS_CHANGE_NONE, old->name)->errand, old->shard);
    else if (mg_js_catalogue_unreadable(js->all, rq->stream))
        mg_js_answer_store_error(rq, MG_JSE_STREAM_CREATE, MG_EEXISTS);
    else create(rq, &r.config);
    mg_js_stream_request_fini(&r);
}

// ---- update ---------------------------------------------------------------------------------------------------------

static int check_update(struct mg_js *js, mg_slice token, struct mg_js_stream_request *r, struct mg_js_item **behind,
                        struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&js->o.limits, find_config, js->all};
    int rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc != 0) return rc;
    if (!mg_slice_eq(r->config.name, token)) return mg_js_fail(e, MG_JSE_STREAM_MISMATCH);
    const struct mg_js_item *old = mg_js_catalogue_find(js->all, token);
    if (old == NULL) return mg_js_fail(e, MG_JSE_STREAM_NOT_FOUND);
    mg_js_stream_stamp(&r->config);
    rc = mg_js_stream_update(old->config, &r->config, e);
    if (rc == 0) rc = mg_js_stream_check_supported(&r->config, e);
    if (rc == 0) rc = check_reservation(js, &r->config, r->config.max_bytes, old->config->max_bytes, e);
    return rc == 0 ? check_subjects(js, &r->config, behind, e) : rc;
}

static void update(struct mg_js_request *rq, struct mg_js_item *e, const struct mg_js_stream_config *c) {
    struct mg_js_change *ch = mg_js_change_new(rq, MG_JS_CHANGE_UPDATE, e->name);
    stored_form(c, &ch->config);
    ch->entry = e;
    mg_js_stream_copy(&ch->before, e->config);
    mg_js_stream_copy(&ch->behind, c);
    mg_js_catalogue_begin(rq->js->all, e, c);
    e->busy = true;
    mg_js_errand_send(rq->js, &ch->errand, e->shard);
}

void mg_js_do_stream_update(struct mg_js_request *rq) {
    struct mg_js *js = rq->js;
    struct mg_js_stream_request r = {.pedantic = false};
    struct mg_js_error e = {0};
    struct mg_js_item *old = mg_js_catalogue_find(js->all, rq->stream), *behind = old && old->busy ? old : NULL;
    int rc = behind ? 0 : mg_js_stream_read(&r, rq->body, js->o.strict, &e);
    if (rc == 0 && !behind) rc = check_update(js, rq->stream, &r, &behind, &e);
    if (rc != 0) mg_js_answer_error(rq, &e);
    else if (behind) mg_js_request_behind(rq, behind);
    else update(rq, old, &r.config);
    mg_js_stream_request_fini(&r);
}

// ---- delete ---------------------------------------------------------------------------------------------------------

void mg_js_do_stream_delete(struct mg_js_request *rq) {
    if (!mg_js_request_empty(rq)) return;
    struct mg_js_item *e = mg_js_catalogue_find(rq->js->all, rq->stream);
    if (e == NULL) {
        mg_js_answer_fail(rq, MG_JSE_STREAM_NOT_FOUND);
    } else if (e->busy) {
        mg_js_request_behind(rq, e);
    } else {
        struct mg_js_change *ch = mg_js_change_new(rq, MG_JS_CHANGE_DELETE, e->name);
        const unsigned shard = e->shard;
        ch->entry = e;
        e->busy = true;
        if (MG_PLANTED(freed_early)) {
            mg_js_catalogue_remove(rq->js->all, e);
            ch->entry = NULL;
        }
        mg_js_errand_send(rq->js, &ch->errand, shard);
    }
}

// ---- the end of a change --------------------------------------------------------------------------------------------

static void settle(struct mg_js *js, struct mg_js_change *ch) {
    struct mg_js_item *e = ch->entry;
    if (e == NULL) return;
    bool gone = ch->what == MG_JS_CHANGE_CREATE ? !ch->made : ch->what == MG_JS_CHANGE_DELETE && ch->made;
    e->busy = false;
    mg_js_requests_wake(js, e);
    if (ch->what == MG_JS_CHANGE_UPDATE) mg_js_catalogue_settle(js->all, e, &ch->before, &ch->behind, ch->made);
    if (ch->stream) mg_js_item_borrow(e, &ch->stream->config);
    if (gone) mg_js_catalogue_remove(js->all, e);
}

static void answer(struct mg_js_request *rq, struct mg_js_change *ch) {
    static const enum mg_js_happening happened[] = {
        [MG_JS_CHANGE_CREATE] = MG_JS_CREATED, [MG_JS_CHANGE_UPDATE] = MG_JS_UPDATED,
        [MG_JS_CHANGE_DELETE] = MG_JS_DELETED};
    if (ch->happened) mg_js_event_stream(rq->js, ch->name, happened[ch->what]);
    if (ch->error.row) mg_js_answer_error(rq, &ch->error);
    else if (ch->untold) mg_js_answer_nothing(rq);
    else mg_js_answer(rq, &ch->answer);
}

void mg_js_change_done(struct mg_js_errand *errand) {
    struct mg_js_change *ch = mg_container_of(errand, struct mg_js_change, errand);
    if (errand->lost) {
        mg_js_answer_nothing(ch->rq);
    } else {
        settle(errand->home, ch);
        answer(ch->rq, ch);
    }
    mg_js_change_free(ch);
}
