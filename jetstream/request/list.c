// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Lists of streams (spec/jetstream-streams.md 6). A walk over all names of the catalogue, some a turn, counts those
// that match and notes those of the page: streams that come or go meanwhile may or may not be there. Each of the page
// is told of by its shard, as an errand; the answer is put together when all are back. What is told must be durable: an
// errand comes back behind what its stream says.
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

#define LOOKED_AT_A_TURN 256u // streams
#define TOLD_A_TURN      16u
#define TRIES            4u // to know all numbers of a stream

struct page_of {
    int64_t offset;
};
struct paged {
    struct page_of page;
    mg_slice subject;
};
static const struct mg_field page_fields[] = {MG_FIELD(struct page_of, offset, INT)};
static const struct mg_shape page_shape = MG_SHAPE("ApiPagedRequest", struct page_of, page_fields);
static const struct mg_field list_fields[] = {
    {.key = "ApiPagedRequest", .kind = MG_KIND_EMBEDDED, .at = offsetof(struct paged, page), .of = &page_shape},
    MG_FIELD(struct paged, subject, STRING)};
static const struct mg_shape names_shape = MG_SHAPE("JSApiStreamNamesRequest", struct paged, list_fields);
static const struct mg_shape list_shape = MG_SHAPE("JSApiStreamListRequest", struct paged, list_fields);

// One of the page.
struct one {
    struct mg_js_errand errand;
    struct mg_js_wait wait;
    struct listing *l;
    struct mg_js *there;
    unsigned shard;
    unsigned tries; // to know all its numbers
    mg_slice name;  // owned
    struct mg_buf text; // what is told of it; empty: it has gone
};

struct listing {
    struct mg_js_task task;
    struct mg_js_request *rq;
    struct paged p;
    bool infos;            // LIST, not NAMES
    int64_t limit, total;  // total: of those that match so far
    struct mg_buf last;    // name of the stream that was looked at last
    struct one *page[MG_JS_NAMES_LIMIT > MG_JS_LIST_LIMIT ? MG_JS_NAMES_LIMIT : MG_JS_LIST_LIMIT];
    size_t n, told;        // told: of these, errands were sent for
    unsigned out;          // of these: are not back
    bool lost;             // the server ends
};

static void drop_listing(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    mg_list_remove(&l->task.link);
    for (size_t i = 0; i < l->n; i++) {
        mg_buf_fini(&l->page[i]->text);
        mg_free((char *)(uintptr_t)l->page[i]->name.p);
        mg_free(l->page[i]);
    }
    mg_shape_fini(l->infos ? &list_shape : &names_shape, &l->p);
    mg_buf_fini(&l->last);
    mg_free(l);
}

// ---- the answer -----------------------------------------------------------------------------------------------------

