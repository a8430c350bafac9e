// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inbox subjects: unique because the engine's random bits are.
#include "client/core/internal.h"

char *mgc_put_letters(char *p, uint32_t n, size_t letters) {
    for (; letters--; n >>= 6) *p++ = mgc_alphabet[n & 63];
    return p;
}

char *mgc_inbox(midge *m, char *out) {
    midge_str prefix = m->config.inbox_prefix;
    char *p = (char *)mgc_put_str((uint8_t *)out, prefix);
    *p++ = '.';
    for (size_t n = MGC_ID_LEN; n;) { // five letters from 32 random bits
        size_t some = n < 5 ? n : 5;
        p = mgc_put_letters(p, mgc_random(m), some);
        n -= some;
    }
    return p;
}

int midge_inbox(midge *m, char *out, size_t size) {
    size_t n = m->config.inbox_prefix.n + 1 + MGC_ID_LEN;
    if (size <= n) return MIDGE_ETOOLARGE;
    *mgc_inbox(m, out) = '\0';
    return (int)n;
}
