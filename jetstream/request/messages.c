// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Purging, getting and deleting messages (spec/jetstream-streams.md 6).
#include "jetstream/request/fields.h"
#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- purge ----------------------------------------------------------------------------------------------------------

struct purge {
    mg_slice filter;
    uint64_t seq, keep;
    uint64_t purged; // the answer
};
static const struct mg_field purge_fields[] = {MG_FIELD(struct purge, filter, STRING),
                                               MG_FIELD(struct purge, seq, UINT64),
                                               MG_FIELD(struct purge, keep, UINT64)};
static const struct mg_shape purge_shape = MG_SHAPE("JSApiStreamPurgeRequest", struct purge, purge_fields);

static mg_slice filter_of(const struct purge *p) {
    return mg_slice_eq(p->filter, MG_S(">")) ? mg_slice_of(NULL, 0) : p->filter;
}

static void drop_purge(struct mg_js_request *rq) {
    struct purge *p = rq->own;
    mg_shape_fini(&purge_shape, p);
    mg_free(p);
}

// Where the stream begins now may have to be looked up.
static void tell_purged(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    const struct purge *p = rq->own;
    struct mg_stream_state st;
    struct mg_buf out = MG_BUF_INIT;
    bool unknown = mg_stream_state(s->store, &st) == MG_EAGAIN;
    if (unknown && r->err == 0) {
        mg_js_request_barrier(rq, s, tell_purged);
        return;
    }
    if (unknown) { // the journal has failed since
        mg_js_members_purge_failed(s);
        mg_js_answer_nothing(rq);
        return;
    }
    mg_js_members_purged(s, filter_of(p), st.msgs ? st.first : st.last + 1, p->seq == 0 && p->keep == 0);
    mg_js_reply_purged(&out, p->purged);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

static void purged(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct purge *p = rq->own;
    p->purged = r->seq;
    if (r->err == 0) {
        tell_purged(rq, s, r);
        return;
    }
    mg_js_members_purge_failed(s);
    mg_js_answer_store_error(rq, MG_JSE_STREAM_PURGE_FAILED, r->err);
}

static void do_purge(struct mg_js_request *rq, struct mg_js_stream *s, const struct purge *p) {
    struct mg_js_error e = {0};
    if (s->config.sealed) {
        mg_js_answer_fail(rq, MG_JSE_STREAM_SEALED);
    } else if (s->config.deny_purge) {
        mg_js_failf(&e, MG_JSE_STREAM_PURGE_FAILED, "stream purge not permitted");
        mg_js_answer_error(rq, &e);
    } else if ((p->seq > 0 && p->keep > 0) || p->seq > MG_JS_MAX_FIRST) {
        mg_js_answer_fail(rq, MG_JSE_BAD_REQUEST);
    } else {
        mg_js_members_purge(s);
        int err = mg_stream_purge(s->store, filter_of(p), p->seq, p->keep, mg_js_request_then(rq, purged));
        if (err == 0) return;
        mg_js_members_purge_failed(s);
        mg_js_request_failed(rq);
        mg_js_answer_store_error(rq, MG_JSE_STREAM_PURGE_FAILED, err);
    }
}

void mg_js_do_stream_purge(struct mg_js_request *rq) {
    struct purge *p = mg_zalloc(sizeof(*p));
    rq->own = p;
    if (!mg_js_request_optional(rq, &purge_shape, p)) return;
    rq->drop = drop_purge;
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s) do_purge(rq, s, p);
}

// ---- get ------------------------------------------------------------------------------------------------------------

struct get {
    uint64_t seq;
    mg_slice last_by_subj, next_by_subj;
    int64_t batch, max_bytes;
    struct mg_js_time start_time;
    bool no_hdr;
    // Of direct gets: known here, and without effect.
    struct mg_strings multi_last;
    uint64_t up_to_seq;
    struct mg_js_time up_to_time;
};
static const struct mg_field get_fields[] = {
    MG_FIELD(struct get, seq, UINT64),          MG_FIELD(struct get, last_by_subj, STRING),
    MG_FIELD(struct get, next_by_subj, STRING), MG_FIELD(struct get, batch, INT),
    MG_FIELD(struct get, max_bytes, INT),       MG_FIELD(struct get, start_time, TIME),
    MG_FIELD(struct get, no_hdr, BOOL),         MG_FIELD(struct get, multi_last, STRINGS),
    MG_FIELD(struct get, up_to_seq, UINT64),    MG_FIELD(struct get, up_to_time, TIME),
};
static const struct mg_shape get_shape = MG_SHAPE("JSApiMsgGetRequest", struct get, get_fields);

struct getting {
    struct get g;
    struct mg_js_request *rq;
    struct mg_js_reading rd;
    mg_slice filter;
};

static void drop_getting(struct mg_js_request *rq) {
    struct getting *t = rq->own;
    mg_js_reading_end(&t->rd);
    mg_shape_fini(&get_shape, &t->g);
    mg_free(t);
}

static void got_nothing(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    (void)s;
    (void)r;
    mg_js_answer_fail(rq, MG_JSE_NO_MESSAGE_FOUND);
}

