// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Several runs read as one: of equal keys the newest run's row counts. One thread.
#ifndef MG_STORE_MERGE_H
#define MG_STORE_MERGE_H

#include "jetstream/store/run.h"

struct mg_merge;

// Runs, any number of them, are given newest first and stay open while this lives. Memory: what is read ahead, 8 MB or
// 32 KB a run, whichever is more. drop_tombstones: nothing older than these runs exists, or the caller wants to see
// what is there. bulk as in mg_run_iter_new.
struct mg_merge *mg_merge_new(struct mg_run *const *runs, size_t n, bool drop_tombstones, bool bulk);
void mg_merge_free(struct mg_merge *m);
// As mg_run_iter_seek and _next. A gap in one run is a gap of the whole for older runs' rows: they are left out, since
// a newer row may be in the gap. Rows of newer runs in there are right and are given. Gaps may overlap.
int mg_merge_seek(struct mg_merge *m, mg_slice key);
int mg_merge_next(struct mg_merge *m);
const struct mg_row *mg_merge_row(const struct mg_merge *m);
const struct mg_run_gap *mg_merge_gap(const struct mg_merge *m);

struct mg_merge_job {
    struct mg_run *const *inputs; // newest first
    size_t ninputs;
    bool drop_tombstones;       // nothing older exists
    // Rows for which it says false are left out (streams that are gone); may be NULL.
    bool (*keep)(void *arg, const struct mg_row *row);
    // Asked every now and then: not MG_OK ends the job with this error; may be NULL.
    int (*go_on)(void *arg);
    uint32_t every;             // so many rows; 0: 1,024
    void *arg;
};

// Writes one run of several. A row that cannot be read ends it with an error: nothing is lost by merging, the inputs
// stay what they are. The builder is then good for mg_run_builder_free only.
int mg_run_merge(const struct mg_merge_job *job, struct mg_run_builder *b, struct mg_run_summary *out);

#endif
