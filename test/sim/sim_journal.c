// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The journal on the simulated disk. A world has one disk and several lives: in each a process opens the journal,
// shards submit batches (each shard one stream) and see some of them acknowledged, a keeper recycles, and the life ends
// in peace, by a kill, or by a power cut, perhaps while it is still recovering. What a recovery delivers is compared
// with the memory of the outside world:
//
//   - what was acknowledged and is not recycled is there, byte for byte (journal_model.c)
//   - of the rest a prefix in the order of submission, or damage is reported
//   - nothing else, nothing twice, nothing that was said to be not written
//   - what one recovery has delivered, the next delivers too
//   - nothing is reported as damage but damage, and perhaps the end that a power cut has torn
//
// Workloads: `points` crashes a short life at each of its operations in turn; `lives` is long; `rot` spoils bytes at
// rest, and some read well again later; `errors` lets writes and syncs fail; `stray` loses and misdirects writes;
// `full` fills the disk; `interval` acks before it syncs.
#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/sim/journal_model.h"

#define FILE_PAGES 16u
#define PAGE 4096u

// A place in the ring that was spoiled.
struct wound {
    char name[40];
    uint64_t at;
    unsigned bit;
    bool flipped; // or it cannot be read
    uint8_t page[PAGE]; // if flipped: what it was part of then
};
struct world {
    struct sim *sim;
    struct sim_disk *disk;
    struct model model;
    const char *workload;
    unsigned shards, files;
    uint64_t quota; // records that a shard submits in a life
    uint32_t incarnation;
    bool interval;
    // Of the present life.
    struct mg_journal *j;
    unsigned working;
    uint64_t outstanding; // bytes of batches that were submitted and have not come back well
    bool may_tear;        // the life ends with a power cut, or with writes that fail
    bool opened;
    struct wound wounds[16];
    unsigned wounds_len;
    int refused; // what the last submit that was refused answered, other than MG_EFULL
};

struct shard {
    struct world *w;
    unsigned no;
    struct mg_thread *thread;
    struct mg_inbox home;
    struct mg_bell bell;
    unsigned in_flight;
};

struct flight {
    struct mg_batch batch;
    struct mg_span span[2];
    struct shard *shard;
    uint64_t first, count; // operations
    uint8_t bytes[];
};

static bool over(struct world *w) { return sim_disk_crashed(w->disk); }

// ---- shards -------------------------------------------------------------------------------------------------------

static void ring(void *arg) { mg_bell_ring(arg); }

static void arrived(struct mg_parcel *p) {
    struct flight *f = (struct flight *)(void *)p;
    struct shard *s = f->shard;
    struct model_op *op = model_op(&s->w->model, s->no, f->first);
    s->in_flight--;
    if (!over(s->w) && f->batch.result == 0) s->w->outstanding -= f->batch.bytes;
    // After the crash nobody is there to see it.
    for (uint64_t i = 0; !over(s->w) && i < f->count; i++, op++) {
        if (f->batch.result == 0) {
            op->fate = MODEL_ACKED;
            op->page = f->batch.page;
            op->pages_end = f->batch.pages_end;
        } else if (f->batch.result == MG_EPOISONED) {
            op->fate = MODEL_REFUSED;
        } else {
            sim_check(f->batch.result == MG_EUNKNOWN, "a batch came back with %d", f->batch.result);
        }
    }
    mg_free(f);
}

static size_t draw_payload(struct sim *s) {
    if (sim_chance(s, 4)) return sim_below(s, 20000);
    return sim_below(s, sim_chance(s, 40) ? 3000 : 200);
}

