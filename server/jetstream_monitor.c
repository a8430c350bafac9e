// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What monitoring is told of JetStream. Numbers are taken in one go; the streams of /jsz and their consumers are
// written some at a time, one piece a turn, in the order of their names: who comes or goes meanwhile may or may not be
// there.
#include "jetstream/monitor.h"
#include "jetstream/stream/roll.h"
#include "server/base/mem.h"
#include "server/monitor/js.h"
#include "server/server_impl.h"

#define STREAMS_A_TURN 16u
#define CONSUMERS_A_CALL 256u
#define ROWS_MAX 1000u // streams with series of their own

// ---- facts ----------------------------------------------------------------------------------------------------------

static bool has(void *arg, mg_slice stream, mg_slice consumer) { return mg_js_has(arg, stream, consumer); }

static void store_facts(const struct mg_store *st, struct mg_js_facts *f) {
    struct mg_store_status status = mg_store_status(st);
    struct mg_store_counters c = mg_store_counters(st);
    f->poisoned = status.poisoned;
    f->full = status.full;
    f->lost = status.lost_messages;
    f->damaged_pages = status.damaged_pages;
    f->damaged_files = status.damaged_files;
    f->checkpoints = status.checkpoints;
    f->compactions = status.compactions;
    f->commits = c.commits;
    f->syncs = c.syncs;
    f->checkpoint_ns = c.checkpoint_ns;
    _Static_assert(MG_JS_HISTOGRAM == MG_STORE_BUCKETS, "the same buckets");
    memcpy(f->commit_ns, c.commit_ns, sizeof(f->commit_ns));
    memcpy(f->commit_bytes, c.commit_bytes, sizeof(f->commit_bytes));
}

bool server_js_facts(struct mg_server *s, struct mg_js_facts *out) {
    struct server_js *j = s->js;
    const struct mg_js_options *o = &s->settings->opts->js;
    if (!s->settings->opts->jetstream) return false;
    *out = (struct mg_js_facts){.ready = j && j->started};
    if (!out->ready) return true;
    struct mg_js *js = &j->js;
    const struct mg_store_sums *sums = mg_store_part_sums(js->part);
    *out = (struct mg_js_facts){
        .ready = true, .store_dir = j->dir, .domain = j->domain, .unique_tag = o->unique_tag,
        .max_memory = js->o.max_memory, .max_store = js->o.max_store, .sync_interval = (uint64_t)o->sync_interval,
        .strict = o->strict, .max_ack_pending = o->max_ack_pending, .max_request_batch = o->max_request_batch,
        .duplicate_window = o->duplicate_window, .api_level = MG_JS_API_LEVEL, .memory = sums->bytes[MG_STORAGE_MEMORY],
        .storage = sums->bytes[MG_STORAGE_FILE], .reserved_memory = js->reserved[MG_STORAGE_MEMORY],
        .reserved_storage = js->reserved[MG_STORAGE_FILE], .streams = js->nstreams, .consumers = js->nconsumers,
        .messages = sums->messages,
        .bytes = sums->bytes[MG_STORAGE_MEMORY] + sums->bytes[MG_STORAGE_FILE],
        .api_total = js->api_total, .api_errors = js->api_errors, .api_inflight = js->api_inflight, .has = has,
        .arg = js,
    };
    store_facts(j->store, out);
    return true;
}

size_t server_js_rows(struct mg_server *s, struct mg_js_stream_row **out) {
    *out = NULL;
    if (s->js == NULL || !s->js->started) return 0;
    struct mg_js_stream **streams = mg_alloc(ROWS_MAX * sizeof(*streams));
    size_t n = mg_js_streams_behind(&s->js->js, mg_slice_of(NULL, 0), streams, ROWS_MAX);
    *out = mg_alloc((n + 1) * sizeof(**out));
    for (size_t i = 0; i < n; i++) {
        struct mg_js_stream_figures f = mg_js_stream_figures(streams[i]);
        (*out)[i] = (struct mg_js_stream_row){f.name, f.messages, f.bytes, f.first_seq, f.last_seq, f.subjects,
                                              f.consumers};
    }
    mg_free(streams);
    return n;
}

// ---- /jsz -----------------------------------------------------------------------------------------------------------

