// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Creating and updating consumers (spec/jetstream-consumers.md 2).
//
// A create takes its name at once, so that a second one meets it; asks the stream where to begin, if that has to be
// looked up; begins; counts what is pending; and writes configuration and state. It is told, and it delivers, when
// these are durable. Who asks for a consumer that is being made waits for it.
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/consumer/start.h"
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/encode.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define NAME_LEN 8 // of a name that the server chooses

struct making {
    struct mg_js_request *rq;
    struct mg_js_stream *stream;
    struct mg_js_member *m; // until it serves: afterwards it is found by its name
    struct mg_js_start plan;
    struct mg_js_reading rd;
    struct mg_subjects_read subjects;
    unsigned filter;        // whose subjects are being listed
    struct mg_buf lasts;    // of uint64_t: their last messages
    struct mg_js_knowing knowing;
    struct mg_buf text;     // the answer
};

static void drop_making(struct mg_js_request *rq) {
    struct making *k = rq->own;
    mg_js_reading_end(&k->rd);
    mg_buf_fini(&k->lasts);
    mg_buf_fini(&k->text);
    mg_free(k);
}

static struct making *making_new(struct mg_js_request *rq, struct mg_js_stream *s, struct mg_js_member *m) {
    if (rq->own) return rq->own;
    struct making *k = mg_zalloc(sizeof(*k));
    k->rq = rq;
    k->stream = s;
    k->m = m;
    rq->own = k;
    rq->drop = drop_making;
    return k;
}

// ---- what is told ---------------------------------------------------------------------------------------------------

static void write_answer(struct making *k, struct mg_js_member *m) {
    struct mg_js_consumer_config config;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
    struct mg_jw w;
    mg_js_reply_begin(&w, &k->text, k->rq->reply);
    mg_js_write_consumer_info(&w, &info);
    mg_js_reply_end(&w);
}

// Told to whoever makes or changes one that is paused.
static void say_paused(struct mg_js_member *m) {
    int64_t until = m->terms->rules.pause_until;
    if (until > mg_js_member_now(m))
        mg_js_advise(m, &(struct mg_js_notice){.kind = MG_JS_NOTICE_PAUSED, .time = until});
}

static void tell_known(struct mg_js_knowing *knowing, struct mg_js_member *m) {
    struct making *k = mg_container_of(knowing, struct making, knowing);
    if (m == NULL) {
        mg_js_answer_fail(k->rq, MG_JSE_CONSUMER_NOT_FOUND);
        return;
    }
    write_answer(k, m);
    mg_js_member_flush(m);
    struct mg_buf text = k->text;
    k->text = (struct mg_buf)MG_BUF_INIT;
    mg_js_answer_behind(k->rq, m->stream, &text);
    say_paused(m);
}

static void tell(struct mg_js_request *rq, struct mg_js_member *m) {
    struct making *k = making_new(rq, m->stream, m);
    k->knowing.known = tell_known;
    mg_js_member_know(m, &k->knowing);
}

// While the store has the request, nothing else keeps the consumer alive. NULL: it was dropped meanwhile.
static struct mg_js_member *let_go(struct making *k) {
    k->m->held--;
    return k->m->dead ? NULL : k->m;
}

// ---- a new one ------------------------------------------------------------------------------------------------------

static void fail_new(struct making *k, struct mg_js_member *m) {
    struct mg_js_error e = {0};
    if (m) mg_js_member_drop(m);
    mg_js_failf(&e, MG_JSE_CONSUMER_CREATE, "error creating store for consumer");
    mg_js_answer_error(k->rq, &e);
}

static void created(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct making *k = rq->own;
    struct mg_js_member *m = let_go(k);
    (void)s;
    if (m == NULL || r->err != 0) {
        fail_new(k, m);
        return;
    }
    mg_js_advise_action(m->stream, mg_js_member_name(m), true);
    say_paused(m);
    struct mg_buf text = k->text;
    k->text = (struct mg_buf)MG_BUF_INIT;
    m->live = true; // who hears of it may pull at once
    mg_js_answer(rq, &text);
    mg_buf_fini(&text);
    if (!m->dead) mg_js_member_serve(m);
}

