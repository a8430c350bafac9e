// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A shard's side of monitoring: it looks at its connections and subscriptions in slices between turns, so that a
// question about 100,000 of them holds nobody up.
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"
#include "server/proto/subject.h"
#include "server/server_impl.h"

#define SLOTS_A_SLICE 1024u
#define ROWS_A_SLICE 256u
#define SUBS_A_SLICE 1024u

// ---- counters ------------------------------------------------------------------------------------------------------

static void sublist_counts(struct mg_core *core, struct mg_sublist_counts *out) {
    struct mg_sublist_stats st;
    mg_sublist_stats(core->router.subs, &st);
    *out = (struct mg_sublist_counts){
        .num_subs = st.count, .num_cache = st.cache_entries, .num_inserts = st.inserts, .num_removes = st.removes,
        .num_matches = st.matches, .cache_hits = st.cache_hits, .max_fanout = st.max_fanout,
        .fanout_total = st.matches ? st.fanout_sum * st.cache_entries / st.matches : 0,
    };
}

static void totals(struct mg_core *core, struct mg_totals *t) {
    const struct mg_core_counters *c = &core->counters;
    *t = (struct mg_totals){
        .connections = core->nconns, .total_connections = c->total_connections,
        .in_msgs = c->in_msgs, .in_bytes = c->in_bytes, .in_client_msgs = c->in_msgs, .in_client_bytes = c->in_bytes,
        .out_msgs = c->out_msgs, .out_bytes = c->out_bytes, .out_client_msgs = c->out_msgs,
        .out_client_bytes = c->out_bytes, .slow_consumers = {.clients = c->slow_consumers},
        .stale_connections = {.clients = c->stale_connections}, .stalled_clients = c->stalled_clients,
        .auth_errors = c->auth_errors,
    };
    memcpy(t->closed, c->closed, sizeof(t->closed));
    sublist_counts(core, &t->sublist);
}

// ---- connections ---------------------------------------------------------------------------------------------------

static int64_t wall_of(struct mg_core *core, int64_t now_wall, uint64_t at) {
    return now_wall - (int64_t)(mg_loop_now(core->loop) - at);
}

static void conn_stats(struct mg_conn *c, int64_t now_wall, struct mg_conn_stats *s) {
    *s = (struct mg_conn_stats){
        .cid = c->cid, .start_ns = c->start_wall, .last_ns = wall_of(c->core, now_wall, c->last_at),
        .rtt_ns = (int64_t)c->rtt_ns,
        .in_msgs = c->in_msgs, .in_bytes = c->in_bytes, .out_msgs = c->out_msgs, .out_bytes = c->out_bytes,
        .stalls = c->stalls, .pending = mg_outq_pending(&c->out), .nsubs = c->nsubs, .port = c->peer.port,
        .kind = MG_KIND_CLIENT, .type = MG_TYPE_NATS, .tls_first = c->rare && c->rare->tls_first && c->rare->tls_done,
    };
}

static void user_name(struct mg_conn *c, struct mg_buf *b) {
    struct mg_auth_who who;
    conn_who(c, &who);
    mg_auth_name(b, &who);
}

static void add_subs(struct mg_conn *c, struct mg_conn_row *row, struct mg_arena *arena) {
    struct mg_sub_row *rows = mg_arena_alloc(arena, c->nsubs * sizeof(*rows));
    size_t n = 0;
    for (const struct mg_sub *sub = conn_sub_next(c, NULL); sub; sub = conn_sub_next(c, sub)) {
        if (sub->flags & MG_SUB_DEAD) continue;
        rows[n++] = (struct mg_sub_row){
            .subject = mg_arena_dup(arena, mg_sub_subject(sub)), .queue = mg_arena_dup(arena, mg_sub_queue(sub)),
            .sid = mg_arena_dup(arena, mg_sub_sid(sub)), .msgs = sub->delivered, .max = sub->max, .cid = c->cid,
        };
    }
    row->subs = rows;
    row->nsubs = n;
}

static void add_cert(struct mg_conn *c, struct mg_conn_row *row, struct mg_arena *arena) {
    struct mg_tls_peer peer;
    mg_tls_peer_get(c->rare->tls, &peer);
    if (peer.present) {
        struct mg_peer_cert *cert = mg_arena_alloc(arena, sizeof(*cert));
        *cert = (struct mg_peer_cert){mg_arena_dup(arena, mg_cstr(peer.subject)),
                                      mg_arena_dup(arena, mg_cstr(peer.spki_sha256)),
                                      mg_arena_dup(arena, mg_cstr(peer.cert_sha256))};
        row->certs = cert;
        row->ncerts = 1;
    }
    mg_tls_peer_fini(&peer);
}

void collect_conn_row(struct mg_conn *c, int64_t now_wall, bool subs, bool certs, struct mg_conn_row *row,
                      struct mg_arena *arena) {
    conn_stats(c, now_wall, &row->s);
    row->ip = mg_arena_dup(arena, mg_cstr(c->peer.ip));
    row->account = row->name_tag = MG_S("$G");
    if (c->opts) {
        row->name = mg_arena_dup(arena, mg_cstr(c->opts->name));
        row->lang = mg_arena_dup(arena, mg_cstr(c->opts->lang));
        row->version = mg_arena_dup(arena, mg_cstr(c->opts->version));
    }
    struct mg_buf user = MG_BUF_INIT;
    user_name(c, &user);
    row->user = mg_arena_dup(arena, mg_buf_slice(&user));
    mg_buf_fini(&user);
    if (c->tls && c->rare->tls_done) {
        row->tls_version = mg_arena_dup(arena, mg_cstr(mg_tls_version(c->rare->tls)));
        row->tls_cipher = mg_arena_dup(arena, mg_cstr(mg_tls_cipher(c->rare->tls)));
        if (certs) add_cert(c, row, arena);
    }
    if (subs && c->nsubs > 0) add_subs(c, row, arena);
}

