// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Manifest, runs and segments on the simulated disk. In each life a process opens the store, checks everything that the
// manifest lists, then runs jobs: an intent, a segment and a primary run, syncs, a manifest that lists them and drops
// old ones, and the removal of these. A life ends in peace, by a kill or by a power cut. What must hold afterwards:
//
//   - the manifest is the last one that was stored, or the one that was being stored
//   - all that it lists is there and whole; what a file holds follows from its id
//   - nothing is put aside: whatever is not listed is known to be garbage, and goes
//
// Workloads: `points` crashes a short life at each of its operations; `lives` is long; `rot` spoils bytes at rest: an
// answer may then be an error, but not a wrong one. `halves` spoils one of everything that is there twice (a copy of a
// run, a foot of a segment, a slot of the manifest), also by what is whole but belongs elsewhere: then nothing may
// fail, and a check must say which are damaged.
#include <stdio.h>
#include <string.h>

#include "jetstream/store/manifest.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/segment.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/sim/sim_disk.h"

enum { KEEP = 3, MESSAGES = 40, IDS = 64 };

struct world {
    struct sim *sim;
    struct sim_disk *disk;
    unsigned jobs;                // of a life
    uint64_t stored, attempted;   // generations
    bool rotten;
    bool halved, damaged[IDS];    // files by their ids: a check must find that something of them is damaged
    int lost_slot;                // -1: none
    struct mg_table_env env;
};

static bool over(const struct world *w) { return sim_disk_crashed(w->disk); }

// An error is fine if the process is dead, or if bytes were spoiled.
static bool fine(const struct world *w, int err, const char *what) {
    if (err == MG_OK) return true;
    sim_check(over(w) || w->rotten, "%s: %s", what, mg_strerror(err));
    return false;
}

// A check of a file must find what is wrong with it, and nothing else.
static void check_found(const struct world *w, int err, uint64_t id, const char *what) {
    if (!w->halved) fine(w, err, what);
    else sim_check((err != MG_OK) == w->damaged[id % IDS], "%s, %d: %s", what, (int)id, mg_strerror(err));
}

// ---- what a file holds follows from its id

static mg_slice key_of(char key[32], uint64_t i) {
    return mg_slice_of(key, (size_t)snprintf(key, 32, "key %04d", (int)i));
}
static mg_slice value_of(char value[32], uint64_t id, uint64_t i) {
    return mg_slice_of(value, (size_t)snprintf(value, 32, "%d of %d", (int)i, (int)id));
}
static uint64_t rows_of(uint64_t id) { return 5 + id * 7 % 60; }

static size_t record_of(uint64_t id, uint64_t i, uint64_t record[32]) {
    char payload[32];
    struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = id, .seq = i + 1, .time = (int64_t)i},
                               .subject = MG_S("subject"), .payload = value_of(payload, id, i)};
    return mg_record_encode(record, &v);
}

static int open_new(struct mg_disk *d, enum mg_table_file kind, uint64_t id, struct mg_file **f) {
    char name[MG_FILE_NAME_MAX];
    mg_table_file_name(name, kind, id);
    return mg_file_open(d, f, name, MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EXCL, NULL);
}

static int write_segment(struct world *w, struct mg_disk *d, uint64_t id, struct mg_segment_summary *sum) {
    struct mg_file *f;
    struct mg_file_writer writer;
    int err = open_new(d, MG_FILE_SEGMENT, id, &f);
    if (err) return err;
    mg_file_writer_init(&writer, mg_blob_of_file(f), 4096);
    struct mg_segment_builder *b =
        mg_segment_builder_new(&(struct mg_segment_options){.env = &w->env, .file = id, .dict_bytes = 200}, &writer);
    mg_segment_builder_pack(b, id % 2);
    for (uint64_t i = 0; i < MESSAGES && err == MG_OK; i++) {
        uint64_t record[32];
        record_of(id, i, record);
        err = mg_segment_builder_add(b, record);
    }
    if (err == MG_OK) err = mg_segment_builder_finish(b, sum);
    if (err == MG_OK) err = mg_file_sync(f, NULL);
    mg_segment_builder_free(b);
    mg_file_writer_fini(&writer);
    mg_file_close(f);
    return err;
}