struct jsz {
    struct mg_js_task task;
    struct mg_server *server;
    struct mg_http_request *req;
    struct mg_jsz_query q;
    struct mg_buf out, last; // last: the name of the stream that was written last
    struct mg_jw w;
    bool streams;
    struct mg_js_roll roll; // of the consumers of that stream
    size_t called;          // of them
};

static void finish(struct jsz *z) {
    mg_jsz_end(&z->w, z->streams);
    mg_http_reply_json(z->req, 200, mg_buf_slice(&z->out));
    z->server->questions--;
    mg_jsz_query_fini(&z->q);
    mg_buf_fini(&z->out);
    mg_buf_fini(&z->last);
    mg_js_roll_fini(&z->roll);
    mg_free(z);
}

static void write_some(struct mg_js_task *t);

static void write_consumer(struct mg_js_roll *r, struct mg_js_member *m) {
    struct jsz *z = mg_container_of(r, struct jsz, roll);
    mg_js_write_consumer_detail(&z->w, m, z->q.config);
}

static void written(struct mg_js_roll *r, struct mg_js_stream *s) {
    struct jsz *z = mg_container_of(r, struct jsz, roll);
    z->called += CONSUMERS_A_CALL;
    if (s && z->called < mg_js_stream_consumers(s)) {
        mg_js_roll_call(r, s, z->called, CONSUMERS_A_CALL);
        return;
    }
    mg_jw_end_arr(&z->w);
    mg_jw_end_obj(&z->w);
    mg_js_later(&z->server->js->js, &z->task, write_some);
}

// False: its consumers are being called up, and it goes on when they have been.
static bool write_stream(struct jsz *z, struct mg_js_stream *s) {
    z->last.len = 0;
    mg_buf_add_slice(&z->last, mg_js_stream_name(s));
    mg_js_write_stream_detail(&z->w, s, z->q.config);
    if (!z->q.consumers || mg_js_stream_consumers(s) == 0) {
        mg_jw_end_obj(&z->w);
        return true;
    }
    mg_jw_key(&z->w, "consumer_detail");
    mg_jw_arr(&z->w);
    z->called = 0;
    mg_js_roll_call(&z->roll, s, 0, CONSUMERS_A_CALL);
    return false;
}

static void write_some(struct mg_js_task *t) {
    struct jsz *z = mg_container_of(t, struct jsz, task);
    struct mg_js *js = &z->server->js->js;
    struct mg_js_stream *streams[STREAMS_A_TURN];
    size_t n = mg_js_streams_behind(js, mg_buf_slice(&z->last), streams, STREAMS_A_TURN);
    for (size_t i = 0; i < n; i++)
        if (!write_stream(z, streams[i])) return;
    if (n < STREAMS_A_TURN) finish(z);
    else mg_js_later(js, t, write_some);
}

static void answer(struct mg_http_request *req, struct mg_answer a, struct mg_buf *out) {
    if (a.json) mg_http_reply_json(req, a.status, mg_buf_slice(out));
    else mg_http_reply_text(req, a.status, mg_buf_slice(out));
    mg_buf_fini(out);
}

void server_js_answer_jsz(struct mg_server *s, struct mg_http_request *req) {
    struct mg_server_facts f;
    struct mg_js_facts js;
    struct mg_jsz_query q;
    struct mg_buf out = MG_BUF_INIT;
    server_facts(s, &f);
    f.js = server_js_facts(s, &js) ? &js : NULL;
    if (mg_jsz_parse(mg_http_query(req), &q, &out) != 0) {
        answer(req, (struct mg_answer){400, false}, &out);
        mg_jsz_query_fini(&q);
        return;
    }
    if (!mg_jsz_wants_streams(&q, f.js)) {
        struct mg_answer a = mg_jsz_render(&f, &q, &out);
        answer(req, a, &out);
        mg_jsz_query_fini(&q);
        return;
    }
    struct jsz *z = mg_zalloc(sizeof(*z));
    z->server = s;
    z->req = req;
    z->q = q;
    mg_list_init(&z->task.link);
    s->questions++;
    z->streams = mg_jsz_begin(&z->w, &z->out, &f);
    if (!z->streams) {
        finish(z);
        return;
    }
    z->roll = (struct mg_js_roll){.js = &s->js->js, .each = write_consumer, .end = written};
    write_some(&z->task);
}
