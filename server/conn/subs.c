// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subscriptions of a connection, by sid. Most connections have one to three: up to eight they are one chain, above
// that a hash table of chains that doubles with them.
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/conn/conn.h"

#define CHAIN_MAX 8u

// FNV-1a; a client that makes its own sids collide slows only itself down.
static uint32_t sid_hash(mg_slice sid) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sid.n; i++) h = (h ^ (unsigned char)sid.p[i]) * 16777619u;
    return h ^ h >> 15;
}

static struct mg_sub **bucket(struct mg_conn *c, mg_slice sid) {
    return c->sub_mask ? &c->subs.table[sid_hash(sid) & c->sub_mask] : &c->subs.one;
}

struct mg_sub *conn_sub_find(struct mg_conn *c, mg_slice sid) {
    for (struct mg_sub *s = *bucket(c, sid); s; s = s->next)
        if (mg_slice_eq(mg_sub_sid(s), sid) && !(s->flags & MG_SUB_DEAD)) return s;
    return NULL;
}

struct mg_sub *conn_sub_next(const struct mg_conn *c, const struct mg_sub *after) {
    if (after && after->next) return after->next;
    if (c->sub_mask == 0) return after ? NULL : c->subs.one;
    uint32_t i = after ? (sid_hash(mg_sub_sid(after)) & c->sub_mask) + 1 : 0;
    for (; i <= c->sub_mask; i++)
        if (c->subs.table[i]) return c->subs.table[i];
    return NULL;
}

static void grow(struct mg_conn *c) {
    uint32_t old = c->sub_mask ? c->sub_mask + 1 : 1, n = c->sub_mask ? old * 2 : CHAIN_MAX * 2;
    struct mg_sub **table = mg_zalloc(n * sizeof(*table));
    struct mg_sub **chains = c->sub_mask ? c->subs.table : &c->subs.one;
    for (uint32_t i = 0; i < old; i++) {
        for (struct mg_sub *s = chains[i], *next; s; s = next) {
            next = s->next;
            struct mg_sub **b = &table[sid_hash(mg_sub_sid(s)) & (n - 1)];
            s->next = *b;
            *b = s;
        }
    }
    if (c->sub_mask) mg_free(c->subs.table);
    c->subs.table = table;
    c->sub_mask = n - 1;
}

void conn_sub_add(struct mg_conn *c, struct mg_sub *sub) {
    if (c->nsubs >= (c->sub_mask ? c->sub_mask + 1 : CHAIN_MAX)) grow(c);
    struct mg_sub **b = bucket(c, mg_sub_sid(sub));
    sub->next = *b;
    *b = sub;
    c->nsubs++;
    mg_router_subscribe(&c->core->router, sub);
}

static void forget(struct mg_conn *c, struct mg_sub *sub) {
    if (MG_UNLIKELY(conn_traced(c))) conn_trace(c, MG_TRACE_INNER, MG_S("DELSUB"), mg_sub_sid(sub));
    if (sub->node) mg_router_unsubscribe(&c->core->router, sub);
    c->nsubs--;
    mg_free(sub);
}

void conn_sub_drop(struct mg_conn *c, struct mg_sub *sub) {
    struct mg_sub **at = bucket(c, mg_sub_sid(sub));
    while (*at != sub) {
        mg_assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = sub->next;
    forget(c, sub);
}

bool conn_sub_drop_some(struct mg_conn *c, unsigned n) {
    core_expire(c->core); // no list may name what is freed here
    while (n > 0 && c->nsubs > 0) {
        struct mg_sub **head = c->sub_mask ? &c->subs.table[c->reap_at & c->sub_mask] : &c->subs.one;
        while (*head && n > 0) {
            struct mg_sub *sub = *head;
            *head = sub->next;
            forget(c, sub);
            n--;
        }
        if (*head == NULL) c->reap_at++;
    }
    if (c->nsubs > 0) return true;
    if (c->sub_mask) mg_free(c->subs.table);
    c->subs.one = NULL;
    c->sub_mask = 0;
    c->reap_at = 0;
    return false;
}

void conn_sub_drop_all(struct mg_conn *c) {
    while (conn_sub_drop_some(c, 1024)) {
    }
}

void conn_sub_expire(struct mg_conn *c, struct mg_sub *sub) {
    struct mg_core *core = c->core;
    mg_assert(!(sub->flags & MG_SUB_DEAD)); // else it would be freed twice
    sub->flags |= MG_SUB_DEAD;              // its sid is free at once; UNSUB does not find it any more
    if (core->nexpired == core->expired_cap) {
        core->expired_cap = core->expired_cap ? core->expired_cap * 2 : 64;
        core->expired = mg_realloc(core->expired, core->expired_cap * sizeof(*core->expired));
    }
    core->expired[core->nexpired++] = sub;
}

void core_expire(struct mg_core *core) {
    for (size_t i = 0; i < core->nexpired; i++) {
        struct mg_sub *sub = core->expired[i];
        conn_sub_drop(sub->owner, sub);
    }
    core->nexpired = 0;
}
