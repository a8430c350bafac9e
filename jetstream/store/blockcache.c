// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Each part is a chained hash table and a list in order of use, both intrusive. The cache holds one reference to each
// of its blocks. What always holds: a part's bytes are the sum of its blocks and at most its share of the capacity.
#include "jetstream/store/blockcache.h"

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/shard/mutex.h"

enum { PARTS = 16, BUCKET_BYTES = 8192 };

struct part {
    struct mg_mutex lock; // guards all below
    struct mg_list recent; // oldest first
    struct mg_block **buckets;
    size_t bytes, blocks;
    uint64_t hits, misses, evictions;
};

struct mg_blockcache {
    size_t capacity, nbuckets; // of a part; nbuckets is a power of two
    struct part parts[PARTS];
};

struct mg_block *mg_block_new(uint64_t file, uint64_t at, uint32_t length) {
    struct mg_block *b = mg_alloc(sizeof *b + length);
    *b = (struct mg_block){.file = file, .at = at, .length = length};
    mg_list_init(&b->recent);
    atomic_init(&b->refs, 1);
    return b;
}

struct mg_block *mg_block_ref(struct mg_block *b) {
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void mg_block_unref(struct mg_block *b) {
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mg_free(b);
}

static uint64_t hash(uint64_t file, uint64_t at) {
    uint64_t h = (file ^ (at >> 3) * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    return h * 0x9E3779B97F4A7C15u;
}

static size_t cost(const struct mg_block *b) { return sizeof *b + b->length; }

struct mg_blockcache *mg_blockcache_new(size_t capacity_bytes) {
    struct mg_blockcache *c = mg_zalloc(sizeof *c);
    c->capacity = capacity_bytes / PARTS;
    c->nbuckets = 16;
    while (c->nbuckets < c->capacity / BUCKET_BYTES)
        c->nbuckets *= 2;
    for (size_t i = 0; i < PARTS; i++) {
        mg_mutex_init(&c->parts[i].lock);
        mg_list_init(&c->parts[i].recent);
        c->parts[i].buckets = mg_zalloc(c->nbuckets * sizeof *c->parts[i].buckets);
    }
    return c;
}

static struct part *part_of(struct mg_blockcache *c, uint64_t h) { return &c->parts[h >> 60]; }

// Where the pointer to the block is or would be.
static struct mg_block **slot(struct mg_blockcache *c, struct part *p, uint64_t h, uint64_t file, uint64_t at) {
    struct mg_block **s = &p->buckets[(h >> 20) & (c->nbuckets - 1)];
    while (*s && ((*s)->file != file || (*s)->at != at))
        s = &(*s)->chain;
    return s;
}

static void take_out(struct part *p, struct mg_block **s) {
    struct mg_block *b = *s;
    *s = b->chain;
    mg_list_remove(&b->recent);
    p->bytes -= cost(b);
    p->blocks--;
    mg_block_unref(b);
}

struct mg_block *mg_blockcache_get(struct mg_blockcache *c, uint64_t file, uint64_t at) {
    uint64_t h = hash(file, at);
    struct part *p = part_of(c, h);
    mg_mutex_lock(&p->lock);
    struct mg_block *b = *slot(c, p, h, file, at);
    if (b) {
        p->hits++;
        mg_list_remove(&b->recent);
        mg_list_push_back(&p->recent, &b->recent);
        mg_block_ref(b);
    } else {
        p->misses++;
    }
    mg_mutex_unlock(&p->lock);
    return b;
}

void mg_blockcache_put(struct mg_blockcache *c, struct mg_block *b) {
    if (cost(b) > c->capacity) return;
    uint64_t h = hash(b->file, b->at);
    struct part *p = part_of(c, h);
    mg_mutex_lock(&p->lock);
    if (!*slot(c, p, h, b->file, b->at)) {
        while (p->bytes + cost(b) > c->capacity) {
            struct mg_block *old = mg_container_of(p->recent.next, struct mg_block, recent);
            take_out(p, slot(c, p, hash(old->file, old->at), old->file, old->at));
            p->evictions++;
        }
        struct mg_block **s = slot(c, p, h, b->file, b->at);
        b->chain = NULL;
        *s = mg_block_ref(b);
        mg_list_push_back(&p->recent, &b->recent);
        p->bytes += cost(b);
        p->blocks++;
    }
    mg_mutex_unlock(&p->lock);
}

static void drop_in(struct mg_blockcache *c, struct part *p, const uint64_t *file) {
    mg_mutex_lock(&p->lock);
    for (size_t i = 0; i < c->nbuckets; i++) {
        struct mg_block **s = &p->buckets[i];
        while (*s) {
            if (!file || (*s)->file == *file)
                take_out(p, s);
            else
                s = &(*s)->chain;
        }
    }
    mg_mutex_unlock(&p->lock);
}

void mg_blockcache_drop(struct mg_blockcache *c, uint64_t file) {
    for (size_t i = 0; i < PARTS; i++)
        drop_in(c, &c->parts[i], &file);
}

void mg_blockcache_free(struct mg_blockcache *c) {
    if (!c) return;
    for (size_t i = 0; i < PARTS; i++) {
        drop_in(c, &c->parts[i], NULL);
        mg_assert(c->parts[i].bytes == 0 && c->parts[i].blocks == 0);
        mg_mutex_fini(&c->parts[i].lock);
        mg_free(c->parts[i].buckets);
    }
    mg_free(c);
}

void mg_blockcache_stats(struct mg_blockcache *c, struct mg_blockcache_stats *out) {
    *out = (struct mg_blockcache_stats){0};
    for (size_t i = 0; i < PARTS; i++) {
        struct part *p = &c->parts[i];
        mg_mutex_lock(&p->lock);
        out->hits += p->hits;
        out->misses += p->misses;
        out->evictions += p->evictions;
        out->bytes += p->bytes;
        out->blocks += p->blocks;
        mg_mutex_unlock(&p->lock);
    }
}
