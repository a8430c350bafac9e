// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Lists of streams (spec/jetstream-streams.md 6). A walk over all names, some a turn, counts those that match and
// writes those of the page: streams that come or go meanwhile may or may not be there. What is told of them must be
// durable: the answer waits behind each stream that stands in it.
#include "jetstream/monitor.h"
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

#define LOOKED_AT_A_TURN 256u // streams
#define WRITTEN_A_TURN   16u
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

struct listing {
    struct mg_js_task task;
    struct mg_js_request *rq;
    struct paged p;
    bool infos;            // LIST, not NAMES
    int64_t limit, total;  // total: of those that match so far
    struct mg_buf last;    // name of the stream that was looked at last
    struct mg_buf streams; // the array's text
    struct mg_jw w;
    unsigned waiting;      // streams that are not durable yet
    unsigned tries;        // of the stream that is looked at
    bool walked;
};

// A struct of its own, because its stream may go before the others.
struct waiting {
    struct mg_js_wait wait;
    struct listing *l;
};

static void drop_listing(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    mg_list_remove(&l->task.link);
    mg_shape_fini(l->infos ? &list_shape : &names_shape, &l->p);
    mg_buf_fini(&l->last);
    mg_buf_fini(&l->streams);
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
    mg_jw_end_arr(&l->w);
    if (!l->infos && mg_js_page_count(page) == 0) mg_jw_null(&w); // names that are none are null, infos are []
    else mg_jw_raw(&w, mg_buf_slice(&l->streams));
    mg_js_reply_end(&w);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

// ---- behind the streams ---------------------------------------------------------------------------------------------

static void is_durable(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct waiting *one = mg_container_of(w, struct waiting, wait);
    struct listing *l = one->l;
    (void)s;
    mg_free(one);
    l->waiting--;
    if (l->waiting > 0 || !l->walked) return; // a walk that is under way when the server ends is dropped as a task
    if (r) finish(l);
    else mg_js_answer_nothing(l->rq);
}

static void wait_for(struct listing *l, struct mg_js_stream *s) {
    struct waiting *one = mg_alloc(sizeof(*one));
    one->l = l;
    l->waiting++;
    mg_js_wait(l->rq->js, &one->wait, is_durable);
    mg_stream_barrier(s->store, &one->wait);
}

// ---- the walk -------------------------------------------------------------------------------------------------------

static bool matches(const struct listing *l, const struct mg_js_stream *s) {
    if (s->deleting) return false;
    if (l->p.subject.n == 0) return true;
    for (size_t i = 0; i < s->config.subjects.n; i++)
        if (mg_subject_collide(s->config.subjects.v[i], l->p.subject)) return true;
    return false;
}

static void write_info(struct listing *l, struct mg_js_stream *s) {
    struct mg_js_stream_info info;
    mg_js_stream_tell(s, &info);
    info.domain = s->js->domain;
    mg_jw_obj(&l->w);
    mg_js_write_stream_info(&l->w, &info);
    mg_jw_end_obj(&l->w);
    wait_for(l, s);
}

enum look { SKIPPED, WRITTEN, UNKNOWN };

static enum look look_at(struct listing *l, struct mg_js_stream *s) {
    int64_t from = l->p.page.offset > 0 ? l->p.page.offset : 0, at = l->total;
    struct mg_stream_state st;
    if (!matches(l, s)) return SKIPPED;
    bool wanted = at >= from && at - from < l->limit;
    // A number of it may have to be looked up; a busy stream is not waited for again and again.
    if (wanted && l->infos && mg_stream_state(s->store, &st) != 0 && ++l->tries < TRIES) return UNKNOWN;
    l->tries = 0;
    l->total++;
    if (!wanted) return SKIPPED;
    if (l->infos) write_info(l, s);
    else mg_jw_str(&l->w, mg_js_stream_name(s));
    return l->infos ? WRITTEN : SKIPPED;
}

static void walk(struct mg_js_task *t);

static void known(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct listing *l = rq->own;
    (void)s;
    (void)r;
    walk(&l->task);
}

static void walk(struct mg_js_task *t) {
    struct listing *l = mg_container_of(t, struct listing, task);
    struct mg_js_stream *some[LOOKED_AT_A_TURN];
    size_t n = mg_js_streams_behind(l->rq->js, mg_buf_slice(&l->last), some, LOOKED_AT_A_TURN), i = 0;
    enum look got = SKIPPED;
    for (unsigned written = 0; i < n && written < WRITTEN_A_TURN; i++) {
        got = look_at(l, some[i]);
        if (got == UNKNOWN) break;
        written += got == WRITTEN;
    }
    if (i > 0) {
        l->last.len = 0;
        mg_buf_add_slice(&l->last, mg_js_stream_name(some[i - 1]));
    }
    if (got == UNKNOWN) {
        mg_js_request_barrier(l->rq, some[i], known);
        return;
    }
    if (i < n || n == LOOKED_AT_A_TURN) {
        mg_js_later(l->rq->js, t, walk);
        return;
    }
    l->walked = true;
    if (l->waiting == 0) finish(l);
}

static void dropped(struct mg_js_task *t) { mg_js_answer_nothing(mg_container_of(t, struct listing, task)->rq); }

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
    mg_jw_init(&l->w, &l->streams, 0);
    mg_jw_arr(&l->w);
    walk(&l->task);
}

void mg_js_do_stream_names(struct mg_js_request *rq) { begin(rq, false); }
void mg_js_do_stream_list(struct mg_js_request *rq) { begin(rq, true); }
