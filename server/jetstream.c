// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream in the broker: its store is opened before anybody can connect, with a part for each shard, and it stops
// before connections are closed: what it had taken is answered. Everything is put into service on one thread, before
// the shards run, and what they announce is posted before anybody listens: so no client meets a shard that does not
// know all streams.
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/js.h"
#include "jetstream/store/size.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/sizefmt.h"
#include "server/base/timefmt.h"
#include "server/proto/info.h"
#include "server/server_impl.h"

#define DEFAULT_DIR "/tmp/nats" // where the reference would put it, too
#define DEFAULT_REQUESTS 10000u

static void on_log(void *arg, int level, const char *text) {
    struct mg_server *s = arg;
    mg_log_at(s->log, (enum mg_log_level)level, "JetStream: %s", text);
}

static char *store_path(const struct mg_options *o) {
    struct mg_buf path = MG_BUF_INIT;
    mg_buf_addf(&path, "%s/" MG_STORE_FOLDER, o->store_dir ? o->store_dir : DEFAULT_DIR);
    mg_buf_addc(&path, '\0');
    return path.p;
}

static uint64_t machine_memory(const struct mg_server *s) {
    struct mg_figures figures = {0};
    if (s->params.figures) s->params.figures(s->params.arg, &figures);
    return figures.ram;
}

static uint64_t store_memory(const struct mg_server *s) {
    const struct mg_js_options *o = &s->settings->opts->js;
    if (o->store_memory > 0) return (uint64_t)o->store_memory;
    uint64_t machine = machine_memory(s);
    return machine ? mg_store_memory(machine) : MG_STORE_MEMORY_FULL;
}

// spec/jetstream-streams.md 21: three quarters of what there is, unless it is configured.
static int64_t max_memory(const struct mg_server *s) {
    const struct mg_js_options *o = &s->settings->opts->js;
    if (o->max_memory_set) return o->max_memory;
    uint64_t machine = machine_memory(s);
    return machine ? (int64_t)(machine / 4 * 3) : INT64_C(256) << 20;
}

static int64_t max_store(const struct mg_server *s) {
    const struct mg_js_options *o = &s->settings->opts->js;
    struct mg_store_status st = mg_store_status(s->js->store);
    if (o->max_store_set) return o->max_store;
    return st.disk_free ? (int64_t)((st.disk_free + st.bytes) / 4 * 3) : INT64_C(1) << 40;
}

static void log_store(struct mg_server *s) {
    const struct server_js *j = s->js;
    struct mg_store_status st = mg_store_status(j->store);
    char size[40];
    mg_log_inf(s->log, "Starting JetStream");
    mg_log_inf(s->log, "  Max Memory:  %s", mg_fmt_size(size, max_memory(s)));
    mg_log_inf(s->log, "  Max Storage: %s", mg_fmt_size(size, max_store(s)));
    mg_log_inf(s->log, "  Store Memory: %s", mg_fmt_size(size, (int64_t)store_memory(s)));
    mg_log_inf(s->log, "  Store directory: \"%s\"", j->dir);
    mg_log_inf(s->log, "  %s", st.sync_method);
    if (j->domain) mg_log_inf(s->log, "  Domain: %s", j->domain);
    if (s->settings->opts->js.sync_interval) {
        char text[40];
        mg_log_inf(s->log, "  Acknowledged before it is on disk: synced every %s",
                   mg_fmt_duration(text, s->settings->opts->js.sync_interval));
    }
    if (st.streams)
        mg_log_inf(s->log, "  Restored %llu messages for %llu streams in %u ms", (unsigned long long)st.messages,
                   (unsigned long long)st.streams, st.recovery_ms);
}

struct opening {
    struct mg_work work;
    struct mg_loop *loop;
    struct server_js *js;
    struct mg_store_options options;
    int rc;
    char why[256];
    bool done;
};

static void open_store(struct mg_work *w) {
    struct opening *o = mg_container_of(w, struct opening, work);
    o->rc = mg_store_open(&o->js->store, &o->options, o->why, sizeof(o->why));
}

static void opened(struct mg_work *w) {
    struct opening *o = mg_container_of(w, struct opening, work);
    o->done = true;
    mg_loop_stop(o->loop);
}

