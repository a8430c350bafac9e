// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The whole store on the simulated disk. A world has one disk and several lives: in each a process opens the store, one
// thread a part asks for random things (store_driver.c), and the life ends in peace, by a kill, or by a power cut,
// perhaps while it is still recovering. What is checked:
//
//   - each answer is what a plain model of the stream says (store_model.c), in order, none twice
//   - each read gives bytes that were written, nothing that was known to be removed, and passes over nothing
//   - after a restart each stream is in a state that it had, not older than what anybody has heard of
//   - counts and state equal a recount by a full scan
//   - what is missing after damage has been reported
//   - where a power cut has torn the journal's end so that this cannot be told from damage, which is reported then, all
//     that was acknowledged is there; the rest need not be a prefix
//
// Workloads: `calm` has no crash but restarts, with another number of parts; `points` crashes a short life at each
// of its operations in turn, and its recovery too; `lives` is long; `rot` spoils bytes at rest; `errors` lets writes
// and syncs fail; `stray` loses and misdirects writes; `full` fills the disk; `interval` acks before it syncs;
// `clock` has a wall clock that jumps (store_clock.c); in `decay` files rot while they are read, merged and
// compacted; `erase` looks for bytes of erased messages on the bare disk (store_erase.c); in `scrub` files rot that
// nobody reads (store_scrub.c); in `manifest` one slot of it is unreadable at one start and back at the next
// (store_manifest.c); in `files` whole files are away, cut or swapped, and back later, in `away` only segments, in
// `ring` only files of the journal (store_files.c).
#include <stdio.h>
#include <string.h>

#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/log.h"
#include "test/sim/store_driver.h"

// ---- a life ---------------------------------------------------------------------------------------------------------

static void on_log(void *arg, int level, const char *text) {
    struct world *w = arg;
    sim_trace("log %d: %s", level, text);
    w->torn |= strstr(text, "perhaps the torn end") != NULL;
    w->files_left |= strstr(text, "belongs to nothing and was left") != NULL;
    if (world_over(w) || (level != MG_LOG_ERR && level != MG_LOG_WRN)) return;
    w->reports++;
    w->ever_faulty |= w->faulty; // what a failed job has left is found later
    // The other two: a crash came while the manifest was written.
    bool excused = (w->clock && strstr(text, "The clock ")) || w->damaged || w->ever_faulty ||
                   strstr(text, "perhaps the torn end") || strstr(text, "perhaps they are of a commit that was torn") ||
                   strstr(text, "the other one is used") || strstr(text, "belongs to nothing and was left") ||
                   (w->wounded && strstr(text, "was moved to lost+found"));
    sim_check(excused, "damage is reported where there is none: %s", text);
}

static void serve(struct world *w) {
    struct mg_thread *threads[3];
    if (w->clock) clock_started(w);
    else slots_found(w);
    if (w->erasures) erasures_opened(w);
    w->working = w->o.parts;
    for (unsigned i = 0; i < w->o.parts; i++) {
        w->shards[i] = (struct shard){.w = w, .no = i};
        mg_thread_start(&threads[i], "shard", shard_main, &w->shards[i]);
    }
    for (unsigned i = 0; i < w->o.parts; i++) mg_thread_join(threads[i]);
}

// Another server on the directory: it is told who has it, and changes nothing.
static void try_second(struct world *w) {
    struct mg_store *second = NULL;
    char err[256] = "";
    int rc = mg_store_open(&second, &w->o, err, sizeof(err));
    if (world_over(w) && rc == 0) mg_store_close(second); // the first has died meanwhile
    sim_check(world_over(w) || rc == MG_EBUSY, "a second server: %s", mg_strerror(rc));
    sim_check(world_over(w) || strstr(err, "midge-server") != NULL, "a second server is not told who it is: %s", err);
}

