// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is told of one stream (spec/jetstream-streams.md 6): with its subjects, with the numbers that are missing. Both
// can be many, so the walk over the messages goes on in the next turn.
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define READ_A_TURN 512u // messages of the walk for deleted ones

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
    struct mg_subjects_read subjects;
    struct mg_js_reading scan; // for the deleted ones
    struct mg_js_task task;
    struct mg_buf text;        // of the subjects
    struct mg_js_subject_count *counts;
    size_t ncounts, counts_cap;
    uint64_t total;
    struct mg_buf deleted; // of uint64_t
    uint64_t next, last; // of the stream's numbers
};

static void drop_telling(struct mg_js_request *rq) {
    struct telling *t = rq->own;
    mg_list_remove(&t->task.link);
    mg_js_reading_end(&t->scan);
    mg_shape_fini(&info_shape, &t->d);
    for (size_t i = 0; i < t->ncounts; i++) mg_free((char *)(uintptr_t)t->counts[i].subject.p);
    mg_free(t->counts);
    mg_buf_fini(&t->text);
    mg_buf_fini(&t->deleted);
    mg_free(t);
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
    if (t->total) page = mg_js_page_at((int64_t)t->total, t->d.offset, MG_JS_SUBJECTS_LIMIT);
    info.state.subjects = t->counts;
    info.state.nsubjects = t->ncounts;
    info.state.deleted = (const uint64_t *)(const void *)t->deleted.p;
    info.state.ndeleted = t->deleted.len / sizeof(uint64_t);
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    mg_js_reply_begin(&w, &out, rq->reply);
    mg_js_write_page(&w, page);
    mg_js_write_stream_info(&w, &info);
    mg_js_reply_end(&w);
    rq->tell_anyway = true; // whoever looks at a server with a failed disk shall see something
    mg_js_answer_behind(rq, s, &out);
}

static void finish_telling(struct telling *t) { tell(t->rq, t->stream, NULL); }

// -- the numbers of deleted messages: what lies between those that are there

static void scan_some(struct telling *t);

static void note_deleted(struct telling *t, uint64_t before) {
    for (; t->next < before; t->next++) mg_buf_add(&t->deleted, &t->next, sizeof(t->next));
}

static void scanned(struct telling *t) {
    note_deleted(t, t->last + 1);
    finish_telling(t);
}

static void scan_more(struct mg_js_reading *rd) {
    struct telling *t = mg_container_of(rd, struct telling, scan);
    if (rd->r.err == MG_ENOTFOUND) {
        scanned(t);
        return;
    }
    note_deleted(t, rd->r.msg.seq);
    t->next = rd->r.msg.seq + 1;
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

static void scan_some(struct telling *t) {
    struct mg_js_reading *rd = &t->scan;
    for (unsigned i = 0; i < READ_A_TURN; i++) {
        rd->r.kind = MG_READ_NEXT;
        rd->r.sequential = true;
        rd->r.seq = t->next;
        rd->done = scan_more;
        rd->gone = scan_gone;
        if (mg_js_read(t->stream, rd) != 0) return;
        if (rd->r.err == MG_ENOTFOUND) {
            scanned(t);
            return;
        }
        note_deleted(t, rd->r.msg.seq);
        t->next = rd->r.msg.seq + 1;
    }
    scan_later(t);
}

static void begin_deleted(struct telling *t) {
    struct mg_stream_state st;
    if (!t->d.deleted_details || mg_stream_state(t->stream->store, &st) != 0 || st.deleted == 0) {
        finish_telling(t);
        return;
    }
    t->next = st.first;
    t->last = st.last;
    scan_some(t);
}

// -- subjects

static void each_subject(struct mg_subjects_read *sr, mg_slice subject, uint64_t count, uint64_t last) {
    struct telling *t = mg_container_of(sr, struct telling, subjects);
    (void)last;
    if (t->ncounts == t->counts_cap) {
        t->counts_cap = t->counts_cap ? t->counts_cap * 2 : 64;
        t->counts = mg_realloc(t->counts, t->counts_cap * sizeof(t->counts[0]));
    }
    char *copy = mg_alloc(subject.n + 1);
    memcpy(copy, subject.p, subject.n);
    t->counts[t->ncounts++] = (struct mg_js_subject_count){mg_slice_of(copy, subject.n), count};
}

static void all_subjects(struct mg_subjects_read *sr, int err, uint64_t total) {
    struct telling *t = mg_container_of(sr, struct telling, subjects);
    if (err != 0) {
        mg_js_answer_store_error(t->rq, MG_JSE_STREAM_GENERAL, err);
        return;
    }
    t->total = total;
    begin_deleted(t);
}

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
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return; // and t is gone
    t->stream = s;
    if (t->d.subjects_filter.n == 0) {
        begin_deleted(t);
        return;
    }
    t->subjects = (struct mg_subjects_read){
        .filter = t->d.subjects_filter, .skip = t->d.offset > 0 ? (uint64_t)t->d.offset : 0,
        .max = MG_JS_SUBJECTS_LIMIT, .each = each_subject, .done = all_subjects};
    mg_stream_subjects(t->stream->store, &t->subjects);
}