static struct flight *draw_batch(struct shard *sh) {
    struct sim *s = sh->w->sim;
    size_t sizes[8], total = 0;
    uint64_t n = 1 + sim_below(s, sim_chance(s, 128) ? 2 : 8);
    for (uint64_t i = 0; i < n; i++) total += mg_record_size(0, 5, 0, sizes[i] = draw_payload(s));
    struct flight *f = mg_zalloc(sizeof(*f) + total);
    f->shard = sh;
    f->first = model_next(&sh->w->model, sh->no);
    f->count = n;
    size_t at = 0, half = 0;
    for (uint64_t i = 0; i < n; i++) {
        at += model_record(&sh->w->model, sh->no, f->first + i, sizes[i], f->bytes + at);
        if (i == n / 2) half = at;
    }
    f->span[0] = (struct mg_span){f->bytes, half};
    f->span[1] = (struct mg_span){f->bytes + half, at - half};
    f->batch = (struct mg_batch){.parcel.arrived = arrived,
                                 .home = &sh->home,
                                 .spans = f->span,
                                 .nspans = at > half ? 2 : 1,
                                 .bytes = at,
                                 .class = sim_chance(s, 32) ? MG_BATCH_RESERVED : MG_BATCH_NORMAL};
    return f;
}

static void wait_a_while(struct shard *sh, uint64_t ns) {
    uint64_t until = ns == MG_NEVER ? MG_NEVER : mg_bell_clock() + ns;
    if (mg_mailbox_sleep(&sh->home.box, MG_ASLEEP)) mg_bell_wait(&sh->bell, until);
    mg_mailbox_awake(&sh->home.box);
    mg_inbox_open(&sh->home);
}

// False: nothing more can be submitted in this life.
static bool submit(struct shard *sh) {
    struct flight *f = draw_batch(sh);
    int rc = f->batch.bytes > mg_journal_max_batch(sh->w->j) ? MG_EFULL : 0;
    if (rc == 0) {
        // The other side may be faster than this line: it must be known what was submitted.
        uint64_t bytes = over(sh->w) ? 0 : f->batch.bytes;
        sh->w->outstanding += bytes;
        model_submitted(&sh->w->model, sh->no, f->first, f->count, f->bytes);
        rc = mg_journal_submit(sh->w->j, &f->batch);
        if (rc != 0) model_take_back(&sh->w->model, sh->no, f->first);
        if (rc != 0 && !over(sh->w)) sh->w->outstanding -= bytes;
    }
    if (rc == 0) {
        sh->in_flight++;
        return true;
    }
    mg_free(f);
    if (rc == MG_EFULL) {
        wait_a_while(sh, 1000000);
        return true;
    }
    sim_check(rc == MG_EPOISONED || rc == MG_ENOSPC || rc == MG_EIO || rc == MG_ECLOSED, "submit answered %d", rc);
    if (!over(sh->w)) sh->w->refused = rc;
    if (rc == MG_EPOISONED || over(sh->w)) return false;
    wait_a_while(sh, 100000000);
    return true;
}

static void shard_main(void *arg) {
    struct shard *sh = arg;
    struct world *w = sh->w;
    uint64_t end = model_next(&w->model, sh->no) + w->quota, tries = 0;
    while (!over(w) && model_next(&w->model, sh->no) < end && tries++ < w->quota * 20) {
        if (!submit(sh)) break;
        while (sh->in_flight > sim_below(w->sim, 4)) wait_a_while(sh, MG_NEVER);
        if (sim_chance(w->sim, 10)) wait_a_while(sh, sim_below(w->sim, 60000000));
    }
    while (sh->in_flight > 0) wait_a_while(sh, MG_NEVER);
    w->working--;
}

// ---- the keeper ---------------------------------------------------------------------------------------------------

// Some acknowledged operation's page becomes the one to replay from: what is before is said to be safe elsewhere.
static void recycle(struct world *w) {
    struct mg_journal_state st;
    mg_journal_state(w->j, &st);
    uint64_t page = model_some_page(&w->model, w->sim, st.durable);
    if (page <= w->model.replay_from || over(w)) return;
    w->model.replay_from = page;
    mg_journal_recycle(w->j, page);
}

static void keeper_main(void *arg) {
    struct world *w = arg;
    struct mg_bell bell;
    mg_bell_init(&bell);
    while (w->working > 0 && !over(w)) {
        struct mg_journal_state st;
        mg_bell_wait(&bell, mg_bell_clock() + 100000 + sim_below(w->sim, 3000000));
        mg_journal_state(w->j, &st);
        if (w->model.interval && !over(w)) w->model.durable = st.durable;
        if (sim_chance(w->sim, 1)) sim_disk_faults(w->disk)->capacity = 0; // somebody has made room
        bool full = mg_journal_room(w->j, MG_BATCH_NORMAL) < 40000;
        if (full || sim_chance(w->sim, 20)) recycle(w);
    }
    mg_bell_fini(&bell);
}

