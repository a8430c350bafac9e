// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What shard 0 does with the whole server: reload, lame duck mode, shutdown.
//
// Reload: new settings are built and checked on shard 0, then every shard gets a reference; when all have answered,
// and not before, the log says "Reloaded". Shutdown: listeners close; every shard stops parsing, flushes and closes
// its connections and reports when the last one is gone; then nothing is in flight, and all loops stop.
#include <inttypes.h>
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"
#include "server/server_impl.h"

void server_post(struct shard_ctl *from, unsigned to, enum server_rec kind, const void *body, size_t size) {
    struct mg_shard *sh = from->core->shard;
    if (to == from->id) {
        char space[256] __attribute__((aligned(8)));
        struct mg_rec *rec = (struct mg_rec *)(void *)space;
        mg_assert(size <= sizeof(space) - sizeof(*rec));
        *rec = (struct mg_rec){.size = (uint32_t)size, .kind = (uint16_t)kind, .from = (uint16_t)to};
        if (size) memcpy(rec->body, body, size);
        server_on_record(from, rec);
        return;
    }
    struct mg_rec *rec = mg_post_data(sh, to, (uint16_t)kind, (uint32_t)size);
    if (size) memcpy(rec->body, body, size);
}

static void post_all(struct mg_server *s, enum server_rec kind, const void *body, size_t size) {
    for (unsigned i = s->n; i-- > 0;) server_post(&s->ctl[0], i, kind, body, size);
}

// ---- reload --------------------------------------------------------------------------------------------------------

int mg_server_reload(struct mg_server *s, struct mg_options *fresh, char *err, size_t errlen) {
    if (s->acks_left > 0) { // one at a time; the newest that came meanwhile is next
        mg_options_free(s->next_options);
        s->next_options = fresh;
        return 0;
    }
    struct mg_reload_diff diff = {0};
    if (mg_options_diff(s->settings->opts, fresh, &diff) != 0) {
        snprintf(err, errlen, "%s", diff.unsupported);
        mg_reload_diff_fini(&diff);
        return MG_EUNSUPPORTED;
    }
    struct mg_settings *next = mg_settings_new(fresh, s->settings->epoch + 1, err, errlen);
    if (next == NULL) {
        mg_reload_diff_fini(&diff);
        return MG_EINVAL;
    }
    mg_settings_advertise(next, s->port);
    s->diff = diff;
    s->acks_left = s->n;
    mg_settings_unref(s->settings);
    s->settings = next;
    if (s->http && s->https) mg_http_set_tls(s->http, next->monitor_tls);
    for (unsigned i = s->n; i-- > 0;) {
        mg_settings_ref(next);
        server_post(&s->ctl[0], i, REC_SETTINGS, &next, sizeof(next));
    }
    return 0;
}

static void on_settings(struct shard_ctl *ctl, const struct mg_rec *rec) {
    struct mg_settings *fresh;
    memcpy(&fresh, rec->body, sizeof(fresh));
    mg_core_reload(ctl->core, fresh);
    server_js_reloaded(ctl);
    mg_settings_unref(fresh);
    server_post(ctl, 0, REC_SETTINGS_ACK, NULL, 0);
}

static void on_settings_ack(struct mg_server *s) {
    mg_assert(s->acks_left > 0);
    if (--s->acks_left > 0) return;
    s->config_load_ns = mg_loop_wall(mg_shard_loop(s->shard));
    for (size_t i = 0; i < s->diff.n; i++) mg_log_inf(s->log, "%s", s->diff.changes[i].line);
    // The lines of options still go where the log was; a new log begins with the one that all is done.
    if (s->params.reloaded) s->params.reloaded(s->params.arg, &s->diff);
    mg_reload_diff_fini(&s->diff);
    memset(&s->diff, 0, sizeof(s->diff));
    mg_log_inf(s->log, "Reloaded server configuration (%s)", s->settings->opts->config_digest);
    struct mg_options *next = s->next_options;
    s->next_options = NULL;
    char err[512];
    if (next && mg_server_reload(s, next, err, sizeof(err)) != 0) {
        mg_log_err(s->log, "Failed to reload server configuration: %s", err);
        mg_options_free(next);
    }
}

// ---- lame duck -----------------------------------------------------------------------------------------------------

static int64_t clients(const struct mg_server *s) {
    return atomic_load_explicit(&s->globals->connections, memory_order_relaxed);
}

static void close_next(struct mg_server *s) {
    unsigned most = 0;
    int64_t n = -1;
    for (unsigned i = 0; i < s->n; i++) {
        int64_t here = atomic_load_explicit(&s->globals->shard[i].connections, memory_order_relaxed);
        if (here > n) {
            n = here;
            most = i;
        }
    }
    server_post(&s->ctl[0], most, REC_CLOSE_ONE, NULL, 0);
}

