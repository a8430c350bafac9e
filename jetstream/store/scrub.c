// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The scrub: a pass over all segments and runs, one file after the other by their ids, each day; 10 MB/s, and nothing
// else waits for it (checkpoints are let in, other work makes it hurry). mg_store_scrub asks for a pass without breaks.
//
// What is found is logged piece by piece (store.c: report_fault) and counted. A run of which one copy is damaged is
// written again, and so is a segment whose records are whole and only what finds them is damaged. A damaged record
// stays what it is: an error for who reads it; nothing is deleted.
#include "jetstream/store/scrub.h"

#include "jetstream/store/compact.h"
#include "jetstream/store/heal.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"
#include "server/shard/loop.h"

#define SECOND UINT64_C(1000000000)
#define FIRST_AFTER (600 * SECOND)   // the start
#define AGAIN_AFTER (86400 * SECOND) // the end of the pass before
#define PIECE (1024u * 1024)
#define PIECE_NS (SECOND / 10)

void mg_store_scrub(struct mg_store *st) {
    if (st->keeper == NULL) return;
    atomic_store(&st->keeping->resting, false);
    atomic_store(&st->keeping->scrub_now, true);
    if (!atomic_exchange(&st->keeping->scrub_out, true)) mg_worker_post(st->keeper, &st->keeping->scrub_soon);
}

static int pace(void *arg, size_t bytes) {
    struct mg_store *st = arg;
    struct mg_keeper *k = st->keeping;
    k->scrubbed += bytes;
    if (k->scrubbed < PIECE) return 0;
    k->scrubbed = 0;
    int err = mg_keeper_pace(st);
    if (err == 0 && !k->scrub_hurry && !k->look && !atomic_load(&k->scrub_now)) mg_keeper_sleep(st, PIECE_NS);
    return err;
}

static void verify_segment(struct mg_store *st, struct mg_segment_ref *g) {
    struct mg_segment_health health = {0};
    const struct mg_segment *open;
    int err = mg_segment_use(g, &open);
    bool opened = err == 0;
    if (opened) {
        err = mg_segment_verify(open, pace, st, &health);
        mg_segment_unuse(g);
    }
    if (err == 0 || err == MG_ECLOSED || MG_PLANTED(scrub_silent)) return;
    atomic_fetch_add(&st->keeping->damaged, 1);
    if (!opened) return; // told
    mg_store_say(st, MG_LOG_ERR, "segment %016llx: %llu of %llu messages and %llu indexes are damaged",
                 (unsigned long long)g->id, (unsigned long long)health.record_faults,
                 (unsigned long long)(health.records + health.record_faults), (unsigned long long)health.frame_faults);
    if (health.record_faults) {
        g->left_alone = true;
    } else if (st->keeping->knows && mg_keeper_segment(st, g->id) == g && mg_compact_segments(st, &g, 1) == 0) {
        atomic_fetch_add(&st->keeping->healed, 1);
        mg_store_say(st, MG_LOG_WRN, "segment %016llx was written again", (unsigned long long)g->id);
    }
}

static void verify_run(struct mg_store *st, struct mg_run_ref *r) {
    bool alone = r->primary && (r->main == NULL || r->copy == NULL); // the other copy was not there at the start
    int err = mg_run_verify(r->run, pace, st);
    if (err == 0 && alone) err = MG_ENOTFOUND;
    if (err == 0 || err == MG_ECLOSED || MG_PLANTED(scrub_silent)) return;
    atomic_fetch_add(&st->keeping->damaged, 1);
    if (mg_rewrite_run(st, r) == 0) {
        atomic_fetch_add(&st->keeping->healed, 1);
        mg_store_say(st, MG_LOG_WRN, "table %016llx was written again", (unsigned long long)r->id);
    } else {
        mg_store_say(st, MG_LOG_ERR, "table %016llx is damaged", (unsigned long long)r->id);
        if (!r->primary) mg_heal_want(st);
    }
}

// The file with the lowest id above what was verified; a reference.
static struct mg_segment_ref *next_segment(const struct mg_keeper *k, uint64_t above) {
    for (uint32_t i = 0; i < k->segments_len; i++) {
        if (k->segments[i]->id > above) return mg_segment_ref_get(k->segments[i]);
    }
    return NULL;
}

static struct mg_run_ref *next_run(const struct mg_runset *set, uint64_t above) {
    struct mg_run_ref *best = NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->runs[i]->id > above && (best == NULL || set->runs[i]->id < best->id)) best = set->runs[i];
    }
    return best ? mg_run_ref_get(best) : NULL;
}

static void end_pass(struct mg_keeper *k) {
    k->scrub_at = mg_bell_clock() + AGAIN_AFTER;
    k->scrub_id = 0;
    k->scrub_hurry = false;
    atomic_fetch_add(&k->verified, 1);
}

uint64_t mg_scrub_step(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    uint64_t now = mg_bell_clock();
    if (k->scrub_at == 0) k->scrub_at = now + FIRST_AFTER;
    if (atomic_exchange(&k->scrub_now, false)) {
        k->scrub_hurry = true;
        k->scrub_at = now;
        k->scrub_id = 0;
    }
    if (now < k->scrub_at) return k->scrub_at;
    struct mg_segment_ref *g = next_segment(k, k->scrub_id);
    struct mg_run_ref *r = next_run(st->runs, k->scrub_id);
    if (g && (r == NULL || g->id < r->id)) {
        k->scrub_id = g->id;
        verify_segment(st, g);
    } else if (r) {
        k->scrub_id = r->id;
        verify_run(st, r);
    } else {
        end_pass(k);
    }
    mg_segment_ref_put(g);
    mg_run_ref_put(r);
    return 0;
}
