// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text of keys: base32 of prefix, 32 bytes and a CRC-16. A public user key has one prefix byte ("U"), a seed two: five
// bits "S", then the eight bits of the kind of key.
#include "client/core/internal.h"

enum { PREFIX_SEED = 18 << 3, PREFIX_USER = 20 << 3, KEY = 32, SEED_LETTERS = 58 };

// CRC-16/XMODEM
static uint16_t crc16(const uint8_t *p, size_t n) {
    uint32_t crc = 0;
    while (n--) {
        crc ^= (uint32_t)*p++ << 8;
        for (int bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

int midge_seed_decode(midge_str seed, uint8_t out[32]) {
    uint8_t raw[2 + KEY + 2];
    uint32_t bits = 0, have = 0;
    size_t n = 0;
    if (seed.n != SEED_LETTERS) return MIDGE_EINVAL;
    for (size_t i = 0; i < seed.n; i++) {
        char c = seed.p[i];
        bool letter = c >= 'A' && c <= 'Z';
        if (!letter && !(c >= '2' && c <= '7')) return MIDGE_EINVAL;
        bits = bits << 5 | (uint32_t)(letter ? c - 'A' : c - '2' + 26);
        have += 5;
        if (have < 8) continue;
        have -= 8;
        raw[n++] = (uint8_t)(bits >> have);
    }
    uint16_t crc = crc16(raw, 2 + KEY);
    bool good = raw[0] == (PREFIX_SEED | PREFIX_USER >> 5) && raw[1] == (uint8_t)(PREFIX_USER << 3) &&
                raw[2 + KEY] == (uint8_t)crc && raw[3 + KEY] == crc >> 8;
    if (good) memcpy(out, raw + 2, KEY);
    volatile uint8_t *wipe = raw; // the seed is secret
    for (size_t i = 0; i < sizeof(raw); i++) wipe[i] = 0;
    return good ? 0 : MIDGE_EINVAL;
}

void midge_nkey_encode(const uint8_t public_key[32], char out[57]) {
    uint8_t raw[1 + KEY + 2] = {PREFIX_USER};
    memcpy(raw + 1, public_key, KEY);
    uint16_t crc = crc16(raw, 1 + KEY);
    raw[1 + KEY] = (uint8_t)crc;
    raw[2 + KEY] = (uint8_t)(crc >> 8);
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < sizeof(raw); i++) {
        bits = bits << 8 | raw[i];
        for (have += 8; have >= 5;) {
            have -= 5;
            uint32_t five = bits >> have & 31;
            *out++ = (char)(five < 26 ? 'A' + five : '2' + five - 26);
        }
    }
    *out = '\0'; // 35 bytes are 56 letters, none is left
}
