// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /jsz (spec/monitoring-and-tools.md A11) and what /varz tells of JetStream (A3). There is one account, $G, and one
// server, which is its leader.
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/js.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

#define DEFAULT_SYNC UINT64_C(120000000000) // what the reference shows beside sync_always

// ---- shared by both -------------------------------------------------------------------------------------------------

static void put_config(struct mg_jw *w, const struct mg_js_facts *js) {
    mg_jw_key(w, "config");
    mg_jw_obj(w);
    mg_jw_kint(w, "max_memory", js ? js->max_memory : 0);
    mg_jw_kint(w, "max_storage", js ? js->max_store : 0);
    if (js) {
        mg_opt_str(w, "store_dir", js->store_dir);
        mg_jw_kuint(w, "sync_interval", js->sync_interval ? js->sync_interval : DEFAULT_SYNC);
        mg_opt_bool(w, "sync_always", js->sync_interval == 0);
        mg_opt_str(w, "domain", js->domain);
        mg_jw_kbool(w, "compress_ok", true);
        mg_opt_str(w, "unique_tag", js->unique_tag);
        mg_opt_bool(w, "strict", js->strict);
    }
    mg_jw_end_obj(w);
}

static void put_limits(struct mg_jw *w, const struct mg_js_facts *js) {
    if (js == NULL || (js->max_request_batch <= 0 && js->max_ack_pending <= 0 && js->duplicate_window <= 0)) return;
    mg_jw_key(w, "limits");
    mg_jw_obj(w);
    if (js->max_request_batch > 0) mg_jw_kint(w, "max_request_batch", js->max_request_batch);
    if (js->max_ack_pending > 0) mg_jw_kint(w, "max_ack_pending", js->max_ack_pending);
    if (js->duplicate_window > 0) mg_jw_kint(w, "max_duplicate_window", js->duplicate_window);
    mg_jw_end_obj(w);
}

static void put_api(struct mg_jw *w, const struct mg_js_facts *js, int level) {
    mg_jw_key(w, "api");
    mg_jw_obj(w);
    mg_jw_kint(w, "level", level);
    mg_jw_kuint(w, "total", js ? js->api_total : 0);
    mg_jw_kuint(w, "errors", js ? js->api_errors : 0);
    mg_opt_uint(w, "inflight", js ? js->api_inflight : 0);
    mg_jw_end_obj(w);
}

static void put_stats(struct mg_jw *w, const struct mg_js_facts *js) {
    mg_jw_kuint(w, "memory", js ? js->memory : 0);
    mg_jw_kuint(w, "storage", js ? js->storage : 0);
    mg_jw_kuint(w, "reserved_memory", js ? js->reserved_memory : 0);
    mg_jw_kuint(w, "reserved_storage", js ? js->reserved_storage : 0);
    mg_jw_kuint(w, "accounts", js ? 1 : 0);
    mg_jw_kuint(w, "ha_assets", 0);
    put_api(w, js, js ? js->api_level : 0);
}

void mg_varz_put_js(struct mg_jw *w, const struct mg_js_facts *js) {
    if (js == NULL || !js->ready) {
        mg_put_empty_obj(w, "jetstream");
        return;
    }
    mg_jw_key(w, "jetstream");
    mg_jw_obj(w);
    put_config(w, js);
    mg_jw_key(w, "stats");
    mg_jw_obj(w);
    put_stats(w, js);
    mg_jw_end_obj(w);
    put_limits(w, js);
    mg_jw_end_obj(w);
}

// ---- the query ------------------------------------------------------------------------------------------------------

int mg_jsz_parse(mg_slice query, struct mg_jsz_query *q, struct mg_buf *err) {
    bool ignored;
    *q = (struct mg_jsz_query){.account = mg_query_dup(query, "acc")};
    int rc = mg_query_bool(query, "accounts", &q->accounts, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "streams", &q->streams, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "consumers", &q->consumers, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "direct-consumers", &ignored, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "config", &q->config, err);
    if (rc == MG_OK) rc = mg_query_int(query, "offset", &q->offset, err);
    if (rc == MG_OK) rc = mg_query_int(query, "limit", &q->limit, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "leader-only", &q->leader_only, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "raft", &ignored, err);
    if (rc == MG_OK) rc = mg_query_bool(query, "stream-leader-only", &ignored, err);
    return rc;
}