static void write_new(struct mg_js_knowing *knowing, struct mg_js_member *m) {
    struct making *k = mg_container_of(knowing, struct making, knowing);
    struct mg_js_request *rq = k->rq;
    if (m == NULL) {
        fail_new(k, NULL);
        return;
    }
    write_answer(k, m);
    m->held++;
    void *ctx = mg_js_request_then(rq, created);
    if (!m->persistent) {
        mg_stream_barrier(m->stream->store, ctx);
        return;
    }
    int err = mg_js_member_store_state(m);
    if (err == 0) err = mg_js_member_store_config(m, ctx);
    if (err == 0) return;
    mg_js_request_failed(rq);
    m->held--;
    fail_new(k, m);
}

static int by_number(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

// Sorted, each once.
static size_t sort_lasts(struct mg_buf *lasts) {
    uint64_t *v = (uint64_t *)(void *)lasts->p;
    size_t n = lasts->len / sizeof(*v), kept = 0;
    if (n) qsort(v, n, sizeof(*v), by_number);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || v[kept - 1] != v[i]) v[kept++] = v[i];
    return kept;
}

// found: the stream's answer to the plan.
static void begin(struct making *k, uint64_t found) {
    struct mg_js_member *m = k->m;
    const struct mg_js_consumer_rules *rules = &m->terms->rules;
    struct mg_stream *store = k->stream->store;
    struct mg_stream_state st = {.first = 1};
    struct mg_js_state state;
    if (mg_stream_state(store, &st) != 0) st.first = 1; // the store skips what is not there
    uint64_t visible = mg_stream_visible(store), first = st.first ? st.first : 1;
    size_t n = sort_lasts(&k->lasts);
    const uint64_t *lasts = (const uint64_t *)(const void *)k->lasts.p;
    if (n) found = lasts[0];
    mg_js_state_init(&state, mg_js_start_at(rules, k->plan, first, visible, found), rules->ack == MG_JS_ACK_NONE);
    if (n) mg_js_state_skip_list(&state, lasts, n, visible + 1);
    mg_js_member_begin(m, &state);
    k->knowing.known = write_new;
    mg_js_member_know(m, &k->knowing);
}

static void asked(struct mg_js_reading *rd) {
    struct making *k = mg_container_of(rd, struct making, rd);
    begin(k, rd->r.err == 0 ? rd->r.msg.seq : 0);
}

static void asked_gone(struct mg_js_reading *rd) { fail_new(mg_container_of(rd, struct making, rd), NULL); }

static void ask_message(struct making *k, enum mg_read_kind kind) {
    struct mg_read *r = &k->rd.r;
    r->kind = kind;
    r->seq = MG_ANY_SEQ;
    r->time = k->plan.time;
    r->filters = mg_js_own_filters(&k->m->own);
    r->filters_len = k->m->own.n;
    k->rd.done = asked;
    k->rd.gone = asked_gone;
    if (mg_js_read(k->stream, &k->rd) == 0) asked(&k->rd);
}

static void list_lasts(struct making *k);

static void each_subject(struct mg_subjects_read *sr, mg_slice subject, uint64_t count, uint64_t last) {
    struct making *k = mg_container_of(sr, struct making, subjects);
    (void)subject;
    if (count && last && last <= mg_stream_visible(k->stream->store)) mg_buf_add(&k->lasts, &last, sizeof(last));
}

static void all_subjects(struct mg_subjects_read *sr, int err, uint64_t total) {
    struct making *k = mg_container_of(sr, struct making, subjects);
    (void)total;
    if (err == MG_ECLOSED) { // and so has gone all that the stream had
        fail_new(k, NULL);
    } else if (err == 0 && ++k->filter < k->m->own.n) {
        list_lasts(k);
    } else {
        struct mg_js_member *m = let_go(k);
        if (m && err == 0) begin(k, 0);
        else fail_new(k, m);
    }
}

