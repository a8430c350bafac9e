// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /metrics in the OpenMetrics or the older Prometheus text format (spec/monitoring-and-tools.md D3): a clean set with
// base units and labels, then the names that the separate exporter would give (metrics_dropin.c).
//
// A family is announced once, right before its samples. OpenMetrics names a counter's family without "_total", the
// older format with it.
#include "server/monitor/metrics.h"

#include "server/monitor/js.h"

void mg_metrics_family(struct mg_metrics *m, const char *name, const char *type, const char *help) {
    bool counter = strcmp(type, "counter") == 0;
    const char *suffix = counter && !m->openmetrics ? "_total" : "";
    // OpenMetrics has a type of its own for facts; the older format shows them as gauges.
    bool info = strcmp(type, "info") == 0;
    if (info && !m->openmetrics) suffix = "_info";
    mg_buf_addf(m->out, "# HELP %s%s %s\n", name, suffix, help);
    mg_buf_addf(m->out, "# TYPE %s%s %s\n", name, suffix, info && !m->openmetrics ? "gauge" : type);
    m->name = name;
    m->suffix = counter ? "_total" : info ? "_info" : "";
}

static void add_label_value(struct mg_buf *out, const char *v) {
    mg_buf_addc(out, '"');
    for (; *v != '\0'; v++) {
        if (*v == '\\')
            mg_buf_adds(out, "\\\\");
        else if (*v == '"')
            mg_buf_adds(out, "\\\"");
        else if (*v == '\n')
            mg_buf_adds(out, "\\n");
        else
            mg_buf_addc(out, *v);
    }
    mg_buf_addc(out, '"');
}

static void begin_sample(struct mg_metrics *m, const char *const labels[]) {
    mg_buf_adds(m->out, m->name);
    mg_buf_adds(m->out, m->suffix);
    for (size_t i = 0; labels[i] != NULL; i += 2) {
        mg_buf_addf(m->out, "%c%s=", i == 0 ? '{' : ',', labels[i]);
        add_label_value(m->out, labels[i + 1]);
    }
    if (labels[0] != NULL) mg_buf_addc(m->out, '}');
}

void mg_metrics_text(struct mg_metrics *m, const char *const labels[], const char *number) {
    begin_sample(m, labels);
    mg_buf_addf(m->out, " %s\n", number);
}

void mg_metrics_uint(struct mg_metrics *m, const char *const labels[], uint64_t v) {
    begin_sample(m, labels);
    mg_buf_addf(m->out, " %llu\n", (unsigned long long)v);
}

void mg_metrics_float(struct mg_metrics *m, const char *const labels[], double v) {
    begin_sample(m, labels);
    mg_buf_addf(m->out, " %.17g\n", v);
}

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const no_labels[] = {NULL};

static void put_process(struct mg_metrics *m, const struct mg_server_facts *f) {
    mg_metrics_family(m, "nats_server", "info", "What this server is.");
    mg_metrics_uint(m,
                    LABELS("version", f->version, "server_name", mg_facts_name(f), "server_id", f->server_id, "cluster",
                           f->opts->cluster_name ? f->opts->cluster_name : ""),
                    1);
    mg_metrics_family(m, "nats_server_start_time_seconds", "gauge", "When the server started, since the epoch.");
    mg_metrics_float(m, no_labels, (double)f->start_ns / 1e9);
    mg_metrics_family(m, "process_resident_memory_bytes", "gauge", "Resident memory.");
    mg_metrics_uint(m, no_labels, f->rss);
    mg_metrics_family(m, "process_cpu_seconds", "counter", "User and system CPU time.");
    mg_metrics_float(m, no_labels, f->cpu_seconds);
    mg_metrics_family(m, "process_open_fds", "gauge", "Open file descriptors.");
    mg_metrics_uint(m, no_labels, f->open_fds);
}

