// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Merging table runs in the background. Each checkpoint adds a run of primary rows and one of the others; a look-up may
// have to ask all of them. When there are many of a kind, the newest ones whose sizes are alike become one. Rows that
// the facts call garbage are left out: the facts are those of the last checkpoint, so no input is newer (facts.c says
// why that is enough).
#include "jetstream/store/files.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define RUNS_MANY 6u
#define RUNS_AT_ONCE 64u // each is read ahead

static uint32_t of_kind(const struct mg_store *st, bool primary, struct mg_run_ref **out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < st->runs->count && n < MG_MERGE_MAX; i++) {
        if (st->runs->runs[i]->primary == primary) out[n++] = st->runs->runs[i];
    }
    return n;
}

// The newest ones, and older ones as long as they are not much larger than what is merged already.
static uint32_t how_many(struct mg_run_ref *const *runs, uint32_t n) {
    uint64_t sum = runs[0]->size;
    uint32_t k = 1;
    while (k < n && k < RUNS_AT_ONCE && (k < RUNS_MANY / 2 || runs[k]->size <= 2 * sum)) sum += runs[k++]->size;
    return k;
}

static int go_on(void *arg) { return mg_keeper_pace(arg); }

// The facts may become newer while this runs (mg_keeper_pace makes checkpoints), never older.
static bool wanted(void *arg, const struct mg_row *row) {
    const struct mg_keeper *k = ((struct mg_store *)arg)->keeping;
    return row->tombstone || !k->knows || !mg_facts_row_is_garbage(&k->facts, row->key, row->value);
}

static int merge(struct mg_store *st, struct mg_run_ref **runs, uint32_t n, bool oldest, bool primary) {
    struct mg_run *inputs[MG_MERGE_MAX];
    for (uint32_t i = 0; i < n; i++) inputs[i] = runs[i]->run;
    uint64_t id;
    int err = mg_files_begin(st, 1, &id);
    if (err) return err;
    struct mg_run_write w;
    err = mg_run_write_open(&w, st, id, primary);
    if (err) {
        mg_files_end(st, id);
        return err;
    }
    struct mg_merge_job job = {
        .inputs = inputs, .ninputs = n, .drop_tombstones = oldest, .keep = wanted, .go_on = go_on, .arg = st};
    struct mg_run_summary sum = {0};
    err = mg_run_merge(&job, w.builder, &sum);
    struct mg_run_ref *product = NULL;
    err = mg_run_write_finish(&w, err, &sum, &product);
    if (err == 0) err = mg_files_sync_dirs(st);
    if (err == 0) {
        struct mg_files_change change = {
            .job = id, .runs = &product, .runs_len = 1, .old_runs = runs, .old_runs_len = n};
        err = mg_files_commit(st, &change);
    }
    if (err) {
        mg_files_abandon(st, NULL, 0, &product, product != NULL);
        mg_files_end(st, id);
    } else {
        atomic_fetch_add(&st->keeping->merges, 1);
        mg_run_ref_put(product);
    }
    return err;
}

int mg_rewrite_run(struct mg_store *st, struct mg_run_ref *r) {
    // Tombstones stay: whether an older run has the rows is not looked at.
    return merge(st, &r, 1, false, r->primary);
}

void mg_merge_runs(struct mg_store *st) {
    for (int primary = 0; primary <= 1; primary++) {
        struct mg_run_ref *runs[MG_MERGE_MAX];
        uint32_t n = of_kind(st, primary != 0, runs);
        if (n < RUNS_MANY) continue;
        uint32_t k = how_many(runs, n);
        for (uint32_t i = 0; i < k; i++) mg_run_ref_get(runs[i]);
        int err = merge(st, runs, k, k == n, primary != 0);
        if (err && err != MG_ECLOSED)
            mg_store_say(st, MG_LOG_ERR, "tables could not be merged: %s", mg_strerror(err));
        for (uint32_t i = 0; i < k; i++) mg_run_ref_put(runs[i]);
    }
}