static int fill_run(struct world *w, uint64_t id, struct mg_file_writer *writer, struct mg_run_summary *sum) {
    struct mg_run_builder *b = mg_run_builder_new(&(struct mg_run_options){&w->env, id, 300, 20}, writer);
    int err = MG_OK;
    for (uint64_t i = 0; i < rows_of(id) && err == MG_OK; i++) {
        char key[32], value[32];
        err = mg_run_builder_add(b, &(struct mg_row){key_of(key, i), value_of(value, id, i), false});
    }
    if (err == MG_OK) {
        err = mg_run_builder_finish(b, sum);
        if (err) mg_run_summary_fini(sum);
    }
    mg_run_builder_free(b);
    return err;
}

static int write_run(struct world *w, struct mg_disk *d, uint64_t id, struct mg_run_summary *sum) {
    struct mg_file *f, *copy = NULL;
    struct mg_file_writer writer;
    int err = open_new(d, MG_FILE_RUN, id, &f);
    if (err) return err;
    err = open_new(d, MG_FILE_RUN_COPY, id, &copy);
    if (err == MG_OK) {
        mg_file_writer_init(&writer, mg_blob_of_file(f), 4096);
        writer.twin = mg_blob_of_file(copy);
        err = fill_run(w, id, &writer, sum);
        mg_file_writer_fini(&writer);
        if (err == MG_OK && (mg_file_sync(f, NULL) || mg_file_sync(copy, NULL))) {
            mg_run_summary_fini(sum);
            err = MG_EIO;
        }
        mg_file_close(copy);
    }
    mg_file_close(f);
    return err;
}

// ---- checking

static int open_old(struct mg_disk *d, enum mg_table_file kind, uint64_t id, struct mg_file **f) {
    char name[MG_FILE_NAME_MAX];
    mg_table_file_name(name, kind, id);
    return mg_file_open(d, f, name, MG_FILE_READ, NULL);
}

static void check_segment(struct world *w, struct mg_disk *d, const struct mg_manifest_segment *s) {
    struct mg_file *f;
    struct mg_segment *g;
    if (!fine(w, open_old(d, MG_FILE_SEGMENT, s->file, &f), "a segment is missing")) return;
    if (fine(w, mg_segment_open(&g, &w->env, mg_blob_of_file(f), s->file, s->size, s->foot_sum), "a segment's foot")) {
        struct mg_section section;
        struct mg_record_buf buf = {0};
        bool whole = fine(w, mg_segment_section(g, 0, &section), "a section");
        for (uint64_t i = 0; whole && i < MESSAGES; i++) {
            struct mg_record_view v;
            char payload[32];
            if (!fine(w, mg_section_get(g, &section, i + 1, &buf, &v), "a message")) continue;
            bool right = v.head.stream == s->file && mg_slice_eq(v.payload, value_of(payload, s->file, i));
            sim_check(right, "a wrong message");
        }
        mg_record_buf_fini(&buf);
        struct mg_segment_health health;
        if (!w->rotten) check_found(w, mg_segment_verify(g, NULL, NULL, &health), s->file, "a segment's check");
        mg_segment_close(g);
    }
    mg_file_close(f);
}

static void check_rows(struct world *w, const struct mg_run *r, uint64_t id) {
    for (uint64_t i = 0; i <= rows_of(id); i++) {
        char key[32], value[32];
        struct mg_run_hit hit;
        int err = mg_run_get(r, key_of(key, i), &hit);
        if (i == rows_of(id)) {
            sim_check(err == MG_ENOTFOUND || over(w), "a row that nobody wrote");
        } else if (fine(w, err, "a row")) {
            sim_check(mg_slice_eq(hit.value, value_of(value, id, i)), "a wrong row");
            mg_run_hit_release(&hit);
        }
    }
}

