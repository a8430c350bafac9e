// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Changes of a stream: the side of its shard; and what is told of one.
//
// What the catalogue has let through is done here, as an errand. A create becomes a stream of the store and enters
// service at once; its name and subjects are taken, and nobody knows of them before the errand is back, which is when
// they are durable.
#include "jetstream/request/stream_change.h"

#include "server/base/assert.h"
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

// ---- a change -------------------------------------------------------------------------------------------------------

static struct mg_js_change *change_of(struct mg_js_wait *w) { return mg_container_of(w, struct mg_js_change, wait); }

static void end(struct mg_js_change *ch) { mg_js_errand_back(ch->there, &ch->errand); }

static void store_error(struct mg_js_change *ch, enum mg_js_errno wrap, int err) {
    mg_js_store_error(&ch->error, wrap, err);
    end(ch);
}

// The answer's text may leave; r NULL: the server ends.
static void durable(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_change *ch = change_of(w);
    (void)s;
    ch->untold = r == NULL || r->err != 0;
    end(ch);
}

static void barrier(struct mg_js_change *ch, struct mg_js_stream *s,
                    void (*next)(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r)) {
    if (s->deleting) { // only while nothing is changed: a change makes a deletion wait
        mg_js_fail(&ch->error, MG_JSE_STREAM_NOT_FOUND);
        end(ch);
        return;
    }
    mg_js_wait(ch->there, &ch->wait, next);
    mg_stream_barrier(s->store, &ch->wait);
}

// With a failed journal some numbers never will be known.
static void tell(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_change *ch = change_of(w);
    struct mg_js_stream_info info;
    if (r == NULL) {
        durable(w, s, r);
        return;
    }
    if (!mg_js_stream_tell(s, &info) && r->err == 0) {
        barrier(ch, s, tell);
        return;
    }
    struct mg_jw jw;
    info.version = s->js->o.version;
    if (ch->what == MG_JS_CHANGE_UPDATE) info.domain = s->js->domain;
    mg_js_reply_begin(&jw, &ch->answer, ch->reply);
    mg_js_write_stream_info(&jw, &info);
    if (ch->what != MG_JS_CHANGE_UPDATE) mg_jw_kbool(&jw, "did_create", true);
    mg_js_reply_end(&jw);
    barrier(ch, s, durable);
}

static enum mg_stream_storage storage_of(const struct mg_js_stream_config *c) {
    return c->storage == MG_JS_MEMORY ? MG_STORAGE_MEMORY : MG_STORAGE_FILE;
}

// ---- create ---------------------------------------------------------------------------------------------------------

static void created(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_change *ch = change_of(w);
    if (r == NULL) {
        durable(w, s, r);
    } else if (r->err != 0) {
        ch->made = false;
        ch->stream = NULL;
        mg_js_remove(ch->there, s);
        mg_js_stream_free(s);
        store_error(ch, MG_JSE_STREAM_CREATE, r->err);
    } else {
        ch->happened = true;
        tell(w, s, r);
    }
}

static void create(struct mg_js_change *ch, struct mg_js_stream_config *c) {
    struct mg_js *js = ch->there;
    struct mg_stream_limits limits = mg_js_stream_limits(c);
    struct mg_stream *store = NULL;
    mg_js_wait(js, &ch->wait, created);
    int err = mg_stream_create(js->part, c->name, mg_buf_slice(&ch->config), storage_of(c), &limits, c->first_seq,
                               &store, &ch->wait);
    if (err != 0) {
        mg_js_wait_cancel(&ch->wait);
        store_error(ch, MG_JSE_STREAM_CREATE, err);
        return;
    }
    struct mg_js_stream *s = mg_js_stream_new(js, store, c);
    mg_js_add(js, s);
    ch->made = true;
    if (js == ch->errand.home) ch->stream = s;
}

// ---- update ---------------------------------------------------------------------------------------------------------

