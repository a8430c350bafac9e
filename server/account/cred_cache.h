// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Remembers which (bcrypt hash, password) pairs were verified, so that a client that reconnects does not cost 100 ms of
// CPU again. Only a keyed digest is kept, never the password. Bounded; owned by one shard; dropped at reload.
#ifndef MG_ACCOUNT_CRED_CACHE_H
#define MG_ACCOUNT_CRED_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/slice.h"

#define MG_CRED_KEY 32

struct mg_cred_cache;

struct mg_cred_cache *mg_cred_cache_new(const uint8_t key[MG_CRED_KEY]); // key: random bytes
void mg_cred_cache_free(struct mg_cred_cache *c);                        // NULL is fine; wipes
void mg_cred_cache_clear(struct mg_cred_cache *c);

bool mg_cred_cache_has(const struct mg_cred_cache *c, mg_slice hash, mg_slice password);
void mg_cred_cache_add(struct mg_cred_cache *c, mg_slice hash, mg_slice password); // call only after a success

#endif
