// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the broker: what server.c (life), control.c (reload, lame duck, shutdown), monitoring.c (questions) and
// collect.c (answers of a shard) share.
#ifndef MG_SERVER_IMPL_H
#define MG_SERVER_IMPL_H

#include "jetstream/js.h"
#include "server/account/nkey.h"
#include "server/config/reload.h"
#include "server/conn/core.h"
#include "server/monitor/answers.h"
#include "server/monitor/closed_ring.h"
#include "server/monitor/connz.h"
#include "server/monitor/http.h"
#include "server/monitor/js.h"
#include "server/server.h"

enum server_rec {
    REC_SETTINGS = MG_REC_SERVER, // to a shard: new settings (a reference travels along)
    REC_SETTINGS_ACK,
    REC_LAME_DUCK, // say so to clients
    REC_CLOSE_ONE, // close some client
    REC_DRAIN,     // close everything
    REC_DRAINED,   // everything is closed
    REC_STOP,
    REC_JOB,      // to a shard: collect something
    REC_JOB_DONE, // back to shard 0
    REC_CLOSED,   // to shard 0: a connection for the ring of closed ones
    REC_JS_ERRAND,  // of JetStream: belongs to whoever gets it
    REC_JS_STOP,    // JetStream is to take nothing any more
    REC_JS_STOPPED, // nothing of it is under way there
};

// One shard as the server sees it; owned by that shard.
struct shard_ctl {
    struct mg_server *server;
    struct mg_core *core;
    unsigned id;
    struct mg_list jobs; // being worked on
    bool draining, drained;
    struct mg_js *js;    // NULL: none, or not yet
    bool js_stopping, js_stopped;
};

enum job_kind { JOB_TOTALS, JOB_CONN_KEYS, JOB_CONN_ROWS, JOB_SUBS };

// A piece of a question that one shard answers. Made and freed on shard 0; in between it belongs to its shard.
struct job {
    struct mg_list link;
    struct question *question;
    unsigned shard;
    enum job_kind kind;
    struct mg_totals totals;         // TOTALS, SUBS: its sublist counts
    bool wants_js;                   // TOTALS: and streams
    struct mg_js_rows js;
    struct mg_connz keys;            // CONN_KEYS
    uint32_t slot;                   // CONN_KEYS, CONN_ROWS: cursor
    const struct mg_conn_key *page;  // CONN_ROWS: the question's
    size_t npage;
    uint64_t *wanted;                // CONN_ROWS: the shard's part of the page, sorted cids; owned
    size_t nwanted;
    struct mg_conn_rows rows;        // CONN_ROWS
    struct mg_sublist_cursor cursor; // SUBS
    struct mg_subsz_cursor subsz;    // SUBS: travels from shard to shard
    struct mg_sub_rows subs;         // SUBS
    const struct mg_subsz_query *query; // SUBS: the question's
};

struct mg_server {
    struct mg_server_params params;
    struct mg_log *log;
    struct mg_runtime *runtime;
    struct mg_shard *shard; // 0
    struct mg_globals *globals;
    struct mg_server_identity keys;
    struct mg_identity identity;
    struct mg_settings *settings; // the newest
    struct shard_ctl ctl[MG_MAX_SHARDS];
    unsigned n;

    struct server_js *js; // NULL: no JetStream
    struct mg_listener *listener;
    struct mg_http *http;
    bool https;
    int port, monitor_port;
    int64_t start_ns, config_load_ns;
    struct mg_endpoint_hits hits;
    struct mg_closed_ring closed;
    unsigned questions; // not answered yet

    // reload under way
    struct mg_reload_diff diff;
    unsigned acks_left;
    struct mg_options *next_options; // came in meanwhile

    // lame duck
    bool lame_duck, closing_clients, shutting_down, draining, stopping;
    bool http_gone;
    struct mg_timer ldm_timer;
    uint64_t ldm_interval;
    unsigned drained;
};

// JetStream of this server, without that of each shard.
struct server_js {
    struct mg_store *store;
    struct mg_js_catalogue all;
    struct mg_js_shared *shared;
    char *dir, *name, *domain;
    struct mg_store_progress progress; // while the store is opened
    struct mg_arena asker; // what the last advisory tells of a client
    unsigned stopped;      // shards
    bool started, stopping;
};

// control.c
void server_control_init(struct mg_server *s);
void server_on_record(void *arg, const struct mg_rec *rec);
bool server_on_idle(void *arg);
void server_check_drained(struct shard_ctl *ctl);
void server_http_gone(struct mg_server *s);

// jetstream.c; all do nothing where it is off
int server_js_open(struct mg_server *s, char *err, size_t errlen);
void server_js_start(struct mg_server *s); // the cores are there
void server_js_reloaded(struct shard_ctl *ctl); // options that take effect at once
bool server_js_turn(struct shard_ctl *ctl); // true: there is more to do at once
void server_js_record(struct shard_ctl *ctl, const struct mg_rec *rec);
bool server_js_stop(struct mg_server *s);   // on shard 0; true: nothing of it is under way on any shard
bool server_js_at_rest(struct shard_ctl *ctl); // behind the last client of the shard; true: its part has nothing to do
bool server_js_settle(struct mg_server *s); // behind the last client; true: it has nothing left to do
void server_js_free(struct mg_server *s);

// jetstream_monitor.c
struct mg_js_facts;
// False: there is no JetStream.
bool server_js_facts(struct mg_server *s, struct mg_js_facts *out);
void server_js_answer_jsz(struct mg_server *s, struct mg_http_request *req);
// Finds out whether there is what a health check asks for by name, then calls answer.
void server_js_ask_health(struct mg_server *s, struct mg_http_request *req,
                          void (*answer)(struct mg_server *s, struct mg_http_request *req, bool stream, bool consumer));
// The streams of a shard, for series of metrics; and the first of all of them, by name.
void server_js_rows(struct shard_ctl *ctl, struct mg_js_rows *out);
void server_js_merge_rows(struct mg_js_rows *all, struct mg_js_rows *more); // takes what is in `more`

// monitoring.c
void server_facts(struct mg_server *s, struct mg_server_facts *f);
extern const struct mg_http_ops server_http_ops;
void server_job_done(struct mg_server *s, struct job *job);
void server_conn_closed(void *arg, struct mg_conn *c);

// collect.c
void collect_start(struct shard_ctl *ctl, struct job *job);
// A slice of the jobs of a shard. True: there is more.
bool collect_some(struct shard_ctl *ctl);
void collect_conn_row(struct mg_conn *c, int64_t now_wall, bool subs, bool certs, struct mg_conn_row *row,
                      struct mg_arena *arena);

// Posts a record without or with a body to a shard; to the own one it is handled at once.
void server_post(struct shard_ctl *from, unsigned to, enum server_rec kind, const void *body, size_t size);

#endif