static void process_main(void *arg) {
    struct world *w = arg;
    char err[256] = "";
    uint64_t before = w->files ? files_digest(w) : 0;
    int rc = mg_store_open(&w->store, &w->o, err, sizeof(err));
    if (rc != 0) {
        sim_trace("open: %s: %s", mg_strerror(rc), err);
        sim_check(!w->files || !w->decay, "the store does not open, and all it needs is there: %s", err);
        sim_check(err[0] && !strchr(err, '\n'), "not one sentence: %s", err);
        sim_check(!w->files || files_digest(w) == before, "the store does not open, and has changed files: %s", err);
        sim_check(world_over(w) || w->damaged || w->faulty, "the store does not open: %s", err);
        w->failed = true;
        return;
    }
    w->opened = !world_over(w);
    if (w->opened && sim_chance(w->sim, 64)) try_second(w);
    if (w->opened) serve(w);
    // A merge that fails for damage is tried again a second later; many checkpoints come meanwhile.
    sim_check(w->store->runs->count < (w->decay ? 1000 : 200), "%u runs", w->store->runs->count);
    mg_store_close(w->store);
    for (unsigned i = 0; i < w->o.parts; i++) {
        if (w->shards[i].loop) mg_loop_free(w->shards[i].loop);
        w->shards[i].loop = NULL;
    }
}

static bool all_ended(void *arg) { return sim_all_ended(arg); }

// crash_at 0: in peace. Returns the operations that it took.
static uint64_t live(struct world *w, uint64_t crash_at, enum sim_crash how) {
    uint64_t before = sim_disk_counts(w->disk)->operations;
    sim_trace("a life with %u parts", w->o.parts);
    w->opened = w->failed = false;
    if (w->checked_all) w->torn = false;
    w->checked = 0;
    w->reports = 0;
    w->files_left = false;
    w->patience = w->clock ? MG_NEVER : sim_now(w->sim) + UINT64_C(3600000000000);
    sim_disk_crash_at(w->disk, crash_at, how);
    sim_set_step_limit(w->sim, 50000000);
    sim_spawn(w->sim, "process", process_main, w);
    enum sim_end end = sim_run(w->sim, all_ended, w->sim, MG_NEVER);
    sim_check(end == SIM_DONE, "%s", end == SIM_STEPS ? "somebody spins" : "somebody waits for ever");
    sim_disk_crash_at(w->disk, 0, how);
    w->checked_all = w->checked == w->o.parts;
    if (w->clock) clock_ended(w);
    slots_end(w, sim_disk_crashed(w->disk) && how == SIM_POWER_CUT);
    return sim_disk_counts(w->disk)->operations - before;
}

static void draw_parts(struct world *w) { w->o.parts = 1 + (unsigned)sim_below(w->sim, 3); }

static void world_init(struct world *w, uint64_t seed, const struct sim_args *args) {
    static const unsigned garbage[] = {0, 64, 255};
    static const uint32_t sections[] = {0, 7, 40}, big[] = {0, 3000, 20000}, extents[] = {0, 1, 100, 180, 2000};
    static const uint32_t steps[] = {0, 1, 2, 7}, dicts[] = {0, 100, 400};
    *w = (struct world){.sim = sim_new(seed)};
    struct sim *s = w->sim;
    w->disk = sim_disk_new(s, "/store");
    w->o = (struct mg_store_options){.dir = "/store", .log = on_log, .log_arg = w};
    draw_parts(w);
    if (args->shards && args->shards <= 3) w->o.parts = args->shards;
    w->o.ring_file_bytes = 16 * 4096u << sim_below(s, 3);
    w->o.ring_bytes = w->o.ring_file_bytes * (8 + sim_below(s, 4));
    w->o.section_messages = sections[sim_below(s, 3)];
    w->o.big_stream_bytes = big[sim_below(s, 3)];
    w->o.dict_bytes = dicts[sim_below(s, 3)];
    w->o.extent_bytes = extents[sim_below(s, 5)];
    w->o.extent_room = sim_chance(s, 128) ? 4096 * (1 + sim_below(s, 12)) : 0;
    w->o.rows_bytes = sim_chance(s, 128) ? 1 : 0;
    w->o.cache_bytes = sim_chance(s, 128) ? 1 << 16 : 0;
    w->o.eager = sim_chance(s, 128);
    w->o.steps = steps[sim_below(s, 4)];
    w->o.walk = sim_chance(s, 128) ? 1 + (uint32_t)sim_below(s, 6) : 0;
    w->o.readers = 1 + (unsigned)sim_below(s, 3);
    for (size_t i = 0; i < sizeof(w->o.secret); i++) w->o.secret[i] = (uint8_t)sim_random(s);
    w->o.removals = w->o.secret[0] & 1 ? 1 + w->o.secret[1] % 4 : 0;
    w->quota = 1 + sim_below(s, 200);
    w->room_at = MG_NEVER;
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    f->garbage = garbage[sim_below(s, 3)];
    f->no_direct = sim_chance(s, 64);
    f->slow = sim_chance(s, 128) ? 20000 : 0;
    f->slow_ns = 3000000;
    slots_init(w);
}