static void check_walk(struct world *w, const struct mg_run *r, uint64_t id) {
    struct mg_run_iter *it = mg_run_iter_new(r, id % 2);
    uint64_t n = 0;
    int err;
    for (err = mg_run_iter_seek(it, mg_slice_of(NULL, 0)); err != MG_ENOTFOUND; err = mg_run_iter_next(it)) {
        char key[32], value[32];
        int i;
        if (!fine(w, err, "a range")) continue;
        const struct mg_row *row = mg_run_iter_row(it);
        snprintf(key, sizeof key, "%.*s", (int)row->key.n, row->key.p);
        sim_check(sscanf(key, "key %4d", &i) == 1 && mg_slice_eq(row->value, value_of(value, id, (uint64_t)i)),
                  "a wrong row in a range");
        n++;
    }
    mg_run_iter_free(it);
    sim_check(n == rows_of(id) || w->rotten || over(w), "%d rows in place of %d", (int)n, (int)rows_of(id));
}

static void check_run(struct world *w, struct mg_disk *d, const struct mg_manifest_run *about) {
    struct mg_file *f = NULL, *copy = NULL;
    struct mg_run *r;
    fine(w, open_old(d, MG_FILE_RUN, about->file, &f), "a run is missing");
    fine(w, open_old(d, MG_FILE_RUN_COPY, about->file, &copy), "a copy is missing");
    struct mg_blob none = {0}, main = f ? mg_blob_of_file(f) : none, twin = copy ? mg_blob_of_file(copy) : none;
    int err = mg_run_open(&r, &w->env, main, twin, about->file, about->size, about->foot_sum);
    if (fine(w, err, "a run")) {
        check_rows(w, r, about->file);
        check_walk(w, r, about->file);
        if (!w->rotten) check_found(w, mg_run_verify(r, NULL, NULL), about->file, "a run's check");
        mg_run_close(r);
    }
    mg_file_close(f);
    mg_file_close(copy);
}

// ---- a life

static bool store(struct world *w, struct mg_disk *d, struct mg_manifest *m) {
    w->attempted = m->head.generation + 1;
    if (mg_manifest_store(d, m, NULL) || over(w)) return false;
    w->stored = m->head.generation;
    return true;
}

// What is undone after this change is undone when either slot is enough to know of it.
static bool store_both(struct world *w, struct mg_disk *d, struct mg_manifest *m) {
    return store(w, d, m) && store(w, d, m);
}

static void unlist_oldest(struct mg_manifest *m, uint64_t gone[2]) {
    gone[0] = m->segments[0].file;
    gone[1] = m->runs[0].about.file;
    mg_manifest_remove_segment(m, gone[0]);
    mg_manifest_remove_run(m, gone[1]);
    for (int i = 0; i < 2; i++)
        mg_manifest_add_intent(m, gone[i], gone[i], 1);
}

static bool remove_files(struct mg_disk *d, struct mg_manifest *m, const uint64_t gone[2]) {
    char name[MG_FILE_NAME_MAX];
    int err = MG_OK;
    for (int kind = MG_FILE_SEGMENT; kind <= MG_FILE_RUN_COPY && (err == MG_OK || err == MG_ENOTFOUND); kind++) {
        mg_table_file_name(name, (enum mg_table_file)kind, gone[kind != MG_FILE_SEGMENT]);
        err = mg_disk_unlink(d, name, NULL);
    }
    if (err == MG_OK || err == MG_ENOTFOUND) err = mg_disk_sync_dir(d, "segments", NULL);
    if (err == MG_OK) err = mg_disk_sync_dir(d, "tables", NULL);
    for (int i = 0; i < 2 && err == MG_OK; i++)
        mg_manifest_remove_intent(m, gone[i]);
    return err == MG_OK;
}

static bool job(struct world *w, struct mg_disk *d, struct mg_manifest *m) {
    uint64_t id = m->head.next_file, gone[2];
    struct mg_segment_summary seg;
    struct mg_run_summary run;
    m->head.next_file += 2;
    mg_manifest_add_intent(m, id, id, 2);
    if (!store(w, d, m) || write_segment(w, d, id, &seg) || write_run(w, d, id + 1, &run)) return false;
    const struct mg_manifest_run about = {.file = id + 1, .size = run.size, .foot_sum = run.foot_sum, .rows = run.rows,
                                          .flags = MG_MANIFEST_RUN_PRIMARY};
    mg_manifest_add_run(m, &about, mg_buf_slice(&run.min_key), mg_buf_slice(&run.max_key));
    mg_manifest_add_segment(m, &(struct mg_manifest_segment){.file = id, .size = seg.size, .foot_sum = seg.foot_sum});
    mg_run_summary_fini(&run);
    mg_manifest_remove_intent(m, id);
    bool full = m->nsegments > KEEP && m->nruns > KEEP;
    if (full) unlist_oldest(m, gone);
    if (mg_disk_sync_dir(d, "segments", NULL) || mg_disk_sync_dir(d, "tables", NULL) || !store_both(w, d, m))
        return false;
    return !full || remove_files(d, m, gone);
}