static void on_ldm_timer(struct mg_timer *t) {
    struct mg_server *s = mg_container_of(t, struct mg_server, ldm_timer);
    const struct mg_options *o = s->settings->opts;
    if (s->shutting_down) return;
    if (clients(s) <= 0) {
        mg_server_shutdown(s);
        return;
    }
    if (!s->closing_clients) {
        s->closing_clients = true;
        mg_log_inf(s->log, "Closing existing clients");
        s->ldm_interval = (o->lame_duck_duration_ns - o->lame_duck_grace_ns) / (uint64_t)clients(s);
        if (s->ldm_interval > MG_SEC) s->ldm_interval = MG_SEC;
    }
    // Short intervals are served several at a time: the wheel ticks in milliseconds.
    uint64_t wait = 0;
    for (int i = 0; i < 64 && wait < 2 * MG_MS; i++) {
        close_next(s);
        wait += s->ldm_interval / 2 + mg_shard_random(s->shard) % (s->ldm_interval / 2 + 1);
    }
    mg_timer_at(s->shard, t, mg_shard_now(s->shard) + wait);
}

void mg_server_lame_duck(struct mg_server *s) {
    if (s->lame_duck || s->shutting_down) return;
    s->lame_duck = true;
    mg_log_inf(s->log, "Entering lame duck mode, stop accepting new clients");
    mg_listener_close(s->listener);
    s->listener = NULL;
    if (clients(s) <= 0) {
        mg_server_shutdown(s);
        return;
    }
    post_all(s, REC_LAME_DUCK, NULL, 0);
    mg_timer_at(s->shard, &s->ldm_timer, mg_shard_now(s->shard) + s->settings->opts->lame_duck_grace_ns);
}

// ---- shutdown ------------------------------------------------------------------------------------------------------

// JetStream goes first: those who wait for messages are told, what it had taken is answered. Then clients are closed.
static void drain_behind_js(struct mg_server *s) {
    if (s->draining || !server_js_stop(s)) return;
    s->draining = true;
    post_all(s, REC_DRAIN, NULL, 0);
}

void mg_server_shutdown(struct mg_server *s) {
    if (s->shutting_down) return;
    s->shutting_down = true;
    mg_log_inf(s->log, "Initiating Shutdown...");
    mg_timer_stop(mg_shard_wheel(s->shard), &s->ldm_timer);
    if (s->listener) mg_listener_close(s->listener);
    s->listener = NULL;
    struct mg_http *http = s->http;
    s->http = NULL;
    s->http_gone = http == NULL;
    if (http) mg_http_close(http);
    drain_behind_js(s);
}

static void stop_when_done(struct mg_server *s) {
    if (s->stopping || s->drained < s->n || !s->http_gone || s->questions > 0 || !server_js_settle(s)) return;
    s->stopping = true;
    mg_log_inf(s->log, "Server Exiting..");
    if (s->params.stopped) s->params.stopped(s->params.arg);
    post_all(s, REC_STOP, NULL, 0);
}

void server_http_gone(struct mg_server *s) {
    s->http_gone = true;
    stop_when_done(s);
}

void server_check_drained(struct shard_ctl *ctl) {
    const struct mg_core *core = ctl->core;
    if (!ctl->draining || ctl->drained || core->nconns > 0 || core->ndying > 0 || !mg_list_empty(&ctl->jobs)) return;
    if (!server_js_at_rest(ctl)) return;
    ctl->drained = true;
    server_post(ctl, 0, REC_DRAINED, NULL, 0);
}

// ---- records -------------------------------------------------------------------------------------------------------

void server_control_init(struct mg_server *s) { mg_timer_init(&s->ldm_timer, on_ldm_timer); }

static void on_closed_entry(struct mg_server *s, const struct mg_rec *rec) {
    struct mg_closed *e;
    memcpy(&e, rec->body, sizeof(e));
    mg_closed_ring_add(&s->closed, e);
}

void server_on_record(void *arg, const struct mg_rec *rec) {
    struct shard_ctl *ctl = arg;
    struct mg_server *s = ctl->server;
    struct job *job;
    switch ((enum server_rec)rec->kind) {
    case REC_SETTINGS: on_settings(ctl, rec); break;
    case REC_SETTINGS_ACK: on_settings_ack(s); break;
    case REC_LAME_DUCK: mg_core_lame_duck(ctl->core); break;
    case REC_CLOSE_ONE: mg_core_close_one(ctl->core); break;
    case REC_DRAIN:
        ctl->draining = true;
        mg_core_drain(ctl->core);
        break;
    case REC_DRAINED:
        s->drained++;
        stop_when_done(s);
        break;
    case REC_STOP: mg_shard_stop(ctl->core->shard); break;
    case REC_JOB:
        memcpy(&job, rec->body, sizeof(job));
        collect_start(ctl, job);
        break;
    case REC_JOB_DONE:
        memcpy(&job, rec->body, sizeof(job));
        server_job_done(s, job);
        stop_when_done(s);
        break;
    case REC_CLOSED: on_closed_entry(s, rec); break;
    case REC_JS_ERRAND:
    case REC_JS_STOP:
    case REC_JS_STOPPED: server_js_record(ctl, rec); break;
    }
}

bool server_on_idle(void *arg) {
    struct shard_ctl *ctl = arg;
    bool more = collect_some(ctl);
    server_check_drained(ctl);
    if (server_js_turn(ctl)) more = true;
    if (ctl->id != 0) return more;
    if (ctl->server->shutting_down) drain_behind_js(ctl->server);
    if (ctl->server->drained == ctl->server->n) stop_when_done(ctl->server);
    return more;
}
