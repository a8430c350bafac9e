// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The rows of store_bench.
#ifndef MG_BENCH_STORE_ROWS_H
#define MG_BENCH_STORE_ROWS_H

#include <stdbool.h>

struct bench {
    const char *dir; // of the store; not there before and after a row
    bool quick;      // a rough look in a few seconds
};

void row_append(const struct bench *b);   // rows_append.c
void row_subjects(const struct bench *b);
void row_one(const struct bench *b);
void row_streams(const struct bench *b);
void row_calm(const struct bench *b);     // rows_calm.c
void row_readers(const struct bench *b);
void row_large(const struct bench *b);    // rows_large.c
void row_many(const struct bench *b);     // rows_many.c
void row_packed(const struct bench *b); // rows_read.c
void row_read(const struct bench *b);     // rows_read.c
void row_memory(const struct bench *b);   // rows_space.c
void row_queue(const struct bench *b);
void row_kv(const struct bench *b);
void row_sealed(const struct bench *b);   // rows_sealed.c
void row_slices(const struct bench *b);   // rows_slices.c
void row_recovery(const struct bench *b); // rows_recovery.c

#endif
