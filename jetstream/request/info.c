// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is told of one stream (spec/jetstream-streams.md 6): with its subjects, with the numbers that are missing. Both
// can be very many, so their texts are written in slices, and put together in slices when the rest of the answer is
// known; what is sent is that piece of memory.
#include <string.h>

#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/mbuf.h"

#define NOTED_A_TURN 4096u        // deleted numbers
#define READ_COST 8u              // of one message, in such numbers
#define COPIED_A_TURN (64u << 10) // bytes
#define TEXT_MAX (256u << 20)     // bytes of subjects, and of numbers: what is beyond is not told

struct details {
    int64_t offset;
    bool deleted_details;
    mg_slice subjects_filter;
};
static const struct mg_field info_fields[] = {MG_FIELD(struct details, offset, INT),
                                              MG_FIELD(struct details, deleted_details, BOOL),
                                              MG_FIELD(struct details, subjects_filter, STRING)};
static const struct mg_shape info_shape = MG_SHAPE("JSApiStreamInfoRequest", struct details, info_fields);

struct telling {
    struct details d;
    struct mg_js_request *rq;
    struct mg_js_stream *stream;
    struct mg_subjects_read read;
    struct mg_js_reading scan; // for the deleted ones
    struct mg_js_task task;
    struct mg_buf subjects, deleted, rest; // texts; rest: of the answer without these
    struct mg_jw sw, dw;       // of subjects and deleted
    uint64_t nsubjects, ndeleted;
    uint64_t total;            // of subjects that match
    uint64_t next, last;       // of the stream's numbers: to be looked at
    uint64_t gap;              // numbers from `next` on and below it are deleted
    bool ended;                // no message is behind the gap
    size_t subjects_at, deleted_at; // in the rest
    struct mg_mbuf *body;
};

static void drop_telling(struct mg_js_request *rq) {
    struct telling *t = rq->own;
    mg_list_remove(&t->task.link);
    mg_js_reading_end(&t->scan);
    mg_shape_fini(&info_shape, &t->d);
    mg_buf_fini(&t->subjects);
    mg_buf_fini(&t->deleted);
    mg_buf_fini(&t->rest);
    mg_mbuf_unref(t->body);
    mg_free(t);
}

// -- the answer

// The answer from byte `at` on, as far as it is in one piece.
static mg_slice piece_at(const struct telling *t, size_t at) {
    const struct {
        const struct mg_buf *of;
        size_t from, to;
    } pieces[] = {{&t->rest, 0, t->subjects_at},
                  {&t->subjects, 0, t->subjects.len},
                  {&t->rest, t->subjects_at, t->deleted_at},
                  {&t->deleted, 0, t->deleted.len},
                  {&t->rest, t->deleted_at, t->rest.len}};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        size_t n = pieces[i].to - pieces[i].from;
        if (at < n) return mg_slice_of(pieces[i].of->p + pieces[i].from + at, n - at);
        at -= n;
    }
    return mg_slice_of(NULL, 0);
}

static void put_together(struct mg_js_task *task) {
    struct telling *t = mg_container_of(task, struct telling, task);
    struct mg_mbuf *b = t->body;
    for (size_t left = COPIED_A_TURN; left > 0 && b->len < b->cap;) {
        mg_slice piece = piece_at(t, b->len);
        size_t n = piece.n < left ? piece.n : left;
        memcpy(b->data + b->len, piece.p, n);
        b->len += (uint32_t)n;
        left -= n;
    }
    if (b->len < b->cap) {
        mg_js_later(t->rq->js, task, put_together);
        return;
    }
    t->body = NULL;
    mg_js_answer_body(t->rq, b);
    mg_mbuf_unref(b);
}

static void told(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct telling *t = rq->own;
    (void)s;
    (void)r; // whoever looks at a server with a failed disk shall see something
    t->body = mg_mbuf_new(t->rest.len + t->subjects.len + t->deleted.len);
    t->body->cap = (uint32_t)(t->rest.len + t->subjects.len + t->deleted.len);
    put_together(&t->task);
}

static void tell(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct telling *t = rq->own;
    struct mg_js_stream_info info;
    struct mg_js_page page = {0, 0, 0};
    bool known = mg_js_stream_tell(s, &info);
    if (!known && (r == NULL || r->err == 0)) { // with a failed journal it never will be
        mg_js_request_barrier(rq, s, tell);
        return;
    }
    info.version = rq->js->o.version;
    info.leader = rq->js->server_name;
    info.domain = rq->js->domain;
    if (t->total) // unlike in lists, the offset is told as it was asked
        page = (struct mg_js_page){(int64_t)t->total, t->d.offset > 0 ? t->d.offset : 0, MG_JS_SUBJECTS_LIMIT};
    info.state.subjects_at = t->nsubjects ? &t->subjects_at : NULL;
    info.state.deleted_at = t->ndeleted ? &t->deleted_at : NULL;
    struct mg_jw w;
    mg_js_reply_begin(&w, &t->rest, rq->reply);
    mg_js_write_page(&w, page);
    mg_js_write_stream_info(&w, &info);
    mg_js_reply_end(&w);
    if (t->nsubjects) mg_jw_end_obj(&t->sw);
    if (t->ndeleted) mg_jw_end_arr(&t->dw);
    if (t->ndeleted == 0) t->deleted_at = t->subjects_at;
    mg_js_request_barrier(rq, s, told);
}

