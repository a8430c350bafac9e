// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Lists of streams, and what is told of one (spec/jetstream-streams.md 6).
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

// ---- names and list -------------------------------------------------------------------------------------------------

struct page_of {
    int64_t offset;
};
struct paged {
    struct page_of page;
    mg_slice subject;
};
static const struct mg_field page_fields[] = {MG_FIELD(struct page_of, offset, INT)};
static const struct mg_shape page_shape = MG_SHAPE("ApiPagedRequest", struct page_of, page_fields);
static const struct mg_field names_fields[] = {
    {.key = "ApiPagedRequest", .kind = MG_KIND_EMBEDDED, .at = offsetof(struct paged, page), .of = &page_shape},
    MG_FIELD(struct paged, subject, STRING)};
static const struct mg_shape names_shape = MG_SHAPE("JSApiStreamNamesRequest", struct paged, names_fields);
static const struct mg_shape list_shape = MG_SHAPE("JSApiStreamListRequest", struct paged, names_fields);

static bool listed(const struct mg_js_stream *s, mg_slice subject) {
    if (s->deleting) return false;
    if (subject.n == 0) return true;
    for (size_t i = 0; i < s->config.subjects.n; i++)
        if (mg_subject_collide(s->config.subjects.v[i], subject)) return true;
    return false;
}

// The streams that match, in the order of their names; *out is to be freed.
static size_t select_streams(const struct mg_js *js, mg_slice subject, struct mg_js_stream ***out) {
    size_t n = 0;
    *out = mg_alloc((js->nstreams + 1) * sizeof((*out)[0]));
    for (size_t i = 0; i < js->nstreams; i++)
        if (listed(js->streams[i], subject)) (*out)[n++] = js->streams[i];
    return n;
}

void mg_js_do_stream_names(struct mg_js_request *rq) {
    struct paged p = {0};
    struct mg_js_stream **all;
    if (!mg_js_request_optional(rq, &names_shape, &p)) return;
    size_t n = select_streams(rq->js, p.subject, &all);
    mg_slice *names = mg_alloc((n + 1) * sizeof(names[0]));
    for (size_t i = 0; i < n; i++) names[i] = mg_js_stream_name(all[i]);
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_names(&out, rq->reply, mg_js_page_at((int64_t)n, p.page.offset, MG_JS_NAMES_LIMIT), names);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
    mg_free(names);
    mg_free(all);
    mg_shape_fini(&names_shape, &p);
}

// A list is made in one go when all its numbers are there; each stream that lacks one is asked for it once.
struct listing {
    struct paged p;
};

static void drop_listing(struct mg_js_request *rq) {
    struct listing *l = rq->own;
    mg_shape_fini(&list_shape, &l->p);
    mg_free(l);
}

static void write_list(struct mg_js_request *rq, struct mg_js_page page, struct mg_js_stream_info *infos) {
    struct mg_buf out = MG_BUF_INIT;
    struct mg_jw w;
    int64_t n = mg_js_page_count(page);
    mg_js_reply_begin(&w, &out, rq->reply);
    mg_js_write_page(&w, page);
    mg_jw_key(&w, "streams");
    mg_jw_arr(&w);
    for (int64_t i = 0; i < n; i++) {
        mg_jw_obj(&w);
        mg_js_write_stream_info(&w, &infos[i]);
        mg_jw_end_obj(&w);
    }
    mg_jw_end_arr(&w);
    mg_js_reply_end(&w);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

static void list(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct listing *l = rq->own;
    struct mg_js_stream **all, *missing = NULL;
    (void)s;
    (void)r;
    size_t n = select_streams(rq->js, l->p.subject, &all);
    struct mg_js_page page = mg_js_page_at((int64_t)n, l->p.page.offset, MG_JS_LIST_LIMIT);
    struct mg_js_stream_info infos[MG_JS_LIST_LIMIT];
    for (int64_t i = 0; i < mg_js_page_count(page) && missing == NULL; i++)
        if (!mg_js_stream_tell(all[page.offset + i], &infos[i])) missing = all[page.offset + i];
    mg_free(all);
    if (missing) mg_js_request_barrier(rq, missing, list);
    else write_list(rq, page, infos);
}

void mg_js_do_stream_list(struct mg_js_request *rq) {
    struct listing *l = mg_zalloc(sizeof(*l));
    if (!mg_js_request_optional(rq, &list_shape, &l->p)) {
        mg_free(l);
        return;
    }
    rq->own = l;
    rq->drop = drop_listing;
    list(rq, NULL, NULL);
}

// ---- info -----------------------------------------------------------------------------------------------------------

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
    struct mg_buf text;        // of the subjects
    struct mg_js_subject_count *counts;
    size_t ncounts, counts_cap;
    uint64_t total;
    struct mg_buf deleted; // of uint64_t
    uint64_t next;
};

static void drop_telling(struct mg_js_request *rq) {
    struct telling *t = rq->own;
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
    (void)r;
    if (!mg_js_stream_tell(s, &info)) {
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
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

static void finish_telling(struct telling *t) { mg_js_request_barrier(t->rq, t->stream, tell); }

// -- the numbers of deleted messages: what lies between those that are there

static void scan_some(struct telling *t);

static void note_deleted(struct telling *t, uint64_t before) {
    for (; t->next < before; t->next++) mg_buf_add(&t->deleted, &t->next, sizeof(t->next));
}

static void scan_more(struct mg_js_reading *rd) {
    struct telling *t = mg_container_of(rd, struct telling, scan);
    if (rd->r.err == MG_ENOTFOUND) {
        finish_telling(t);
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

static void scan_some(struct telling *t) {
    struct mg_js_reading *rd = &t->scan;
    for (;;) {
        rd->r.kind = MG_READ_NEXT;
        rd->r.sequential = true;
        rd->r.seq = t->next;
        rd->done = scan_more;
        rd->gone = scan_gone;
        if (mg_js_read(t->stream, rd) != 0) return;
        if (rd->r.err == MG_ENOTFOUND) break;
        note_deleted(t, rd->r.msg.seq);
        t->next = rd->r.msg.seq + 1;
    }
    finish_telling(t);
}

static void begin_deleted(struct telling *t) {
    struct mg_stream_state st;
    if (!t->d.deleted_details || mg_stream_state(t->stream->store, &st) != 0 || st.deleted == 0) {
        finish_telling(t);
        return;
    }
    t->next = st.first;
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
