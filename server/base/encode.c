// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/encode.h"

#include <sodium.h>

#include "server/base/errors.h"

#define STD sodium_base64_VARIANT_ORIGINAL
#define URL sodium_base64_VARIANT_URLSAFE_NO_PADDING

static size_t encode64(char *out, const uint8_t *p, size_t n, int variant) {
    sodium_bin2base64(out, sodium_base64_encoded_len(n, variant), p, n, variant);
    return strlen(out);
}

size_t mg_base64url_encode(char *out, const uint8_t *p, size_t n) { return encode64(out, p, n, URL); }

size_t mg_base64_encode(char *out, const uint8_t *p, size_t n) { return encode64(out, p, n, STD); }

static int decode64(mg_slice text, uint8_t *out, size_t cap, size_t *n, int variant) {
    *n = 0;
    if (text.n == 0) return MG_OK;
    if (text.n / 4 * 3 > cap + 2) return MG_ERANGE; // the library tells "too long" and "malformed" alike
    return sodium_base642bin(out, cap, text.p, text.n, NULL, n, NULL, variant) == 0 ? MG_OK : MG_ESYNTAX;
}

int mg_base64url_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n) {
    return decode64(text, out, cap, n, URL);
}

int mg_base64_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n) { return decode64(text, out, cap, n, STD); }

void mg_base62_digits(char *out, size_t n, uint64_t v) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t i = 0; i < n; i++, v /= 62) out[i] = digits[v % 62];
}

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

size_t mg_base32_encode(char *out, const uint8_t *p, size_t n) {
    size_t len = 0;
    unsigned acc = 0, bits = 0; // the low `bits` bits of acc are not written yet
    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8) | p[i];
        for (bits += 8; bits >= 5; bits -= 5) out[len++] = base32_digits[(acc >> (bits - 5)) & 31];
        acc &= (1u << bits) - 1;
    }
    if (bits > 0) out[len++] = base32_digits[(acc << (5 - bits)) & 31];
    out[len] = '\0';
    return len;
}

static int base32_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

int mg_base32_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n) {
    size_t len = 0;
    unsigned acc = 0, bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int v = base32_value(text.p[i]);
        if (v < 0) return MG_ESYNTAX;
        acc = (acc << 5) | (unsigned)v;
        bits += 5;
        if (bits < 8) continue;
        if (len == cap) return MG_ERANGE;
        bits -= 8;
        out[len++] = (uint8_t)(acc >> bits);
        acc &= (1u << bits) - 1;
    }
    // What is left must be less than a digit, and zero: otherwise no encoder wrote this.
    if (bits >= 5 || acc != 0) return MG_ESYNTAX;
    *n = len;
    return MG_OK;
}
