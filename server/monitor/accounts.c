// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /accountz and /accstatz (spec/monitoring-and-tools.md A9, A10).
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/answers.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

static void put_detail(struct mg_jw *w, const struct mg_server_facts *f, const struct mg_account_row *a) {
    mg_jw_key(w, "account_detail");
    mg_jw_obj(w);
    mg_put_slice(w, "account_name", a->name);
    mg_put_time(w, "update_time", f->config_load_ns);
    mg_opt_bool(w, "is_system", a->is_system);
    mg_jw_kbool(w, "expired", false);
    mg_jw_kbool(w, "complete", true);
    mg_jw_kbool(w, "jetstream_enabled", f->js != NULL && !a->is_system);
    mg_jw_kuint(w, "leafnode_connections", a->leafnodes);
    mg_jw_kuint(w, "client_connections", a->connections);
    mg_jw_kuint(w, "subscriptions", a->sublist.num_subs);
    mg_put_slice(w, "name_tag", a->name);
    mg_jw_key(w, "sublist_stats");
    mg_jw_obj(w);
    mg_put_sublist(w, &a->sublist);
    mg_jw_end_obj(w);
    mg_jw_end_obj(w);
}

static void put_names(struct mg_jw *w, const struct mg_account_row *rows, size_t n) {
    if (n == 0) return;
    mg_jw_key(w, "accounts");
    mg_jw_arr(w);
    for (size_t i = 0; i < n; i++) mg_jw_str(w, rows[i].name);
    mg_jw_end_arr(w);
}

struct mg_answer mg_accountz_render(const struct mg_server_facts *f, mg_slice query, const struct mg_account_row *rows,
                                    size_t n, struct mg_buf *out) {
    char *wanted = mg_query_dup(query, "acc");
    const struct mg_account_row *found = NULL;
    for (size_t i = 0; wanted != NULL && i < n; i++)
        if (mg_slice_eq(rows[i].name, mg_cstr(wanted))) found = &rows[i];
    if (wanted != NULL && found == NULL) {
        mg_buf_addf(out, "Account %s does not exist", wanted);
        mg_free(wanted);
        return (struct mg_answer){400, false};
    }
    mg_free(wanted);
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "server_id", f->server_id);
    mg_put_time(&w, "now", f->now_ns);
    mg_opt_str(&w, "system_account", f->system_account);
    if (found != NULL)
        put_detail(&w, f, found);
    else
        put_names(&w, rows, n);
    mg_jw_end_obj(&w);
    return (struct mg_answer){200, true};
}

static void put_count(struct mg_jw *w, uint64_t msgs, uint64_t bytes) {
    mg_jw_kuint(w, "msgs", msgs);
    mg_jw_kuint(w, "bytes", bytes);
}

// A10: the parts that routes, gateways and leafnodes had are always there.
static void put_data_stats(struct mg_jw *w, const char *key, uint64_t msgs, uint64_t bytes) {
    static const char *const parts[] = {"gateways", "routes", "leafs"};
    mg_jw_key(w, key);
    mg_jw_obj(w);
    put_count(w, msgs, bytes);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        mg_jw_key(w, parts[i]);
        mg_jw_obj(w);
        put_count(w, 0, 0);
        mg_jw_end_obj(w);
    }
    mg_jw_end_obj(w);
}

static void put_stat(struct mg_jw *w, const struct mg_account_row *a) {
    mg_jw_obj(w);
    mg_put_slice(w, "acc", a->name);
    mg_put_slice(w, "name", a->name);
    mg_jw_kuint(w, "conns", a->connections);
    mg_jw_kuint(w, "leafnodes", a->leafnodes);
    mg_jw_kuint(w, "total_conns", a->connections + a->leafnodes);
    mg_jw_kuint(w, "num_subscriptions", a->sublist.num_subs);
    put_data_stats(w, "sent", a->out_msgs, a->out_bytes); // the server's view
    put_data_stats(w, "received", a->in_msgs, a->in_bytes);
    mg_jw_kuint(w, "slow_consumers", a->slow_consumers);
    mg_jw_end_obj(w);
}

struct mg_answer mg_accstatz_render(const struct mg_server_facts *f, mg_slice query, const struct mg_account_row *rows,
                                    size_t n, struct mg_buf *out) {
    bool unused = false;
    if (mg_query_bool(query, "unused", &unused, out) != MG_OK) return (struct mg_answer){400, false};
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "server_id", f->server_id);
    mg_put_time(&w, "now", f->now_ns);
    mg_jw_key(&w, "account_statz");
    mg_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        if (unused || rows[i].connections + rows[i].leafnodes != 0) put_stat(&w, &rows[i]);
    mg_jw_end_arr(&w);
    mg_jw_end_obj(&w);
    return (struct mg_answer){200, true};
}
