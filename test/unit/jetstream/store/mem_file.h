// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A file in memory for the tests and fuzzers of runs and segments, and a small generator of random numbers.
#ifndef MG_TEST_MEM_FILE_H
#define MG_TEST_MEM_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/frame.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct mem_file {
    uint8_t *p;
    size_t n, cap;
    bool broken;                // reads fail with MG_EIO
    uint64_t fail_at, fail_end; // reads that touch this range do
    size_t reads, read_bytes;
    bool full; // writes fail with MG_ENOSPC
};

static int mem_read(void *handle, void *p, size_t n, uint64_t at) {
    struct mem_file *f = handle;
    f->reads++;
    f->read_bytes += n;
    if (f->broken || (at < f->fail_end && f->fail_at < at + n)) return MG_EIO;
    if (at > f->n || n > f->n - at) return MG_EEOF;
    memcpy(p, f->p + at, n);
    return MG_OK;
}

static int mem_write(void *handle, const void *p, size_t n, uint64_t at) {
    struct mem_file *f = handle;
    if (f->full) return MG_ENOSPC;
    mg_assert(at == f->n && at % MG_WRITER_ALIGN == 0 && n % MG_WRITER_ALIGN == 0);
    if (f->cap < at + n) {
        f->cap = (at + n) * 2;
        f->p = mg_realloc(f->p, f->cap);
    }
    memcpy(f->p + at, p, n);
    f->n = at + n;
    return MG_OK;
}

static const struct mg_blob_ops mem_ops = {mem_read, mem_write, NULL, NULL};

static inline struct mg_blob mem_blob(struct mem_file *f) { return (struct mg_blob){&mem_ops, f}; }

static inline void mem_free(struct mem_file *f) {
    mg_free(f->p);
    *f = (struct mem_file){0};
}

// ---- random numbers (splitmix64)

static inline uint64_t rnd(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}
static inline uint32_t rnd_to(uint64_t *state, uint32_t n) { return (uint32_t)(rnd(state) % n); }

// MG_TEST_SEED or a fixed one, printed when a test fails (cmocka shows the output of one that does).
static inline uint64_t test_seed(void) {
    const char *text = getenv("MG_TEST_SEED");
    return text ? strtoull(text, NULL, 0) : 20261121;
}

#endif