static void fill_options(struct mg_server *s, struct mg_store_options *so) {
    const struct mg_js_options *o = &s->settings->opts->js;
    *so = (struct mg_store_options){.dir = s->js->dir, .parts = s->n, .log = on_log, .log_arg = s};
    so->progress = &s->js->progress;
    mg_store_size(so, store_memory(s));
    so->sync_interval = (uint64_t)o->sync_interval;
    if (o->max_buffered_msgs > 0 && o->max_buffered_msgs < UINT32_MAX)
        so->queue_messages = (uint32_t)o->max_buffered_msgs;
    if (o->max_buffered_size > 0) so->queue_bytes = (uint64_t)o->max_buffered_size;
    for (size_t i = 0; i < sizeof(so->secret); i += 8) {
        uint64_t v = mg_loop_entropy(mg_shard_loop(s->shard));
        memcpy(so->secret + i, &v, sizeof(v));
    }
    if (s->params.tune_store) s->params.tune_store(s->params.arg, so);
}

// Where there is a monitoring port, probes are answered while the store is opened: on another thread, with this shard's
// loop running. Nobody else can reach the server yet.
int server_js_open(struct mg_server *s, char *err, size_t errlen) {
    const struct mg_options *o = s->settings->opts;
    if (!o->jetstream) return 0;
    struct server_js *j = s->js = mg_zalloc(sizeof(*j));
    j->dir = store_path(o);
    j->name = mg_strdup(o->server_name ? o->server_name : s->identity.server_id);
    j->domain = o->js.domain ? mg_strdup(o->js.domain) : NULL;
    struct opening op = {.work = {.run = open_store, .done = opened}, .js = j, .loop = mg_shard_loop(s->shard)};
    fill_options(s, &op.options);
    if (s->http == NULL) {
        open_store(&op.work);
    } else {
        mg_loop_work(op.loop, &op.work);
        while (!op.done) mg_loop_run(op.loop);
    }
    if (op.rc == 0) {
        log_store(s);
        return 0;
    }
    snprintf(err, errlen, "Can't start JetStream: %s", op.why);
    j->store = NULL;
    return op.rc;
}

void server_js_reloaded(struct shard_ctl *ctl) {
    const struct mg_js_options *o = &ctl->core->settings->opts->js;
    if (ctl->js == NULL) return;
    if (o->max_memory_set) ctl->js->o.max_memory = o->max_memory;
    if (o->max_store_set) ctl->js->o.max_store = o->max_store;
}

static void carry(void *arg, unsigned to, struct mg_js_errand *e) {
    server_post(arg, to, REC_JS_ERRAND, &e, sizeof(e));
}

// For the API, which is on shard 0. Clients of other shards are known by their number only.
static void who(void *arg, const struct mg_msg *m, struct mg_js_client *out) {
    struct mg_server *s = arg;
    if (m->origin_shard != 0 || m->origin_slot == UINT32_MAX) return;
    struct mg_core *core = s->ctl[0].core;
    struct mg_conn *c = mg_core_conn(core, m->origin_slot, m->origin_id);
    struct mg_conn_row row = {0};
    if (c == NULL) return;
    mg_arena_fini(&s->js->asker);
    collect_conn_row(c, mg_loop_wall(core->loop), false, false, &row, &s->js->asker);
    *out = (struct mg_js_client){.start = row.s.start_ns, .rtt = row.s.rtt_ns, .host = row.ip, .user = row.user,
                                 .name = row.name, .lang = row.lang, .version = row.version};
}

static struct mg_js_setup setup(struct mg_server *s) {
    const struct server_js *j = s->js;
    const struct mg_options *o = s->settings->opts;
    const uint64_t requests = o->js.request_queue_limit > 0 ? (uint64_t)o->js.request_queue_limit : DEFAULT_REQUESTS;
    return (struct mg_js_setup){
        .store = j->store,
        .shared = j->shared,
        .carry = carry,
        .log = s->log,
        .server_name = j->name,
        .domain = j->domain,
        .server_id = s->identity.server_id,
        .version = MG_NATS_VERSION,
        .store_dir = j->dir,
        .max_memory = max_memory(s),
        .max_store = max_store(s),
        .max_pending = o->max_pending,
        .max_requests = requests,
        .max_info_requests = o->js.info_queue_limit > 0 ? (uint64_t)o->js.info_queue_limit : requests,
        .strict = o->js.strict,
        .client = who,
        .client_arg = s,
        .limits = {.duplicate_window = o->js.duplicate_window,
                   .max_ack_pending = o->js.max_ack_pending,
                   .max_request_batch = o->js.max_request_batch},
    };
}