static void list_lasts(struct making *k) {
    k->subjects =
        (struct mg_subjects_read){.max = UINT64_MAX, .lasts = true, .each = each_subject, .done = all_subjects};
    if (k->m->own.n) k->subjects.filter = mg_js_own_filters(&k->m->own)[k->filter];
    mg_stream_subjects(k->stream->store, &k->subjects);
}

static mg_slice choose_name(const struct mg_js_stream *s, char name[NAME_LEN]) {
    const mg_slice chosen = mg_slice_of(name, NAME_LEN);
    do {
        mg_base62_digits(name, NAME_LEN, mg_shard_random(s->js->shard));
    } while (mg_js_member_find(s, chosen) || mg_js_sleeper_find(s, chosen));
    return chosen;
}

static void make(struct mg_js_request *rq, struct mg_js_stream *s, mg_slice name, struct mg_js_consumer_config *c) {
    char chosen[NAME_LEN];
    if (name.n == 0) name = choose_name(s, chosen);
    struct mg_js_member *m = mg_js_member_new(s, name, c, mg_js_now(s->js));
    struct making *k = making_new(rq, s, m);
    k->plan = mg_js_start_plan(&m->terms->rules, m->own.n > 0, s->config.max_msgs_per_subject);
    switch (k->plan.ask) {
    case MG_JS_START_KNOWN: begin(k, 0); break;
    case MG_JS_START_LAST_MATCH: ask_message(k, MG_READ_LAST); break;
    case MG_JS_START_FIRST_AT: ask_message(k, MG_READ_TIME); break;
    case MG_JS_START_LAST_SUBJECTS:
        m->held++;
        list_lasts(k);
        break;
    }
}

// ---- checks against the others --------------------------------------------------------------------------------------

struct others {
    const struct mg_js_consumer_config *config;
    const struct mg_js_member *self;
    bool unique;
};

static void look_at(void *arg, struct mg_js_member *m) {
    struct others *o = arg;
    if (m == o->self || m->terms->config.direct || m->terms->config.sourcing) return;
    const struct mg_js_consumer_config config = mg_js_member_config(m);
    if (mg_js_consumer_collide(o->config, &config)) o->unique = false;
}

// On a work queue: does no filter of another one collide?
static bool unique(struct mg_js_stream *s, const struct mg_js_consumer_config *c, const struct mg_js_member *self) {
    struct others o = {c, self, true};
    if (s->config.retention == MG_JS_WORKQUEUE && s->members) mg_js_members_each(s->members, look_at, &o);
    return o.unique;
}

static int check_change(struct mg_js_stream *s, struct mg_js_consumer_request *r, const struct mg_js_member *old,
                        struct mg_js_error *e) {
    const struct mg_js_consumer_config config = mg_js_member_config(old);
    if (r->action == MG_JS_CREATE && !mg_js_consumer_same(&r->config, &config))
        return mg_js_fail(e, MG_JSE_CONSUMER_ALREADY_EXISTS);
    if (!unique(s, &r->config, old)) return mg_js_fail(e, MG_JSE_CONSUMER_WQ_CONSUMER_NOT_UNIQUE);
    bool bound = config.deliver_subject.n && mg_js_interest(s->js, config.deliver_subject);
    return mg_js_consumer_update(&config, &r->config, bound, e);
}

static int check_new(struct mg_js_stream *s, struct mg_js_consumer_request *r, struct mg_js_error *e) {
    size_t others = s->members ? s->members->n_limited : 0;
    int64_t most = mg_js_consumer_maximum(&s->config, &s->js->o.limits);
    if (r->action == MG_JS_UPDATE) return mg_js_fail(e, MG_JSE_CONSUMER_DOES_NOT_EXIST);
    if (most > 0 && (int64_t)others >= most && !r->config.direct && !r->config.sourcing)
        return mg_js_fail(e, MG_JSE_MAXIMUM_CONSUMERS_LIMIT);
    int rc = 0;
    if (s->config.retention == MG_JS_WORKQUEUE)
        rc = mg_js_consumer_check_workqueue(&r->config, others, unique(s, &r->config, NULL), e);
    return rc != 0 ? rc : mg_js_consumer_check_name(&r->config, e);
}

