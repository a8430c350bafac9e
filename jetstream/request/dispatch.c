// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which request is for whom. Unknown subjects are taken and not answered, as in the reference: there is interest in
// $JS.API.>, so their senders hear nothing. Direct gets and pulls belong to their stream alone.
#include "jetstream/event.h"
#include "jetstream/request/request.h"

#include "jetstream/stream/member.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/headers.h"
#include "server/proto/subject.h"

#define PREFIX "$JS.API."

struct row {
    const char *pattern; // behind the prefix
    enum mg_js_reply reply;
    void (*run)(struct mg_js_request *rq);
    unsigned stream, consumer; // which token of the subject, from 1; 0: none
    bool info;                 // only asks for information: has a bound of its own
};

static const struct row rows[] = {
    {"INFO", MG_JS_REPLY_ACCOUNT_INFO, mg_js_do_account_info, 0, 0, true},
    {"STREAM.CREATE.*", MG_JS_REPLY_STREAM_CREATE, mg_js_do_stream_create, 5, 0, false},
    {"STREAM.UPDATE.*", MG_JS_REPLY_STREAM_UPDATE, mg_js_do_stream_update, 5, 0, false},
    {"STREAM.NAMES", MG_JS_REPLY_STREAM_NAMES, mg_js_do_stream_names, 0, 0, true},
    {"STREAM.LIST", MG_JS_REPLY_STREAM_LIST, mg_js_do_stream_list, 0, 0, true},
    {"STREAM.INFO.*", MG_JS_REPLY_STREAM_INFO, mg_js_do_stream_info, 5, 0, true},
    {"STREAM.DELETE.*", MG_JS_REPLY_STREAM_DELETE, mg_js_do_stream_delete, 5, 0, false},
    {"STREAM.PURGE.*", MG_JS_REPLY_STREAM_PURGE, mg_js_do_stream_purge, 5, 0, false},
    {"STREAM.MSG.GET.*", MG_JS_REPLY_STREAM_MSG_GET, mg_js_do_msg_get, 6, 0, false},
    {"STREAM.MSG.DELETE.*", MG_JS_REPLY_STREAM_MSG_DELETE, mg_js_do_msg_delete, 6, 0, false},
    {"STREAM.SNAPSHOT.*", MG_JS_REPLY_STREAM_SNAPSHOT, mg_js_do_snapshot, 5, 0, false},
    {"STREAM.RESTORE.*", MG_JS_REPLY_STREAM_RESTORE, mg_js_do_restore, 5, 0, false},
    {"STREAM.LEADER.STEPDOWN.*", MG_JS_REPLY_STREAM_LEADER_STEPDOWN, mg_js_do_unclustered, 6, 0, false},
    {"STREAM.PEER.REMOVE.*", MG_JS_REPLY_STREAM_REMOVE_PEER, mg_js_do_unclustered, 6, 0, false},
    {"CONSUMER.CREATE.*", MG_JS_REPLY_CONSUMER_CREATE, mg_js_do_consumer_create, 5, 0, false},
    {"CONSUMER.CREATE.*.>", MG_JS_REPLY_CONSUMER_CREATE, mg_js_do_consumer_create, 5, 6, false},
    {"CONSUMER.DURABLE.CREATE.*.*", MG_JS_REPLY_CONSUMER_CREATE, mg_js_do_consumer_create, 6, 7, false},
    {"CONSUMER.NAMES.*", MG_JS_REPLY_CONSUMER_NAMES, mg_js_do_consumer_names, 5, 0, true},
    {"CONSUMER.LIST.*", MG_JS_REPLY_CONSUMER_LIST, mg_js_do_consumer_list, 5, 0, true},
    {"CONSUMER.INFO.*.*", MG_JS_REPLY_CONSUMER_INFO, mg_js_do_consumer_info, 5, 6, true},
    {"CONSUMER.DELETE.*.*", MG_JS_REPLY_CONSUMER_DELETE, mg_js_do_consumer_delete, 5, 6, false},
    {"CONSUMER.PAUSE.*.*", MG_JS_REPLY_CONSUMER_PAUSE, mg_js_do_consumer_pause, 5, 6, false},
    {"CONSUMER.RESET.*.*", MG_JS_REPLY_CONSUMER_RESET, mg_js_do_consumer_reset, 5, 6, false},
    {"CONSUMER.UNPIN.*.*", MG_JS_REPLY_CONSUMER_UNPIN, mg_js_do_consumer_unpin, 5, 6, false},
    {"CONSUMER.LEADER.STEPDOWN.*.*", MG_JS_REPLY_CONSUMER_LEADER_STEPDOWN, mg_js_do_unclustered, 6, 7, false},
};

