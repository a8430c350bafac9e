// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is told of consumers, and their deletion (spec/jetstream-consumers.md 1, 13).
#include <string.h>

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

// The consumers of the page as it was at first, one after the other, some a turn: each is woken if it sleeps, asked for
// what it does not know, and told.
#define LISTED_A_TURN 16u
#define WOKEN_A_TURN 4u

struct listing {
    struct paged p;
    struct mg_js_request *rq;
    struct mg_js_task task;
    struct mg_js_knowing knowing;
    struct mg_js_member *answered; // asked and has answered at once
    bool asking;
    struct mg_js_page page;
    struct mg_buf names;    // of the page: u32 length, text
    size_t at;              // of the next one
    unsigned woken;
    struct mg_buf text;     // of the array
    struct mg_jw w;
};

static void drop_listing(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    mg_list_remove(&l->task.link);
    mg_buf_fini(&l->names);
    mg_buf_fini(&l->text);
    mg_free(l);
}

static void finish_list(struct listing *l, struct mg_js_stream *s) {
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

static void write_one(struct listing *l, struct mg_js_member *m) {
    if (m == NULL || m->c == NULL) return;
    struct mg_js_consumer_config config;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &config);
    info.version = NULL; // as it is stored
    mg_jw_obj(&l->w);
    mg_js_write_consumer_info(&l->w, &info);
    mg_jw_end_obj(&l->w);
    mg_js_member_flush(m);
}

static void list(struct mg_js_task *t);

static void list_known(struct mg_js_knowing *k, struct mg_js_member *m) {
    struct listing *l = mg_container_of(k, struct listing, knowing);
    if (l->asking) {
        l->asking = false;
        l->answered = m;
        return;
    }
    write_one(l, m);
    mg_js_later(l->rq->js, &l->task, list);
}

// False: it will be told when it knows.
static bool tell_one(struct listing *l, struct mg_js_member *m) {
    l->asking = true;
    mg_js_member_know(m, &l->knowing);
    bool at_once = !l->asking;
    l->asking = false;
    if (at_once) write_one(l, l->answered);
    return at_once;
}

static mg_slice next_name(const struct listing *l) {
    uint32_t n;
    memcpy(&n, l->names.p + l->at, sizeof(n));
    return mg_slice_of(l->names.p + l->at + sizeof(n), n);
}

// The one that slept is awake, or gone.
static void list_again(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    if (++l->woken % WOKEN_A_TURN) list(&l->task);
    else mg_js_later(rq->js, &l->task, list);
}

static void list(struct mg_js_task *t) {
    struct listing *l = mg_container_of(t, struct listing, task);
    struct mg_js_stream *s = mg_js_request_stream(l->rq);
    if (s == NULL) return; // and l is gone
    for (unsigned n = 0; l->at < l->names.len; n++) {
        mg_slice name = next_name(l);
        struct mg_js_member *m = mg_js_member_find(s, name);
        struct mg_js_sleeper *sl = m ? NULL : mg_js_sleeper_find(s, name);
        if (n == LISTED_A_TURN) {
            mg_js_later(l->rq->js, t, list);
            return;
        }
        if (sl) {
            l->rq->run = list_again;
            mg_js_sleeper_wake(sl, l->rq);
            return;
        }
        l->at += sizeof(uint32_t) + name.n;
        if (m && !tell_one(l, m)) return;
    }
    finish_list(l, s);
}

static void list_dropped(struct mg_js_task *t) { mg_js_answer_nothing(mg_container_of(t, struct listing, task)->rq); }

static void keep_names(struct listing *l, const struct mg_js_stream *s) {
    mg_slice names[MG_JS_LIST_LIMIT];
    l->page = page_of(s, &l->p, MG_JS_LIST_LIMIT);
    names_of(s, l->page, names);
    for (int64_t i = 0; i < mg_js_page_count(l->page); i++) {
        uint32_t n = (uint32_t)names[i].n;
        mg_buf_add(&l->names, &n, sizeof(n));
        mg_buf_add_slice(&l->names, names[i]);
    }
}

void mg_js_do_consumer_list(struct mg_js_request *rq) {
    struct listing *l = mg_zalloc(sizeof(*l));
    mg_list_init(&l->task.link);
    rq->drop = drop_listing;
    l->rq = rq;
    struct mg_js_stream *s = read_paged(rq, l, &l->p);
    if (s == NULL) return;
    l->task.drop = list_dropped;
    l->knowing.known = list_known;
    mg_jw_init(&l->w, &l->text, 0);
    mg_jw_arr(&l->w);
    keep_names(l, s);
    list(&l->task);
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