static void world_fini(struct world *w) {
    clock_free(w->clock);
    erasures_free(w);
    files_free(w);
    slots_fini(w);
    sim_disk_free(w->disk);
    sim_free(w->sim);
}

static enum sim_crash draw_crash(struct world *w) { return sim_chance(w->sim, 128) ? SIM_KILL : SIM_POWER_CUT; }

// ---- workloads ------------------------------------------------------------------------------------------------------

static void run_points(uint64_t seed, const struct sim_args *args) {
    uint64_t total = 1, step = 1;
    for (uint64_t at = 0; at <= total; at += step) {
        struct world w;
        world_init(&w, seed, args);
        w.quota = 1 + seed % 12;
        uint64_t n = live(&w, at, (at + seed) % 2 ? SIM_KILL : SIM_POWER_CUT);
        if (at == 0) {
            total = n;
            step = total / 100 + 1;
        }
        // Once more, crashed in recovery at a point that moves along too.
        if (at > 0) live(&w, 1 + at % 60, SIM_POWER_CUT);
        live(&w, 0, SIM_KILL);
        world_fini(&w);
    }
}

static void run_calm(struct world *w) {
    unsigned lives = 1 + (unsigned)sim_below(w->sim, 4);
    w->quota = 1 + sim_below(w->sim, 1500);
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) live(w, 0, SIM_KILL);
}

static void run_lives(struct world *w) {
    unsigned lives = 2 + (unsigned)sim_below(w->sim, 8);
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        uint64_t at = sim_chance(w->sim, 40) ? 0 : 1 + sim_below(w->sim, sim_chance(w->sim, 100) ? 80 : 1500);
        live(w, at, draw_crash(w));
    }
}

// Crashes behind a file that was removed: whatever still needs it must not exist any more.
static void run_unlinks(struct world *w) {
    unsigned lives = 2 + (unsigned)sim_below(w->sim, 4);
    w->quota = 1 + sim_below(w->sim, 800);
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        sim_disk_crash_at_unlink(w->disk, 1 + sim_below(w->sim, 12), SIM_KILL);
        live(w, 0, SIM_KILL);
    }
    sim_disk_crash_at_unlink(w->disk, 0, SIM_KILL);
}

static void spoil_file(struct world *w, const char *name) {
    uint64_t size;
    const uint8_t *bytes = sim_disk_peek(w->disk, name, &size);
    if (bytes == NULL || size == 0) return;
    uint64_t at = sim_below(w->sim, size);
    for (unsigned i = 0; i < 64 && bytes[at] == 0; i++) at = sim_below(w->sim, size); // much of the ring was never used
    sim_trace("spoils %s at %llu", name, (unsigned long long)at);
    if (sim_chance(w->sim, 128)) sim_disk_flip(w->disk, name, at, (unsigned)sim_below(w->sim, 8));
    else sim_disk_bad_sector(w->disk, name, at);
}

