// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Endpoints of features that this server does not have: tools ask for them all the same and get what the reference
// answers when the feature is off (spec/monitoring-and-tools.md A5-A7, A11, A13). Parameters are checked as there.
#include <strings.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/answers.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

static const struct mg_answer ok = {200, true}, bad = {400, false};

// "subs" may be a boolean or "detail".
static int check_subs(mg_slice query, struct mg_buf *err) {
    char *value = mg_query_dup(query, "subs");
    bool detail = value != NULL && strcasecmp(value, "detail") == 0, ignored;
    mg_free(value);
    return detail ? MG_OK : mg_query_bool(query, "subs", &ignored, err);
}

static void begin(struct mg_jw *w, const struct mg_server_facts *f, struct mg_buf *out) {
    mg_jw_init(w, out, MG_JSON_INDENT);
    mg_jw_obj(w);
    mg_jw_kstr(w, "server_id", f->server_id);
}

struct mg_answer mg_routez_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    if (check_subs(query, out) != MG_OK) return bad;
    struct mg_jw w;
    begin(&w, f, out);
    mg_jw_kstr(&w, "server_name", mg_facts_name(f));
    mg_put_time(&w, "now", f->now_ns);
    mg_jw_kuint(&w, "num_routes", 0);
    mg_put_empty_arr(&w, "routes");
    mg_jw_end_obj(&w);
    return ok;
}

struct mg_answer mg_gatewayz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    bool ignored;
    if (check_subs(query, out) != MG_OK || mg_query_bool(query, "accs", &ignored, out) != MG_OK) return bad;
    char *name = mg_query_dup(query, "gw_name");
    struct mg_jw w;
    begin(&w, f, out);
    mg_put_time(&w, "now", f->now_ns);
    mg_jw_key(&w, "outbound_gateways");
    if (name != NULL) {
        mg_jw_null(&w); // A6: a gateway that was asked for by name and is not connected
    } else {
        mg_jw_obj(&w);
        mg_jw_end_obj(&w);
    }
    mg_put_empty_obj(&w, "inbound_gateways");
    mg_jw_end_obj(&w);
    mg_free(name);
    return ok;
}

struct mg_answer mg_leafz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    bool ignored;
    if (mg_query_bool(query, "subs", &ignored, out) != MG_OK) return bad;
    struct mg_jw w;
    begin(&w, f, out);
    mg_put_time(&w, "now", f->now_ns);
    mg_jw_kuint(&w, "leafnodes", 0);
    mg_put_empty_arr(&w, "leafs");
    mg_jw_end_obj(&w);
    return ok;
}

struct mg_answer mg_raftz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    (void)f;
    (void)query;
    mg_buf_adds(out, "No Raft nodes registered");
    return (struct mg_answer){404, false};
}

struct mg_answer mg_ipqueuesz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    (void)f;
    bool ignored;
    if (mg_query_bool(query, "all", &ignored, out) != MG_OK) return bad;
    mg_buf_adds(out, "{}");
    return ok;
}
