// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Questions to the monitoring port. A question becomes jobs for the shards (collect.c); when the last one is back,
// shard 0 merges and renders. /connz takes two rounds: first keys to find the page, then the page's rows.
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"
#include "server/monitor/js.h"
#include "server/proto/info.h"
#include "server/proto/subject.h"
#include "server/server_impl.h"

#define CLOSED_A_TIME 4096u // closed connections looked at before the shards' jobs are posted

struct question {
    struct mg_server *server;
    struct mg_http_request *req;
    enum mg_endpoint endpoint;
    unsigned jobs_left;
    struct mg_totals totals;
    struct mg_js_rows js; // /metrics
    // /connz
    struct mg_connz_query connz;
    struct mg_connz keys;
    struct mg_conn_rows rows;
    // /subsz
    struct mg_subsz_query subsz;
    struct mg_sub_rows subs;
    uint64_t subs_total;
};

void server_facts(struct mg_server *s, struct mg_server_facts *f) {
    const struct mg_options *o = s->settings->opts;
    struct mg_figures figures = {.cores = 1};
    if (s->params.figures) s->params.figures(s->params.arg, &figures);
    *f = (struct mg_server_facts){
        .opts = o, .server_id = s->identity.server_id, .version = MG_NATS_VERSION, .git_commit = "",
        .build = MG_RUNTIME_VERSION, .ip = "", .proto = 1, .port = s->port, .monitor_port = s->monitor_port,
        .auth_required = mg_auth_required(s->settings->auth), .tls_required = s->settings->tls && !o->allow_non_tls,
        .tls_verify = s->settings->tls && (o->tls_opts.verify || o->tls_opts.verify_and_map),
        .listening = s->listener != NULL, .start_ns = s->start_ns, .now_ns = mg_loop_wall(mg_shard_loop(s->shard)),
        .config_load_ns = s->config_load_ns, .cores = figures.cores, .shards = (int)s->n, .rss = figures.rss,
        .cpu_percent = figures.cpu_percent, .cpu_seconds = figures.cpu_seconds, .open_fds = figures.open_fds,
        .system_account = o->no_system_account ? NULL : "$SYS",
        .tls_not_after_s = s->settings->tls ? mg_tls_ctx_not_after(s->settings->tls) : 0,
    };
}

static void question_free(struct question *q) {
    q->server->questions--;
    if (q->endpoint == MG_ENDPOINT_CONNZ) {
        mg_connz_fini(&q->keys);
        mg_connz_query_fini(&q->connz);
    }
    mg_conn_rows_fini(&q->rows);
    mg_subsz_query_fini(&q->subsz);
    mg_sub_rows_fini(&q->subs);
    mg_free(q->js.v);
    mg_free(q->js.consumers);
    mg_arena_fini(&q->js.arena);
    mg_free(q);
}

static struct job *job_new(struct question *q, enum job_kind kind, unsigned shard) {
    struct job *job = mg_zalloc(sizeof(*job));
    job->question = q;
    job->kind = kind;
    job->shard = shard;
    job->wants_js = q->endpoint == MG_ENDPOINT_METRICS;
    if (kind == JOB_CONN_KEYS || kind == JOB_CONN_ROWS) mg_connz_init(&job->keys, &q->connz, q->keys.now_ns);
    return job;
}

static void ask(struct question *q, struct job *job) {
    q->jobs_left++;
    server_post(&q->server->ctl[0], job->shard, REC_JOB, &job, sizeof(job));
}

static void ask_all(struct question *q, enum job_kind kind) {
    unsigned n = q->server->n;
    q->jobs_left = 1; // so that an answer that comes at once does not finish the round
    for (unsigned i = 0; i < n; i++) ask(q, job_new(q, kind, i));
    q->jobs_left--;
}

// ---- answers -------------------------------------------------------------------------------------------------------

static void answer_totals(struct question *q) {
    struct mg_server *s = q->server;
    struct mg_server_facts f;
    struct mg_js_facts js;
    server_facts(s, &f);
    if (server_js_facts(s, &js)) f.js = &js;
    struct mg_buf out = MG_BUF_INIT;
    const struct mg_account_row system = {.name = MG_S("$SYS"), .is_system = true};
    const struct mg_account_row global = {
        .name = MG_S("$G"), .connections = q->totals.connections, .in_msgs = q->totals.in_msgs,
        .in_bytes = q->totals.in_bytes, .out_msgs = q->totals.out_msgs, .out_bytes = q->totals.out_bytes,
        .slow_consumers = q->totals.slow_consumers.clients, .sublist = q->totals.sublist,
    };
    const struct mg_account_row accounts[] = {global, system}; // the system account has nothing yet, but it is there
    size_t n = f.system_account ? 2 : 1;
    struct mg_answer a = {200, true};
    switch (q->endpoint) {
    case MG_ENDPOINT_VARZ: mg_varz_render(&f, &q->totals, &s->hits, &out); break;
    case MG_ENDPOINT_ACCOUNTZ: a = mg_accountz_render(&f, mg_http_query(q->req), accounts, n, &out); break;
    case MG_ENDPOINT_ACCSTATZ: a = mg_accstatz_render(&f, mg_http_query(q->req), accounts, n, &out); break;
    default: {
        const char *type = mg_metrics_render(&f, &q->totals, &s->hits, mg_http_accept(q->req), &q->js, &out);
        mg_http_reply(q->req, 200, type, "", mg_buf_slice(&out));
        mg_buf_fini(&out);
        return;
    }
    }
    if (a.json) mg_http_reply_json(q->req, a.status, mg_buf_slice(&out));
    else mg_http_reply_text(q->req, a.status, mg_buf_slice(&out));
    mg_buf_fini(&out);
}

