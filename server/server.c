// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The life of a broker: shards with their cores, listeners on shard 0, the lines that tools wait for at the start
// (spec/client-protocol.md B4).
#include "server/server.h"

#include <sodium.h>
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/check.h"
#include "server/proto/info.h"
#include "server/server_impl.h"

static void on_accepted(void *owner, const struct mg_sock_seed *seed) {
    struct mg_server *s = owner;
    mg_core_accept(s->ctl[0].core, seed);
}

static const struct mg_listener_ops listener_ops = {.accepted = on_accepted};

static void host_port(char *out, size_t n, const char *host, int port) {
    bool v6 = strchr(host, ':') != NULL;
    snprintf(out, n, "%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

// ---- what the log says at the start --------------------------------------------------------------------------------

static void log_head(struct mg_server *s) {
    const struct mg_options *o = s->settings->opts;
    mg_log_inf(s->log, "Starting nats-server");
    mg_log_inf(s->log, "  Version:  %s", MG_NATS_VERSION);
    mg_log_inf(s->log, "  Git:      [not set]");
    mg_log_inf(s->log, "  Name:     %s", o->server_name ? o->server_name : s->identity.server_id);
    mg_log_inf(s->log, "  ID:       %s", s->identity.server_id);
    mg_log_inf(s->log, "  Midge:    %s, %u shard%s", MG_RUNTIME_VERSION, s->n, s->n == 1 ? "" : "s");
    struct mg_config_report notes = {0};
    mg_options_warnings(o, &notes);
    for (size_t i = 0; i < notes.n; i++) mg_log_wrn(s->log, "%s", notes.v[i].text);
    mg_config_report_fini(&notes);
    if (o->config_file)
        mg_log_inf(s->log, "Using configuration file: %s (%s)", o->config_file, o->config_digest);
}

static void log_ready(struct mg_server *s) {
    const struct mg_options *o = s->settings->opts;
    char at[300];
    host_port(at, sizeof(at), o->host, s->port);
    mg_log_inf(s->log, "Listening for client connections on %s", at);
    if (s->settings->tls) {
        mg_log_inf(s->log, "TLS %s for client connections", o->allow_non_tls ? "available" : "required");
        if (o->tls_opts.first == MG_TLS_FIRST_ON)
            mg_log_wrn(s->log, "Clients that are not using \"TLS Handshake First\" option will fail to connect");
    }
    mg_log_inf(s->log, "Server is ready");
}

// ---- listeners -----------------------------------------------------------------------------------------------------

static int open_monitor(struct mg_server *s, char *err, size_t errlen) {
    const struct mg_options *o = s->settings->opts;
    s->https = o->https_port != 0;
    int port = s->https ? o->https_port : o->http_port;
    if (port == 0) return 0;
    const char *host = o->http_host ? o->http_host : o->host;
    char why[256];
    const struct mg_http_config config = {
        .loop = mg_shard_loop(s->shard), .wheel = mg_shard_wheel(s->shard), .host = host,
        .port = (uint16_t)(port > 0 ? port : 0), .tls = s->https ? s->settings->monitor_tls : NULL,
        .ops = &server_http_ops, .owner = s,
    };
    int rc = mg_http_open(&s->http, &config, why, sizeof(why));
    if (rc != 0) {
        snprintf(err, errlen, "Can't start monitoring: can't listen to the monitor port: %s", why);
        return rc;
    }
    s->monitor_port = mg_http_port(s->http);
    char at[300];
    host_port(at, sizeof(at), host, s->monitor_port);
    mg_log_inf(s->log, "Starting %s monitor on %s", s->https ? "https" : "http", at);
    return 0;
}

static int open_clients(struct mg_server *s, char *err, size_t errlen) {
    const struct mg_options *o = s->settings->opts;
    char why[256], at[300];
    int rc = mg_listener_open(mg_shard_loop(s->shard), o->host, (uint16_t)(o->port > 0 ? o->port : 0), &listener_ops, s,
                              &s->listener, why, sizeof(why));
    host_port(at, sizeof(at), o->host, o->port > 0 ? o->port : 0);
    if (rc != 0) {
        snprintf(err, errlen, "Error listening on port: %s, \"%s\"", at, why);
        return rc;
    }
    s->port = mg_listener_port(s->listener);
    return 0;
}

// ---- life ----------------------------------------------------------------------------------------------------------

static void random_bytes(struct mg_loop *loop, uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = mg_loop_entropy(loop);
        memcpy(out + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void make_identity(struct mg_server *s) {
    uint8_t random[MG_IDENTITY_RANDOM];
    random_bytes(mg_shard_loop(s->shard), random, sizeof(random));
    mg_server_identity_init(&s->keys, random);
    sodium_memzero(random, sizeof(random));
    snprintf(s->identity.server_id, sizeof(s->identity.server_id), "%s", s->keys.id);
    snprintf(s->identity.xkey, sizeof(s->identity.xkey), "%s", s->keys.xkey);
    s->identity.start_ns = s->start_ns = s->config_load_ns = mg_loop_wall(mg_shard_loop(s->shard));
}

static void make_cores(struct mg_server *s) {
    uint64_t seed = mg_loop_entropy(mg_shard_loop(s->shard));
    for (unsigned i = 0; i < s->n; i++) {
        const struct mg_core_params p = {
            .shard = mg_runtime_shard(s->runtime, i), .settings = s->settings, .globals = s->globals,
            .identity = &s->identity, .log = s->log, .hash_seed = seed,
        };
        struct shard_ctl *ctl = &s->ctl[i];
        ctl->server = s;
        ctl->id = i;
        mg_list_init(&ctl->jobs);
        ctl->core = mg_core_new(&p);
        ctl->core->arg = ctl;
        ctl->core->record = server_on_record;
        ctl->core->idle = server_on_idle;
        ctl->core->conn_closed = server_conn_closed;
    }
}

int mg_server_new(struct mg_server **out, const struct mg_server_params *params, char *err, size_t errlen) {
    mg_assert(params->shards >= 1 && params->shards <= MG_MAX_SHARDS);
    if (sodium_init() < 0) {
        snprintf(err, errlen, "cannot initialize libsodium");
        return MG_EIO;
    }
    struct mg_server *s = mg_zalloc(sizeof(*s));
    s->params = *params;
    s->log = params->log;
    s->n = params->shards;
    s->settings = mg_settings_new(params->opts, 1, err, errlen);
    if (s->settings == NULL) {
        mg_free(s);
        return MG_EINVAL;
    }
    const struct mg_runtime_options ro = {.shards = s->n, .credit = params->credit, .thread_prefix = "midge"};
    s->runtime = mg_runtime_new(&ro);
    if (s->runtime == NULL) {
        snprintf(err, errlen, "cannot create event loops");
        s->settings->opts = NULL;
        mg_settings_unref(s->settings);
        mg_free(s);
        return MG_EIO;
    }
    s->shard = mg_runtime_shard(s->runtime, 0);
    s->globals = aligned_alloc(64, sizeof(*s->globals));
    mg_assert(s->globals != NULL);
    memset(s->globals, 0, sizeof(*s->globals));
    // As in the reference, where internal clients come first.
    atomic_store_explicit(&s->globals->next_cid, 5, memory_order_relaxed);
    make_identity(s);
    make_cores(s);
    int64_t keep = params->opts->max_closed_clients;
    mg_closed_ring_init(&s->closed, (size_t)(keep > 0 ? keep : 0));
    server_control_init(s);
    log_head(s);
    int rc = open_monitor(s, err, errlen);
    if (rc == 0) rc = server_js_open(s, err, errlen);
    if (rc == 0) rc = open_clients(s, err, errlen);
    if (rc != 0) {
        s->settings->opts = NULL; // stays the caller's
        mg_server_free(s);
        return rc;
    }
    server_js_start(s); // nothing fails behind it, and nobody is accepted before the loop runs
    mg_settings_advertise(s->settings, s->port);
    log_ready(s);
    *out = s;
    return 0;
}

void mg_server_run(struct mg_server *s) {
    int rc = mg_runtime_start(s->runtime);
    mg_assert(rc == 0);
    mg_runtime_run(s->runtime);
}

void mg_server_free(struct mg_server *s) {
    if (s->listener) mg_listener_close(s->listener);
    if (s->http) mg_http_close(s->http);
    server_js_free(s);
    for (unsigned i = 0; i < s->n; i++) mg_core_free(s->ctl[i].core);
    mg_runtime_free(s->runtime);
    mg_closed_ring_fini(&s->closed);
    mg_server_identity_fini(&s->keys);
    mg_reload_diff_fini(&s->diff);
    mg_options_free(s->next_options);
    mg_settings_unref(s->settings);
    free(s->globals);
    mg_free(s);
}

const struct mg_options *mg_server_options(const struct mg_server *s) { return s->settings->opts; }
struct mg_loop *mg_server_loop(struct mg_server *s) { return mg_shard_loop(s->shard); }
int mg_server_port(const struct mg_server *s) { return s->port; }
int mg_server_monitor_port(const struct mg_server *s) { return s->monitor_port; }
bool mg_server_is_lame_duck(const struct mg_server *s) { return s->lame_duck; }
