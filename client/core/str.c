// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Small words that all files use: numbers without division, since a Cortex-M0 has none, and text.
#include "client/core/internal.h"

const char mgc_alphabet[64] = {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
                               'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
                               'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
                               'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_'};

midge_str midge_cstr(const char *s) {
    size_t n = 0;
    if (s)
        while (s[n]) n++;
    return (midge_str){s, n};
}

#ifdef MIDGE_FREESTANDING
const void *mgc_find(const void *s, char c, size_t n) {
    for (const char *p = s; n--; p++)
        if (*p == c) return p;
    return NULL;
}
#endif

// In pieces that do not overlap.
void mgc_down(uint8_t *to, const uint8_t *from, size_t n) {
    size_t gap = (size_t)(from - to);
    while (n && gap) {
        size_t some = n < gap ? n : gap;
        to = mgc_put(to, to + gap, some);
        n -= some;
    }
}

uint8_t *mgc_put(uint8_t *p, const void *s, size_t n) {
    if (n) memcpy(p, s, n);
    return p + n;
}

uint8_t *mgc_put_str(uint8_t *p, midge_str s) { return mgc_put(p, s.p, s.n); }

uint8_t *mgc_put_u32(uint8_t *p, uint32_t n) {
    static const uint32_t places[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10};
    size_t i = n < 1000 ? 7 : n < 100000 ? 5 : 0;
    while (i < 9 && n < places[i]) i++;
    for (; i < 9; i++) {
        uint8_t digit = '0';
        for (; n >= places[i]; n -= places[i]) digit++;
        *p++ = digit;
    }
    *p++ = (uint8_t)('0' + n);
    return p;
}

int32_t mgc_get_u31(const uint8_t *p, size_t n) {
    uint32_t value = 0;
    if (!n) return -1;
    for (size_t i = 0; i < n; i++) {
        uint32_t digit = (uint32_t)p[i] - '0';
        if (digit > 9 || value > MGC_U31_MAX / 10) return -1;
        value = value * 10 + digit;
    }
    return (int32_t)value;
}

// Without the multiplication of 64 bits that small processors call a function for.
bool mgc_digit(uint64_t *n, char c) {
    uint32_t digit = (uint32_t)((uint8_t)c - '0');
    if (digit > 9) return false;
    uint32_t low = ((uint32_t)*n & 0xffff) * 10 + digit, middle = ((uint32_t)*n >> 16) * 10 + (low >> 16);
    uint32_t high = (uint32_t)(*n >> 32) * 10 + (middle >> 16);
    *n = (uint64_t)high << 32 | (middle << 16 | (low & 0xffff));
    return true;
}

bool mgc_same(midge_str a, midge_str b) {
    size_t n = a.n;
    if (n != b.n) return false;
    while (n && a.p[n - 1] == b.p[n - 1]) n--;
    return !n;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

bool mgc_begins(midge_str s, const char *words) {
    for (size_t i = 0; words[i]; i++)
        if (i >= s.n || lower(s.p[i]) != words[i]) return false;
    return true;
}

// spec/client-protocol.md A8: no empty token, nothing that separates, `>` last. A wildcard is a token of its own.
bool mgc_subject_ok(midge_str s, bool wildcards) {
    char before = '.';
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if ((unsigned char)c <= ' ' || c == 0x7f) return false;
        if (before == '.') {
            bool alone = i + 1 == s.n || s.p[i + 1] == '.';
            if (c == '.') return false;
            if (alone && (c == '*' || c == '>') && (!wildcards || (c == '>' && i + 1 < s.n))) return false;
        }
        before = c;
    }
    return before != '.'; // so is an empty subject
}
