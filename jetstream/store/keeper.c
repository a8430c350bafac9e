// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the keeper does when. Checkpoints come first, for the journal waits for them: also in the middle of another job,
// which takes a break after each megabyte and lets one in (mg_keeper_pace). After a checkpoint it looks for runs to
// merge and segments to compact, until nothing is worth it. Then it scrubs, slowly.
//
// A merge of large runs takes minutes, and meanwhile each checkpoint adds two small ones. So a long job lets in merges
// (and, if it is a merge, a compaction) of a quarter of its size, and these again: they nest a few levels deep, never
// share an input (`busy`), and at each level but a handful of runs wait. If even that is too slow, a checkpoint waits
// for a merge of the cheapest ones (mg_merge_make_room): how many runs there are is bounded whatever the load.
//
// Breaks are as long as the work before them, so that readers and the journal have at least half of the device; when
// there is more garbage or there are more runs than there should be, there are none.
#include "jetstream/store/keeper.h"

#include "jetstream/store/compact.h"
#include "jetstream/store/correct.h"
#include "jetstream/store/erase.h"
#include "jetstream/store/heal.h"
#include "jetstream/store/scrub.h"
#include "jetstream/store/space.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"

#define BREAK_MAX UINT64_C(50000000)    // ns
#define SOON_NS UINT64_C(5000000000)    // between checkpoints that nobody waits for
#define LETS_IN (UINT64_C(4) << 20)     // bytes of a job from which on it lets smaller merges in
#define LETS_COMPACT_IN (UINT64_C(256) << 20)
#define SHARE_MUCH 3u
#define SHARE_FLOOD 8u
#define RUNS_CROWDED 40u                // of both kinds, from which on there are no breaks

static bool ends(const struct mg_store *st) {
    return atomic_load(&st->keeping->closing) || atomic_load(&st->poisoned);
}

static void pressed(struct mg_parcel *p) {
    struct mg_keeper *k = mg_container_of(p, struct mg_keeper, press);
    struct mg_store *st = k->store;
    // From here on it can be asked for again: what the committer has to say during the checkpoint must not be lost.
    atomic_store(&k->press_out, false);
    atomic_store(&st->pressed, false);
    k->pressed = true;
}

static void post_press(struct mg_store *st) {
    atomic_store(&st->keeping->resting, false);
    if (!atomic_exchange(&st->keeping->press_out, true)) mg_worker_post(st->keeper, &st->keeping->press);
}

// The committer asks once, perhaps before the keeper is there: then it finds the wish when it starts.
void mg_store_press(struct mg_store *st) {
    if (MG_PLANTED(unheard_press) && !atomic_load(&st->keeping->running)) return;
    if (atomic_exchange(&st->pressed, true)) return;
    if (atomic_load(&st->keeping->running)) post_press(st);
}

static void nothing(struct mg_parcel *p) { (void)p; }

void mg_store_press_soon(struct mg_store *st) {
    // Before the keeper is there, the start: it finds the wish.
    if (atomic_exchange(&st->pressed_soon, true) || st->keeper == NULL) return;
    // A checkpoint may have ended the wish before while its parcel is still under way.
    if (!atomic_exchange(&st->keeping->soon_out, true)) mg_worker_post(st->keeper, &st->keeping->soon);
}

static void soon_came(struct mg_parcel *p) {
    atomic_store(&mg_container_of(p, struct mg_keeper, soon)->soon_out, false);
}

static void scrub_came(struct mg_parcel *p) {
    atomic_store(&mg_container_of(p, struct mg_keeper, scrub_soon)->scrub_out, false);
}

static void checkpoint(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    k->pressed = false;
    atomic_store(&k->resting, false);
    atomic_store(&st->pressed_soon, false);
    uint64_t began = mg_bell_clock();
    mg_merge_make_room(st);
    mg_checkpoint(st);
    k->checkpoint_at = mg_bell_clock();
    k->checkpoint_took = k->checkpoint_at - began;
    k->look = true;
}

uint64_t mg_keeper_enter(struct mg_store *st, uint64_t bytes) {
    uint64_t outer = st->keeping->job_bytes;
    st->keeping->job_bytes = bytes;
    return outer;
}

void mg_keeper_leave(struct mg_store *st, uint64_t outer) { st->keeping->job_bytes = outer; }

static void let_in(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    uint64_t bytes = k->job_bytes;
    if (bytes && st->o.eager) bytes = UINT64_MAX;
    if (bytes < LETS_IN || k->making_room || ends(st)) return;
    bool merges = k->garbage == MG_GARBAGE_SOME || st->runs->count >= RUNS_CROWDED; // else the job comes first
    if (merges && mg_merge_runs(st, bytes / 4)) return;
    if (bytes >= LETS_COMPACT_IN && !k->compacting && k->look) k->look = mg_compact(st);
}

