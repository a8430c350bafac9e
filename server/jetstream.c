// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream in the broker: its store is opened before anybody can connect, its streams live on shard 0, and it stops
// before connections are closed: what it had taken is answered.
#include <stdio.h>

#include "jetstream/js.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/sizefmt.h"
#include "server/base/timefmt.h"
#include "server/proto/info.h"
#include "server/server_impl.h"

#define DEFAULT_DIR "/tmp/nats" // where the reference would put it, too
#define DEFAULT_REQUESTS 10000u
#define FOLDER "midge"          // beside `jetstream`, which is the reference's

static void on_log(void *arg, int level, const char *text) {
    struct mg_server *s = arg;
    mg_log_at(s->log, (enum mg_log_level)level, "JetStream: %s", text);
}

static char *store_path(const struct mg_options *o) {
    struct mg_buf path = MG_BUF_INIT;
    mg_buf_addf(&path, "%s/" FOLDER, o->store_dir ? o->store_dir : DEFAULT_DIR);
    mg_buf_addc(&path, '\0');
    return path.p;
}

// spec/jetstream-streams.md 21: three quarters of what there is, unless it is configured.
static int64_t max_memory(const struct mg_server *s) {
    const struct mg_js_options *o = &s->settings->opts->js;
    struct mg_figures figures = {0};
    if (o->max_memory_set) return o->max_memory;
    if (s->params.figures) s->params.figures(s->params.arg, &figures);
    return figures.ram ? (int64_t)(figures.ram / 4 * 3) : INT64_C(256) << 20;
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
    *so = (struct mg_store_options){.dir = s->js->dir, .parts = 1, .log = on_log, .log_arg = s};
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

void server_js_reloaded(struct mg_server *s) {
    const struct mg_js_options *o = &s->settings->opts->js;
    if (s->js == NULL || !s->js->started) return;
    if (o->max_memory_set) s->js->js.o.max_memory = o->max_memory;
    if (o->max_store_set) s->js->js.o.max_store = o->max_store;
}

// Clients of other shards are known by their number only.
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

void server_js_start(struct mg_server *s) {
    struct server_js *j = s->js;
    const struct mg_options *o = s->settings->opts;
    if (j == NULL) return;
    const uint64_t requests = o->js.request_queue_limit > 0 ? (uint64_t)o->js.request_queue_limit : DEFAULT_REQUESTS;
    const struct mg_js_setup setup = {
        .shard = s->shard,
        .router = &s->ctl[0].core->router,
        .store = j->store,
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
    mg_js_start(&j->js, &setup);
    j->started = true;
}

bool server_js_turn(struct mg_server *s) { return s->js && s->js->started && mg_js_turn(&s->js->js); }

bool server_js_stop(struct mg_server *s) {
    struct server_js *j = s->js;
    if (j == NULL || j->stopped) return true;
    j->stopped = !j->started || mg_js_stop(&j->js);
    return j->stopped;
}

bool server_js_settle(struct mg_server *s) {
    struct server_js *j = s->js;
    return j == NULL || !j->started || mg_js_settle(&j->js);
}

void server_js_free(struct mg_server *s) {
    struct server_js *j = s->js;
    if (j == NULL) return;
    server_js_stop(s); // a start that failed has nothing under way
    if (j->started) mg_js_fini(&j->js);
    if (j->store) mg_store_close(j->store);
    mg_free(j->dir);
    mg_free(j->name);
    mg_free(j->domain);
    mg_arena_fini(&j->asker);
    mg_free(j);
    s->js = NULL;
}