// ---- a life -------------------------------------------------------------------------------------------------------

static int on_record(void *arg, const struct mg_record_view *v, const void *bytes, uint64_t page) {
    (void)bytes;
    struct world *w = arg;
    if (over(w)) return MG_ECLOSED;
    model_seen(&w->model, v, page);
    return 0;
}

static void on_damage(void *arg, const struct mg_journal_damage *d) {
    struct world *w = arg;
    if (over(w)) return;
    sim_trace("damage: %s, pages %llu-%llu%s", mg_damage_text(d->cause), (unsigned long long)d->page,
              (unsigned long long)d->pages_end,
              d->unfinished     ? ", unfinished"
              : d->perhaps_torn ? ", perhaps torn"
                                : "");
    model_damage(&w->model, d);
    // Sectors that hold the old or the new bytes tell a torn page from a damaged one.
    sim_check(!d->perhaps_torn || w->model.damaged || w->model.stray || sim_disk_faults(w->disk)->garbage,
              "a page that is only torn is taken for damaged");
}

static int open_journal(struct world *w, struct mg_disk *disk, bool look_only) {
    const struct mg_journal_options o = {
        .disk = disk,
        .salt = 4711,
        .page_bytes = 4096,
        .file_pages = FILE_PAGES,
        .files = w->files,
        .replay_from = w->model.replay_from,
        .incarnation = w->incarnation,
        .sync_ns = w->interval ? 5000000 : 0,
        .idle_ns = 20000000,
        .look_only = look_only,
        .arg = w,
        .record = on_record,
        .damage = on_damage,
    };
    struct mg_disk_why why = {""};
    model_begin_recovery(&w->model);
    int rc = mg_journal_open(&w->j, &o, &why);
    if (rc != 0) sim_trace("open: %s", why.text);
    return rc;
}

static void work(struct world *w) {
    struct shard shards[MODEL_STREAMS] = {{0}};
    struct mg_thread *keeper;
    w->working = w->shards;
    for (unsigned i = 0; i < w->shards; i++) {
        struct shard *sh = &shards[i];
        *sh = (struct shard){.w = w, .no = i, .home.ring = ring, .home.arg = &sh->bell};
        mg_bell_init(&sh->bell);
        mg_thread_start(&sh->thread, "shard", shard_main, sh);
    }
    mg_thread_start(&keeper, "keeper", keeper_main, w);
    for (unsigned i = 0; i < w->shards; i++) {
        mg_thread_join(shards[i].thread);
        mg_bell_fini(&shards[i].bell);
    }
    mg_thread_join(keeper);
}

static void process_main(void *arg) {
    struct world *w = arg;
    struct mg_disk *disk;
    struct mg_journal_state st;
    int rc = mg_disk_open(&disk, "/store", "sim", 0, NULL);
    sim_check(rc == 0, "the disk does not open: %d", rc);
    rc = open_journal(w, disk, false);
    if (rc == MG_EFULL) { // everything was delivered: it is stored elsewhere and the journal opened again
        model_recovered(&w->model, UINT64_MAX);
        w->model.replay_from = model_end(&w->model);
        rc = open_journal(w, disk, false);
    }
    if (rc == 0 && !over(w)) {
        mg_journal_state(w->j, &st);
        sim_trace("recovered: incarnation %u, next page %llu", st.incarnation, (unsigned long long)st.head);
        w->opened = true;
        w->incarnation = st.incarnation;
        model_recovered(&w->model, st.head);
        work(w);
        mg_journal_state(w->j, &st);
        if (!over(w)) w->model.head = st.head;
        if (w->may_tear) model_attempted(&w->model, st.head + w->outstanding / MODEL_BODY + 2);
    } else if (w->may_tear) {
        model_attempted(&w->model, w->model.attempted + 10); // a fence and probes
    }
    if (rc == 0) mg_journal_close(w->j);
    else sim_check(over(w) || rc == MG_EIO || rc == MG_ENOSPC, "the journal does not open: %d", rc);
    mg_disk_close(disk);
}

