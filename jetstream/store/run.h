// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Runs: immutable sorted tables of rows (key, value, tombstone). Rows stand in blocks of about 16 KB; some hundred
// blocks make a *part* with an index and a filter of its own, so that a point read costs at most two reads (part and
// block, both cached) and a writer's memory is bounded. Only the index of parts stays in memory: about 100 bytes for
// 13,000 rows.
//
// A primary run is written twice; every piece is read from the second file when the first one's is damaged. What cannot
// be read in either is an error for the keys it holds, all others stay readable. An older row never takes the place of
// one that cannot be read.
//
// Builders, iterators and merges belong to one thread. An open run is immutable and may be used by any number.
#ifndef MG_STORE_RUN_H
#define MG_STORE_RUN_H

#include <stdatomic.h>

#include "jetstream/store/bloom.h"
#include "jetstream/store/frame.h"
#include "jetstream/store/run_block.h"

// ---- writing

struct mg_run_options {
    const struct mg_table_env *env;
    uint64_t file;        // id
    uint32_t block_bytes; // 0: 16 KB
    uint32_t part_rows;   // 0: 13,000
};

struct mg_run_summary {
    uint64_t file, size, rows, tombstones, row_bytes;
    uint64_t foot_sum;              // the foot's checksum, for the manifest
    struct mg_buf min_key, max_key; // empty without rows; freed by mg_run_summary_fini
};
void mg_run_summary_fini(struct mg_run_summary *s);

struct mg_run_builder;
// Writes through w, which is at its start and stays the caller's (with its twin, for a primary run).
struct mg_run_builder *mg_run_builder_new(const struct mg_run_options *o, struct mg_file_writer *w);
void mg_run_builder_free(struct mg_run_builder *b);
// Keys ascend: MG_EINVAL otherwise. MG_ERANGE: key or value too long. Or the writer's error.
int mg_run_builder_add(struct mg_run_builder *b, const struct mg_row *row);
// Writes what is left. The files are complete, but neither synced nor closed.
int mg_run_builder_finish(struct mg_run_builder *b, struct mg_run_summary *out);

// ---- reading

struct mg_run;

// main and copy are borrowed until close; one of them may be missing (ops NULL). size and foot_sum: as the summary had
// them; foot_sum 0: any. MG_ECORRUPT, MG_EIO.
int mg_run_open(struct mg_run **out, const struct mg_table_env *env, struct mg_blob main, struct mg_blob copy,
                uint64_t file, uint64_t size, uint64_t foot_sum);
void mg_run_close(struct mg_run *r);
const struct mg_run_foot *mg_run_about(const struct mg_run *r);
void mg_run_range(const struct mg_run *r, mg_slice *min_key, mg_slice *max_key); // empty slices without rows

// False: the key is in no row of this run, not as a tombstone either. Never blocks; says more as parts have been read.
bool mg_run_may_have(const struct mg_run *r, mg_slice key);

// Reads the filters that are not in memory yet, as far as there is room for them. Blocks. True: all are there.
bool mg_run_warm(const struct mg_run *r);

struct mg_run_hit {
    mg_slice value;
    bool tombstone;
    struct mg_block *block; // holds the value
};
// MG_OK (may be a tombstone; release the hit), MG_ENOTFOUND, MG_ECORRUPT, MG_EIO.
int mg_run_get(const struct mg_run *r, mg_slice key, struct mg_run_hit *hit);
// The same in n runs, newest first. A run that cannot say ends the search with its error.
int mg_runs_get(struct mg_run *const *runs, size_t n, mg_slice key, struct mg_run_hit *hit);
void mg_run_hit_release(struct mg_run_hit *hit);

// Reads every byte of both copies past the cache and reports each fault. MG_OK if there is none; else the first error.
// pace as in mg_file_writer, may be NULL.
int mg_run_verify(const struct mg_run *r, int (*pace)(void *arg, size_t bytes), void *arg);

// ---- ranges

// Keys from `low` up to, not including, `high` that cannot be read.
struct mg_run_gap {
    struct mg_buf low, high;
    bool endless; // no upper end; high is empty
};

struct mg_run_iter;
// bulk: reads ahead a megabyte from the start and keeps out of the cache; otherwise the read-ahead grows as it goes on.
struct mg_run_iter *mg_run_iter_new(const struct mg_run *r, bool bulk);
void mg_run_iter_ahead(struct mg_run_iter *it, size_t bytes); // reads ahead no more than that; before the first seek
void mg_run_iter_free(struct mg_run_iter *it);
// To the first row with a key >= key ({NULL, 0}: of all). Both: MG_OK with a row, MG_ENOTFOUND at the end. MG_ECORRUPT
// or MG_EIO: the keys of mg_run_iter_gap cannot be read; the next call goes on behind them.
int mg_run_iter_seek(struct mg_run_iter *it, mg_slice key);
int mg_run_iter_next(struct mg_run_iter *it);
// Valid until the next call.
const struct mg_row *mg_run_iter_row(const struct mg_run_iter *it);
const struct mg_run_gap *mg_run_iter_gap(const struct mg_run_iter *it);

#endif