// What a start does: true if the store may be used.
static bool recover(struct world *w, struct mg_disk *d, struct mg_manifest *m) {
    struct mg_manifest_loaded loaded;
    struct mg_file_check check = {.look_only = true};
    int err = mg_manifest_load(d, m, &loaded);
    if (over(w)) return false;
    if (err == MG_ENOTFOUND) {
        sim_check(w->stored == 0, "an empty store in place of generation %d", (int)w->stored);
        m->head.next_file = 1;
        err = mg_disk_mkdir(d, "segments", NULL);
        if (err == MG_OK || err == MG_EEXISTS) err = mg_disk_mkdir(d, "tables", NULL);
        return (err == MG_OK || err == MG_EEXISTS) && store(w, d, m);
    }
    if (!fine(w, err, "the manifest")) return false;
    bool known = m->head.generation + (w->lost_slot >= 0) >= w->stored && m->head.generation <= w->attempted;
    for (int i = 0; i < 2 && w->halved; i++)
        sim_check((loaded.slots[i] == MG_SLOT_DAMAGED) == (i == w->lost_slot), "what slot %d has is not known", i);
    sim_check(known || w->rotten, "generation %d, stored was %d", (int)m->head.generation, (int)w->stored);
    if (!fine(w, mg_manifest_check_files(d, m, &loaded, &check, NULL), "looking at files")) return false;
    sim_check(check.lost == 0 || w->rotten || over(w), "listed files are missing");
    for (uint32_t i = 0; i < m->nsegments; i++)
        check_segment(w, d, &m->segments[i]);
    for (uint32_t i = 0; i < m->nruns; i++)
        check_run(w, d, &m->runs[i].about);
    if (w->rotten || w->halved || over(w)) return false;
    check.look_only = false;
    if (!fine(w, mg_manifest_check_files(d, m, &loaded, &check, NULL), "clearing files")) return false;
    sim_check(check.aside == 0 || over(w), "%u files of nobody", check.aside);
    if (check.max_id >= m->head.next_file) m->head.next_file = check.max_id + 1;
    while (check.left == 0 && m->nintents)
        mg_manifest_remove_intent(m, m->intents[0].job);
    return !over(w);
}

static void process_main(void *arg) {
    struct world *w = arg;
    struct mg_disk *d;
    struct mg_manifest m = {0};
    sim_check(mg_disk_open(&d, "/store", "sim", 0, NULL) == 0, "the disk does not open");
    if (recover(w, d, &m))
        for (unsigned i = 0; i < w->jobs && job(w, d, &m); i++)
            sim_trace("generation %d", (int)m.head.generation);
    mg_manifest_fini(&m);
    mg_disk_close(d);
}

static bool all_ended(void *arg) { return sim_all_ended(arg); }

static uint64_t live(struct world *w, uint64_t crash_at, enum sim_crash how) {
    uint64_t before = sim_disk_counts(w->disk)->operations;
    w->env.cache = mg_blockcache_new(1 << 16);
    sim_disk_crash_at(w->disk, crash_at, how);
    sim_set_step_limit(w->sim, 30000000);
    sim_spawn(w->sim, "process", process_main, w);
    sim_check(sim_run(w->sim, all_ended, w->sim, MG_NEVER) == SIM_DONE, "a life does not end");
    sim_disk_crash_at(w->disk, 0, how);
    mg_blockcache_free(w->env.cache);
    return sim_disk_counts(w->disk)->operations - before;
}

