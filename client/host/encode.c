// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/host/encode.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static char symbol(uint32_t six, bool url) {
    six &= 63;
    if (six < 62) return alphabet[six];
    return six == 62 ? (url ? '-' : '+') : (url ? '_' : '/');
}

void mgc_base64_encode(const void *data, size_t n, bool url, char *out) {
    const uint8_t *p = data;
    for (; n >= 3; p += 3, n -= 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (unsigned i = 0; i < 4; i++) *out++ = symbol(v >> (18 - 6 * i), url);
    }
    if (!n) return;
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    out[0] = symbol(v >> 18, url);
    out[1] = symbol(v >> 12, url);
    out[2] = n == 2 ? symbol(v >> 6, url) : '=';
    out[3] = '=';
}

static int value_of(char c) {
    if (c == '-' || c == '+') return 62;
    if (c == '_' || c == '/') return 63;
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

int64_t mgc_base64_decode(midge_str text, void *out) {
    uint8_t *to = out;
    int64_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    if (text.n % 4 == 0 && text.n) { // padding is only there
        if (text.p[text.n - 1] == '=') text.n--;
        if (text.p[text.n - 1] == '=') text.n--;
    }
    if (text.n % 4 == 1) return -1;
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of(text.p[i]);
        if (v < 0) return -1;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        to[n++] = (uint8_t)(bits >> have);
    }
    return n;
}

// The engine's inboxes are unique already; hashed they have the form of a NUID and tell nothing about the inbox.
void mgc_nuid(midge *m, char out[23]) {
    char inbox[MIDGE_INBOX_MAX + 1];
    int n = midge_inbox(m, inbox, sizeof inbox);
    uint8_t digest[32];
    mgc_sha256 h;
    mgc_sha256_init(&h);
    mgc_sha256_update(&h, inbox, n > 0 ? (size_t)n : 0);
    mgc_sha256_final(&h, digest);
    for (int i = 0; i < 22; i++) out[i] = alphabet[digest[i] % 62];
    out[22] = '\0';
}