static void got(struct mg_js_reading *rd) {
    struct getting *t = mg_container_of(rd, struct getting, rd);
    struct mg_js_request *rq = t->rq;
    if (rd->r.err == MG_ENOTFOUND) { // its removal may not be durable yet
        mg_js_request_barrier(rq, rd->stream, got_nothing);
        return;
    }
    if (rd->r.err != 0) {
        mg_js_answer_store_error(rq, MG_JSE_STREAM_GENERAL, rd->r.err);
        return;
    }
    struct mg_message m = rd->r.msg;
    if (t->g.no_hdr) m.headers = mg_slice_of(NULL, 0);
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_message(&out, &m);
    rq->unseen = true; // spec/jetstream-streams.md 3, 15
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

static void got_gone(struct mg_js_reading *rd) {
    mg_js_answer_fail(mg_container_of(rd, struct getting, rd)->rq, MG_JSE_STREAM_NOT_FOUND);
}

static bool sensible(const struct get *g) {
    bool last = g->last_by_subj.n > 0, next = g->next_by_subj.n > 0, time = g->start_time.set;
    if (g->batch > 0 || g->max_bytes > 0) return false;
    if (g->seq == 0 && !last && !next && !time) return false;
    return !(g->seq > 0 && (last || time)) && !(time && last) && !(last && next);
}

// By start time: first the number that it leads to, then on from there.
static void got_start(struct mg_js_reading *rd) {
    struct getting *t = mg_container_of(rd, struct getting, rd);
    if (rd->r.err != 0 || t->filter.n == 0) {
        got(rd);
        return;
    }
    rd->r.kind = MG_READ_NEXT;
    rd->r.seq = rd->r.msg.seq;
    rd->done = got;
    if (mg_js_read(rd->stream, rd) == 0) got(rd);
}

void mg_js_do_msg_get(struct mg_js_request *rq) {
    struct getting *t = mg_zalloc(sizeof(*t));
    if (!mg_js_request_required(rq, &get_shape, &t->g)) {
        mg_free(t);
        return;
    }
    rq->own = t;
    rq->drop = drop_getting;
    t->rq = rq;
    const struct get *g = &t->g;
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return;
    if (!sensible(g)) {
        mg_js_answer_fail(rq, MG_JSE_BAD_REQUEST);
        return;
    }
    t->filter = g->last_by_subj.n ? g->last_by_subj : g->next_by_subj;
    struct mg_read *r = &t->rd.r;
    r->kind = g->last_by_subj.n ? MG_READ_LAST : g->next_by_subj.n ? MG_READ_NEXT : MG_READ_SEQ;
    r->seq = g->last_by_subj.n ? MG_ANY_SEQ : g->seq;
    r->filters = &t->filter;
    r->filters_len = t->filter.n > 0;
    t->rd.done = g->start_time.set ? got_start : got;
    t->rd.gone = got_gone;
    if (g->start_time.set) {
        r->kind = MG_READ_TIME;
        r->time = mg_js_time_ns(g->start_time);
    }
    if (mg_js_read(s, &t->rd) == 0) t->rd.done(&t->rd);
}

// ---- delete ---------------------------------------------------------------------------------------------------------

struct msg_delete {
    uint64_t seq;
    bool no_erase;
};
static const struct mg_field delete_fields[] = {MG_FIELD(struct msg_delete, seq, UINT64),
                                                MG_FIELD(struct msg_delete, no_erase, BOOL)};
static const struct mg_shape delete_shape = MG_SHAPE("JSApiMsgDeleteRequest", struct msg_delete, delete_fields);

// The reference's texts for a message that is not there depend on where it is not (spec 6).
static void removed(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_error e = {0};
    struct mg_stream_state st = {.first = 0};
    if (r->err == 0) {
        mg_js_answer_success(rq);
        return;
    }
    if (r->err != MG_ENOTFOUND) {
        mg_js_answer_store_error(rq, MG_JSE_STREAM_MSG_DELETE_FAILED, r->err);
        return;
    }
    mg_stream_state(s->store, &st);
    bool file = s->config.storage == MG_JS_FILE;
    if (file && r->seq > st.last) mg_js_failf(&e, MG_JSE_STREAM_MSG_DELETE_FAILED, "stream store EOF");
    else if (file && r->seq < st.first) mg_js_failf(&e, MG_JSE_STREAM_MSG_DELETE_FAILED, "no message found");
    else mg_js_failf(&e, MG_JSE_SEQUENCE_NOT_FOUND, "%llu", (unsigned long long)r->seq);
    mg_js_answer_error(rq, &e);
}

void mg_js_do_msg_delete(struct mg_js_request *rq) {
    struct msg_delete d = {.seq = 0};
    struct mg_js_error e = {0};
    if (!mg_js_request_required(rq, &delete_shape, &d)) return;
    struct mg_js_stream *s = mg_js_request_stream(rq);
    if (s == NULL) return;
    if (s->config.sealed) {
        mg_js_answer_fail(rq, MG_JSE_STREAM_SEALED);
    } else if (s->config.deny_delete) {
        mg_js_failf(&e, MG_JSE_STREAM_MSG_DELETE_FAILED, "message delete not permitted");
        mg_js_answer_error(rq, &e);
    } else {
        int err = mg_stream_remove(s->store, d.seq, !d.no_erase, mg_js_request_then(rq, removed));
        if (err == 0) return;
        mg_js_request_failed(rq);
        mg_js_answer_store_error(rq, MG_JSE_STREAM_MSG_DELETE_FAILED, err);
    }
}