// Spoils some places between two lives.
static void spoil(struct world *w) {
    uint64_t n = 1 + sim_below(w->sim, 6);
    static const char *const folders[] = {"", "", "segments/", "extents/"}; // most bytes are the ring's
    const char *where = folders[sim_below(w->sim, 4)];
    for (uint64_t i = 0; i < n; i++) {
        char name[MG_DISK_NAME_MAX + 1];
        bool any = sim_disk_some_file(w->disk, name);
        for (unsigned k = 0; any && k < 40 && strncmp(name, where, strlen(where)) != 0; k++)
            sim_disk_some_file(w->disk, name);
        if (any) spoil_file(w, name);
    }
    w->damaged = true;
}

static void run_rot(struct world *w) {
    unsigned lives = 1 + (unsigned)sim_below(w->sim, 3);
    for (unsigned i = 0; i < lives; i++) live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_KILL);
    spoil(w);
    w->look_only = true;
}

static void run_errors(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    static const unsigned syncs[] = {0, 500, 4000, 16000};
    for (unsigned i = 0; i < 4; i++, draw_parts(w)) {
        f->fail_sync = syncs[sim_below(w->sim, 4)];
        f->fail_write = f->fail_sync ? 0 : 500u << sim_below(w->sim, 4);
        w->faulty = w->tight = true;
        live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_POWER_CUT);
        f->fail_write = f->fail_sync = 0;
        w->faulty = w->tight = false;
        // What a failed sync has dropped shows when the system goes, at the latest.
        sim_disk_crash(w->disk, SIM_POWER_CUT);
    }
}

static void run_stray(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    live(w, 0, SIM_KILL);
    f->lose_write = sim_chance(w->sim, 128) ? 300 : 0;
    f->misdirect = sim_chance(w->sim, 128) ? 300 : 0;
    w->damaged = w->tight = true; // files that cannot be read back cannot be checkpointed, and the journal fills up
    live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_KILL);
    w->tight = false;
    f->lose_write = f->misdirect = 0;
    w->look_only = true;
}

static void run_full(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    f->capacity = sim_below(w->sim, w->o.ring_bytes * 2);
    w->room_at = sim_now(w->sim) + sim_below(w->sim, UINT64_C(60000000000));
    w->faulty = w->tight = true;
    live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1000), SIM_POWER_CUT);
    w->faulty = w->tight = false;
    f->capacity = 0;
    live(w, 0, SIM_KILL);
}

static void run_clock(struct world *w) {
    unsigned lives = 1 + (unsigned)sim_below(w->sim, 4);
    w->clock = clock_new(w->sim);
    w->quota = 20 + sim_below(w->sim, 100);
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        live(w, sim_chance(w->sim, 100) ? 0 : 1 + sim_below(w->sim, 1500), draw_crash(w));
        if (sim_chance(w->sim, 128)) clock_jump(w);
    }
}

static void run_erase(struct world *w) {
    unsigned lives = 1 + (unsigned)sim_below(w->sim, 5);
    w->erasures = erasures_new(w);
    w->quota = 1 + sim_below(w->sim, 400);
    for (unsigned i = 0; i < lives; i++, draw_parts(w))
        live(w, sim_chance(w->sim, 80) ? 0 : 1 + sim_below(w->sim, 2500), draw_crash(w));
}

static void run_decay(struct world *w) {
    unsigned lives = 2 + (unsigned)sim_below(w->sim, 4);
    w->quota = 50 + sim_below(w->sim, 800);
    w->decay = w->damaged = w->tight = true;
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        live(w, 0, SIM_KILL);
        for (uint64_t n = sim_below(w->sim, 4); n > 0; n--) decay_spoil(w);
    }
}

