// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A shard's core: its hooks for the runtime, and records that concern connections.
#include "server/conn/core.h"

#include <string.h>

#include "server/account/cred_cache.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

static const struct mg_router_ops router_ops = {.nobody = conn_nobody};

struct mg_core *mg_core_new(const struct mg_core_params *p) {
    struct mg_core *core = mg_zalloc(sizeof(*core));
    core->shard = p->shard;
    core->loop = mg_shard_loop(p->shard);
    core->settings = mg_settings_ref(p->settings);
    core->globals = p->globals;
    core->identity = p->identity;
    core->log = p->log;
    core->free_slot = UINT32_MAX;
    core->now = mg_loop_clock(core->loop);
    mg_outpool_init(&core->pool);
    mg_list_init(&core->conns);
    mg_list_init(&core->dirty);
    mg_list_init(&core->blocked);
    mg_list_init(&core->dying);
    mg_list_init(&core->bcrypt_waiting);
    mg_list_init(&core->tls_waiting);
    mg_timer_init(&core->deadline, core_deadline);
    uint64_t key[MG_CRED_KEY / 8];
    for (size_t i = 0; i < MG_CRED_KEY / 8; i++) key[i] = mg_loop_entropy(core->loop);
    core->creds = mg_cred_cache_new((const uint8_t *)key);
    bool cache = !p->settings->opts->no_sublist_cache;
    mg_router_init(&core->router, p->shard, &router_ops, core, p->hash_seed, cache);
    mg_shard_set_app(p->shard, &mg_core_shard_ops, core);
    return core;
}

void mg_core_free(struct mg_core *core) {
    mg_assert(core->nconns == 0 && core->ndying == 0);
    mg_timer_stop(mg_shard_wheel(core->shard), &core->deadline);
    mg_router_fini(&core->router);
    mg_outpool_fini(&core->pool);
    mg_cred_cache_free(core->creds);
    mg_settings_unref(core->settings);
    mg_free(core->expired);
    mg_free(core->slots);
    mg_free(core->slab);
    mg_free(core->cipher);
    mg_free(core);
}

struct mg_conn *mg_core_conn(const struct mg_core *core, uint32_t slot, uint64_t cid) {
    if (slot >= core->nslots) return NULL;
    struct mg_conn *c = core->slots[slot].conn;
    return c && c->cid == cid ? c : NULL;
}

static void on_record(void *app, const struct mg_rec *rec) {
    struct mg_core *core = app;
    core->now = mg_loop_now(core->loop);
    if (rec->kind < MG_REC_APP) {
        mg_router_record(&core->router, rec);
        if (core_turn_full(core)) mg_turn_end(core->shard);
    } else if (rec->kind == MG_REC_ADOPT) {
        struct mg_sock_seed seed;
        memcpy(&seed, rec->body, sizeof(seed));
        conn_open(core, &seed);
    } else if (rec->kind == MG_REC_STALL) {
        struct rec_stall body;
        memcpy(&body, rec->body, sizeof(body));
        struct mg_conn *c = mg_core_conn(core, body.slot, body.cid);
        if (c && conn_alive(c)) conn_stall(c, body.ns);
    } else {
        core->record(core->arg, rec);
    }
}

static bool on_idle(void *app) {
    struct mg_core *core = app;
    if (core->nexpired) core_expire(core);
    bool more = conn_reap(core);
    if (core->idle && core->idle(core->arg)) more = true;
    return more;
}

static bool on_refers(void *app) { return ((struct mg_core *)app)->slab_used; }
static void on_settle(void *app) { mg_core_release_slab(app); }

const struct mg_shard_ops mg_core_shard_ops = {
    .record = on_record,
    .flush = core_flush,
    .refers = on_refers,
    .settle = on_settle,
    .idle = on_idle,
};
