// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef MG_BASE_UTF8_H
#define MG_BASE_UTF8_H

#include <stddef.h>

// Length of the valid UTF-8 sequence at p (1..4), or 0 if the bytes are not valid UTF-8. n > 0 bytes are readable.
static inline size_t mg_utf8_len(const char *s, size_t n) {
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (n < want) return 0;
    for (size_t i = 1; i < want; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0; // overlong
    if (p[0] == 0xed && p[1] >= 0xa0) return 0; // surrogate
    if (p[0] == 0xf0 && p[1] < 0x90) return 0; // overlong
    if (p[0] == 0xf4 && p[1] >= 0x90) return 0; // above U+10FFFF
    return want;
}

#endif
