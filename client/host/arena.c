// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/host/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 - 64 };

struct mgc_arena_block {
    struct mgc_arena_block *next;
    size_t size, used;
    max_align_t bytes[];
};

void *mgc_arena_alloc(mgc_arena *a, size_t size) {
    if (size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct mgc_arena_block *b = a->blocks;
    if (!b || b->size - b->used < size) {
        size_t room = size > BLOCK / 4 ? size : BLOCK;
        struct mgc_arena_block *fresh = calloc(1, sizeof *fresh + room);
        if (!fresh) {
            a->failed = true;
            return NULL;
        }
        fresh->size = room;
        if (b && room == size) { // a large one: the block with room stays in front
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->blocks = fresh;
        }
        b = fresh;
    }
    void *p = (char *)b->bytes + b->used;
    b->used += size;
    return p;
}

void *mgc_arena_push(mgc_arena *a, void *items, size_t *len, size_t size) {
    size_t n = *len;
    if ((n & (n - 1)) == 0) { // full: 0, 1, 2, 4 ... elements. The old copy stays in the arena.
        if (n > SIZE_MAX / 4 / size) {
            a->failed = true;
            return NULL;
        }
        void *more = mgc_arena_alloc(a, size * (n ? 2 * n : 1));
        if (!more) return NULL;
        if (n) memcpy(more, items, n * size);
        items = more;
    }
    *len = n + 1;
    return items;
}

midge_str mgc_arena_dup(mgc_arena *a, midge_str s) {
    if (!s.n) return MIDGE_NONE;
    char *p = s.n < SIZE_MAX / 4 ? mgc_arena_alloc(a, s.n + 1) : NULL;
    if (!p) return MIDGE_NONE;
    memcpy(p, s.p, s.n);
    return (midge_str){p, s.n};
}

midge_str mgc_arena_format(mgc_arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : mgc_arena_alloc(a, (size_t)n + 1);
    if (p) vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p ? (midge_str){p, (size_t)n} : MIDGE_NONE;
}

void mgc_arena_free(mgc_arena *a) {
    for (struct mgc_arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (mgc_arena){0};
}
