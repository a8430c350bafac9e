// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A blocked Bloom filter: an array of 64-byte lines; all probes of a key fall into one line, so a question costs one
// cache miss and a filter may be cut into pages at line boundaries. 14 bits a key and 6 probes: about 0.4 % of the
// keys that are not there are said to be "maybe" there; a key that is there is never denied.
//
//   hash   63 .......... 32 | 31 .......... 0
//          which line       | the probes: multiply, take the 9 highest bits
#ifndef MG_STORE_BLOOM_H
#define MG_STORE_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL // keys are short: a call would cost more than the hash
#include <xxhash.h>

#include "server/base/slice.h"

enum { MG_BLOOM_LINE = 64, MG_BLOOM_BITS_PER_KEY = 14, MG_BLOOM_PROBES = 6 };

// The seed is the store's salt: nobody outside can choose keys that make a filter useless.
static inline uint64_t mg_bloom_hash(mg_slice key, uint64_t seed) { return XXH3_64bits_withSeed(key.p, key.n, seed); }

// Lines for a number of keys; at least 1.
static inline uint32_t mg_bloom_lines(uint32_t keys) {
    uint64_t bits = (uint64_t)keys * MG_BLOOM_BITS_PER_KEY;
    uint64_t lines = (bits + MG_BLOOM_LINE * 8 - 1) / (MG_BLOOM_LINE * 8);
    return lines ? (uint32_t)lines : 1;
}

// The line of a hash in a filter of n lines.
static inline uint32_t mg_bloom_line(uint64_t hash, uint32_t n) { return (uint32_t)(((hash >> 32) * n) >> 32); }

static inline void mg_bloom_add_to_line(uint8_t *line, uint64_t hash) {
    uint32_t h = (uint32_t)hash;
    for (int i = 0; i < MG_BLOOM_PROBES; i++, h *= 0x9E3779B9u)
        line[h >> 26] = (uint8_t)(line[h >> 26] | (1u << ((h >> 23) & 7)));
}

static inline bool mg_bloom_maybe_in_line(const uint8_t *line, uint64_t hash) {
    uint32_t h = (uint32_t)hash;
    for (int i = 0; i < MG_BLOOM_PROBES; i++, h *= 0x9E3779B9u)
        if (!(line[h >> 26] & (1u << ((h >> 23) & 7)))) return false;
    return true;
}

static inline void mg_bloom_add(uint8_t *lines, uint32_t n, uint64_t hash) {
    mg_bloom_add_to_line(lines + (size_t)mg_bloom_line(hash, n) * MG_BLOOM_LINE, hash);
}

static inline bool mg_bloom_maybe(const uint8_t *lines, uint32_t n, uint64_t hash) {
    return mg_bloom_maybe_in_line(lines + (size_t)mg_bloom_line(hash, n) * MG_BLOOM_LINE, hash);
}

#endif
