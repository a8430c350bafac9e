// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is told of consumers, and their deletion (spec/jetstream-consumers.md 1, 13).
#include <stdlib.h>

#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct mg_js_member *mg_js_request_consumer(struct mg_js_request *rq) {
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return NULL;
    struct mg_js_member *m = mg_js_member_find(s, rq->consumer);
    if (m == NULL && mg_js_request_wakes(rq, s, rq->consumer)) return NULL;
    if (m == NULL) mg_js_answer_fail(rq, MG_JSE_CONSUMER_NOT_FOUND);
    return m;
}

// ---- info -----------------------------------------------------------------------------------------------------------

struct telling {
    struct mg_js_request *rq;
    struct mg_js_knowing knowing;
};

static void tell(struct mg_js_knowing *k, struct mg_js_member *m) {
    struct mg_js_request *rq = mg_container_of(k, struct telling, knowing)->rq;
    if (m == NULL) {
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_NOT_FOUND);
        return;
    }
    struct mg_js_consumer_config config;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, rq->reply);
    mg_js_write_consumer_info(&w, &info);
    mg_js_reply_end(&w);
    mg_js_member_flush(m);
    mg_js_answer_behind(rq, m->stream, &out);
}

void mg_js_do_consumer_info(struct mg_js_request *rq) {
    if (!mg_js_request_empty(rq)) return;
    struct mg_js_member *m = mg_js_request_consumer(rq);
    if (m == NULL) return;
    struct telling *t = mg_zalloc(sizeof(*t));
    t->rq = rq;
    t->knowing.known = tell;
    rq->own = t;
    mg_js_member_know(m, &t->knowing);
}

// ---- lists ----------------------------------------------------------------------------------------------------------

struct paged {
    int64_t offset;
};
static const struct mg_field paged_fields[] = {MG_FIELD(struct paged, offset, INT)};
static const struct mg_shape paged_shape = MG_SHAPE("JSApiConsumersRequest", struct paged, paged_fields);

struct names {
    mg_slice *v;
    size_t n;
};

// Without those that mirrors and sources use (spec 1).
static void add_awake(void *ctx, void *val) {
    struct names *l = ctx;
    const struct mg_js_member *m = val;
    if (!m->terms->config.direct && !m->terms->config.sourcing && m->c) l->v[l->n++] = mg_js_member_name(m);
}

static void add_asleep(void *ctx, void *val) {
    struct names *l = ctx;
    const struct mg_js_sleeper *sl = val;
    if (!(sl->flags & MG_JS_ROW_HIDDEN)) l->v[l->n++] = mg_js_sleeper_name(sl);
}

static int by_name(const void *a, const void *b) { return mg_slice_cmp(*(const mg_slice *)a, *(const mg_slice *)b); }

// Borrowed names, sorted; v is to be freed.
static struct names names_of(const struct mg_js_stream *s) {
    struct names l = {mg_alloc((mg_js_stream_consumers(s) + 1) * sizeof(mg_slice)), 0};
    if (s->members == NULL) return l;
    mg_table_each(&s->members->by_name, add_awake, &l);
    mg_table_each(&s->members->asleep, add_asleep, &l);
    qsort(l.v, l.n, sizeof(l.v[0]), by_name);
    return l;
}

static void names_known(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    const struct paged *p = rq->own;
    struct names l = names_of(s);
    struct mg_buf out = MG_BUF_INIT;
    (void)r;
    mg_js_reply_names(&out, rq->reply, mg_js_page_at((int64_t)l.n, p->offset, MG_JS_NAMES_LIMIT), l.v);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
    mg_free(l.v);
}

static struct mg_js_stream *read_paged(struct mg_js_request *rq, void *own, struct paged *p) {
    rq->own = own;
    if (!mg_js_request_optional(rq, &paged_shape, p)) return NULL;
    return mg_js_request_stream(rq);
}

void mg_js_do_consumer_names(struct mg_js_request *rq) {
    struct paged *p = mg_zalloc(sizeof(*p));
    struct mg_js_stream *s = read_paged(rq, p, p);
    if (s) mg_js_request_barrier(rq, s, names_known);
}

