// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// /subsz (spec/monitoring-and-tools.md A8).
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/monitor/answers.h"
#include "server/monitor/query.h"
#include "server/monitor/render.h"

#define DEFAULT_LIMIT 1024

int mg_subsz_parse(mg_slice query, struct mg_subsz_query *q, struct mg_buf *err) {
    *q = (struct mg_subsz_query){0};
    int rc = mg_query_bool(query, "subs", &q->subs, err);
    if (rc == MG_OK) rc = mg_query_int(query, "offset", &q->offset, err);
    if (rc == MG_OK) rc = mg_query_int(query, "limit", &q->limit, err);
    if (rc != MG_OK) return rc;
    if (q->offset < 0) q->offset = 0;
    if (q->limit <= 0) q->limit = DEFAULT_LIMIT;
    q->account = mg_query_dup(query, "acc");
    q->test = mg_query_dup(query, "test");
    return MG_OK;
}

void mg_subsz_query_fini(struct mg_subsz_query *q) {
    mg_free(q->account);
    mg_free(q->test);
    *q = (struct mg_subsz_query){0};
}

void mg_subsz_bad_test(const struct mg_subsz_query *q, struct mg_buf *err) {
    err->len = 0;
    mg_buf_adds(err, "invalid test subject, must be valid publish subject: ");
    mg_buf_adds(err, q->test);
}

void mg_subsz_begin(struct mg_subsz_cursor *c, const struct mg_subsz_query *q) {
    *c = (struct mg_subsz_cursor){.skip = (uint64_t)q->offset, .room = (uint64_t)q->limit};
}

bool mg_subsz_visit(struct mg_subsz_cursor *c) {
    c->total++;
    if (c->skip != 0) {
        c->skip--;
        return false;
    }
    if (c->room == 0) return false;
    c->room--;
    return true;
}

void mg_subsz_render(const struct mg_server_facts *f, const struct mg_subsz_query *q,
                     const struct mg_sublist_counts *counts, uint64_t total, const struct mg_sub_rows *rows,
                     struct mg_buf *out) {
    struct mg_jw w;
    mg_jw_init(&w, out, MG_JSON_INDENT);
    mg_jw_obj(&w);
    mg_jw_kstr(&w, "server_id", f->server_id);
    mg_put_time(&w, "now", f->now_ns);
    mg_put_sublist(&w, counts);
    mg_jw_kuint(&w, "total", q->subs ? total : 0);
    mg_jw_kint(&w, "offset", q->offset);
    mg_jw_kint(&w, "limit", q->limit);
    if (q->subs && rows->n != 0) {
        mg_jw_key(&w, "subscriptions_list");
        mg_jw_arr(&w);
        for (size_t i = 0; i < rows->n; i++) mg_put_sub(&w, &rows->v[i]);
        mg_jw_end_arr(&w);
    }
    mg_jw_end_obj(&w);
}