static void start_shard(struct shard_ctl *ctl, const struct mg_js_setup *all) {
    struct mg_js_setup one = *all;
    one.shard = ctl->core->shard;
    one.router = &ctl->core->router;
    one.part = ctl->id;
    one.all = ctl->id == 0 ? &ctl->server->js->all : NULL;
    one.carry_arg = ctl;
    ctl->js = mg_alloc(sizeof(*ctl->js));
    mg_js_start(ctl->js, &one);
    mg_js_enter(ctl->server->ctl[0].js, ctl->js);
}

void server_js_start(struct mg_server *s) {
    struct server_js *j = s->js;
    if (j == NULL) return;
    j->shared = aligned_alloc(64, sizeof(*j->shared));
    mg_assert(j->shared != NULL);
    memset(j->shared, 0, sizeof(*j->shared));
    const struct mg_js_setup all = setup(s);
    for (unsigned i = 0; i < s->n; i++) start_shard(&s->ctl[i], &all);
    for (unsigned i = 0; i < s->n && s->n > 1; i++) mg_turn_end(s->ctl[i].core->shard);
    j->started = true;
}

bool server_js_turn(struct shard_ctl *ctl) {
    if (ctl->js == NULL) return false;
    bool more = mg_js_turn(ctl->js);
    if (ctl->js_stopping && !ctl->js_stopped && mg_js_stop(ctl->js)) {
        ctl->js_stopped = true;
        server_post(ctl, 0, REC_JS_STOPPED, NULL, 0);
    }
    return more;
}

// ---- the end --------------------------------------------------------------------------------------------------------

static void stop_shard(struct shard_ctl *ctl) {
    ctl->js_stopping = true;
    ctl->js_stopped = mg_js_stop(ctl->js);
    if (ctl->js_stopped) server_post(ctl, 0, REC_JS_STOPPED, NULL, 0);
}

void server_js_record(struct shard_ctl *ctl, const struct mg_rec *rec) {
    struct mg_js_errand *e;
    switch (rec->kind) {
    case REC_JS_ERRAND:
        memcpy(&e, rec->body, sizeof(e));
        mg_js_errand_come(ctl->js, e);
        break;
    case REC_JS_STOP: stop_shard(ctl); break;
    case REC_JS_STOPPED: ctl->server->js->stopped++; break;
    default: mg_assert(false);
    }
}

// Shard 0 goes first: it has the API, and sends no errands behind this.
bool server_js_stop(struct mg_server *s) {
    struct server_js *j = s->js;
    if (j == NULL || !j->started) return true;
    if (!j->stopping) {
        j->stopping = true;
        for (unsigned i = 0; i < s->n; i++) server_post(&s->ctl[0], i, REC_JS_STOP, NULL, 0);
    }
    return j->stopped == s->n;
}

bool server_js_at_rest(struct shard_ctl *ctl) { return ctl->js == NULL || mg_js_stop(ctl->js); }

bool server_js_settle(struct mg_server *s) {
    struct server_js *j = s->js;
    return j == NULL || !j->started || mg_js_settle(s->ctl[0].js);
}

void server_js_free(struct mg_server *s) {
    struct server_js *j = s->js;
    if (j == NULL) return;
    for (unsigned i = 0; i < s->n && j->started; i++) mg_js_stop(s->ctl[i].js); // a start that failed has nothing open
    for (unsigned i = 0; i < s->n && j->started; i++) mg_js_end(s->ctl[i].js);
    for (unsigned i = 0; i < s->n && j->started; i++) mg_js_fini(s->ctl[i].js);
    mg_js_catalogue_fini(&j->all);
    if (j->store) mg_store_close(j->store);
    for (unsigned i = 0; i < s->n; i++) mg_free(s->ctl[i].js);
    free(j->shared);
    mg_free(j->dir);
    mg_free(j->name);
    mg_free(j->domain);
    mg_arena_fini(&j->asker);
    mg_free(j);
    s->js = NULL;
}
