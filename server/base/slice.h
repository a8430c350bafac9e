// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A slice: bytes that somebody else owns. Not NUL-terminated. Passed by value. {NULL, 0} is the empty slice.
#ifndef MG_BASE_SLICE_H
#define MG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct mg_slice {
    const char *p;
    size_t n;
} mg_slice;

// A slice over a string literal.
#define MG_S(lit) ((mg_slice){"" lit, sizeof(lit) - 1})

static inline mg_slice mg_slice_of(const char *p, size_t n) { return (mg_slice){p, n}; }
static inline mg_slice mg_cstr(const char *s) { return (mg_slice){s, s ? strlen(s) : 0}; }
static inline bool mg_slice_eq(mg_slice a, mg_slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
// Bytewise; of two that begin alike the shorter one comes first.
static inline int mg_slice_cmp(mg_slice a, mg_slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}
static inline bool mg_slice_starts(mg_slice s, mg_slice prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

#endif
