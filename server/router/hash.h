// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The router's keyed hash. The seed is random per process, so that nobody outside can choose subjects that collide.
#ifndef MG_ROUTER_HASH_H
#define MG_ROUTER_HASH_H

#include <stdint.h>

#define XXH_INLINE_ALL // subjects are short: a call would cost more than the hash
#include <xxhash.h>

#include "server/base/slice.h"

static inline uint64_t mg_hash(mg_slice s, uint64_t seed) { return XXH3_64bits_withSeed(s.p, s.n, seed); }

// Combines a hash with a number (an address); both ends of the result are well mixed.
static inline uint64_t mg_hash_mix(uint64_t h, uint64_t x) {
    h ^= x * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ (h >> 32);
}

#endif