static mg_slice token(mg_slice subject, unsigned number) {
    const char *p = subject.p, *end = subject.p + subject.n;
    while (number > 1 && p < end)
        if (*p++ == '.') number--;
    const char *dot = memchr(p, '.', (size_t)(end - p));
    return number == 0 ? mg_slice_of(NULL, 0) : mg_slice_of(p, (size_t)((dot ? dot : end) - p));
}

static const struct row *find(mg_slice subject) {
    mg_slice tail = mg_slice_of(subject.p + sizeof(PREFIX) - 1, subject.n - (sizeof(PREFIX) - 1));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (mg_subject_match(tail, mg_cstr(rows[i].pattern))) return &rows[i];
    return NULL;
}

static mg_slice keep(char **at, mg_slice from) {
    char *to = *at;
    if (from.n) memcpy(to, from.p, from.n);
    *at += from.n;
    return mg_slice_of(to, from.n);
}

static struct mg_js_request *request_new(struct mg_js *js, const struct row *row, const struct mg_msg *m) {
    mg_slice body = mg_slice_of(m->payload.p + m->hdr_len, m->payload.n - m->hdr_len);
    struct mg_js_request *rq = mg_alloc(sizeof(*rq) + m->subject.n + m->reply.n + body.n);
    char *at = rq->text;
    *rq = (struct mg_js_request){.js = js, .run = row->run, .reply = row->reply, .info = row->info};
    rq->subject = keep(&at, m->subject);
    rq->to = keep(&at, m->reply);
    rq->body = keep(&at, body);
    rq->stream = token(rq->subject, row->stream);
    rq->consumer = token(rq->subject, row->consumer);
    mg_js_event_client(js, m, &rq->client);
    js->api_inflight++;
    js->info_inflight += rq->info;
    return rq;
}

// Nats-Required-Api-Level: more than this server has, or no number. Without a value it asks for nothing.
bool mg_js_level_too_high(const struct mg_msg *m) {
    mg_slice v;
    if (m->hdr_len == 0 || !mg_hdr_get(mg_slice_of(m->payload.p, m->hdr_len), MG_S("Nats-Required-Api-Level"), &v) ||
        v.n == 0)
        return false;
    bool negative = v.p[0] == '-';
    size_t digits = negative || v.p[0] == '+';
    int level = 0;
    for (size_t i = digits; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return true;
        if (level <= MG_JS_API_LEVEL) level = level * 10 + (v.p[i] - '0');
    }
    return v.n == digits || (!negative && level > MG_JS_API_LEVEL);
}

// spec/jetstream-streams.md 1: more than that are dropped without a word.
static bool too_many(const struct mg_js *js, bool info) {
    uint64_t most = info ? js->o.max_info_requests : js->o.max_requests;
    return most && (info ? js->info_inflight : js->api_inflight - js->info_inflight) >= most;
}

bool mg_js_api_message(void *arg, const struct mg_msg *m) {
    struct mg_js *js = arg;
    if (mg_slice_starts(m->subject, MG_S(PREFIX "DIRECT.GET.")) ||
        mg_slice_starts(m->subject, MG_S(PREFIX "CONSUMER.MSG.NEXT.")))
        return false;
    const struct row *row = find(m->subject);
    if (row == NULL) return true;
    if (too_many(js, row->info)) return true;
    struct mg_js_request *rq = request_new(js, row, m);
    if (mg_js_level_too_high(m)) mg_js_answer_fail(rq, MG_JSE_REQUIRED_API_LEVEL);
    else if (js->inside) mg_list_push_back(&js->later, &rq->wait.link);
    else rq->run(rq);
    return true;
}