static void finish_telling(struct telling *t) { tell(t->rq, t->stream, NULL); }

// -- the numbers of deleted messages: what lies between those that are there

static void scan_some(struct telling *t);

static void note_deleted(struct telling *t, unsigned *left) {
    if (t->ndeleted == 0 && t->next < t->gap) {
        mg_jw_init(&t->dw, &t->deleted, 0);
        mg_jw_arr(&t->dw);
    }
    for (; t->next < t->gap && *left > 0; --*left, t->ndeleted++) mg_jw_uint(&t->dw, t->next++);
}

// What was read says where the gap ends. Messages that are newer than the scan are not asked about.
static void take(struct telling *t) {
    const struct mg_read *r = &t->scan.r;
    t->ended = r->err == MG_ENOTFOUND || r->msg.seq > t->last;
    t->gap = t->ended ? t->last + 1 : r->msg.seq;
}

static void scan_more(struct mg_js_reading *rd) {
    struct telling *t = mg_container_of(rd, struct telling, scan);
    take(t);
    scan_some(t);
}

static void scan_gone(struct mg_js_reading *rd) {
    struct telling *t = mg_container_of(rd, struct telling, scan);
    mg_js_answer_fail(t->rq, MG_JSE_STREAM_NOT_FOUND);
}

static void scan_on(struct mg_js_task *task) {
    struct telling *t = mg_container_of(task, struct telling, task);
    mg_list_remove(&t->scan.link);
    scan_some(t);
}

// So that the scan hears of it when the stream goes.
static void scan_later(struct telling *t) {
    mg_list_push_back(&t->stream->reads, &t->scan.link);
    mg_js_later(t->rq->js, &t->task, scan_on);
}

static int read_next(struct telling *t) {
    struct mg_js_reading *rd = &t->scan;
    rd->r.kind = MG_READ_NEXT;
    rd->r.sequential = true;
    rd->r.seq = t->next;
    rd->done = scan_more;
    rd->gone = scan_gone;
    return mg_js_read(t->stream, rd);
}

static void scan_some(struct telling *t) {
    unsigned left = NOTED_A_TURN;
    for (;;) {
        note_deleted(t, &left);
        if (t->deleted.len > TEXT_MAX) {
            finish_telling(t);
            return;
        }
        if (left < READ_COST) {
            scan_later(t);
            return;
        }
        if (t->ended) {
            finish_telling(t);
            return;
        }
        if (t->gap) t->next = t->gap + 1;
        left -= READ_COST;
        if (read_next(t) != 0) return;
        take(t);
    }
}

static void begin_deleted(struct telling *t);

static void state_known(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct telling *t = rq->own;
    (void)s;
    if (r->err) t->d.deleted_details = false; // with a failed journal it never will be
    begin_deleted(t);
}

static void begin_deleted(struct telling *t) {
    struct mg_stream_state st = {.deleted = 0};
    if (t->d.deleted_details && mg_stream_state(t->stream->store, &st) != 0) {
        mg_js_request_barrier(t->rq, t->stream, state_known);
        return;
    }
    if (st.deleted == 0) {
        finish_telling(t);
        return;
    }
    t->next = st.first;
    t->last = st.last;
    scan_some(t);
}

// -- subjects

static void each_subject(struct mg_subjects_read *sr, mg_slice subject, uint64_t count, uint64_t last) {
    struct telling *t = mg_container_of(sr, struct telling, read);
    (void)last;
    if (t->subjects.len > TEXT_MAX) return; // who wants the rest asks from there on
    if (t->nsubjects++ == 0) {
        mg_jw_init(&t->sw, &t->subjects, 0);
        mg_jw_obj(&t->sw);
    }
    mg_jw_key_slice(&t->sw, subject);
    mg_jw_uint(&t->sw, count);
}

static void all_subjects(struct mg_subjects_read *sr, int err, uint64_t total) {
    struct telling *t = mg_container_of(sr, struct telling, read);
    if (err != 0) {
        mg_js_answer_store_error(t->rq, MG_JSE_STREAM_GENERAL, err);
        return;
    }
    t->total = total;
    begin_deleted(t);
}

static void dropped(struct mg_js_task *task) { mg_js_answer_nothing(mg_container_of(task, struct telling, task)->rq); }

void mg_js_do_stream_info(struct mg_js_request *rq) {
    struct telling *t = mg_zalloc(sizeof(*t));
    if (!mg_js_request_optional(rq, &info_shape, &t->d)) {
        mg_free(t);
        return;
    }
    mg_list_init(&t->task.link);
    rq->own = t;
    rq->drop = drop_telling;
    t->rq = rq;
    t->task.drop = dropped;
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return; // and t is gone
    t->stream = s;
    if (t->d.subjects_filter.n == 0) {
        begin_deleted(t);
        return;
    }
    t->read = (struct mg_subjects_read){
        .filter = t->d.subjects_filter, .skip = t->d.offset > 0 ? (uint64_t)t->d.offset : 0,
        .max = MG_JS_SUBJECTS_LIMIT, .each = each_subject, .done = all_subjects};
    mg_stream_subjects(t->stream->store, &t->read);
}
