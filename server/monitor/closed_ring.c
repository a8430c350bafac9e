// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// An entry is one allocation of about 200 bytes:
//
//   struct mg_closed | strings in FIELD order, each u32 length + bytes | tags, each u32 + bytes |
//   subscriptions, each {u64 msgs, u64 max, 5 x (u32 + bytes)}
//
// What always holds: v has room for next - first entries; bytes is the sum of their sizes.
#include "server/monitor/closed_ring.h"

#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/mem.h"

#define FIELDS(X)                                                                                                      \
    X(user) X(account) X(mqtt_client) X(ip) X(name) X(lang) X(version) X(tls_version) X(tls_cipher) X(name_tag) X(jwt) \
        X(issuer_key) X(proxy_key)

struct mg_closed {
    struct mg_conn_stats s;
    uint32_t size; // of data
    uint32_t ntags, nsubs;
    char data[];
};

// ---- packing ----------------------------------------------------------------------------------------------------

static void put_raw(struct mg_buf *b, const void *p, size_t n) { mg_buf_add(b, p, n); }

static void put_str(struct mg_buf *b, mg_slice s) {
    uint32_t n = s.n < UINT32_MAX ? (uint32_t)s.n : UINT32_MAX;
    put_raw(b, &n, sizeof(n));
    put_raw(b, s.p, n);
}

static void put_sub(struct mg_buf *b, const struct mg_sub_row *s) {
    put_raw(b, &s->msgs, sizeof(s->msgs));
    put_raw(b, &s->max, sizeof(s->max));
    put_str(b, s->account);
    put_str(b, s->account_tag);
    put_str(b, s->subject);
    put_str(b, s->queue);
    put_str(b, s->sid);
}

struct mg_closed *mg_closed_new(const struct mg_conn_row *row) {
    struct mg_buf b = MG_BUF_INIT;
#define X(field) put_str(&b, row->field);
    FIELDS(X)
#undef X
    for (size_t i = 0; i < row->ntags; i++) put_str(&b, row->tags[i]);
    size_t begin = b.len, nsubs = 0;
    while (nsubs < row->nsubs && b.len - begin < MG_CLOSED_MAX_SUBS_BYTES) put_sub(&b, &row->subs[nsubs++]);
    mg_assert(b.len < UINT32_MAX);
    struct mg_closed *e = mg_alloc(sizeof(*e) + b.len);
    *e = (struct mg_closed){.s = row->s, .size = (uint32_t)b.len};
    e->ntags = (uint32_t)row->ntags;
    e->nsubs = (uint32_t)nsubs;
    memcpy(e->data, b.p, b.len);
    mg_buf_fini(&b);
    return e;
}

void mg_closed_free(struct mg_closed *e) { mg_free(e); }

static const char *get_raw(const char *p, void *out, size_t n) {
    memcpy(out, p, n);
    return p + n;
}

static const char *get_str(const char *p, mg_slice *out) {
    uint32_t n;
    p = get_raw(p, &n, sizeof(n));
    *out = mg_slice_of(n ? p : NULL, n);
    return p + n;
}

static const char *get_copy(const char *p, mg_slice *out, struct mg_arena *arena) {
    mg_slice s;
    p = get_str(p, &s);
    *out = mg_arena_dup(arena, s);
    return p;
}

static const char *get_sub(const char *p, struct mg_sub_row *s, struct mg_arena *arena) {
    p = get_raw(p, &s->msgs, sizeof(s->msgs));
    p = get_raw(p, &s->max, sizeof(s->max));
    p = get_copy(p, &s->account, arena);
    p = get_copy(p, &s->account_tag, arena);
    p = get_copy(p, &s->subject, arena);
    p = get_copy(p, &s->queue, arena);
    return get_copy(p, &s->sid, arena);
}