// ---- an update ------------------------------------------------------------------------------------------------------

static void updated(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_member *m = let_go(rq->own);
    (void)s;
    if (r->err != 0) {
        mg_js_answer_store_error(rq, MG_JSE_CONSUMER_CREATE, r->err);
    } else if (m == NULL) {
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_NOT_FOUND);
    } else {
        tell(rq, m);
    }
}

static void change(struct mg_js_request *rq, struct mg_js_member *m, struct mg_js_consumer_request *r) {
    const struct mg_js_consumer_config config = mg_js_member_config(m);
    mg_js_consumer_settle(&r->config, &config);
    if (mg_js_consumer_same(&r->config, &config)) {
        tell(rq, m);
        return;
    }
    making_new(rq, m->stream, m);
    mg_js_member_revise(m, &r->config);
    m->held++;
    void *ctx = mg_js_request_then(rq, updated);
    int err = 0;
    if (m->persistent && !MG_PLANTED(unsaved_rules)) err = mg_js_member_store_config(m, ctx);
    else mg_stream_barrier(m->stream->store, ctx);
    if (err == 0) return;
    m->held--;
    mg_js_request_failed(rq);
    mg_js_answer_store_error(rq, MG_JSE_CONSUMER_CREATE, err);
}

// ---- the request ----------------------------------------------------------------------------------------------------

struct admitted {
    struct mg_js_stream *stream;
    struct mg_js_member *old;
    mg_slice name;
    bool asleep; // and is to be looked at again when it is awake
};

static int admit(struct mg_js_request *rq, struct mg_js_consumer_request *r, struct admitted *a,
                 struct mg_js_error *e) {
    struct mg_js *js = rq->js;
    int rc = mg_js_consumer_read(r, rq->body, js->o.strict, e);
    if (rc == 0) rc = mg_js_consumer_admit(r, rq->subject, &a->name, e);
    if (rc != 0) return rc;
    struct mg_js_stream *s = a->stream = mg_js_find(js, r->stream_name);
    if (s == NULL || s->deleting) return mg_js_fail(e, MG_JSE_STREAM_NOT_FOUND);
    struct mg_js_member *old = a->old = a->name.n ? mg_js_member_find(s, a->name) : NULL;
    a->asleep = old == NULL && a->name.n && mg_js_sleeper_find(s, a->name);
    if (a->asleep) return 0;
    if (old) r->config.pause_until = old->terms->config.pause_until;
    mg_js_consumer_stamp(&r->config);
    rc = mg_js_consumer_check(&r->config, &s->config, &js->o.limits, r->pedantic, e);
    if (rc == 0) rc = mg_js_consumer_check_supported(&r->config, e);
    if (rc != 0) return rc;
    return old ? check_change(s, r, old, e) : check_new(s, r, e);
}

void mg_js_do_consumer_create(struct mg_js_request *rq) {
    struct mg_js_consumer_request r = {.action = 0};
    struct mg_js_error e = {0};
    struct admitted a = {NULL, NULL, {NULL, 0}, false};
    if (admit(rq, &r, &a, &e) != 0) {
        mg_js_answer_error(rq, &e);
    } else if (a.asleep) {
        mg_js_request_wakes(rq, a.stream, a.name);
    } else if (a.old && (a.old->c == NULL || r.action == MG_JS_CREATE)) {
        tell(rq, a.old);
    } else if (a.old) {
        change(rq, a.old, &r);
    } else {
        mg_js_consumer_settle(&r.config, NULL);
        make(rq, a.stream, a.name, &r.config);
    }
    mg_js_consumer_request_fini(&r);
}
