// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What monitoring is told of JetStream. Numbers are taken in one go, from what the shards share; the streams of /jsz
// and their consumers are written some at a time, one piece a turn, in the order of their names: who comes or goes
// meanwhile may or may not be there. The answer travels: each stream's shard writes what it has to tell.
#include <stdlib.h>

#include "jetstream/monitor.h"
#include "jetstream/stream/roll.h"
#include "server/base/mem.h"
#include "server/monitor/js.h"
#include "server/monitor/query.h"
#include "server/server_impl.h"

#define STREAMS_A_TURN 16u
#define CONSUMERS_A_CALL 256u
#define ROWS_MAX 1000u         // streams with series of their own
#define CONSUMER_ROWS_MAX 500u // consumers
#define LABEL_MAX 255u         // a name that is cut off could be another one's

// ---- facts ----------------------------------------------------------------------------------------------------------

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
    if (j && !j->started) {
        out->restored = atomic_load_explicit(&j->progress.bytes, memory_order_relaxed);
        out->to_restore = atomic_load_explicit(&j->progress.bytes_total, memory_order_relaxed);
        if (out->restored > out->to_restore) out->restored = 0; // the second half has just begun
    }
    if (!out->ready) return true;
    const struct mg_js *js = s->ctl[0].js;
    const struct mg_js_sums sums = mg_js_sums(j->shared, s->n);
    const uint64_t memory = mg_js_used(js, MG_JS_MEMORY), storage = mg_js_used(js, MG_JS_FILE);
    *out = (struct mg_js_facts){
        .ready = true, .store_dir = j->dir, .domain = j->domain, .unique_tag = o->unique_tag,
        .max_memory = js->o.max_memory, .max_store = js->o.max_store, .sync_interval = (uint64_t)o->sync_interval,
        .strict = o->strict, .max_ack_pending = o->max_ack_pending, .max_request_batch = o->max_request_batch,
        .duplicate_window = o->duplicate_window, .api_level = MG_JS_API_LEVEL, .memory = memory, .storage = storage,
        .reserved_memory = j->all.reserved[MG_JS_MEMORY], .reserved_storage = j->all.reserved[MG_JS_FILE],
        .streams = mg_js_catalogue_streams(&j->all), .consumers = sums.consumers, .messages = sums.messages,
        .bytes = memory + storage, .api_total = sums.answered, .api_errors = sums.errors,
        .api_inflight = sums.inflight[0] + sums.inflight[1],
    };
    store_facts(j->store, out);
    return true;
}

static int by_name(const void *a, const void *b) {
    return mg_slice_cmp(((const struct mg_js_stream_row *)a)->name, ((const struct mg_js_stream_row *)b)->name);
}

static int by_both_names(const void *a, const void *b) {
    const struct mg_js_consumer_row *x = a, *y = b;
    int order = mg_slice_cmp(x->stream, y->stream);
    return order ? order : mg_slice_cmp(x->name, y->name);
}

static void add_consumers(const struct mg_js_stream *s, struct mg_js_rows *out, struct mg_js_consumer_figures *room) {
    size_t n = mg_js_consumers_awake(s, room, CONSUMER_ROWS_MAX - out->nconsumers);
    for (size_t i = 0; i < n; i++) {
        const struct mg_js_consumer_figures *f = &room[i];
        if (f->name.n > LABEL_MAX) continue;
        out->consumers[out->nconsumers++] = (struct mg_js_consumer_row){
            mg_arena_dup(&out->arena, f->stream), mg_arena_dup(&out->arena, f->name), f->pending, f->ack_pending,
            f->redelivered, f->waiting, f->delivered, f->acked};
    }
}

void server_js_rows(struct shard_ctl *ctl, struct mg_js_rows *out) {
    if (ctl->js == NULL) return;
    struct mg_js_stream **streams = mg_alloc(ROWS_MAX * sizeof(*streams));
    out->n = mg_js_streams_behind(ctl->js, mg_slice_of(NULL, 0), streams, ROWS_MAX);
    out->v = mg_alloc((out->n + 1) * sizeof(*out->v));
    out->consumers = mg_alloc(CONSUMER_ROWS_MAX * sizeof(*out->consumers));
    struct mg_js_consumer_figures *room = mg_alloc(CONSUMER_ROWS_MAX * sizeof(*room));
    for (size_t i = 0; i < out->n; i++) {
        struct mg_js_stream_figures f = mg_js_stream_figures(streams[i]);
        mg_slice name = mg_arena_dup(&out->arena, f.name);
        out->v[i] = (struct mg_js_stream_row){name,       f.messages, f.bytes,    f.first_seq,
                                              f.last_seq, f.subjects, f.consumers};
        add_consumers(streams[i], out, room);
    }
    mg_free(room);
    mg_free(streams);
}

void server_js_merge_rows(struct mg_js_rows *all, struct mg_js_rows *more) {
    all->v = mg_realloc(all->v, (all->n + more->n + 1) * sizeof(*all->v));
    if (more->n) memcpy(all->v + all->n, more->v, more->n * sizeof(*more->v));
    all->n += more->n;
    qsort(all->v, all->n, sizeof(*all->v), by_name);
    if (all->n > ROWS_MAX) all->n = ROWS_MAX;
    all->consumers = mg_realloc(all->consumers, (all->nconsumers + more->nconsumers + 1) * sizeof(*all->consumers));
    if (more->nconsumers)
        memcpy(all->consumers + all->nconsumers, more->consumers, more->nconsumers * sizeof(*more->consumers));
    all->nconsumers += more->nconsumers;
    qsort(all->consumers, all->nconsumers, sizeof(*all->consumers), by_both_names);
    if (all->nconsumers > CONSUMER_ROWS_MAX) all->nconsumers = CONSUMER_ROWS_MAX;
    mg_arena_move(&all->arena, &more->arena);
    mg_free(more->v);
    mg_free(more->consumers);
    *more = (struct mg_js_rows){.arena = more->arena};
}

