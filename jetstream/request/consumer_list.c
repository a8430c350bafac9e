// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is told of consumers, and their deletion (spec/jetstream-consumers.md 1, 13).
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "jetstream/stream/roll.h"
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

static struct mg_js_page page_of(const struct mg_js_stream *s, const struct paged *p, int64_t limit) {
    return mg_js_page_at(s->members ? (int64_t)s->members->names.count : 0, p->offset, limit);
}

// Borrowed.
static void names_of(const struct mg_js_stream *s, struct mg_js_page page, mg_slice *out) {
    if (s->members) mg_js_names_page(&s->members->names, (size_t)page.offset, out, (size_t)mg_js_page_count(page));
}

static void names_known(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_page page = page_of(s, rq->own, MG_JS_NAMES_LIMIT);
    mg_slice names[MG_JS_NAMES_LIMIT];
    struct mg_buf out = MG_BUF_INIT;
    (void)r;
    names_of(s, page, names);
    mg_js_reply_names(&out, rq->reply, page, names);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
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

struct listing {
    struct paged p;
    struct mg_js_request *rq;
    struct mg_js_roll roll;
    struct mg_js_page page;
    struct mg_buf text; // of the array
    struct mg_jw w;
};

static void drop_listing(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    mg_list_remove(&l->roll.task.link);
    mg_js_roll_fini(&l->roll);
    mg_buf_fini(&l->text);
    mg_free(l);
}

static void write_one(struct mg_js_roll *r, struct mg_js_member *m) {
    struct listing *l = mg_container_of(r, struct listing, roll);
    struct mg_js_consumer_config config;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
    info.version = NULL; // as it is stored
    mg_jw_obj(&l->w);
    mg_js_write_consumer_info(&l->w, &info);
    mg_jw_end_obj(&l->w);
    mg_js_member_flush(m);
}

static void listed(struct mg_js_roll *r, struct mg_js_stream *s) {
    struct listing *l = mg_container_of(r, struct listing, roll);
    if (s == NULL) {
        mg_js_answer_fail(l->rq, MG_JSE_STREAM_NOT_FOUND);
        return;
    }
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_end_arr(&l->w);
    mg_js_reply_begin(&w, &out, l->rq->reply);
    mg_js_write_page(&w, l->page);
    mg_jw_key(&w, "consumers");
    mg_jw_raw(&w, mg_buf_slice(&l->text));
    mg_js_reply_end(&w);
    mg_js_answer_behind(l->rq, s, &out);
}

static void list_dropped(struct mg_js_task *t) {
    mg_js_answer_nothing(mg_container_of(t, struct listing, roll.task)->rq);
}

void mg_js_do_consumer_list(struct mg_js_request *rq) {
    struct listing *l = mg_zalloc(sizeof(*l));
    mg_list_init(&l->roll.task.link);
    rq->drop = drop_listing;
    l->rq = rq;
    struct mg_js_stream *s = read_paged(rq, l, &l->p);
    if (s == NULL) return;
    l->page = page_of(s, &l->p, MG_JS_LIST_LIMIT);
    l->roll.js = rq->js;
    l->roll.each = write_one;
    l->roll.end = listed;
    l->roll.task.drop = list_dropped;
    mg_jw_init(&l->w, &l->text, 0);
    mg_jw_arr(&l->w);
    mg_js_roll_call(&l->roll, s, (size_t)l->page.offset, (size_t)mg_js_page_count(l->page));
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
