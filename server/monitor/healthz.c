// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /healthz (spec/monitoring-and-tools.md A12): the steps that exist without JetStream.
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/answers.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

struct health_query {
    bool details;
    bool has_account, has_stream, has_consumer;
};

static bool has(mg_slice query, const char *name) {
    char *v = mg_query_dup(query, name);
    mg_free(v);
    return v != NULL;
}

// The booleans that choose among JetStream's checks change nothing yet, but a wrong value is an error all the same.
static int parse(mg_slice query, struct health_query *q, struct mg_buf *err) {
    static const char *const flags[] = {"js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"};
    bool ignored;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        int rc = mg_query_bool(query, flags[i], &ignored, err);
        if (rc != MG_OK) return rc;
    }
    q->has_account = has(query, "account");
    q->has_stream = has(query, "stream");
    q->has_consumer = has(query, "consumer");
    return mg_query_bool(query, "details", &q->details, err);
}

struct health {
    int http;
    const char *type, *error; // NULL: healthy
};

static struct health check(const struct mg_server_facts *f, const struct health_query *q) {
    if (q->has_stream && !q->has_account)
        return (struct health){400, "BAD_REQUEST", "\"account\" must not be empty when checking stream health"};
    if (q->has_consumer && !q->has_stream)
        return (struct health){400, "BAD_REQUEST", "\"stream\" must not be empty when checking consumer health"};
    if (!f->listening)
        return (struct health){500, "CONNECTION", "failed to be ready for connections after 1ms: server"};
    return (struct health){200, NULL, NULL};
}

static void put_details(struct mg_jw *w, const struct health *h) {
    mg_jw_key(w, "errors");
    mg_jw_arr(w);
    mg_jw_obj(w);
    mg_jw_kstr(w, "type", h->type);
    mg_jw_kstr(w, "error", h->error);
    mg_jw_end_obj(w);
    mg_jw_end_arr(w);
}

struct mg_answer mg_healthz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out,
                                   struct mg_buf *warning) {
    struct health_query q = {0};
    if (parse(query, &q, out) != MG_OK) return (struct mg_answer){400, false};
    struct health h = check(f, &q);
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "status", h.error == NULL ? "ok" : "error");
    if (h.error != NULL && q.details)
        put_details(&w, &h);
    else if (h.error != NULL)
        mg_jw_kstr(&w, "error", h.error);
    mg_jw_end_obj(&w);
    if (h.error != NULL) mg_buf_adds(warning, "Healthcheck failed: ");
    if (h.error != NULL && q.details)
        mg_buf_adds(warning, "1 errors");
    else if (h.error != NULL)
        mg_buf_add_quoted(warning, mg_cstr(h.error));
    return (struct mg_answer){h.http, true};
}
