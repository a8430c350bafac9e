// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Heap allocation that does not return NULL. Sizes that come from outside are bounded before they reach these, so
// exhaustion here means that the machine is out of memory: one line is printed and the process aborts.
#ifndef MG_BASE_MEM_H
#define MG_BASE_MEM_H

#include <stddef.h>
#include "server/base/slice.h"

// For a program with shards, before its first thread: the heap must not shrink and grow with every turn, nor may many
// small blocks be joined in one long pause.
void mg_heap_setup(void);
// Behind a slice of a lot that is freed: some heaps (glibc's) sort it when they are asked for something large, all of
// it in one go. They are asked here.
void mg_heap_settle(void);

void *mg_alloc(size_t size);              // uninitialized
void *mg_zalloc(size_t size);             // zeroed
void *mg_realloc(void *p, size_t size);   // as realloc
void mg_free(void *p);                    // NULL is fine
char *mg_strndup(const char *p, size_t n); // NUL-terminated copy
char *mg_strdup(const char *s);           // NULL gives NULL
static inline char *mg_slice_dup(mg_slice s) { return mg_strndup(s.p, s.n); }

#endif
