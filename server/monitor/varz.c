// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /varz: the members of spec/monitoring-and-tools.md A3, in its order. Every numeric member is the name of a metric
// in somebody's dashboard, so none may come, go or change its type.
#include "server/monitor/js.h"
#include "server/monitor/render.h"

static void put_identity(struct mg_jw *w, const struct mg_server_facts *f) {
    mg_jw_kstr(w, "server_id", f->server_id);
    mg_jw_kstr(w, "server_name", mg_facts_name(f));
    mg_jw_kstr(w, "version", f->version);
    mg_jw_kint(w, "proto", f->proto);
    mg_opt_str(w, "git_commit", f->git_commit);
    mg_jw_kstr(w, "go", f->build);
    mg_jw_kstr(w, "host", f->opts->host);
    mg_jw_kint(w, "port", f->port);
    mg_opt_bool(w, "auth_required", f->auth_required);
    mg_opt_bool(w, "tls_required", f->tls_required);
    mg_opt_bool(w, "tls_verify", f->tls_verify);
    mg_opt_str(w, "ip", f->ip);
    mg_opt_strlist(w, "connect_urls", &f->connect_urls);
}

static double seconds(uint64_t ns) { return (double)ns / 1e9; }

// A3: the default shows as 2 s, and with TLS one second more than the handshake may take.
static double auth_timeout(const struct mg_options *o) {
    if (o->auth_timeout_s > 0) return o->auth_timeout_s;
    return o->tls ? seconds(o->tls_opts.timeout_ns) + 1 : 2;
}

static void put_limits(struct mg_jw *w, const struct mg_server_facts *f) {
    const struct mg_options *o = f->opts;
    mg_jw_kint(w, "max_connections", o->max_connections);
    mg_opt_int(w, "max_subscriptions", o->max_subs);
    mg_jw_kuint(w, "ping_interval", o->ping_interval_ns);
    mg_jw_kint(w, "ping_max", o->ping_max);
    mg_jw_kstr(w, "http_host", o->http_host ? o->http_host : o->host);
    mg_jw_kint(w, "http_port", o->http_port);
    mg_jw_kstr(w, "http_base_path", o->http_base_path ? o->http_base_path : "");
    mg_jw_kint(w, "https_port", o->https_port);
    mg_put_float(w, "auth_timeout", auth_timeout(o));
    mg_jw_kint(w, "max_control_line", o->max_control_line);
    mg_jw_kint(w, "max_payload", o->max_payload);
    mg_jw_kint(w, "max_pending", o->max_pending);
}

// 0.8: blocks of features that are off are empty objects, not absent.
static void put_features(struct mg_jw *w, const struct mg_server_facts *f) {
    static const char *const blocks[] = {"cluster", "gateway", "leaf", "mqtt", "websocket"};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) mg_put_empty_obj(w, blocks[i]);
    mg_varz_put_js(w, f->js);
}

static void put_process(struct mg_jw *w, const struct mg_server_facts *f) {
    const struct mg_options *o = f->opts;
    char buf[40];
    mg_put_float(w, "tls_timeout", o->tls_opts.timeout_ns != 0 ? seconds(o->tls_opts.timeout_ns) : 2);
    mg_jw_kuint(w, "write_deadline", o->write_deadline_ns);
    if (o->write_timeout != NULL && strcmp(o->write_timeout, "default") != 0)
        mg_opt_str(w, "write_timeout", o->write_timeout);
    mg_put_time(w, "start", f->start_ns);
    mg_put_time(w, "now", f->now_ns);
    mg_jw_kstr(w, "uptime", mg_fmt_uptime(buf, f->now_ns > f->start_ns ? (uint64_t)(f->now_ns - f->start_ns) : 0));
    mg_jw_kuint(w, "mem", f->rss);
    mg_jw_kint(w, "cores", f->cores);
    mg_jw_kint(w, "gomaxprocs", f->shards);
    mg_put_float(w, "cpu", f->cpu_percent);
}

