// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "server/base/assert.h"

#define LARGE (64u * 1024)

_Noreturn void mg_assert_failed(const char *expr, const char *file, int line) {
    fprintf(stderr, "midge: assertion failed: %s (%s:%d)\n", expr, file, line);
    abort();
}

void mg_heap_setup(void) {
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_TOP_PAD, 256 << 10);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_MXFAST, 0);
    mallopt(M_ARENA_MAX, 4);
#endif
}

static void *must(void *p, size_t size) {
    if (MG_UNLIKELY(p == NULL && size != 0)) {
        fprintf(stderr, "midge: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

void mg_heap_settle(void) {
    void *volatile p = malloc(LARGE);
    free(p);
}

void *mg_alloc(size_t size) { return must(malloc(size), size); }
void *mg_zalloc(size_t size) { return must(calloc(1, size), size); }
void *mg_realloc(void *p, size_t size) { return must(realloc(p, size), size); }
void mg_free(void *p) { free(p); }

char *mg_strndup(const char *p, size_t n) {
    char *s = mg_alloc(n + 1);
    if (n) memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

char *mg_strdup(const char *s) { return s ? mg_strndup(s, strlen(s)) : NULL; }
