// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// SHA-256 (FIPS 180-4), for the digests of objects (ADR-20). Not for secrets: it does not wipe what it leaves behind.
#include "client/host/encode.h"

#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

void mgc_sha256_init(mgc_sha256 *h) {
    *h = (mgc_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                                0x5be0cd19}};
}

static uint32_t rotate(uint32_t v, unsigned bits) {
    return v >> bits | v << (32 - bits);
}

static uint32_t load(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

// One round; the next one is given the words one place on, so that none has to move.
static inline void round_of(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f, uint32_t g,
                            uint32_t *h, uint32_t add) {
    uint32_t t = *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + add;
    *d += t;
    *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

static void compress(uint32_t state[8], const uint8_t block[64]) {
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++) w[i] = load(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3);
        w[i] += w[i - 7] + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 64; i += 8) {
        round_of(a, b, c, &d, e, f, g, &h, constants[i] + w[i]);
        round_of(h, a, b, &c, d, e, f, &g, constants[i + 1] + w[i + 1]);
        round_of(g, h, a, &b, c, d, e, &f, constants[i + 2] + w[i + 2]);
        round_of(f, g, h, &a, b, c, d, &e, constants[i + 3] + w[i + 3]);
        round_of(e, f, g, &h, a, b, c, &d, constants[i + 4] + w[i + 4]);
        round_of(d, e, f, &g, h, a, b, &c, constants[i + 5] + w[i + 5]);
        round_of(c, d, e, &f, g, h, a, &b, constants[i + 6] + w[i + 6]);
        round_of(b, c, d, &e, f, g, h, &a, constants[i + 7] + w[i + 7]);
    }
    const uint32_t sum[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += sum[i];
}

void mgc_sha256_update(mgc_sha256 *h, const void *data, size_t n) {
    const uint8_t *p = data;
    size_t have = h->length % 64;
    h->length += n;
    if (have) {
        size_t take = 64 - have < n ? 64 - have : n;
        memcpy(h->block + have, p, take);
        if (have + take < 64) return;
        compress(h->state, h->block);
        p += take;
        n -= take;
    }
    for (; n >= 64; p += 64, n -= 64) compress(h->state, p);
    if (n) memcpy(h->block, p, n);
}

void mgc_sha256_final(mgc_sha256 *h, uint8_t out[32]) {
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = h->length * 8;
    uint8_t length[8];
    store(length, (uint32_t)(bits >> 32));
    store(length + 4, (uint32_t)bits);
    mgc_sha256_update(h, padding, 1 + (119 - h->length % 64) % 64);
    mgc_sha256_update(h, length, sizeof length);
    for (int i = 0; i < 8; i++) store(out + 4 * i, h->state[i]);
}
