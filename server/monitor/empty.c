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

static int check_jsz(mg_slice query, bool *leader_only, struct mg_buf *err) {
    static const char *const bools[] = {"accounts", "streams", "consumers", "direct-consumers", "config"};
    static const char *const late_bools[] = {"raft", "stream-leader-only"};
    bool ignored;
    int64_t number;
    int rc = MG_OK;
    for (size_t i = 0; rc == MG_OK && i < sizeof(bools) / sizeof(bools[0]); i++)
        rc = mg_query_bool(query, bools[i], &ignored, err);
    if (rc == MG_OK) rc = mg_query_int(query, "offset", &number, err);
    if (rc == MG_OK) rc = mg_query_int(query, "limit", &number, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "leader-only", leader_only, err);
    for (size_t i = 0; rc == MG_OK && i < sizeof(late_bools) / sizeof(late_bools[0]); i++)
        rc = mg_query_bool(query, late_bools[i], &ignored, err);
    return rc;
}

static void put_js_stats(struct mg_jw *w) {
    static const char *const zeros[] = {"memory",   "storage",  "reserved_memory",
                                        "reserved_storage", "accounts", "ha_assets"};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) mg_jw_kuint(w, zeros[i], 0);
    mg_jw_key(w, "api");
    mg_jw_obj(w);
    mg_jw_kuint(w, "level", 0);
    mg_jw_kuint(w, "total", 0);
    mg_jw_kuint(w, "errors", 0);
    mg_jw_end_obj(w);
}

struct mg_answer mg_jsz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out) {
    bool leader_only = false;
    if (check_jsz(query, &leader_only, out) != MG_OK) return bad;
    if (leader_only) {
        mg_buf_adds(out, "filtered response: not leader");
        return bad;
    }
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    put_js_stats(&w);
    mg_jw_kstr(&w, "server_id", f->server_id);
    mg_put_time(&w, "now", f->now_ns);
    mg_jw_kbool(&w, "disabled", true);
    mg_jw_key(&w, "config");
    mg_jw_obj(&w);
    mg_jw_kint(&w, "max_memory", 0);
    mg_jw_kint(&w, "max_storage", 0);
    mg_jw_end_obj(&w);
    mg_jw_kuint(&w, "streams", 0);
    mg_jw_kuint(&w, "consumers", 0);
    mg_jw_kuint(&w, "messages", 0);
    mg_jw_kuint(&w, "bytes", 0);
    mg_jw_kuint(&w, "total", 0);
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