static void world_init(struct world *w, uint64_t seed) {
    *w = (struct world){.sim = sim_new(seed), .env = {.salt = seed}, .lost_slot = -1};
    w->disk = sim_disk_new(w->sim, "/store");
    w->jobs = 1 + (unsigned)sim_below(w->sim, 8);
    sim_disk_faults(w->disk)->garbage = (unsigned)sim_below(w->sim, 3) * 100;
}

static void world_fini(struct world *w) {
    sim_disk_free(w->disk);
    sim_free(w->sim);
}

// ---- workloads

static void run_points(uint64_t seed) {
    uint64_t total = 1;
    for (uint64_t at = 0; at <= total; at++) {
        struct world w;
        world_init(&w, seed);
        w.jobs = 2 + seed % 4;
        uint64_t n = live(&w, at, (at + seed) % 2 ? SIM_KILL : SIM_POWER_CUT);
        if (at == 0) total = n;
        if (at > 0) live(&w, 1 + at % 40, SIM_POWER_CUT);
        live(&w, 0, SIM_KILL);
        world_fini(&w);
    }
}

static void run_lives(struct world *w) {
    for (uint64_t i = 2 + sim_below(w->sim, 10); i > 0; i--)
        live(w, sim_chance(w->sim, 40) ? 0 : 1 + sim_below(w->sim, 400),
             sim_chance(w->sim, 128) ? SIM_KILL : SIM_POWER_CUT);
    live(w, 0, SIM_KILL);
    live(w, 0, SIM_KILL);
}

static void run_rot(struct world *w) {
    live(w, 0, SIM_KILL);
    w->rotten = true;
    for (int i = 0; i < 20; i++) {
        char name[MG_FILE_NAME_MAX];
        uint64_t size;
        mg_table_file_name(name, (enum mg_table_file)sim_below(w->sim, 3), 1 + sim_below(w->sim, 2 * w->jobs));
        if (!sim_disk_peek(w->disk, name, &size) || size == 0) continue;
        if (sim_chance(w->sim, 128))
            sim_disk_flip(w->disk, name, sim_below(w->sim, size), (unsigned)sim_below(w->sim, 8));
        else
            sim_disk_bad_sector(w->disk, name, sim_below(w->sim, size));
    }
    live(w, 0, SIM_KILL);
}

// ---- one of two

// A change of it cannot go unnoticed. Zeroes may be padding.
static uint64_t byte_that_counts(struct world *w, const char *name, uint64_t from, uint64_t n) {
    uint64_t size, at;
    const uint8_t *p = sim_disk_peek(w->disk, name, &size);
    sim_check(p && size >= from + n, "%s is short", name);
    do at = from + sim_below(w->sim, n);
    while (p[at] == 0);
    return at;
}

static void spoil_byte(struct world *w, const char *name, uint64_t from, uint64_t n) {
    uint64_t at = byte_that_counts(w, name, from, n);
    sim_trace("%s is spoiled at %d", name, (int)at);
    if (sim_chance(w->sim, 200)) sim_disk_flip(w->disk, name, at, (unsigned)sim_below(w->sim, 8));
    else sim_disk_bad_sector(w->disk, name, at);
}

static void cut(struct world *w, const char *name) {
    uint64_t size;
    const uint8_t *p = sim_disk_peek(w->disk, name, &size);
    uint8_t *bytes = mg_alloc(size);
    memcpy(bytes, p, size);
    sim_disk_set(w->disk, name, bytes, sim_below(w->sim, size));
    sim_trace("%s is cut", name);
    mg_free(bytes);
}

// n bytes at the end of another file come to stand at the end of this one; 0: all, in its place. False: the same bytes.
static bool take_place(struct world *w, const char *name, const char *other, uint64_t end, uint64_t n) {
    uint64_t size, from_size;
    const uint8_t *p = sim_disk_peek(w->disk, name, &size), *from = sim_disk_peek(w->disk, other, &from_size);
    if (from_size < end) n = 0; // it was cut
    uint64_t now = n ? size : from_size;
    uint8_t *bytes = mg_alloc(now);
    memcpy(bytes, n ? p : from, now);
    if (n) memcpy(bytes + size - end, from + from_size - end, n);
    bool differ = now != size || memcmp(bytes, p, size) != 0;
    sim_disk_set(w->disk, name, bytes, now);
    sim_trace("%s gets what is of %s", name, other);
    mg_free(bytes);
    return differ;
}