// ---- /healthz -------------------------------------------------------------------------------------------------------

struct health {
    struct mg_js_errand errand;
    struct mg_server *server;
    struct mg_http_request *req;
    char *stream, *consumer; // owned; NULL: not asked for
    bool has_stream, has_consumer;
    void (*answer)(struct mg_server *s, struct mg_http_request *req, bool stream, bool consumer);
};

static void look(struct mg_js_errand *e, struct mg_js *js) {
    struct health *h = mg_container_of(e, struct health, errand);
    h->has_stream = mg_js_has(js, mg_cstr(h->stream), mg_slice_of(NULL, 0));
    h->has_consumer = h->consumer && mg_js_has(js, mg_cstr(h->stream), mg_cstr(h->consumer));
    mg_js_errand_back(js, e);
}

static void looked(struct mg_js_errand *e) {
    struct health *h = mg_container_of(e, struct health, errand);
    h->server->questions--;
    if (!e->lost) h->answer(h->server, h->req, h->has_stream, h->has_consumer);
    mg_free(h->stream);
    mg_free(h->consumer);
    mg_free(h);
}

void server_js_ask_health(struct mg_server *s, struct mg_http_request *req,
                          void (*answer)(struct mg_server *s, struct mg_http_request *req, bool stream,
                                         bool consumer)) {
    char *stream = mg_query_dup(mg_http_query(req), "stream");
    const struct mg_js_item *e = NULL;
    if (stream && s->js && s->js->started) e = mg_js_catalogue_find(&s->js->all, mg_cstr(stream));
    if (e == NULL) {
        mg_free(stream);
        answer(s, req, false, false);
        return;
    }
    struct health *h = mg_zalloc(sizeof(*h));
    *h = (struct health){.errand = {.run = look, .done = looked}, .server = s, .req = req, .stream = stream};
    h->consumer = mg_query_dup(mg_http_query(req), "consumer");
    h->answer = answer;
    s->questions++;
    mg_js_errand_send(s->ctl[0].js, &h->errand, e->shard);
}

// ---- /jsz -----------------------------------------------------------------------------------------------------------

struct jsz {
    struct mg_js_errand errand; // to the shard of one stream: all of this is there then
    struct mg_js_task task;     // at home
    struct mg_server *server;
    struct mg_http_request *req;
    struct mg_jsz_query q;
    struct mg_buf out, last; // last: the name of the stream that is written, or was last
    struct mg_jw w;
    bool streams;
    bool sending, came;     // for one of the own shard, which may be done at once
    struct mg_js_roll roll; // of the consumers of that stream
    size_t called;          // of them
};

static void jsz_free(struct jsz *z) {
    z->server->questions--;
    mg_jsz_query_fini(&z->q);
    mg_buf_fini(&z->out);
    mg_buf_fini(&z->last);
    mg_js_roll_fini(&z->roll);
    mg_free(z);
}

static void finish(struct jsz *z) {
    mg_jsz_end(&z->w, z->streams);
    mg_http_reply_json(z->req, 200, mg_buf_slice(&z->out));
    jsz_free(z);
}

// -- one stream, on its shard

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
    mg_js_errand_back(r->js, &z->errand);
}

static void write_stream(struct mg_js_errand *e, struct mg_js *js) {
    struct jsz *z = mg_container_of(e, struct jsz, errand);
    struct mg_js_stream *s = mg_js_find(js, mg_buf_slice(&z->last));
    if (s == NULL) {
        mg_js_errand_back(js, e);
        return;
    }
    mg_js_write_stream_detail(&z->w, s, z->q.config);
    if (!z->q.consumers || mg_js_stream_consumers(s) == 0) {
        mg_jw_end_obj(&z->w);
        mg_js_errand_back(js, e);
        return;
    }
    mg_jw_key(&z->w, "consumer_detail");
    mg_jw_arr(&z->w);
    z->called = 0;
    z->roll.js = js;
    mg_js_roll_call(&z->roll, s, 0, CONSUMERS_A_CALL);
}

// -- all of them

static void write_some(struct mg_js_task *t);

static void is_written(struct mg_js_errand *e) {
    struct jsz *z = mg_container_of(e, struct jsz, errand);
    z->came = true;
    if (e->lost) jsz_free(z);
    else if (!z->sending) mg_js_later(z->server->ctl[0].js, &z->task, write_some);
}

// False: it is not back yet, and belongs to another shard.
static bool send(struct jsz *z, struct mg_js *home, const struct mg_js_item *e) {
    const bool here = e->shard == mg_shard_id(home->shard);
    z->last.len = 0;
    mg_buf_add_slice(&z->last, e->name);
    z->sending = here;
    z->came = false;
    mg_js_errand_send(home, &z->errand, e->shard);
    if (!here) return false;
    z->sending = false;
    return z->came;
}

static void write_some(struct mg_js_task *t) {
    struct jsz *z = mg_container_of(t, struct jsz, task);
    struct mg_js *home = z->server->ctl[0].js;
    struct mg_js_item *e;
    for (unsigned i = 0; i < STREAMS_A_TURN; i++) {
        if (mg_js_catalogue_behind(home->all, mg_buf_slice(&z->last), &e, 1) == 0) {
            finish(z);
            return;
        }
        if (!send(z, home, e)) return;
    }
    mg_js_later(home, t, write_some);
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
    z->errand.run = write_stream;
    z->errand.done = is_written;
    z->roll.each = write_consumer;
    z->roll.end = written;
    write_some(&z->task);
}