static void put_connections(struct mg_metrics *m, const struct mg_totals *t) {
    mg_metrics_family(m, "nats_connections", "gauge", "Open connections.");
    mg_metrics_uint(m, LABELS("kind", "client", "type", "nats"), t->connections);
    mg_metrics_uint(m, LABELS("kind", "leafnode", "type", ""), t->leafnodes);
    mg_metrics_family(m, "nats_connections_opened", "counter", "Connections accepted since the start.");
    mg_metrics_uint(m, no_labels, t->total_connections);
    mg_metrics_family(m, "nats_connections_closed", "counter", "Connections closed since the start, by reason.");
    for (unsigned i = 0; i < MG_CLOSE_REASON_COUNT; i++)
        if (t->closed[i] != 0) mg_metrics_uint(m, LABELS("reason", mg_close_reason_text(i)), t->closed[i]);
    mg_metrics_family(m, "nats_auth_errors", "counter", "Connections refused because of their credentials.");
    mg_metrics_uint(m, no_labels, t->auth_errors);
    mg_metrics_family(m, "nats_subscriptions", "gauge", "Subscriptions of all accounts.");
    mg_metrics_uint(m, no_labels, t->sublist.num_subs);
}

// What came from or went to clients, and the rest (routes, leafnodes, ...).
static void put_directions(struct mg_metrics *m, uint64_t in, uint64_t in_client, uint64_t out, uint64_t out_client) {
    mg_metrics_uint(m, LABELS("direction", "in", "kind", "client"), in_client);
    mg_metrics_uint(m, LABELS("direction", "in", "kind", "other"), in > in_client ? in - in_client : 0);
    mg_metrics_uint(m, LABELS("direction", "out", "kind", "client"), out_client);
    mg_metrics_uint(m, LABELS("direction", "out", "kind", "other"), out > out_client ? out - out_client : 0);
}

static void put_kinds(struct mg_metrics *m, const struct mg_kind_counts *k) {
    mg_metrics_uint(m, LABELS("kind", "client"), k->clients);
    mg_metrics_uint(m, LABELS("kind", "route"), k->routes);
    mg_metrics_uint(m, LABELS("kind", "gateway"), k->gateways);
    mg_metrics_uint(m, LABELS("kind", "leafnode"), k->leafs);
}

static void put_traffic(struct mg_metrics *m, const struct mg_totals *t) {
    mg_metrics_family(m, "nats_messages", "counter", "Messages received and sent.");
    put_directions(m, t->in_msgs, t->in_client_msgs, t->out_msgs, t->out_client_msgs);
    mg_metrics_family(m, "nats_message_bytes", "counter", "Bytes of headers and payload received and sent.");
    put_directions(m, t->in_bytes, t->in_client_bytes, t->out_bytes, t->out_client_bytes);
    mg_metrics_family(m, "nats_slow_consumers", "counter", "Connections closed because they did not keep up.");
    put_kinds(m, &t->slow_consumers);
    mg_metrics_family(m, "nats_stale_connections", "counter", "Connections closed because they did not answer pings.");
    put_kinds(m, &t->stale_connections);
}

const char *mg_metrics_render(const struct mg_server_facts *f, const struct mg_totals *t,
                              const struct mg_endpoint_hits *hits, mg_slice accept,
                              const struct mg_js_rows *js, struct mg_buf *out) {
    bool openmetrics = memmem(accept.p ? accept.p : "", accept.n, "application/openmetrics-text", 28) != NULL;
    struct mg_metrics m = {.out = out, .openmetrics = openmetrics};
    put_process(&m, f);
    put_connections(&m, t);
    put_traffic(&m, t);
    if (f->js) mg_metrics_js(&m, f->js);
    mg_metrics_js_rows(&m, js);
    mg_metrics_dropin(&m, f, t, hits);
    if (!openmetrics) return "text/plain; version=0.0.4; charset=utf-8";
    mg_buf_adds(out, "# EOF\n");
    return "application/openmetrics-text; version=1.0.0; charset=utf-8";
}