static void answer_connz(struct question *q) {
    struct mg_buf out = MG_BUF_INIT;
    mg_connz_render(&q->keys, q->server->identity.server_id, &q->rows, &out);
    mg_http_reply_json(q->req, 200, mg_buf_slice(&out));
    mg_buf_fini(&out);
}

static void answer_subsz(struct question *q) {
    struct mg_server_facts f;
    server_facts(q->server, &f);
    struct mg_buf out = MG_BUF_INIT;
    mg_subsz_render(&f, &q->subsz, &q->totals.sublist, q->subs_total, &q->subs, &out);
    mg_http_reply_json(q->req, 200, mg_buf_slice(&out));
    mg_buf_fini(&out);
}

// ---- rounds --------------------------------------------------------------------------------------------------------

// All keys are in: the page is known, its rows are asked for.
static void ask_rows(struct question *q) {
    size_t n;
    const struct mg_conn_key *page = mg_connz_page(&q->keys, &n);
    mg_closed_ring_rows(&q->server->closed, page, n, &q->rows);
    q->jobs_left = 1;
    for (unsigned i = 0; i < q->server->n; i++) {
        struct job *job = job_new(q, JOB_CONN_ROWS, i);
        job->page = page;
        job->npage = n;
        ask(q, job);
    }
    q->jobs_left--;
}

void server_job_done(struct mg_server *s, struct job *job) {
    struct question *q = job->question;
    bool next_round = false, next_shard = false;
    switch (job->kind) {
    case JOB_TOTALS:
        mg_totals_add(&q->totals, &job->totals);
        server_js_merge_rows(&q->js, &job->js);
        break;
    case JOB_CONN_KEYS:
        mg_connz_merge(&q->keys, &job->keys);
        next_round = q->jobs_left == 1;
        break;
    case JOB_CONN_ROWS: mg_conn_rows_move(&q->rows, &job->rows); break;
    case JOB_SUBS:
        mg_sublist_counts_add(&q->totals.sublist, &job->totals.sublist);
        mg_sub_rows_move(&q->subs, &job->subs);
        q->subs_total = job->subsz.total;
        next_shard = job->shard + 1 < s->n;
        break;
    }
    if (next_shard) {
        struct job *next = job_new(q, JOB_SUBS, job->shard + 1);
        next->subsz = job->subsz;
        next->query = &q->subsz;
        ask(q, next);
    }
    if (job->kind == JOB_CONN_KEYS || job->kind == JOB_CONN_ROWS) mg_connz_fini(&job->keys);
    mg_conn_rows_fini(&job->rows);
    mg_sub_rows_fini(&job->subs);
    mg_free(job->wanted);
    mg_free(job);
    q->jobs_left--;
    if (next_round) ask_rows(q);
    if (q->jobs_left > 0) return;
    if (q->endpoint == MG_ENDPOINT_CONNZ) answer_connz(q);
    else if (q->endpoint == MG_ENDPOINT_SUBSZ) answer_subsz(q);
    else answer_totals(q);
    question_free(q);
}

// ---- requests ------------------------------------------------------------------------------------------------------

static void bad_request(struct question *q, struct mg_buf *err) {
    mg_http_reply_text(q->req, 400, mg_buf_slice(err));
    question_free(q);
}

static void ask_connz(struct question *q) {
    struct mg_server *s = q->server;
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_connz_parse(mg_http_query(q->req), &q->connz, &err);
    if (rc != 0) {
        q->endpoint = MG_ENDPOINT_NONE; // there are no keys to free
        bad_request(q, &err);
    } else {
        mg_connz_init(&q->keys, &q->connz, mg_loop_wall(mg_shard_loop(s->shard)));
        q->keys.unknown_account = q->connz.account && strcmp(q->connz.account, "$G") != 0 &&
                                  (s->settings->opts->no_system_account || strcmp(q->connz.account, "$SYS") != 0);
        if (mg_connz_wants_closed(&q->connz)) {
            uint64_t at = s->closed.first;
            while (at != s->closed.next) at = mg_closed_ring_visit(&s->closed, at, CLOSED_A_TIME, &q->keys);
        }
        if (mg_connz_wants_open(&q->connz)) ask_all(q, JOB_CONN_KEYS);
        else ask_rows(q);
    }
    mg_buf_fini(&err);
}