void mg_closed_unpack(const struct mg_closed *e, struct mg_conn_row *row, struct mg_arena *arena) {
    const char *p = e->data;
    row->s = e->s;
#define X(field) p = get_copy(p, &row->field, arena);
    FIELDS(X)
#undef X
    mg_slice *tags = mg_arena_alloc(arena, e->ntags * sizeof(*tags));
    for (uint32_t i = 0; i < e->ntags; i++) p = get_copy(p, &tags[i], arena);
    struct mg_sub_row *subs = mg_arena_alloc(arena, e->nsubs * sizeof(*subs));
    for (uint32_t i = 0; i < e->nsubs; i++) {
        p = get_sub(p, &subs[i], arena);
        subs[i].cid = e->s.cid;
    }
    mg_assert(p == e->data + e->size);
    row->tags = tags;
    row->ntags = e->ntags;
    row->subs = subs;
    row->nsubs = e->nsubs;
}

// ---- the ring ---------------------------------------------------------------------------------------------------

static size_t size_of(const struct mg_closed *e) { return sizeof(*e) + e->size; }

void mg_closed_ring_init(struct mg_closed_ring *r, size_t max) { *r = (struct mg_closed_ring){.max = max}; }

static void drop_oldest(struct mg_closed_ring *r) {
    struct mg_closed **slot = &r->v[r->first % r->cap];
    r->bytes -= size_of(*slot);
    mg_closed_free(*slot);
    *slot = NULL;
    r->first++;
}

void mg_closed_ring_fini(struct mg_closed_ring *r) {
    while (r->first != r->next) drop_oldest(r);
    mg_free(r->v);
    *r = (struct mg_closed_ring){.max = 0};
}

// A slot depends on cap, so growing moves every entry.
static void grow(struct mg_closed_ring *r) {
    size_t cap = r->cap ? r->cap * 2 : 64;
    if (cap > r->max) cap = r->max;
    struct mg_closed **v = mg_zalloc(cap * sizeof(struct mg_closed *));
    for (uint64_t i = r->first; i != r->next; i++) v[i % cap] = r->v[i % r->cap];
    mg_free(r->v);
    r->v = v;
    r->cap = cap;
}

void mg_closed_ring_add(struct mg_closed_ring *r, struct mg_closed *e) {
    if (r->max == 0) {
        mg_closed_free(e);
        return;
    }
    size_t size = size_of(e);
    while (r->first != r->next && (r->next - r->first == r->max || r->bytes + size > MG_CLOSED_RING_BYTES))
        drop_oldest(r);
    if (r->next - r->first == r->cap) grow(r);
    r->v[r->next % r->cap] = e;
    r->next++;
    r->bytes += size;
}

uint64_t mg_closed_ring_visit(const struct mg_closed_ring *r, uint64_t from, size_t count, struct mg_connz *c) {
    if (from < r->first) from = r->first;
    for (; from != r->next && count != 0; from++, count--) {
        const struct mg_closed *e = r->v[from % r->cap];
        mg_slice user, account, mqtt_client; // the first three fields
        const char *p = get_str(e->data, &user);
        p = get_str(p, &account);
        get_str(p, &mqtt_client);
        mg_connz_visit(c, &e->s, 0, user, account, mqtt_client);
    }
    return from;
}

static int compare_ids(const void *pa, const void *pb) {
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return a < b ? -1 : a > b;
}

void mg_closed_ring_rows(const struct mg_closed_ring *r, const struct mg_conn_key *keys, size_t n,
                         struct mg_conn_rows *rows) {
    uint64_t *ids = mg_alloc((n + 1) * sizeof(*ids));
    size_t nids = 0;
    for (size_t i = 0; i < n; i++)
        if (keys[i].closed) ids[nids++] = keys[i].cid;
    qsort(ids, nids, sizeof(*ids), compare_ids);
    for (uint64_t i = r->first; i != r->next && nids != 0; i++) {
        const struct mg_closed *e = r->v[i % r->cap];
        if (bsearch(&e->s.cid, ids, nids, sizeof(*ids), compare_ids) == NULL) continue;
        mg_closed_unpack(e, mg_conn_rows_add(rows), &rows->arena);
    }
    mg_free(ids);
}