bool mg_js_requests_run(struct mg_js *js) {
    bool any = !mg_list_empty(&js->later);
    while (!mg_list_empty(&js->later)) {
        struct mg_js_request *rq = mg_container_of(js->later.next, struct mg_js_request, wait.link);
        mg_list_remove(&rq->wait.link);
        rq->run(rq);
    }
    return any;
}

// ---- answers --------------------------------------------------------------------------------------------------------

static void free_own(struct mg_js_request *rq) {
    if (rq->own && rq->drop) rq->drop(rq);
    else mg_free(rq->own);
    rq->own = NULL;
}

static void request_free(struct mg_js_request *rq) {
    rq->js->api_inflight--;
    rq->js->info_inflight -= rq->info;
    free_own(rq);
    mg_buf_fini(&rq->client);
    mg_free(rq);
}

void mg_js_requests_drop(struct mg_js *js) {
    while (!mg_list_empty(&js->later)) {
        struct mg_js_request *rq = mg_container_of(js->later.next, struct mg_js_request, wait.link);
        mg_list_remove(&rq->wait.link);
        request_free(rq);
    }
}

bool mg_js_request_wakes(struct mg_js_request *rq, struct mg_js_stream *s, mg_slice consumer) {
    struct mg_js_sleeper *sl = mg_js_sleeper_find(s, consumer);
    if (sl == NULL) return false;
    free_own(rq);
    rq->drop = NULL;
    mg_js_sleeper_wake(sl, rq);
    return true;
}

void mg_js_answer_nothing(struct mg_js_request *rq) { request_free(rq); }

static void drop_text(struct mg_js_request *rq) {
    mg_buf_fini(rq->own);
    mg_free(rq->own);
}

static void durable(struct mg_js_request *rq, struct mg_js_stream *s, const struct mg_result *r) {
    (void)s;
    if (r->err == 0 || rq->tell_anyway) mg_js_answer(rq, rq->own);
    else mg_js_answer_nothing(rq);
}

void mg_js_answer_behind(struct mg_js_request *rq, struct mg_js_stream *s, struct mg_buf *out) {
    struct mg_buf *text = mg_alloc(sizeof(*text));
    *text = *out;
    *out = (struct mg_buf)MG_BUF_INIT;
    free_own(rq);
    rq->own = text;
    rq->drop = drop_text;
    mg_js_request_barrier(rq, s, durable);
}

static void answered(struct mg_js_request *rq, mg_slice text) {
    rq->js->api_total += !rq->unseen;
    if (rq->client.len && !rq->unseen) mg_js_event_api(rq->js, mg_buf_slice(&rq->client), rq->subject, rq->body, text);
    request_free(rq);
}

void mg_js_answer(struct mg_js_request *rq, const struct mg_buf *out) {
    static const mg_slice none = {NULL, 0};
    if (rq->to.n) mg_js_publish(rq->js, rq->to, none, none, mg_buf_slice(out));
    answered(rq, mg_buf_slice(out));
}

void mg_js_answer_body(struct mg_js_request *rq, struct mg_mbuf *body) {
    if (rq->to.n) mg_js_publish_body(rq->js, rq->to, body);
    answered(rq, mg_slice_of(body->data, body->len));
}

void mg_js_answer_success(struct mg_js_request *rq) {
    struct mg_buf out = MG_BUF_INIT;
    mg_js_reply_success(&out, rq->reply);
    mg_js_answer(rq, &out);
    mg_buf_fini(&out);
}

void mg_js_answer_error(struct mg_js_request *rq, struct mg_js_error *e) {
    struct mg_buf out = MG_BUF_INIT;
    rq->js->api_errors += !rq->unseen;
    mg_js_reply_error(&out, rq->reply, e);
    mg_js_answer(rq, &out);
    mg_js_error_fini(e);
    mg_buf_fini(&out);
}

void mg_js_answer_fail(struct mg_js_request *rq, enum mg_js_errno err) {
    struct mg_js_error e = {0};
    mg_js_fail(&e, err);
    mg_js_answer_error(rq, &e);
}

