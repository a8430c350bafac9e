// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Memory that is freed at once: the results of an operation. An arena of zeros is empty.
#ifndef MGC_HOST_ARENA_H
#define MGC_HOST_ARENA_H

#include "client/core/midge.h"

typedef struct mgc_arena {
    struct mgc_arena_block *blocks;
    bool failed; // sticky: malloc returned NULL
} mgc_arena;

// Zeroed, aligned for everything; NULL: out of memory.
void *mgc_arena_alloc(mgc_arena *a, size_t size);
// An array that may grow: gives room for one more element of `size` bytes, zeroed. *items is moved when `len` is a
// power of two, so pointers into it hold only until the next call.
void *mgc_arena_push(mgc_arena *a, void *items, size_t *len, size_t size);
// A copy, terminated by a NUL that is not counted. MIDGE_NONE: s is empty, or out of memory.
midge_str mgc_arena_dup(mgc_arena *a, midge_str s);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
midge_str mgc_arena_format(mgc_arena *a, const char *format, ...);
void mgc_arena_free(mgc_arena *a);

#endif