static bool keys_slice(struct shard_ctl *ctl, struct job *job) {
    struct mg_core *core = ctl->core;
    uint32_t end = core->nslots - job->slot > SLOTS_A_SLICE ? job->slot + SLOTS_A_SLICE : core->nslots;
    int64_t now = mg_loop_wall(core->loop);
    struct mg_buf user = MG_BUF_INIT;
    for (; job->slot < end; job->slot++) {
        struct mg_conn *c = core->slots[job->slot].conn;
        if (c == NULL) continue;
        struct mg_conn_stats st;
        conn_stats(c, now, &st);
        user.len = 0;
        user_name(c, &user);
        mg_connz_visit(&job->keys, &st, ctl->id, mg_buf_slice(&user), MG_S("$G"), (mg_slice){NULL, 0});
    }
    mg_buf_fini(&user);
    return job->slot < core->nslots;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// The page's connections of this shard, in ascending order, so that one walk over the slots finds them all.
static void rows_begin(struct shard_ctl *ctl, struct job *job) {
    job->wanted = mg_alloc((job->npage + 1) * sizeof(*job->wanted));
    for (size_t i = 0; i < job->npage; i++)
        if (!job->page[i].closed && job->page[i].shard == ctl->id) job->wanted[job->nwanted++] = job->page[i].cid;
    qsort(job->wanted, job->nwanted, sizeof(*job->wanted), by_number);
}

static bool rows_slice(struct shard_ctl *ctl, struct job *job) {
    struct mg_core *core = ctl->core;
    const struct mg_connz_query *q = job->keys.q;
    int64_t now = mg_loop_wall(core->loop);
    if (job->wanted == NULL) rows_begin(ctl, job);
    uint32_t end = core->nslots - job->slot > SLOTS_A_SLICE ? job->slot + SLOTS_A_SLICE : core->nslots;
    unsigned rows = 0;
    for (; job->slot < end && rows < ROWS_A_SLICE; job->slot++) {
        struct mg_conn *c = core->slots[job->slot].conn;
        if (c == NULL || bsearch(&c->cid, job->wanted, job->nwanted, sizeof(c->cid), by_number) == NULL) continue;
        rows++;
        collect_conn_row(c, now, mg_connz_wants_subs(q), q->auth, mg_conn_rows_add(&job->rows), &job->rows.arena);
        // Listing one whose round trip is unknown asks for it (spec/monitoring-and-tools.md A4).
        bool unknown = (c->rtt_ns == 0 || c->rtt_guessed) && c->pings_out == 0;
        if (unknown && c->opts && c->opts->lang[0] && c->first_pong) conn_send_ping(c);
    }
    return job->slot < core->nslots;
}

// ---- subscriptions -------------------------------------------------------------------------------------------------

static bool subs_slice(struct shard_ctl *ctl, struct job *job, const struct mg_subsz_query *q) {
    struct mg_core *core = ctl->core;
    struct mg_sub *subs[SUBS_A_SLICE];
    size_t n = mg_sublist_list(core->router.subs, &job->cursor, subs, SUBS_A_SLICE);
    for (size_t i = 0; i < n; i++) {
        const struct mg_conn *c = subs[i]->owner;
        if (subs[i]->flags & (MG_SUB_DEAD | MG_SUB_INTERNAL)) continue;
        if (q->test && !mg_subject_match(mg_cstr(q->test), mg_sub_subject(subs[i]))) continue;
        if (!mg_subsz_visit(&job->subsz)) continue;
        struct mg_arena *a = &job->subs.arena;
        *mg_sub_rows_add(&job->subs) = (struct mg_sub_row){
            .account = MG_S("$G"), .account_tag = MG_S("$G"), .subject = mg_arena_dup(a, mg_sub_subject(subs[i])),
            .queue = mg_arena_dup(a, mg_sub_queue(subs[i])), .sid = mg_arena_dup(a, mg_sub_sid(subs[i])),
            .msgs = subs[i]->delivered, .max = subs[i]->max, .cid = c->cid,
        };
    }
    return n > 0;
}

// ---- jobs ----------------------------------------------------------------------------------------------------------

static bool slice(struct shard_ctl *ctl, struct job *job) {
    switch (job->kind) {
    case JOB_TOTALS:
        totals(ctl->core, &job->totals);
        if (job->wants_js) server_js_rows(ctl, &job->js);
        return false;
    case JOB_CONN_KEYS: return keys_slice(ctl, job);
    case JOB_CONN_ROWS: return rows_slice(ctl, job);
    case JOB_SUBS:
        sublist_counts(ctl->core, &job->totals.sublist);
        return job->query->subs && subs_slice(ctl, job, job->query);
    }
    mg_assert(false);
    return false;
}

void collect_start(struct shard_ctl *ctl, struct job *job) { mg_list_push_back(&ctl->jobs, &job->link); }

bool collect_some(struct shard_ctl *ctl) {
    if (mg_list_empty(&ctl->jobs)) return false;
    struct job *job = mg_container_of(ctl->jobs.next, struct job, link);
    if (slice(ctl, job)) return true;
    mg_list_remove(&job->link);
    server_post(ctl, 0, REC_JOB_DONE, &job, sizeof(job));
    return !mg_list_empty(&ctl->jobs);
}