static void ask_subsz(struct question *q) {
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_subsz_parse(mg_http_query(q->req), &q->subsz, &err);
    if (rc == 0 && q->subsz.test && !mg_subject_valid_literal(mg_cstr(q->subsz.test))) {
        mg_subsz_bad_test(&q->subsz, &err);
        rc = MG_EINVAL;
    }
    if (rc != 0) {
        bad_request(q, &err);
    } else {
        struct job *job = job_new(q, JOB_SUBS, 0);
        mg_subsz_begin(&job->subsz, &q->subsz);
        job->query = &q->subsz;
        ask(q, job);
    }
    mg_buf_fini(&err);
}

static void answer_health(struct mg_server *s, struct mg_http_request *req, bool stream, bool consumer) {
    struct mg_server_facts f;
    struct mg_js_facts js;
    struct mg_buf out = MG_BUF_INIT, warning = MG_BUF_INIT;
    server_facts(s, &f);
    if (server_js_facts(s, &js)) f.js = &js;
    js.has_stream = stream;
    js.has_consumer = consumer;
    struct mg_answer a = mg_healthz_render(&f, mg_http_query(req), &out, &warning);
    if (warning.len) mg_log_wrn(s->log, "%.*s", (int)warning.len, warning.p);
    if (a.json) mg_http_reply_json(req, a.status, mg_buf_slice(&out));
    else mg_http_reply_text(req, a.status, mg_buf_slice(&out));
    mg_buf_fini(&out);
    mg_buf_fini(&warning);
}

// Endpoints that need nothing from the shards. False: not one of them.
static bool answer_at_once(struct mg_server *s, struct mg_http_request *req, enum mg_endpoint e) {
    struct mg_server_facts f;
    server_facts(s, &f);
    struct mg_buf out = MG_BUF_INIT;
    struct mg_answer a = {200, true};
    mg_slice query = mg_http_query(req);
    bool here = true;
    switch (e) {
    case MG_ENDPOINT_ROOT:
        mg_root_render(&f, &out);
        mg_http_reply(req, 200, "text/html; charset=utf-8", "", mg_buf_slice(&out));
        mg_buf_fini(&out);
        return true;
    case MG_ENDPOINT_ROUTEZ: a = mg_routez_render(&f, query, &out); break;
    case MG_ENDPOINT_GATEWAYZ: a = mg_gatewayz_render(&f, query, &out); break;
    case MG_ENDPOINT_LEAFZ: a = mg_leafz_render(&f, query, &out); break;
    case MG_ENDPOINT_RAFTZ: a = mg_raftz_render(&f, query, &out); break;
    case MG_ENDPOINT_IPQUEUESZ: a = mg_ipqueuesz_render(&f, query, &out); break;
    default: here = false;
    }
    if (here && a.json) mg_http_reply_json(req, a.status, mg_buf_slice(&out));
    else if (here) mg_http_reply_text(req, a.status, mg_buf_slice(&out));
    mg_buf_fini(&out);
    return here;
}

static void on_request(void *owner, struct mg_http_request *req) {
    struct mg_server *s = owner;
    enum mg_endpoint e = mg_endpoint_of(s->settings->opts->http_base_path, mg_http_path(req));
    if (e == MG_ENDPOINT_NONE || e == MG_ENDPOINT_DEBUG_VARS || e == MG_ENDPOINT_STACKSZ || s->shutting_down) {
        mg_http_reply_not_found(req);
        return;
    }
    s->hits.n[e]++;
    if (e == MG_ENDPOINT_JSZ) {
        server_js_answer_jsz(s, req);
        return;
    }
    if (e == MG_ENDPOINT_HEALTHZ) {
        server_js_ask_health(s, req, answer_health);
        return;
    }
    if (answer_at_once(s, req, e)) return;
    struct question *q = mg_zalloc(sizeof(*q));
    q->server = s;
    q->req = req;
    q->endpoint = e;
    s->questions++;
    if (e == MG_ENDPOINT_CONNZ) ask_connz(q);
    else if (e == MG_ENDPOINT_SUBSZ) ask_subsz(q);
    else ask_all(q, JOB_TOTALS);
}

static void on_http_closed(void *owner) { server_http_gone(owner); }

const struct mg_http_ops server_http_ops = {.request = on_request, .closed = on_http_closed};

// ---- closed connections --------------------------------------------------------------------------------------------

void server_conn_closed(void *arg, struct mg_conn *c) {
    struct shard_ctl *ctl = arg;
    if (ctl->server->shutting_down || ctl->core->draining) return;
    struct mg_arena arena = MG_ARENA_INIT;
    struct mg_conn_row row = {0};
    int64_t now = mg_loop_wall(ctl->core->loop);
    collect_conn_row(c, now, c->nsubs <= 1000, false, &row, &arena);
    row.s.stop_ns = now;
    row.s.reason = c->reason;
    // Unlike those of open connections, these say whose they are (spec/monitoring-and-tools.md A4).
    struct mg_sub_row *subs = (struct mg_sub_row *)(uintptr_t)row.subs;
    for (size_t i = 0; i < row.nsubs; i++) subs[i].account = subs[i].account_tag = MG_S("$G");
    struct mg_closed *e = mg_closed_new(&row);
    mg_arena_fini(&arena);
    server_post(ctl, 0, REC_CLOSED, &e, sizeof(e));
}