static uint64_t sum(const struct mg_kind_counts *k) { return k->clients + k->routes + k->gateways + k->leafs; }

static void put_totals(struct mg_jw *w, const struct mg_totals *t) {
    mg_jw_kuint(w, "connections", t->connections);
    mg_jw_kuint(w, "total_connections", t->total_connections);
    mg_jw_kuint(w, "routes", 0);
    mg_jw_kuint(w, "remotes", 0);
    mg_jw_kuint(w, "leafnodes", t->leafnodes);
    mg_jw_kuint(w, "in_msgs", t->in_msgs);
    mg_jw_kuint(w, "in_bytes", t->in_bytes);
    mg_jw_kuint(w, "in_client_msgs", t->in_client_msgs);
    mg_jw_kuint(w, "in_client_bytes", t->in_client_bytes);
    mg_jw_kuint(w, "out_msgs", t->out_msgs);
    mg_jw_kuint(w, "out_bytes", t->out_bytes);
    mg_jw_kuint(w, "out_client_msgs", t->out_client_msgs);
    mg_jw_kuint(w, "out_client_bytes", t->out_client_bytes);
    mg_jw_kuint(w, "slow_consumers", sum(&t->slow_consumers));
    mg_jw_kuint(w, "stale_connections", sum(&t->stale_connections));
    mg_jw_kuint(w, "stalled_clients", t->stalled_clients);
    mg_jw_kuint(w, "subscriptions", t->sublist.num_subs);
}

static void put_config(struct mg_jw *w, const struct mg_server_facts *f) {
    const struct mg_options *o = f->opts;
    mg_put_time(w, "config_load_time", f->config_load_ns);
    mg_jw_kstr(w, "config_digest", o->config_digest);
    mg_opt_strlist(w, "tags", &o->tags);
    if (o->metadata.n != 0) {
        mg_jw_key(w, "metadata");
        mg_jw_obj(w);
        for (size_t i = 0; i + 1 < o->metadata.n; i += 2) mg_jw_kstr(w, o->metadata.v[i], o->metadata.v[i + 1]);
        mg_jw_end_obj(w);
    }
    mg_opt_str(w, "system_account", f->system_account);
}

static void put_kinds(struct mg_jw *w, const char *key, const struct mg_kind_counts *k) {
    mg_jw_key(w, key);
    mg_jw_obj(w);
    mg_jw_kuint(w, "clients", k->clients);
    mg_jw_kuint(w, "routes", k->routes);
    mg_jw_kuint(w, "gateways", k->gateways);
    mg_jw_kuint(w, "leafs", k->leafs);
    mg_jw_end_obj(w);
}

static void put_disk_waits(struct mg_jw *w) {
    mg_jw_key(w, "disk_io_wait_stats");
    mg_jw_obj(w);
    mg_jw_kuint(w, "waiters", 0);
    mg_jw_kuint(w, "waits", 0);
    mg_jw_kuint(w, "wait_time", 0);
    mg_jw_kuint(w, "max_wait_time", 0);
    mg_jw_end_obj(w);
}

void mg_varz_render(const struct mg_server_facts *f, const struct mg_totals *t, const struct mg_endpoint_hits *hits,
                    struct mg_buf *out) {
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    put_identity(&w, f);
    put_limits(&w, f);
    put_features(&w, f);
    put_process(&w, f);
    put_totals(&w, t);
    mg_put_endpoint_hits(&w, hits);
    put_config(&w, f);
    put_kinds(&w, "slow_consumer_stats", &t->slow_consumers);
    put_kinds(&w, "stale_connection_stats", &t->stale_connections);
    put_disk_waits(&w);
    if (f->tls_not_after_s != 0) mg_put_time(&w, "tls_cert_not_after", f->tls_not_after_s * 1000000000);
    mg_jw_end_obj(&w);
}
