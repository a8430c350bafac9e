// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reply subjects by name (a chained hash table that doubles) and by age (a list, oldest first; every entry has the same
// life time, so the list is sorted by expiry as well).
//
// The reference sweeps its table now and then and only at delivery. Nobody can tell that apart from what happens here:
// an entry goes at the use that exhausts it, and entries that are too old go from the front of the list at each
// delivery, which costs O(1) per entry ever made. What differs is the bound: the reference has none.
//
// What always holds: an entry is in one bucket and in the list; `bytes` is the sum of the text lengths.
#include "server/account/responses.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server/base/assert.h"
#include "server/base/list.h"
#include "server/base/mem.h"

#define BUCKETS_MIN 16 // a power of two

struct entry {
    struct mg_list age;
    struct entry *next; // in the bucket
    uint64_t hash;
    uint64_t since_ns; // delivery of the message
    int64_t uses;
    size_t len;
    char text[];
};

struct mg_responses {
    struct mg_resp_limits lim;
    uint64_t seed;
    struct mg_list ages;
    struct entry **buckets;
    size_t nbuckets, count, bytes;
};

struct mg_responses *mg_responses_new(const struct mg_resp_limits *lim, uint64_t seed) {
    struct mg_responses *r = mg_zalloc(sizeof *r);
    r->lim = *lim;
    r->seed = seed;
    r->nbuckets = BUCKETS_MIN;
    r->buckets = mg_zalloc(r->nbuckets * sizeof r->buckets[0]);
    mg_list_init(&r->ages);
    return r;
}

size_t mg_responses_count(const struct mg_responses *r) { return r->count; }

static struct entry **bucket_of(struct mg_responses *r, uint64_t hash) { return &r->buckets[hash & (r->nbuckets - 1)]; }

// The link that points to the entry, or to NULL at the end of its bucket.
static struct entry **find(struct mg_responses *r, mg_slice s, uint64_t hash) {
    struct entry **at = bucket_of(r, hash);
    while (*at && !((*at)->hash == hash && mg_slice_eq(mg_slice_of((*at)->text, (*at)->len), s))) at = &(*at)->next;
    return at;
}

static void drop(struct mg_responses *r, struct entry **at) {
    struct entry *e = *at;
    mg_assert(r->count > 0 && r->bytes >= e->len);
    *at = e->next;
    mg_list_remove(&e->age);
    r->count--;
    r->bytes -= e->len;
    mg_free(e);
}

static struct entry *oldest(struct mg_responses *r) { return mg_container_of(r->ages.next, struct entry, age); }

static void drop_oldest(struct mg_responses *r) {
    struct entry *e = oldest(r);
    struct entry **at = bucket_of(r, e->hash);
    while (*at != e) at = &(*at)->next;
    drop(r, at);
}

void mg_responses_free(struct mg_responses *r) {
    if (r == NULL) return;
    while (!mg_list_empty(&r->ages)) drop_oldest(r);
    mg_free(r->buckets);
    mg_free(r);
}

static bool expired(const struct mg_responses *r, const struct entry *e, uint64_t now) {
    return r->lim.expires_ns > 0 && now - e->since_ns > (uint64_t)r->lim.expires_ns;
}

static void grow(struct mg_responses *r) {
    size_t old = r->nbuckets;
    struct entry **from = r->buckets;
    r->nbuckets = old * 2;
    r->buckets = mg_zalloc(r->nbuckets * sizeof r->buckets[0]);
    for (size_t i = 0; i < old; i++) {
        for (struct entry *e = from[i], *next; e; e = next) {
            next = e->next;
            struct entry **at = bucket_of(r, e->hash);
            e->next = *at;
            *at = e;
        }
    }
    mg_free(from);
}

void mg_responses_track(struct mg_responses *r, mg_slice reply, uint64_t now_ns) {
    if (reply.n == 0 || reply.n > MG_RESPONSES_MAX_BYTES) return;
    uint64_t hash = XXH3_64bits_withSeed(reply.p, reply.n, r->seed);
    struct entry **at = find(r, reply, hash);
    if (*at) drop(r, at);
    while (!mg_list_empty(&r->ages) && expired(r, oldest(r), now_ns)) drop_oldest(r);
    while (r->count >= MG_RESPONSES_MAX || r->bytes + reply.n > MG_RESPONSES_MAX_BYTES) drop_oldest(r);
    if (r->count >= r->nbuckets) grow(r);

    struct entry *e = mg_alloc(sizeof *e + reply.n);
    *e = (struct entry){.hash = hash, .since_ns = now_ns, .len = reply.n};
    memcpy(e->text, reply.p, reply.n);
    at = bucket_of(r, hash);
    e->next = *at;
    *at = e;
    mg_list_push_back(&r->ages, &e->age);
    r->count++;
    r->bytes += reply.n;
}

bool mg_responses_allow(struct mg_responses *r, mg_slice subject, uint64_t now_ns) {
    if (r->count == 0 || subject.n == 0) return false;
    struct entry **at = find(r, subject, XXH3_64bits_withSeed(subject.p, subject.n, r->seed));
    if (*at == NULL) return false;
    if (expired(r, *at, now_ns)) {
        drop(r, at);
        return false;
    }
    (*at)->uses++;
    if (r->lim.max > 0 && (*at)->uses >= r->lim.max) drop(r, at); // this was the last one
    return true;
}