static void updated(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_change *ch = change_of(w);
    if (r == NULL) {
        durable(w, s, r);
    } else if (r->err != 0) {
        store_error(ch, MG_JSE_STREAM_UPDATE, r->err);
    } else {
        ch->happened = true;
        tell(w, s, r);
    }
}

static void update(struct mg_js_change *ch, struct mg_js_stream *s, struct mg_js_stream_config *c) {
    struct mg_stream_limits limits = mg_js_stream_limits(c);
    if (mg_js_stream_check_consumers(s, c, &ch->error) != 0) {
        end(ch);
        return;
    }
    mg_slice kept = MG_PLANTED(unsaved_config) ? mg_stream_config(s->store) : mg_buf_slice(&ch->config);
    mg_js_wait(ch->there, &ch->wait, updated);
    int err = mg_stream_configure(s->store, kept, &limits, &ch->wait);
    if (err != 0) {
        mg_js_wait_cancel(&ch->wait);
        store_error(ch, MG_JSE_STREAM_UPDATE, err);
        return;
    }
    ch->made = true;
    mg_js_stream_reconfigure(s, c);
}

// ---- delete ---------------------------------------------------------------------------------------------------------

static void deleted(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_change *ch = change_of(w);
    if (r == NULL) {
        durable(w, s, r);
    } else if (r->err != 0) {
        store_error(ch, MG_JSE_STREAM_DELETE, r->err);
    } else {
        ch->happened = ch->made = true;
        mg_js_remove(ch->there, s);
        mg_js_stream_leave(s);
        mg_js_reply_success(&ch->answer, ch->reply);
        end(ch);
    }
}

static void remove_stream(struct mg_js_change *ch, struct mg_js_stream *s) {
    mg_js_wait(ch->there, &ch->wait, deleted);
    int err = mg_stream_delete(s->store, &ch->wait);
    if (err == 0) {
        mg_js_stream_retire(s);
        return;
    }
    mg_js_wait_cancel(&ch->wait);
    store_error(ch, MG_JSE_STREAM_DELETE, err);
}

// ---- the errand -----------------------------------------------------------------------------------------------------

static void run(struct mg_js_errand *errand, struct mg_js *js) {
    struct mg_js_change *ch = mg_container_of(errand, struct mg_js_change, errand);
    struct mg_js_stream *s = mg_js_find(js, ch->name);
    struct mg_js_stream_config c = {.name = {NULL, 0}};
    ch->there = js;
    if (ch->config.len && mg_js_stream_load(&c, mg_buf_slice(&ch->config)) != 0) mg_assert(false);
    if (ch->what != MG_JS_CHANGE_CREATE && (s == NULL || s->deleting)) { // its deletion has failed
        mg_js_fail(&ch->error, MG_JSE_STREAM_NOT_FOUND);
        end(ch);
    } else {
        switch (ch->what) {
        case MG_JS_CHANGE_NONE: barrier(ch, s, tell); break;
        case MG_JS_CHANGE_CREATE: create(ch, &c); break;
        case MG_JS_CHANGE_UPDATE: update(ch, s, &c); break;
        case MG_JS_CHANGE_DELETE: remove_stream(ch, s); break;
        }
    }
    mg_js_stream_fini(&c);
}

struct mg_js_change *mg_js_change_new(struct mg_js_request *rq, enum mg_js_change_kind what, mg_slice name) {
    struct mg_js_change *ch = mg_zalloc(sizeof(*ch));
    ch->errand.run = run;
    ch->errand.done = mg_js_change_done;
    ch->rq = rq;
    ch->what = what;
    ch->reply = rq->reply;
    ch->name = mg_slice_of(mg_slice_dup(name), name.n);
    return ch;
}

void mg_js_change_free(struct mg_js_change *ch) {
    mg_js_stream_fini(&ch->before);
    mg_js_stream_fini(&ch->behind);
    mg_js_error_fini(&ch->error);
    mg_buf_fini(&ch->config);
    mg_buf_fini(&ch->answer);
    mg_free((char *)(uintptr_t)ch->name.p);
    mg_free(ch);
}
