// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /healthz (spec/monitoring-and-tools.md A12): the steps of a single server.
#include <stdio.h>
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/js.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

struct health_query {
    bool details;
    bool enabled_only, server_only;
    char *account, *stream, *consumer; // owned; NULL: not asked for
};

static int parse(mg_slice query, struct health_query *q, struct mg_buf *err) {
    bool enabled = false, ignored;
    int rc = mg_query_bool(query, "js-enabled", &enabled, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "js-enabled-only", &q->enabled_only, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "js-server-only", &q->server_only, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "js-meta-only", &ignored, err);
    q->enabled_only |= enabled;
    q->account = mg_query_dup(query, "account");
    q->stream = mg_query_dup(query, "stream");
    q->consumer = mg_query_dup(query, "consumer");
    return rc == MG_OK ? mg_query_bool(query, "details", &q->details, err) : rc;
}

static void query_fini(struct health_query *q) {
    mg_free(q->account);
    mg_free(q->stream);
    mg_free(q->consumer);
}

struct health {
    int http;
    const char *type, *error; // NULL: healthy. The error may be in text
    char text[700];
};

static void sick(struct health *h, int http, const char *type, const char *error) {
    h->http = http;
    h->type = type;
    h->error = error;
}

// What was asked for by name.
static void check_assets(const struct mg_js_facts *js, const struct health_query *q, struct health *h) {
    if (q->account == NULL) return;
    if (strcmp(q->account, "$G") != 0 || js->streams == 0) {
        snprintf(h->text, sizeof(h->text), "JetStream account \"%s\" not found", q->account);
        sick(h, 404, "ACCOUNT", h->text);
    } else if (q->stream && !js->has_stream) {
        snprintf(h->text, sizeof(h->text), "JetStream stream \"%s\" not found on account \"%s\"", q->stream,
                 q->account);
        sick(h, 404, "STREAM", h->text);
    } else if (q->consumer && !js->has_consumer) {
        snprintf(h->text, sizeof(h->text), "JetStream consumer \"%s\" not found for stream \"%s\" on account \"%s\"",
                 q->consumer, q->stream, q->account);
        sick(h, 404, "CONSUMER", h->text);
    }
}

static void sick_restoring(const struct mg_js_facts *js, struct health *h) {
    size_t n = (size_t)snprintf(h->text, sizeof(h->text), "JetStream not enabled (10076)");
    if (js->to_restore)
        snprintf(h->text + n, sizeof(h->text) - n, ": restoring, %llu of %llu MB of the journal",
                 (unsigned long long)(js->restored >> 20), (unsigned long long)(js->to_restore >> 20));
    sick(h, 503, "JETSTREAM", h->text);
}

static void check(const struct mg_server_facts *f, const struct health_query *q, struct health *h) {
    h->http = 200;
    if (q->stream && !q->account)
        sick(h, 400, "BAD_REQUEST", "\"account\" must not be empty when checking stream health");
    else if (q->consumer && !q->stream)
        sick(h, 400, "BAD_REQUEST", "\"stream\" must not be empty when checking consumer health");
    else if (!f->listening && (f->js == NULL || f->js->ready || q->server_only))
        sick(h, 500, "CONNECTION", "failed to be ready for connections after 1ms: server");
    else if (q->server_only || f->js == NULL)
        return;
    else if (!f->js->ready) // its store is opened before the listeners are
        sick_restoring(f->js, h);
    else if (f->js->poisoned)
        sick(h, 503, "JETSTREAM", "JetStream's disk has failed: nothing is stored until the next start");
    else if (!q->enabled_only)
        check_assets(f->js, q, h);
}

static const char *status_of(int http) {
    if (http == 200) return "ok";
    return http == 503 || http == 404 ? "unavailable" : "error";
}

static void put_details(struct mg_jw *w, const struct health *h, const struct health_query *q) {
    mg_jw_key(w, "errors");
    mg_jw_arr(w);
    mg_jw_obj(w);
    mg_jw_kstr(w, "type", h->type);
    if (h->http == 404) { // what was not found, down to the thing itself
        bool stream = strcmp(h->type, "ACCOUNT") != 0, consumer = strcmp(h->type, "CONSUMER") == 0;
        mg_opt_str(w, "account", q->account);
        if (stream) mg_opt_str(w, "stream", q->stream);
        if (consumer) mg_opt_str(w, "consumer", q->consumer);
    }
    mg_jw_kstr(w, "error", h->error);
    mg_jw_end_obj(w);
    mg_jw_end_arr(w);
}

struct mg_answer mg_healthz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out,
                                   struct mg_buf *warning) {
    struct health_query q = {0};
    struct health h = {0};
    if (parse(query, &q, out) != MG_OK) {
        query_fini(&q);
        return (struct mg_answer){400, false};
    }
    check(f, &q, &h);
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "status", h.error && q.details ? "error" : status_of(h.http));
    if (h.error != NULL && q.details)
        put_details(&w, &h, &q);
    else if (h.error != NULL)
        mg_jw_kstr(&w, "error", h.error);
    mg_jw_end_obj(&w);
    if (h.error != NULL) mg_buf_adds(warning, "Healthcheck failed: ");
    if (h.error != NULL && q.details)
        mg_buf_adds(warning, "1 errors");
    else if (h.error != NULL)
        mg_buf_add_quoted(warning, mg_cstr(h.error));
    query_fini(&q);
    return (struct mg_answer){h.http, true};
}