static bool all_ended(void *arg) { return sim_all_ended(arg); }

// crash_at 0: in peace. Returns the operations that it took.
static uint64_t live(struct world *w, uint64_t crash_at, enum sim_crash how) {
    uint64_t before = sim_disk_counts(w->disk)->operations;
    sim_trace("a life");
    w->opened = false;
    w->outstanding = 0;
    w->may_tear = how == SIM_POWER_CUT;
    sim_disk_crash_at(w->disk, crash_at, how);
    sim_set_step_limit(w->sim, 30000000);
    sim_spawn(w->sim, "process", process_main, w);
    enum sim_end end = sim_run(w->sim, all_ended, w->sim, MG_NEVER);
    sim_check(end == SIM_DONE, "%s", end == SIM_STEPS ? "somebody spins" : "somebody waits for ever");
    if (over(w) && how == SIM_POWER_CUT) w->model.perhaps_torn = true;
    sim_disk_crash_at(w->disk, 0, how);
    return sim_disk_counts(w->disk)->operations - before;
}

static void world_init(struct world *w, uint64_t seed, const struct sim_args *args) {
    static const unsigned garbage[] = {0, 64, 255};
    *w = (struct world){.sim = sim_new(seed)};
    w->disk = sim_disk_new(w->sim, "/store");
    w->shards = args->shards && args->shards <= MODEL_STREAMS ? args->shards
                                                              : 1 + (unsigned)sim_below(w->sim, MODEL_STREAMS);
    w->files = 2 + (unsigned)sim_below(w->sim, 3);
    w->quota = 1 + sim_below(w->sim, 60);
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    f->garbage = garbage[sim_below(w->sim, 3)];
    f->no_direct = sim_chance(w->sim, 64);
    f->slow = sim_chance(w->sim, 128) ? 20000 : 0;
    f->slow_ns = 3000000;
    model_init(&w->model, seed, (uint64_t)w->files * FILE_PAGES);
}

static void world_fini(struct world *w) {
    model_fini(&w->model);
    sim_disk_free(w->disk);
    sim_free(w->sim);
}

// ---- workloads ----------------------------------------------------------------------------------------------------

static void run_points(uint64_t seed, const struct sim_args *args) {
    uint64_t total = 1;
    for (uint64_t at = 0; at <= total; at++) {
        struct world w;
        world_init(&w, seed, args);
        w.quota = 1 + seed % 6;
        uint64_t n = live(&w, at, (at + seed) % 2 ? SIM_KILL : SIM_POWER_CUT);
        if (at == 0) total = n;
        // Once more, crashed in recovery at a point that moves along too.
        if (at > 0) live(&w, 1 + at % 40, SIM_POWER_CUT);
        live(&w, 0, SIM_KILL);
        world_fini(&w);
    }
}

static void run_lives(struct world *w) {
    unsigned lives = 2 + (unsigned)sim_below(w->sim, 12);
    for (unsigned i = 0; i < lives; i++) {
        uint64_t at = sim_chance(w->sim, 40) ? 0 : 1 + sim_below(w->sim, sim_chance(w->sim, 100) ? 60 : 1500);
        live(w, at, sim_chance(w->sim, 128) ? SIM_KILL : SIM_POWER_CUT);
    }
}

// Spoils some places in the ring between two lives.
static void spoil(struct world *w) {
    uint64_t pages = (uint64_t)w->files * FILE_PAGES, n = 1 + sim_below(w->sim, 3);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t slot = sim_below(w->sim, pages), size;
        struct wound *x = &w->wounds[w->wounds_len];
        x->at = slot % FILE_PAGES * PAGE + sim_below(w->sim, PAGE);
        snprintf(x->name, sizeof(x->name), "journal/ring-%05u", (unsigned)(slot / FILE_PAGES));
        x->flipped = sim_chance(w->sim, 128);
        x->bit = (unsigned)sim_below(w->sim, 8);
        int rc = x->flipped ? sim_disk_flip(w->disk, x->name, x->at, x->bit)
                            : sim_disk_bad_sector(w->disk, x->name, x->at);
        if (rc != 0) continue;
        model_spoil(&w->model, slot);
        const uint8_t *p = sim_disk_peek(w->disk, x->name, &size);
        memcpy(x->page, p + x->at / PAGE * PAGE, PAGE);
        w->wounds_len++;
    }
}