static void halve_run(struct world *w, uint64_t id, uint64_t other) {
    enum mg_table_file kind = sim_chance(w->sim, 160) ? MG_FILE_RUN : MG_FILE_RUN_COPY;
    char name[MG_FILE_NAME_MAX], another[MG_FILE_NAME_MAX];
    uint64_t size, how = sim_below(w->sim, 5);
    mg_table_file_name(name, kind, id);
    mg_table_file_name(another, kind, other);
    sim_disk_peek(w->disk, name, &size);
    w->damaged[id % IDS] = true;
    if (how == 0) spoil_byte(w, name, 0, size);
    else if (how == 1) spoil_byte(w, name, size - MG_FOOT_BYTES * (1 + sim_below(w->sim, 2)), MG_RUN_FOOT_SIZE);
    else if (how == 2) cut(w, name);
    else w->damaged[id % IDS] = take_place(w, name, another, 2 * MG_FOOT_BYTES, how == 3 ? 0 : 2 * MG_FOOT_BYTES);
}

static void halve_segment(struct world *w, uint64_t id, uint64_t other) {
    char name[MG_FILE_NAME_MAX], another[MG_FILE_NAME_MAX];
    uint64_t size, foot = MG_FOOT_BYTES * (1 + sim_below(w->sim, 2));
    mg_table_file_name(name, MG_FILE_SEGMENT, id);
    mg_table_file_name(another, MG_FILE_SEGMENT, other);
    sim_disk_peek(w->disk, name, &size);
    w->damaged[id % IDS] = true;
    if (sim_chance(w->sim, 128)) spoil_byte(w, name, size - foot, MG_SEGMENT_FOOT_SIZE);
    else w->damaged[id % IDS] = take_place(w, name, another, foot, MG_FOOT_BYTES);
}

static void halve_manifest(struct world *w, uint64_t length) {
    static const char *const slots[] = {"manifest-0", "manifest-1"};
    uint64_t how = sim_below(w->sim, 3);
    w->lost_slot = (int)sim_below(w->sim, 2);
    const char *name = slots[w->lost_slot];
    if (how == 0) spoil_byte(w, name, 0, length);
    else if (how == 1) sim_disk_set(w->disk, name, "MIG-MAN1", sim_below(w->sim, 9));
    else take_place(w, name, slots[1 - w->lost_slot], 0, 0);
}

static void run_halves(struct world *w) {
    uint64_t size;
    struct mg_manifest m = {0};
    live(w, 0, SIM_KILL);
    const uint8_t *p = sim_disk_peek(w->disk, w->stored % 2 ? "manifest-1" : "manifest-0", &size);
    sim_check(p && mg_manifest_decode(&m, p, size) == MG_OK, "the manifest of a life that ended in peace");
    w->halved = true;
    for (uint32_t i = 0; i < m.nruns; i++)
        if (sim_chance(w->sim, 128)) halve_run(w, m.runs[i].about.file, m.runs[sim_below(w->sim, m.nruns)].about.file);
    for (uint32_t i = 0; i < m.nsegments; i++)
        if (sim_chance(w->sim, 128))
            halve_segment(w, m.segments[i].file, m.segments[sim_below(w->sim, m.nsegments)].file);
    if (sim_chance(w->sim, 128)) halve_manifest(w, m.head.length);
    mg_manifest_fini(&m);
    live(w, 0, SIM_KILL);
}

static void run(uint64_t seed, const struct sim_args *args) {
    const char *only = args->workload;
    if (only ? strcmp(only, "points") == 0 : seed % 16 == 0) {
        run_points(seed);
        return;
    }
    struct world w;
    world_init(&w, seed);
    if (only ? strcmp(only, "rot") == 0 : seed % 4 == 1)
        run_rot(&w);
    else if (only ? strcmp(only, "halves") == 0 : seed % 4 == 2)
        run_halves(&w);
    else
        run_lives(&w);
    world_fini(&w);
}

int main(int argc, char **argv) { return sim_main(argc, argv, 400, run); }
