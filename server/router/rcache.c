// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A set-associative cache: the hash picks a set of four slots (64 bytes), a result sits in any of them.
//
// Admission. Many subjects are published once and never again (replies, acks), and keeping them would only throw out
// what is useful. So a subject is admitted when it misses for the second time: the first miss leaves 16 bits of its
// hash in `seen`, a small lossy table.
//
// Staleness. Nothing is searched when subscriptions change. Each result remembers two generations and is stale when
// one of them has moved on:
//
//     literal   `a.b`     touches one subject: its result is found by key and freed
//     prefix    `a.*`     touches subjects that share the prefix: moves one of 256 generations, chosen by the hash of
//                         the prefix (so an inbox that comes and goes costs 1/256 of the cache)
//     others    `*.b` `>` move the generation of all
//
// Size. It begins with 32 slots and doubles when a set is full of fresh results, up to the limit of entries; bytes are
// limited to 512 for each of those, and no result may take more than an eighth of that. Doubling moves at most 64 Ki
// slots, by default 1024. A stale result stays until its slot is wanted or the budget is spent.
#include "server/router/rcache.h"

#include "server/base/assert.h"
#include "server/base/mem.h"

enum { FIRST_SLOTS = 32, SEEN_PER_SLOT = 4 };

void mg_rcache_init(struct mg_rcache *c, size_t max) {
    memset(c, 0, sizeof *c);
    if (max == 0) return;
    c->max = FIRST_SLOTS;
    while (c->max < max && c->max < MG_RCACHE_MAX)
        c->max *= 2;
}

void mg_rcache_fini(struct mg_rcache *c) {
    for (size_t i = 0; i < c->nslots; i++)
        mg_free(c->slots[i].r);
    mg_free(c->slots);
    mg_free(c->seen);
    mg_free(c->prefix_gen);
    memset(c, 0, sizeof *c);
}

static struct mg_rslot *set_of(struct mg_rslot *slots, size_t nslots, uint64_t hash) {
    return &slots[hash & (nslots - MG_RCACHE_WAYS)];
}

// A set splits into two when the table doubles, so every result finds room.
static void resize(struct mg_rcache *c, size_t nslots) {
    struct mg_rslot *slots = mg_zalloc(nslots * sizeof *slots);
    for (size_t i = 0; i < c->nslots; i++) {
        if (c->slots[i].r == NULL) continue;
        struct mg_rslot *s = set_of(slots, nslots, c->slots[i].hash);
        while (s->r != NULL)
            s++;
        *s = c->slots[i];
    }
    mg_free(c->slots);
    mg_free(c->seen);
    c->slots = slots;
    c->seen = mg_zalloc(nslots * SEEN_PER_SLOT * sizeof *c->seen);
    c->nslots = nslots;
    if (c->prefix_gen == NULL) c->prefix_gen = mg_zalloc(MG_RCACHE_BUCKETS * sizeof *c->prefix_gen);
}

static size_t budget(const struct mg_rcache *c) { return c->max * MG_RCACHE_BYTES; }

bool mg_rcache_admits(struct mg_rcache *c, uint64_t hash, size_t size) {
    if (c->max == 0 || size > budget(c) / 8) return false;
    if (c->slots == NULL) resize(c, FIRST_SLOTS);
    uint16_t *seen = &c->seen[(hash >> 24) & (c->nslots * SEEN_PER_SLOT - 1)];
    uint16_t tag = (uint16_t)(hash >> 48) | 1; // 0 means nothing seen
    if (*seen == tag) return true;
    *seen = tag;
    return false;
}

static void take_out(struct mg_rcache *c, struct mg_rslot *s, struct mg_rcached **out) {
    c->count--;
    c->bytes -= s->r->size;
    s->r->next = *out;
    *out = s->r;
    s->r = NULL;
}

// The slot for a new result: a free one, or that of the same subject, or of a stale result, else NULL.
static struct mg_rslot *find_room(struct mg_rcache *c, uint64_t hash, const struct mg_rcached *r) {
    struct mg_rslot *set = set_of(c->slots, c->nslots, hash), *room = NULL;
    for (int i = 0; i < MG_RCACHE_WAYS; i++) {
        const struct mg_rcached *old = set[i].r;
        bool same = old != NULL && set[i].hash == hash && old->subject_len == r->subject_len &&
                    memcmp(old->subject, r->subject, r->subject_len) == 0;
        if (same) return &set[i];
        if (old == NULL || !mg_rcache_fresh(c, old)) room = &set[i];
    }
    return room;
}

struct mg_rcached *mg_rcache_put(struct mg_rcache *c, uint64_t hash, uint64_t prefix_hash, struct mg_rcached *r) {
    struct mg_rcached *out = NULL;
    mg_assert(c->slots != NULL && r->size <= budget(c) / 8);
    struct mg_rslot *s = find_room(c, hash, r);
    if (s == NULL && c->nslots < c->max) {
        resize(c, c->nslots * 2);
        s = find_room(c, hash, r);
    }
    if (s == NULL) s = set_of(c->slots, c->nslots, hash) + (c->hand++ % MG_RCACHE_WAYS);
    if (s->r != NULL) take_out(c, s, &out);
    while (c->bytes + r->size > budget(c)) {
        struct mg_rslot *victim = &c->slots[c->hand++ & (c->nslots - 1)];
        if (victim->r != NULL) take_out(c, victim, &out);
    }
    r->next = NULL;
    r->bucket = prefix_hash % MG_RCACHE_BUCKETS;
    r->wild_gen = c->wild_gen;
    r->prefix_gen = c->prefix_gen[r->bucket];
    *s = (struct mg_rslot){hash, r};
    c->count++;
    c->bytes += r->size;
    return out;
}

void mg_rcache_drop(struct mg_rcache *c, uint64_t hash, mg_slice subject) {
    struct mg_rcached *r = mg_rcache_get(c, hash, subject), *out = NULL;
    if (r == NULL) return;
    struct mg_rslot *s = set_of(c->slots, c->nslots, hash);
    while (s->r != r)
        s++;
    take_out(c, s, &out);
    mg_free(out);
}

void mg_rcache_stale_prefix(struct mg_rcache *c, uint64_t prefix_hash) {
    if (c->count > 0) c->prefix_gen[prefix_hash % MG_RCACHE_BUCKETS]++;
}

void mg_rcache_stale_all(struct mg_rcache *c) {
    if (c->count > 0) c->wild_gen++;
}