// It was the cable: what was not written since reads as it was. A recovery has told of it and was served from.
static void heal(struct world *w) {
    for (; w->wounds_len > 0; w->wounds_len--) {
        const struct wound *x = &w->wounds[w->wounds_len - 1];
        uint64_t size;
        const uint8_t *p = sim_disk_peek(w->disk, x->name, &size);
        if (!x->flipped) sim_disk_good_sector(w->disk, x->name, x->at);
        else if (memcmp(p + x->at / PAGE * PAGE, x->page, PAGE) == 0)
            sim_disk_flip(w->disk, x->name, x->at, x->bit);
    }
}

static void run_rot(struct world *w) {
    bool healed = false; // nothing is spoiled then: a fence that is damaged itself cannot tell what it knows
    for (unsigned i = 0; i < 4; i++) {
        live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_KILL);
        healed |= w->opened && w->wounds_len > 0 && sim_chance(w->sim, 100);
        if (w->opened && healed) heal(w);
        else if (w->opened && !over(w)) spoil(w);
    }
}

static void run_errors(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    for (unsigned i = 0; i < 4; i++) {
        f->fail_write = sim_chance(w->sim, 128) ? 500 : 0;
        f->fail_sync = sim_chance(w->sim, 128) ? 500 : 0;
        live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_POWER_CUT);
        f->fail_write = f->fail_sync = 0;
        // What a failed sync has dropped shows when the system goes, at the latest.
        sim_disk_crash(w->disk, SIM_POWER_CUT);
        w->model.perhaps_torn = true;
    }
}

static void run_stray(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    for (unsigned i = 0; i < 4; i++) {
        f->lose_write = sim_chance(w->sim, 128) ? 300 : 0;
        f->misdirect = sim_chance(w->sim, 128) ? 300 : 0;
        live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 1500), SIM_KILL);
        const struct sim_disk_counts *c = sim_disk_counts(w->disk);
        w->model.stray = c->lost + c->misdirected > 0;
        f->lose_write = f->misdirect = 0;
    }
}

static void run_full(struct world *w) {
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    uint64_t ring_bytes = (uint64_t)w->files * FILE_PAGES * 4096;
    f->capacity = sim_below(w->sim, ring_bytes + 100000);
    live(w, sim_chance(w->sim, 128) ? 0 : 1 + sim_below(w->sim, 500), SIM_POWER_CUT);
    f->capacity = 0;
    live(w, 0, SIM_KILL);
    sim_check(w->refused == 0 || w->refused == MG_ENOSPC || w->refused == MG_EPOISONED, "refused: %d", w->refused);
}

static void run_interval(struct world *w) {
    w->interval = w->model.interval = true;
    run_lives(w);
}

static void run_random(uint64_t seed, const struct sim_args *args, void (*workload)(struct world *w)) {
    struct world w;
    world_init(&w, seed, args);
    workload(&w);
    w.interval = false;
    sim_disk_faults(w.disk)->lose_write = sim_disk_faults(w.disk)->misdirect = 0;
    live(&w, 0, SIM_KILL);
    live(&w, 0, SIM_KILL); // what the first has recovered, the second must
    world_fini(&w);
}

static void run(uint64_t seed, const struct sim_args *args) {
    static const struct {
        const char *name;
        void (*run)(struct world *w);
    } all[] = {{"lives", run_lives}, {"rot", run_rot},   {"errors", run_errors},
               {"stray", run_stray}, {"full", run_full}, {"interval", run_interval}};
    const uint64_t n = sizeof(all) / sizeof(all[0]);
    if (args->workload ? strcmp(args->workload, "points") == 0 : seed % 16 == 0) {
        run_points(seed, args);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        if (args->workload ? strcmp(args->workload, all[i].name) == 0 : seed % n == i)
            run_random(seed, args, all[i].run);
}

int main(int argc, char **argv) { return sim_main(argc, argv, 400, run); }