// Each consumer of the page is asked once for what it does not know; then all are told in one go.
struct listing {
    struct paged p;
    struct mg_js_request *rq;
    struct mg_js_stream *stream;
    struct mg_js_knowing knowing;
    int64_t asked; // of the page
    bool knows;    // the one that was asked last has answered
};

static void write_list(struct listing *l, const struct names *names, struct mg_js_page page) {
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, l->rq->reply);
    mg_js_write_page(&w, page);
    mg_jw_key(&w, "consumers");
    mg_jw_arr(&w);
    for (int64_t i = 0; i < mg_js_page_count(page); i++) {
        struct mg_js_member *m = mg_js_member_find(l->stream, names->v[page.offset + i]);
        if (m == NULL || m->c == NULL) continue;
        struct mg_js_consumer_config config;
        struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
        info.version = NULL; // as it is stored
        mg_jw_obj(&w);
        mg_js_write_consumer_info(&w, &info);
        mg_jw_end_obj(&w);
        mg_js_member_flush(m);
    }
    mg_jw_end_arr(&w);
    mg_js_reply_end(&w);
    mg_js_answer_behind(l->rq, l->stream, &out);
}

static void list(struct listing *l);

static void list_known(struct mg_js_knowing *k, struct mg_js_member *m) {
    struct listing *l = mg_container_of(k, struct listing, knowing);
    if (m == NULL && l->stream->deleting) {
        mg_js_answer_fail(l->rq, MG_JSE_STREAM_NOT_FOUND);
        return;
    }
    if (l->knows) list(l);
    else l->knows = true;
}

// True: some of the page are asleep. They wake, and the request is run again.
static bool wakes(struct listing *l, const struct names *names, struct mg_js_page page) {
    struct mg_js_sleeper *last = NULL;
    for (int64_t i = 0; i < mg_js_page_count(page); i++) {
        struct mg_js_sleeper *sl = mg_js_sleeper_find(l->stream, names->v[page.offset + i]);
        if (sl && last) mg_js_sleeper_wake(last, NULL); // its name in the list is gone with that
        if (sl) last = sl;
    }
    return last != NULL && mg_js_request_wakes(l->rq, l->stream, mg_js_sleeper_name(last));
}

static void list(struct listing *l) {
    struct names names = names_of(l->stream);
    struct mg_js_page page = mg_js_page_at((int64_t)names.n, l->p.offset, MG_JS_LIST_LIMIT);
    while (l->asked < mg_js_page_count(page)) {
        struct mg_js_member *m = mg_js_member_find(l->stream, names.v[page.offset + l->asked++]);
        if (m == NULL) continue;
        l->knows = false;
        mg_js_member_know(m, &l->knowing);
        if (l->knows) continue;
        l->knows = true; // the call that comes goes on from here
        mg_free(names.v);
        return;
    }
    write_list(l, &names, page);
    mg_free(names.v);
}

void mg_js_do_consumer_list(struct mg_js_request *rq) {
    struct listing *l = mg_zalloc(sizeof(*l));
    l->rq = rq;
    struct mg_js_stream *s = read_paged(rq, l, &l->p);
    if (s == NULL) return;
    l->stream = s;
    l->knowing.known = list_known;
    struct names names = names_of(s);
    bool again = wakes(l, &names, mg_js_page_at((int64_t)names.n, l->p.offset, MG_JS_LIST_LIMIT));
    mg_free(names.v);
    if (!again) list(l);
}

// ---- delete ---------------------------------------------------------------------------------------------------------

static void deleted(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    (void)s;
    if (r->err != 0) mg_js_answer_store_error(rq, MG_JSE_STREAM_GENERAL, r->err);
    else mg_js_answer_success(rq);
}

void mg_js_do_consumer_delete(struct mg_js_request *rq) {
    if (!mg_js_request_empty(rq)) return;
    struct mg_js_member *m = mg_js_request_consumer(rq);
    if (m == NULL) return;
    if (!m->live) { // its creation was not answered yet
        mg_js_answer_fail(rq, MG_JSE_CONSUMER_NOT_FOUND);
        return;
    }
    int err = mg_js_member_delete(m, mg_js_request_then(rq, deleted));
    if (err == 0) return;
    mg_js_request_failed(rq);
    mg_js_answer_store_error(rq, MG_JSE_STREAM_GENERAL, err);
}
