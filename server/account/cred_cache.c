// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/cred_cache.h"

#include <sodium.h>

#include "server/base/mem.h"

#define SETS 512 // a power of two
#define WAYS 2   // the older of two gives way: a client that comes back often stays

struct digest {
    uint8_t b[crypto_generichash_BYTES]; // all zero: empty
};

struct mg_cred_cache {
    uint8_t key[MG_CRED_KEY];
    struct digest sets[SETS][WAYS]; // [0] is the newer; 32 KB in all
};

struct mg_cred_cache *mg_cred_cache_new(const uint8_t key[MG_CRED_KEY]) {
    struct mg_cred_cache *c = mg_zalloc(sizeof *c);
    memcpy(c->key, key, sizeof c->key);
    return c;
}

void mg_cred_cache_free(struct mg_cred_cache *c) {
    if (c == NULL) return;
    sodium_memzero(c, sizeof *c);
    mg_free(c);
}

void mg_cred_cache_clear(struct mg_cred_cache *c) { memset(c->sets, 0, sizeof c->sets); }

// The length goes first, so that no other split of the same bytes has this digest.
static struct digest digest_of(const struct mg_cred_cache *c, mg_slice hash, mg_slice password) {
    struct digest d;
    uint64_t n = hash.n;
    crypto_generichash_state st;
    crypto_generichash_init(&st, c->key, sizeof c->key, sizeof d.b);
    crypto_generichash_update(&st, (const uint8_t *)&n, sizeof n);
    crypto_generichash_update(&st, (const uint8_t *)hash.p, hash.n);
    crypto_generichash_update(&st, (const uint8_t *)password.p, password.n);
    crypto_generichash_final(&st, d.b, sizeof d.b);
    return d;
}

static size_t set_of(const struct digest *d) { return (d->b[0] | (size_t)d->b[1] << 8) & (SETS - 1); }

static bool equal(const struct digest *a, const struct digest *b) {
    return sodium_memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool mg_cred_cache_has(const struct mg_cred_cache *c, mg_slice hash, mg_slice password) {
    struct digest d = digest_of(c, hash, password);
    const struct digest *set = c->sets[set_of(&d)];
    return equal(&set[0], &d) || equal(&set[1], &d);
}

void mg_cred_cache_add(struct mg_cred_cache *c, mg_slice hash, mg_slice password) {
    struct digest d = digest_of(c, hash, password);
    struct digest *set = c->sets[set_of(&d)];
    if (equal(&set[0], &d)) return;
    set[1] = set[0];
    set[0] = d;
}