// A job must get on, or runs and garbage pile up and each checkpoint takes longer for it: where one follows the other,
// the job works as long as they do; three times as long when there is more of it than there should be. A flood of
// garbage is stopped: the journal fills meanwhile, and publishers wait.
static bool checkpoint_is_due(const struct mg_store *st) {
    const struct mg_keeper *k = st->keeping;
    bool much = k->garbage != MG_GARBAGE_SOME || st->runs->count >= RUNS_CROWDED;
    uint64_t share = k->garbage == MG_GARBAGE_FLOOD ? SHARE_FLOOD : much ? SHARE_MUCH : 1;
    return k->pressed && !k->making_room && mg_bell_clock() - k->checkpoint_at >= share * k->checkpoint_took;
}

int mg_keeper_pace(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    uint64_t now = mg_bell_clock(), rest = now - k->paced_at;
    if (rest > BREAK_MAX) rest = BREAK_MAX;
    bool hurry = k->garbage != MG_GARBAGE_SOME || k->pressed || st->runs->count >= RUNS_CROWDED;
    uint64_t until = hurry ? now : now + rest;
    do {
        if (ends(st)) return MG_ECLOSED;
        mg_worker_wait_until(st->keeper, until);
        if (checkpoint_is_due(st) && !ends(st)) checkpoint(st);
    } while (mg_bell_clock() < until);
    let_in(st);
    k->paced_at = mg_bell_clock();
    return ends(st) ? MG_ECLOSED : 0;
}

// When there is no parcel to open: the next job, or until when to sleep.
static uint64_t next_job(void *arg) {
    struct mg_store *st = arg;
    struct mg_keeper *k = st->keeping;
    uint64_t now = mg_bell_clock(), soon = k->checkpoint_at + SOON_NS;
    if (ends(st)) return MG_NEVER;
    k->paced_at = now;
    bool due = k->look ? checkpoint_is_due(st) : k->pressed; // or there would be one after the other, and no job
    if (due || (atomic_load(&st->pressed_soon) && now >= soon)) {
        checkpoint(st);
        return 0;
    }
    uint64_t erase = mg_erase_step(st);
    if (k->look) {
        bool compacted = k->garbage != MG_GARBAGE_SOME && st->runs->count < RUNS_CROWDED && mg_compact(st);
        bool merged = !ends(st) && mg_merge_runs(st, UINT64_MAX);
        k->look = !ends(st) && (compacted || mg_compact(st) || merged);
        return 0;
    }
    uint64_t heal = mg_heal_step(st);
    if (heal == 0) return 0;
    if (mg_correct_step(st)) return 0;
    if (mg_warm_runs(st)) return 0;
    uint64_t until = mg_space_idle(st), scrub = mg_scrub_step(st);
    if (scrub < until) until = scrub;
    if (erase < until) until = erase;
    if (heal < until) until = heal;
    if (until > now && k->erase_len == 0) atomic_store(&k->resting, true);
    return atomic_load(&st->pressed_soon) && soon < until ? soon : until;
}

int mg_keeper_start(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    k->store = st;
    k->press.arrived = pressed;
    k->soon.arrived = soon_came;
    k->scrub_soon.arrived = scrub_came;
    k->checkpoint_at = mg_bell_clock();
    k->runs_closed = 1;
    mg_space_start(st);
    int err = mg_worker_start(&st->keeper, "store-keep", next_job, st);
    if (err) return err;
    atomic_store(&k->running, true);
    if (atomic_load(&st->pressed)) post_press(st);
    return 0;
}

void mg_keeper_stop(struct mg_store *st) {
    atomic_store(&st->pressed, true); // from here on nobody presses
    mg_worker_stop(st->keeper);
    atomic_store(&st->keeping->ended, true);
}

// Before the keeper runs and after it has ended, the caller is the only thread.
void mg_store_to_keeper(struct mg_store *st, struct mg_parcel *p) {
    if (st->keeper && !atomic_load(&st->keeping->ended)) {
        mg_worker_post(st->keeper, p);
    } else {
        p->arrived(p);
    }
}

void mg_keeper_wake(struct mg_store *st) {
    if (st->keeper == NULL) return;
    st->keeping->wake.arrived = nothing;
    mg_worker_post(st->keeper, &st->keeping->wake);
}

void mg_keeper_sleep(struct mg_store *st, uint64_t ns) {
    uint64_t until = mg_bell_clock() + ns;
    while (mg_bell_clock() < until && !atomic_load(&st->keeping->closing)) mg_worker_wait_until(st->keeper, until);
}
