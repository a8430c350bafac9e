// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The answers of the monitoring port, but /connz (connz.h): pure functions that append a body. Those without a struct
// mg_answer always succeed with 200 and JSON, unless said otherwise. hits: how often each endpoint was asked for, the
// request at hand included.
#ifndef MG_MONITOR_ANSWERS_H
#define MG_MONITOR_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "server/monitor/endpoint.h"
#include "server/monitor/snapshot.h"

struct mg_answer {
    int status; // HTTP
    bool json;  // false: the body is plain text
};

// ---- /varz (varz.c) ----
void mg_varz_render(const struct mg_server_facts *f, const struct mg_totals *t, const struct mg_endpoint_hits *hits,
                    struct mg_buf *out);

// ---- /subsz (subsz.c) ----
struct mg_subsz_query {
    bool subs;
    int64_t offset, limit; // offset >= 0, limit > 0
    char *account, *test;  // owned; NULL: none
};
// As mg_connz_parse. test is not checked: the caller must, with mg_subsz_bad_test as the answer.
int mg_subsz_parse(mg_slice query, struct mg_subsz_query *q, struct mg_buf *err);
void mg_subsz_query_fini(struct mg_subsz_query *q);
// The 400 text for a test subject that is not a valid literal subject.
void mg_subsz_bad_test(const struct mg_subsz_query *q, struct mg_buf *err);

// Decides which of the subscriptions that match account and test are listed. It is shown them one by one, first all
// of one shard, then all of the next: it travels with the walk.
struct mg_subsz_cursor {
    uint64_t skip, room, total;
};
void mg_subsz_begin(struct mg_subsz_cursor *c, const struct mg_subsz_query *q);
// Counts one; true: it belongs on the page, add a row.
bool mg_subsz_visit(struct mg_subsz_cursor *c);
// counts: of all accounts or the one asked for. rows: empty unless q->subs.
void mg_subsz_render(const struct mg_server_facts *f, const struct mg_subsz_query *q,
                     const struct mg_sublist_counts *counts, uint64_t total, const struct mg_sub_rows *rows,
                     struct mg_buf *out);

// ---- /healthz (healthz.c) ----
// warning: the line to log at WRN, empty if healthy.
struct mg_answer mg_healthz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out,
                                   struct mg_buf *warning);

// ---- /accountz, /accstatz (accounts.c); rows in ascending order of their names ----
struct mg_answer mg_accountz_render(const struct mg_server_facts *f, mg_slice query, const struct mg_account_row *rows,
                                    size_t n, struct mg_buf *out);
struct mg_answer mg_accstatz_render(const struct mg_server_facts *f, mg_slice query, const struct mg_account_row *rows,
                                    size_t n, struct mg_buf *out);

// ---- what belongs to features that are not there: present, with its zero (empty.c) ----
struct mg_answer mg_routez_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out);
struct mg_answer mg_gatewayz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out);
struct mg_answer mg_leafz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out);
struct mg_answer mg_raftz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out);
struct mg_answer mg_ipqueuesz_render(const struct mg_server_facts *f, mg_slice query, struct mg_buf *out);

// ---- / (root.c): text/html; charset=utf-8 ----
void mg_root_render(const struct mg_server_facts *f, struct mg_buf *out);

// ---- /metrics (metrics.c, metrics_dropin.c) ----
// accept: the request's Accept header. Returns the content type (static). The number of series depends on the version
// of the program and on the rows given, not on connections, subjects or accounts.
struct mg_js_rows; // js.h
const char *mg_metrics_render(const struct mg_server_facts *f, const struct mg_totals *t,
                              const struct mg_endpoint_hits *hits, mg_slice accept,
                              const struct mg_js_rows *js, struct mg_buf *out);

#endif
