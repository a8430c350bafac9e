// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Rot that nobody reads. At rest one byte (or its sector) of a segment or of one copy of a table is spoiled: the
// next pass of the scrub has to find it, say so, and count the file. Afterwards each table is whole again, in both
// copies, so another pass finds nothing in them; a segment is, unless a record of it was hit, which stays damaged
// and is found each time. What of the messages can be read is checked as in `decay`, at the next start.
#include <stdio.h>
#include <string.h>

#include "jetstream/store/store_impl.h"
#include "test/sim/store_driver.h"

#define PATIENCE UINT64_C(600000000000)

static bool await(struct shard *sh, bool (*done)(const struct mg_store_status *now, uint64_t n), uint64_t n) {
    struct world *w = sh->w;
    for (uint64_t until = sim_now(w->sim) + PATIENCE; !shard_stuck(sh);) {
        struct mg_store_status now = mg_store_status(w->store);
        if (done(&now, n)) return true;
        sim_check(sim_now(w->sim) < until, "the scrub does not end");
        sh->until = sim_now(w->sim) + 10000000;
        shard_step(sh);
    }
    return false;
}

static bool rests(const struct mg_store_status *now, uint64_t n) {
    (void)n;
    return now->resting;
}
static bool passes(const struct mg_store_status *now, uint64_t n) { return now->scrubs >= n && now->resting; }

static bool pass(struct shard *sh) {
    uint64_t n = mg_store_status(sh->w->store).scrubs;
    mg_store_scrub(sh->w->store);
    return await(sh, passes, n + 1);
}

// Files that the store consists of.
static bool is_part(const struct world *w, const char *name) {
    const struct mg_keeper *k = w->store->keeping;
    char other[MG_FILE_NAME_MAX];
    for (uint32_t i = 0; i < k->segments_len; i++) {
        mg_table_file_name(other, MG_FILE_SEGMENT, k->segments[i]->id);
        if (strcmp(name, other) == 0) return true;
    }
    for (uint32_t i = 0; i < w->store->runs->count; i++) {
        mg_table_file_name(other, MG_FILE_RUN, w->store->runs->runs[i]->id);
        if (strcmp(name, other) == 0) return true;
        mg_table_file_name(other, MG_FILE_RUN_COPY, w->store->runs->runs[i]->id);
        if (strcmp(name, other) == 0) return true;
    }
    return false;
}

static bool pick(struct world *w, const char *folder, char name[MG_DISK_NAME_MAX + 1]) {
    for (unsigned i = 0; i < 200 && sim_disk_some_file(w->disk, name); i++) {
        if (strncmp(name, folder, strlen(folder)) == 0 && is_part(w, name)) return true;
    }
    return false;
}

// Zeros may be padding, of which nothing follows.
static void spoil(struct world *w, const char *name) {
    uint64_t size, at;
    const uint8_t *p = sim_disk_peek(w->disk, name, &size);
    do at = sim_below(w->sim, size);
    while (p[at] == 0);
    sim_trace("%s rots at %llu", name, (unsigned long long)at);
    if (sim_chance(w->sim, 128)) sim_disk_flip(w->disk, name, at, (unsigned)sim_below(w->sim, 8));
    else sim_disk_bad_sector(w->disk, name, at);
}

static void round_of(struct shard *sh, const char *folder) {
    struct world *w = sh->w;
    char name[MG_DISK_NAME_MAX + 1];
    if (!pass(sh) || !pick(w, folder, name)) return; // of what earlier rounds have left
    struct mg_store_status before = mg_store_status(w->store);
    bool table = strncmp(folder, "tables/", 7) == 0;
    unsigned reports = w->reports;
    spoil(w, name);
    if (!pass(sh)) return;
    struct mg_store_status found = mg_store_status(w->store);
    sim_check(found.scrub_damaged > before.scrub_damaged, "the scrub has not found the damage of %s", name);
    sim_check(w->reports > reports && found.faults > before.faults, "nobody says that %s is damaged", name);
    if (!table) return;
    if (!pass(sh)) return;
    before = found;
    found = mg_store_status(w->store);
    sim_check(!is_part(w, name), "%s is damaged and was not written again", name);
}

void scrub_rounds(struct shard *sh) {
    for (unsigned i = 0; i < 4; i++) {
        mg_store_press(sh->w->store);
        if (!await(sh, rests, 0)) return;
        round_of(sh, sim_chance(sh->w->sim, 160) ? "tables/" : "segments/");
    }
}