static void finish(struct listing *l) {
    struct mg_js_request *rq = l->rq;
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    struct mg_js_page page = mg_js_page_at(l->total, l->p.page.offset, l->limit);
    mg_js_reply_begin(&w, &out, rq->reply);
    mg_js_write_page(&w, page);
    mg_jw_key(&w, "streams");
    if (!l->infos && mg_js_page_count(page) == 0) { // names that are none are null, infos are []
        mg_jw_null(&w);
    } else {
        mg_jw_arr(&w);
        for (size_t i = 0; i < l->n; i++) {
            if (!l->infos) mg_jw_str(&w, l->page[i]->name);
            else if (l->page[i]->text.len) mg_jw_raw(&w, mg_buf_slice(&l->page[i]->text));
        }
        mg_jw_end_arr(&w);
    }
    mg_js_reply_end(&w);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

// ---- one stream, on its shard ---------------------------------------------------------------------------------------

static void is_durable(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct one *one = mg_container_of(w, struct one, wait);
    (void)s;
    (void)r; // whoever looks at a server with a failed disk shall see something
    mg_js_errand_back(one->there, &one->errand);
}

static void wait_for(struct one *one, struct mg_js_stream *s,
                     void (*next)(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r)) {
    mg_js_wait(one->there, &one->wait, next);
    mg_stream_barrier(s->store, &one->wait);
}

static void tell_one(struct one *one, struct mg_js_stream *s);

static void known(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    if (r && !s->deleting) tell_one(mg_container_of(w, struct one, wait), s);
    else is_durable(w, s, r);
}

// A number of it may have to be looked up; a busy stream is not waited for again and again.
static void tell_one(struct one *one, struct mg_js_stream *s) {
    struct mg_js_stream_info info;
    struct mg_jw w;
    if (!mg_js_stream_tell(s, &info) && ++one->tries < TRIES) {
        wait_for(one, s, known);
        return;
    }
    info.domain = s->js->domain;
    mg_jw_init(&w, &one->text, 0);
    mg_jw_obj(&w);
    mg_js_write_stream_info(&w, &info);
    mg_jw_end_obj(&w);
    wait_for(one, s, is_durable);
}

static void run(struct mg_js_errand *e, struct mg_js *js) {
    struct one *one = mg_container_of(e, struct one, errand);
    struct mg_js_stream *s = mg_js_find(js, one->name);
    one->there = js;
    if (s && !s->deleting) tell_one(one, s);
    else mg_js_errand_back(js, e);
}

static void is_told(struct mg_js_errand *e) {
    struct listing *l = mg_container_of(e, struct one, errand)->l;
    l->lost |= e->lost;
    if (--l->out > 0 || l->told < l->n) return;
    if (l->lost) mg_js_answer_nothing(l->rq);
    else finish(l);
}

// ---- the page -------------------------------------------------------------------------------------------------------

static void send_some(struct mg_js_task *t) {
    struct listing *l = mg_container_of(t, struct listing, task);
    l->out++; // the last one may be back at once
    for (unsigned i = 0; i < TOLD_A_TURN && l->told < l->n; i++) {
        struct one *one = l->page[l->told++];
        l->out++;
        mg_js_errand_send(l->rq->js, &one->errand, one->shard);
    }
    l->out--;
    if (l->told < l->n) mg_js_later(l->rq->js, t, send_some);
    else if (l->out == 0) finish(l);
}

static void add(struct listing *l, const struct mg_js_item *e) {
    struct one *one = mg_zalloc(sizeof(*one));
    one->errand.run = run;
    one->errand.done = is_told;
    one->l = l;
    one->shard = e->shard;
    one->name = mg_slice_of(mg_slice_dup(e->name), e->name.n);
    l->page[l->n++] = one;
}

// ---- the walk -------------------------------------------------------------------------------------------------------

static bool matches(const struct listing *l, const struct mg_js_item *e) {
    if (l->p.subject.n == 0) return true;
    for (size_t i = 0; i < e->config->subjects.n; i++)
        if (mg_subject_collide(e->config->subjects.v[i], l->p.subject)) return true;
    return false;
}

static void look_at(struct listing *l, const struct mg_js_item *e) {
    int64_t from = l->p.page.offset > 0 ? l->p.page.offset : 0, at = l->total;
    if (!matches(l, e)) return;
    l->total++;
    if (at >= from && at - from < l->limit) add(l, e);
}

static void walk(struct mg_js_task *t) {
    struct listing *l = mg_container_of(t, struct listing, task);
    struct mg_js_item *some[LOOKED_AT_A_TURN];
    size_t n = mg_js_catalogue_behind(l->rq->js->all, mg_buf_slice(&l->last), some, LOOKED_AT_A_TURN);
    for (size_t i = 0; i < n; i++) look_at(l, some[i]);
    if (n > 0) {
        l->last.len = 0;
        mg_buf_add_slice(&l->last, some[n - 1]->name);
    }
    if (n == LOOKED_AT_A_TURN) mg_js_later(l->rq->js, t, walk);
    else if (l->infos) send_some(t);
    else finish(l);
}

// The server ends: errands that are out come back lost, the last one frees it.
static void dropped(struct mg_js_task *t) {
    struct listing *l = mg_container_of(t, struct listing, task);
    l->lost = true;
    l->told = l->n;
    if (l->out == 0) mg_js_answer_nothing(l->rq);
}

static void begin(struct mg_js_request *rq, bool infos) {
    const struct mg_shape *shape = infos ? &list_shape : &names_shape;
    struct listing *l = mg_zalloc(sizeof(*l));
    if (!mg_js_request_optional(rq, shape, &l->p)) {
        mg_free(l);
        return;
    }
    l->rq = rq;
    l->infos = infos;
    l->limit = infos ? MG_JS_LIST_LIMIT : MG_JS_NAMES_LIMIT;
    l->task.drop = dropped;
    mg_list_init(&l->task.link);
    rq->own = l;
    rq->drop = drop_listing;
    walk(&l->task);
}

void mg_js_do_stream_names(struct mg_js_request *rq) { begin(rq, false); }
void mg_js_do_stream_list(struct mg_js_request *rq) { begin(rq, true); }