void mg_jsz_query_fini(struct mg_jsz_query *q) {
    mg_free(q->account);
    q->account = NULL;
}

// A11: consumers imply streams, streams without an account imply accounts, an account alone is enough.
static bool wants_account(const struct mg_jsz_query *q) {
    if (q->account) return strcmp(q->account, "$G") == 0;
    bool page = q->limit < 0 || q->offset <= 0; // the only account is on the first page
    return page && (q->accounts || q->streams || q->consumers);
}

bool mg_jsz_wants_streams(const struct mg_jsz_query *q, const struct mg_js_facts *js) {
    return js && js->ready && wants_account(q) && (q->streams || q->consumers);
}

// ---- the answer -----------------------------------------------------------------------------------------------------

static void begin_account(struct mg_jw *w, const struct mg_js_facts *js) {
    mg_jw_key(w, "account_details");
    mg_jw_arr(w);
    mg_jw_obj(w);
    mg_jw_kstr(w, "name", "$G");
    mg_jw_kstr(w, "id", "$G");
    mg_jw_kuint(w, "memory", js->memory);
    mg_jw_kuint(w, "storage", js->storage);
    mg_jw_kuint(w, "reserved_memory", UINT64_MAX); // of an account without limits
    mg_jw_kuint(w, "reserved_storage", UINT64_MAX);
    mg_jw_kuint(w, "accounts", 0);
    mg_jw_kuint(w, "ha_assets", 0);
    put_api(w, js, 0);
}

static void end_account(struct mg_jw *w) {
    mg_jw_end_obj(w);
    mg_jw_end_arr(w);
}

static void put_top(struct mg_jw *w, struct mg_buf *out, const struct mg_server_facts *f) {
    const struct mg_js_facts *js = f->js && f->js->ready ? f->js : NULL;
    mg_jw_init(w, out, MG_JSON_INDENT);
    mg_jw_obj(w);
    put_stats(w, js);
    mg_jw_kstr(w, "server_id", f->server_id);
    mg_put_time(w, "now", f->now_ns);
    mg_opt_bool(w, "disabled", js == NULL);
    put_config(w, js);
    put_limits(w, js);
    mg_jw_kuint(w, "streams", js ? js->streams : 0);
    mg_jw_kuint(w, "consumers", js ? js->consumers : 0);
    mg_jw_kuint(w, "messages", js ? js->messages : 0);
    mg_jw_kuint(w, "bytes", js ? js->bytes : 0);
}

bool mg_jsz_begin(struct mg_jw *w, struct mg_buf *out, const struct mg_server_facts *f) {
    put_top(w, out, f);
    begin_account(w, f->js);
    if (f->js->streams == 0) return false;
    mg_jw_key(w, "stream_detail");
    mg_jw_arr(w);
    return true;
}

void mg_jsz_end(struct mg_jw *w, bool streams) {
    if (streams) mg_jw_end_arr(w);
    end_account(w);
    mg_jw_kuint(w, "total", 1);
    mg_jw_end_obj(w);
}

struct mg_answer mg_jsz_render(const struct mg_server_facts *f, const struct mg_jsz_query *q, struct mg_buf *out) {
    const struct mg_js_facts *js = f->js && f->js->ready ? f->js : NULL;
    struct mg_jw w;
    if (q->leader_only && js == NULL) {
        mg_buf_adds(out, "filtered response: not leader");
        return (struct mg_answer){400, false};
    }
    put_top(&w, out, f);
    if (js && wants_account(q)) {
        begin_account(&w, js);
        end_account(&w);
    }
    mg_jw_kuint(&w, "total", js ? 1 : 0);
    mg_jw_end_obj(&w);
    return (struct mg_answer){200, true};
}