void mg_js_answer_store_error(struct mg_js_request *rq, enum mg_js_errno wrap, int err) {
    struct mg_js_error e = {0};
    if (err == MG_ENOSPC) mg_js_fail(&e, MG_JSE_INSUFFICIENT_RESOURCES);
    else mg_js_failf(&e, wrap, "%s", mg_strerror(err));
    mg_js_answer_error(rq, &e);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

struct mg_js_stream *mg_js_request_stream(struct mg_js_request *rq) {
    struct mg_js_stream *s = mg_js_find(rq->js, rq->stream);
    if (s && !s->deleting) return s;
    mg_js_answer_fail(rq, MG_JSE_STREAM_NOT_FOUND);
    return NULL;
}

static void came(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    struct mg_js_request *rq = mg_container_of(w, struct mg_js_request, wait);
    if (r) rq->next(rq, s, r);
    else request_free(rq);
}

void *mg_js_request_then(struct mg_js_request *rq, void (*next)(struct mg_js_request *, struct mg_js_stream *,
                                                                const struct mg_result *)) {
    rq->next = next;
    mg_js_wait(rq->js, &rq->wait, came);
    return &rq->wait;
}

void mg_js_request_failed(struct mg_js_request *rq) { mg_js_wait_cancel(&rq->wait); }

void mg_js_request_barrier(struct mg_js_request *rq, struct mg_js_stream *s,
                           void (*next)(struct mg_js_request *, struct mg_js_stream *, const struct mg_result *)) {
    // Behind its deletion nothing is answered: the stream is freed with that.
    if (s->deleting) mg_js_answer_fail(rq, MG_JSE_STREAM_NOT_FOUND);
    else mg_stream_barrier(s->store, mg_js_request_then(rq, next));
}

static bool body_is(struct mg_js_request *rq, int rc, const struct mg_shape *shape, void *out, struct mg_buf *err) {
    struct mg_js_error e = {0};
    if (rc != 0) {
        mg_shape_fini(shape, out);
        mg_js_failf(&e, MG_JSE_INVALID_JSON, "%.*s", (int)err->len, err->p ? err->p : "");
        mg_js_answer_error(rq, &e);
    }
    mg_buf_fini(err);
    return rc == 0;
}

static bool read_body(struct mg_js_request *rq, const struct mg_shape *shape, void *out) {
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_shape_read(shape, rq->body, rq->js->o.strict, out, &err);
    return body_is(rq, rc, shape, out, &err);
}

bool mg_js_request_optional(struct mg_js_request *rq, const struct mg_shape *shape, void *out) {
    size_t at = 0;
    while (at < rq->body.n && strchr(" \t\r\n", rq->body.p[at])) at++;
    if (at == rq->body.n || (rq->body.p[at] != '{' && rq->body.p[at] != '[')) return true;
    return read_body(rq, shape, out);
}

bool mg_js_request_lenient(struct mg_js_request *rq, const struct mg_shape *shape, void *out) {
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_shape_read_whole(shape, rq->body, out, &err);
    return body_is(rq, rc, shape, out, &err);
}

bool mg_js_request_filled(struct mg_js_request *rq) {
    if (rq->body.n && !mg_slice_eq(rq->body, MG_S("{}")) && !mg_slice_eq(rq->body, MG_S("{ }"))) return true;
    mg_js_answer_fail(rq, MG_JSE_BAD_REQUEST);
    return false;
}

bool mg_js_request_required(struct mg_js_request *rq, const struct mg_shape *shape, void *out) {
    return mg_js_request_filled(rq) && read_body(rq, shape, out);
}

static bool blank(mg_slice body) {
    for (size_t i = 0; i < body.n; i++)
        if (!strchr(" \t\r\n", body.p[i])) return false;
    return true;
}

bool mg_js_request_empty(struct mg_js_request *rq) {
    mg_slice b = rq->body;
    bool braces = b.n >= 2 && b.p[0] == '{' && b.p[b.n - 1] == '}';
    if (blank(b) || (braces && blank(mg_slice_of(b.p + 1, b.n - 2)))) return true;
    mg_js_answer_fail(rq, MG_JSE_NOT_EMPTY_REQUEST);
    return false;
}
