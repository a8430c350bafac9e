// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Merging table runs in the background. Each checkpoint adds a run of primary rows and one of the others; a look-up may
// have to ask all of them. When there are many of a kind, the newest ones whose sizes are alike become one
// (merge_pick.c). Rows that the facts call garbage are left out: the facts are those of the last checkpoint, so no
// input is newer (facts.c says why that is enough).
#include "jetstream/store/files.h"
#include "jetstream/store/heal.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/merge_pick.h"
#include "jetstream/store/store_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"

#define RETRY_NS UINT64_C(1000000000)

static int go_on(void *arg) { return mg_keeper_pace(arg); }

// The facts may become newer while this runs (mg_keeper_pace makes checkpoints), never older.
static bool wanted(void *arg, const struct mg_row *row) {
    const struct mg_keeper *k = ((struct mg_store *)arg)->keeping;
    return row->tombstone || !k->knows || !mg_facts_row_is_garbage(&k->facts, row->key, row->value);
}

static int merge_as(struct mg_store *st, struct mg_run_ref **runs, uint32_t n, bool oldest, bool primary) {
    struct mg_run *inputs[MG_MERGE_AT_ONCE];
    mg_assert(n <= MG_MERGE_AT_ONCE);
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
    if (st->o.eager) job.every = 16;
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

// Neighbours of one kind, with the oldest of all or not.
static int merge(struct mg_store *st, struct mg_run_ref **runs, uint32_t n, bool oldest) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        mg_run_ref_get(runs[i]);
        runs[i]->busy++;
        bytes += runs[i]->size;
    }
    uint64_t outer = mg_keeper_enter(st, bytes);
    int err = merge_as(st, runs, n, oldest, runs[0]->primary);
    mg_keeper_leave(st, outer);
    for (uint32_t i = 0; i < n; i++) {
        runs[i]->busy--;
        mg_run_ref_put(runs[i]);
    }
    return err;
}

int mg_rewrite_run(struct mg_store *st, struct mg_run_ref *r) {
    // Tombstones stay: whether an older run has the rows is not looked at.
    return merge(st, &r, 1, false);
}

// One merge of a kind, as `most` allows; 0: of the cheapest, if there are too many. True: it was made.
static bool merge_kind(struct mg_store *st, bool primary, uint64_t most) {
    uint32_t n, from, k;
    struct mg_run_ref **runs = mg_runset_kind(st->runs, primary, &n);
    struct mg_merge_item *items = mg_alloc((n + 1) * sizeof(*items));
    for (uint32_t i = 0; i < n; i++) {
        bool busy = runs[i]->busy > MG_PLANTED(shared_input);
        items[i] = (struct mg_merge_item){runs[i]->size, busy};
    }
    uint32_t many = st->o.eager ? 2 : MG_MERGE_MANY;
    k = most ? mg_merge_pick(items, n, many, most, &from) : mg_merge_pick_cheap(items, n, &from);
    mg_free(items);
    int err = k ? merge(st, runs + from, k, from + k == n) : 0;
    mg_free(runs);
    if (err && err != MG_ECLOSED) {
        mg_store_say(st, MG_LOG_ERR, "tables could not be merged: %s", mg_strerror(err));
        if (!primary && (err == MG_ECORRUPT || err == MG_EIO)) mg_heal_want(st);
        st->keeping->merge_at = mg_bell_clock() + RETRY_NS;
    }
    return k > 0 && err == 0;
}

bool mg_merge_runs(struct mg_store *st, uint64_t most) {
    if (mg_bell_clock() < st->keeping->merge_at) return false;
    return merge_kind(st, true, most) || merge_kind(st, false, most);
}

bool mg_warm_runs(struct mg_store *st) {
    for (uint32_t i = 0; i < st->runs->count; i++) {
        struct mg_run_ref *r = st->runs->runs[i];
        if (r->warm || r->tried == st->keeping->runs_closed) continue;
        r->tried = st->keeping->runs_closed;
        r->warm = mg_run_warm(r->run);
        return true;
    }
    return false;
}

void mg_merge_make_room(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    if (mg_bell_clock() < k->merge_at || k->making_room) return;
    k->making_room = true;
    for (int primary = 0; primary <= 1; primary++) {
        while (merge_kind(st, primary != 0, 0)) {}
    }
    k->making_room = false;
}