static void run_scrub(struct world *w) {
    w->quota = 20 + sim_below(w->sim, 300);
    w->scrub = w->decay = w->damaged = w->tight = true;
    for (unsigned i = 0; i < 2; i++, draw_parts(w)) live(w, 0, SIM_KILL);
}

// A slot of the manifest cannot be read in each other life. With a kill what it was may not be durable.
static void run_manifest(struct world *w) {
    unsigned lives = 3 + (unsigned)sim_below(w->sim, 8);
    w->quota = 1 + sim_below(w->sim, 400);
    w->wounded = true; // files of a job that only that slot knew
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        uint64_t at = sim_chance(w->sim, 100) ? 0 : 1 + sim_below(w->sim, sim_chance(w->sim, 128) ? 80 : 1500);
        live(w, at, SIM_POWER_CUT);
        if (w->wound.bytes) manifest_heal(w);
        else manifest_spoil(w);
    }
    manifest_heal(w);
}

// Not only the last life has everything back: each of them may.
static void harm_files(struct world *w, bool away) {
    unsigned lives = 2 + (unsigned)sim_below(w->sim, 4);
    w->quota = 20 + sim_below(w->sim, sim_chance(w->sim, 128) ? 100 : 600);
    w->files = files_new(away);
    w->decay = w->damaged = w->tight = true;
    for (unsigned i = 0; i < lives; i++, draw_parts(w)) {
        live(w, 0, SIM_KILL);
        files_heal(w, sim_chance(w->sim, 100));
        if (!sim_chance(w->sim, 64)) files_harm(w);
    }
    live(w, 0, SIM_KILL);
    files_heal(w, true);
}

static void run_away(struct world *w) { harm_files(w, true); }
static void run_files(struct world *w) { harm_files(w, false); }

// What is missing of the journal stays lost, also when the file is back.
static void run_ring(struct world *w) {
    unsigned lives = 1 + (unsigned)sim_below(w->sim, 3);
    for (unsigned i = 0; i < lives; i++) live(w, 0, SIM_KILL);
    w->files = files_new(false);
    w->damaged = w->look_only = true;
    files_harm_journal(w);
    live(w, 0, SIM_KILL);
    files_heal(w, true);
}

static void run_interval(struct world *w) {
    w->interval = true;
    w->o.sync_interval = 5000000;
    run_lives(w);
}

static void run_random(uint64_t seed, const struct sim_args *args, void (*workload)(struct world *w)) {
    struct world w;
    world_init(&w, seed, args);
    workload(&w);
    w.o.sync_interval = 0;
    w.quota = 1;
    live(&w, 0, SIM_KILL);
    live(&w, 0, SIM_KILL); // what the first has recovered, the second must
    world_fini(&w);
}

static void run(uint64_t seed, const struct sim_args *args) {
    static const struct {
        const char *name;
        void (*run)(struct world *w);
    } all[] = {{"calm", run_calm}, {"lives", run_lives}, {"rot", run_rot},   {"errors", run_errors},
               {"lives", run_lives}, {"stray", run_stray}, {"full", run_full}, {"interval", run_interval},
               {"unlinks", run_unlinks}, {"clock", run_clock}, {"decay", run_decay},
               {"erase", run_erase}, {"scrub", run_scrub}, {"manifest", run_manifest},
               {"away", run_away}, {"files", run_files}, {"ring", run_ring}};
    const uint64_t n = sizeof(all) / sizeof(all[0]), named = 3, usual = n - named - 3;
    // The last three only by their names; the three before them are rarer.
    uint64_t drawn = seed % 16 == 15 ? usual + seed / 16 % 3 : seed % usual;
    if (args->workload ? strcmp(args->workload, "points") == 0 : seed % 16 == 0) {
        run_points(seed, args);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (args->workload ? strcmp(args->workload, all[i].name) != 0 : drawn != i) continue;
        run_random(seed, args, all[i].run);
        return;
    }
}

int main(int argc, char **argv) { return sim_main(argc, argv, 400, run); }
