// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/snapshot.h"

#include "server/base/mem.h"

// ---- arena ------------------------------------------------------------------------------------------------------

#define BLOCK_MIN 4096u

struct mg_arena_block {
    struct mg_arena_block *next;
    size_t used, cap;
    _Alignas(max_align_t) char data[];
};

void *mg_arena_alloc(struct mg_arena *a, size_t n) {
    const size_t align = _Alignof(max_align_t);
    n = (n + align - 1) & ~(align - 1);
    struct mg_arena_block *b = a->head;
    if (b == NULL || b->cap - b->used < n) {
        size_t cap = n > BLOCK_MIN ? n : BLOCK_MIN;
        b = mg_alloc(sizeof(*b) + cap);
        b->next = a->head;
        b->used = 0;
        b->cap = cap;
        a->head = b;
    }
    void *p = b->data + b->used;
    b->used += n;
    return p;
}

mg_slice mg_arena_dup(struct mg_arena *a, mg_slice s) {
    if (s.n == 0) return (mg_slice){NULL, 0};
    char *p = mg_arena_alloc(a, s.n);
    memcpy(p, s.p, s.n);
    return (mg_slice){p, s.n};
}

void mg_arena_fini(struct mg_arena *a) {
    while (a->head != NULL) {
        struct mg_arena_block *b = a->head;
        a->head = b->next;
        mg_free(b);
    }
}

void mg_arena_move(struct mg_arena *dst, struct mg_arena *src) {
    if (src->head == NULL) return;
    struct mg_arena_block *last = src->head;
    while (last->next != NULL) last = last->next;
    last->next = dst->head;
    dst->head = src->head;
    src->head = NULL;
}

// ---- counters ---------------------------------------------------------------------------------------------------

void mg_sublist_counts_add(struct mg_sublist_counts *dst, const struct mg_sublist_counts *src) {
    dst->num_subs += src->num_subs;
    dst->num_cache += src->num_cache;
    dst->num_inserts += src->num_inserts;
    dst->num_removes += src->num_removes;
    dst->num_matches += src->num_matches;
    dst->cache_hits += src->cache_hits;
    dst->fanout_total += src->fanout_total;
    if (src->max_fanout > dst->max_fanout) dst->max_fanout = src->max_fanout;
}

static void kinds_add(struct mg_kind_counts *dst, const struct mg_kind_counts *src) {
    dst->clients += src->clients;
    dst->routes += src->routes;
    dst->gateways += src->gateways;
    dst->leafs += src->leafs;
}

void mg_totals_add(struct mg_totals *dst, const struct mg_totals *src) {
    dst->connections += src->connections;
    dst->total_connections += src->total_connections;
    dst->leafnodes += src->leafnodes;
    dst->in_msgs += src->in_msgs;
    dst->in_bytes += src->in_bytes;
    dst->in_client_msgs += src->in_client_msgs;
    dst->in_client_bytes += src->in_client_bytes;
    dst->out_msgs += src->out_msgs;
    dst->out_bytes += src->out_bytes;
    dst->out_client_msgs += src->out_client_msgs;
    dst->out_client_bytes += src->out_client_bytes;
    kinds_add(&dst->slow_consumers, &src->slow_consumers);
    kinds_add(&dst->stale_connections, &src->stale_connections);
    dst->stalled_clients += src->stalled_clients;
    dst->auth_errors += src->auth_errors;
    for (size_t i = 0; i < MG_CLOSE_REASON_COUNT; i++) dst->closed[i] += src->closed[i];
    mg_sublist_counts_add(&dst->sublist, &src->sublist);
}

const char *mg_close_reason_text(enum mg_close_reason r) {
    static const char *const texts[] = {
#define X(name, text) text,
        MG_CLOSE_REASONS(X)
#undef X
    };
    return (unsigned)r < MG_CLOSE_REASON_COUNT ? texts[r] : texts[MG_CLOSE_UNKNOWN];
}

// ---- rows -------------------------------------------------------------------------------------------------------

// Makes room for `more` elements of `size` bytes behind n.
static void *grow(void *v, size_t n, size_t *cap, size_t more, size_t size) {
    if (*cap - n >= more) return v;
    size_t want = *cap ? *cap * 2 : 16;
    if (want < n + more) want = n + more;
    *cap = want;
    return mg_realloc(v, want * size);
}

struct mg_conn_row *mg_conn_rows_add(struct mg_conn_rows *r) {
    r->v = grow(r->v, r->n, &r->cap, 1, sizeof(*r->v));
    r->v[r->n] = (struct mg_conn_row){0};
    return &r->v[r->n++];
}

void mg_conn_rows_move(struct mg_conn_rows *dst, struct mg_conn_rows *src) {
    if (src->n != 0) {
        dst->v = grow(dst->v, dst->n, &dst->cap, src->n, sizeof(*dst->v));
        memcpy(dst->v + dst->n, src->v, src->n * sizeof(*src->v));
        dst->n += src->n;
    }
    mg_arena_move(&dst->arena, &src->arena);
    mg_conn_rows_fini(src);
}

void mg_conn_rows_fini(struct mg_conn_rows *r) {
    mg_free(r->v);
    mg_arena_fini(&r->arena);
    *r = (struct mg_conn_rows)MG_CONN_ROWS_INIT;
}

struct mg_sub_row *mg_sub_rows_add(struct mg_sub_rows *r) {
    r->v = grow(r->v, r->n, &r->cap, 1, sizeof(*r->v));
    r->v[r->n] = (struct mg_sub_row){0};
    return &r->v[r->n++];
}

void mg_sub_rows_move(struct mg_sub_rows *dst, struct mg_sub_rows *src) {
    if (src->n != 0) {
        dst->v = grow(dst->v, dst->n, &dst->cap, src->n, sizeof(*dst->v));
        memcpy(dst->v + dst->n, src->v, src->n * sizeof(*src->v));
        dst->n += src->n;
    }
    mg_arena_move(&dst->arena, &src->arena);
    mg_sub_rows_fini(src);
}

void mg_sub_rows_fini(struct mg_sub_rows *r) {
    mg_free(r->v);
    mg_arena_fini(&r->arena);
    *r = (struct mg_sub_rows)MG_SUB_ROWS_INIT;
}
