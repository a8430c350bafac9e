// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The store as a whole: opens the directory, recovers, starts the threads, and ends them.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "jetstream/store/extent.h"
#include "jetstream/store/files.h"
#include "jetstream/store/recount.h"
#include "jetstream/store/recover.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/space.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/swap.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"

#define DEFAULT_CACHE (64u * 1024 * 1024)
#define WORTH_SETTLING (1u << 20) // bytes of the journal
#define DEFAULT_ROWS (64u * 1024 * 1024)
#define BIG_STREAM (8u * 1024 * 1024)
_Static_assert(MG_STORE_BUCKETS == MG_JOURNAL_BUCKETS, "of the same histograms");
_Static_assert(MG_STORE_SENTENCE == MG_JOURNAL_SENTENCE, "the same");

#define WALK 1024u // some 100 us
#define IDLE_SEAL_NS UINT64_C(20000000)
#define PROGRESS_NS UINT64_C(1000000000)

// ---- small things ---------------------------------------------------------------------------------------------------

void mg_store_say(const struct mg_store *st, int level, const char *fmt, ...) {
    if (st->o.log == NULL) return;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    st->o.log(st->o.log_arg, level, text);
}

uint64_t mg_store_new_id(struct mg_store_part *p) {
    struct mg_store *st = p->store;
    uint_fast64_t last = atomic_load(&st->next_stream), id;
    do {
        id = last + 1;
        while (id % st->o.parts != p->index) id++;
    } while (!atomic_compare_exchange_weak(&st->next_stream, &last, id));
    return id;
}

struct mg_worker *mg_store_reader(struct mg_store *st, uint64_t key) { return st->readers[key % st->o.readers]; }

void mg_store_poisoned(struct mg_store *st) {
    if (!atomic_exchange(&st->poisoned, true)) mg_store_tell_parts(st);
}

void mg_store_row_lost(struct mg_store *st, mg_slice key, int err) {
    mg_store_say(st, MG_LOG_ERR, "a row of kind %c of stream %llu cannot be read: %s", key.p[0],
                 (unsigned long long)mg_get_be64(key.p + 1), mg_strerror(err));
}

static void report_fault(void *arg, const struct mg_fault *f) {
    struct mg_store *st = arg;
    if (MG_PLANTED(damage_is_absence)) return;
    atomic_fetch_add(&st->faults, 1);
    mg_store_say(st, f->healed ? MG_LOG_WRN : MG_LOG_ERR, "file %016llx: %s at %llu is damaged (%s)%s",
                 (unsigned long long)f->file, mg_frame_kind_text(f->kind), (unsigned long long)f->at,
                 mg_strerror(f->err), f->healed ? ", another copy was used" : "");
}

struct mg_store_part *mg_store_part(struct mg_store *st, unsigned index) {
    mg_assert(index < st->o.parts);
    return st->parts[index];
}

struct mg_store_status mg_store_status(const struct mg_store *st) {
    struct mg_store_status out = st->status;
    struct mg_keeper *k = st->keeping;
    out.lost_messages += atomic_load(&st->lost_messages);
    out.poisoned = atomic_load(&st->poisoned);
    out.checkpoints = atomic_load(&k->checkpoints);
    out.compactions = atomic_load(&k->compactions);
    out.merges = atomic_load(&k->merges);
    out.scrubs = atomic_load(&k->verified);
    out.scrub_damaged = atomic_load(&k->damaged);
    out.scrub_healed = atomic_load(&k->healed);
    out.faults = atomic_load(&st->faults);
    out.resting = atomic_load(&k->resting) && !atomic_load(&st->pressed) && !atomic_load(&st->pressed_soon);
    out.full = atomic_load(&st->refuse) != 0;
    struct mg_disk_space space = {0};
    struct mg_disk_why why;
    if (mg_disk_space(st->disk, &space, &why) == 0) out.disk_free = space.free;
    if (st->journal) mg_journal_describe(st->journal, out.sync_method, sizeof(out.sync_method));
    return out;
}

struct mg_store_counters mg_store_counters(const struct mg_store *st) {
    struct mg_store_counters out = {.checkpoint_ns = atomic_load(&st->checkpoint_ns)};
    struct mg_journal_state j;
    mg_journal_state(st->journal, &j);
    mg_journal_histograms(st->journal, out.commit_ns, out.commit_bytes);
    out.commits = j.commits;
    out.syncs = j.syncs;
    out.seals = j.seals;
    out.record_bytes = j.record_bytes;
    out.page_bytes = j.page_bytes;
    out.pages = j.pages;
    out.free_pages = j.pages - (j.head - j.tail);
    struct mg_extent_counters x = mg_extents_counters(st);
    out.extents = x.extents;
    out.extent_bytes = x.bytes;
    return out;
}

// ---- open -----------------------------------------------------------------------------------------------------------

static struct mg_store_part *new_part(struct mg_store *st, unsigned index) {
    struct mg_store_part *p = mg_zalloc(sizeof(*p));
    p->store = st;
    p->index = index;
    p->generation = 1;
    p->batch = 1;
    mg_list_init(&p->streams);
    mg_table_init(&p->by_id);
    mg_table_init(&p->names);
    mg_list_init(&p->told);
    mg_list_init(&p->holding);
    mg_list_init(&p->aging);
    mg_list_init(&p->wanting);
    mg_rows_init(&p->rows, st->seed);
    p->rows.runs = mg_runset_ref(st->runs);
    return p;
}

static void pressure(void *arg) { mg_store_press(arg); }

// A line each second, from the second one on: who waits for a server to come back should see that it does.
static void progress(void *arg, bool replay, uint64_t done, uint64_t total) {
    struct mg_store *st = arg;
    struct mg_store_progress *p = st->o.progress;
    uint64_t now = mg_bell_clock();
    if (p) {
        atomic_store_explicit(&p->bytes_total, total, memory_order_relaxed);
        atomic_store_explicit(&p->bytes, done, memory_order_relaxed);
    }
    if (now < st->progress_at) return;
    st->progress_at = now + PROGRESS_NS;
    mg_store_say(st, MG_LOG_INF, "Restoring: %llu of %llu MB of the journal are %s", (unsigned long long)(done >> 20),
                 (unsigned long long)(total >> 20), replay ? "replayed" : "read");
}

static void space(void *arg, bool full) { mg_space_of_journal(arg, full); }

static void journal_poisoned(void *arg, const struct mg_disk_why *why) {
    mg_store_say(arg, MG_LOG_ERR, "the journal failed: %s; nothing is accepted any more", why->text);
    mg_store_poisoned(arg);
}

static void measured(void *arg, const char *sentence) { mg_store_say(arg, MG_LOG_INF, "%s", sentence); }

static int open_journal(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_journal_options o = {
        .disk = st->disk,
        .salt = st->env.salt,
        .page_bytes = st->head.page_bytes,
        .file_pages = st->head.ring_file_pages,
        .files = (uint32_t)(st->head.ring_pages / st->head.ring_file_pages),
        .replay_from = st->head.replay_from,
        .incarnation = (uint32_t)st->head.incarnation,
        .sync_ns = st->o.sync_interval,
        .idle_ns = IDLE_SEAL_NS,
        .look_only = st->look_only,
        .arg = st,
        .record = mg_recover_record,
        .damage = mg_recover_damage,
        .progress = progress,
        .pressure = pressure,
        .space = space,
        .poisoned = journal_poisoned,
        .measured = measured,
    };
    return mg_journal_open(&st->journal, &o, why);
}

static int start_threads(struct mg_store *st) {
    int err = mg_extents_start(st);
    if (err == 0) err = mg_keeper_start(st);
    for (unsigned i = 0; i < st->o.readers && err == 0; i++) {
        char name[16] = "store-read-0";
        name[11] = (char)('0' + i);
        err = mg_worker_start(&st->readers[i], name, NULL, NULL);
    }
    return err;
}

static void set_defaults(struct mg_store_options *o) {
    if (o->ring_bytes == 0) o->ring_bytes = MG_RING;
    if (o->ring_file_bytes == 0) o->ring_file_bytes = MG_RING_FILE;
    if (o->big_stream_bytes == 0) o->big_stream_bytes = BIG_STREAM;
    if (o->ring_bytes < UINT64_C(2) * o->ring_file_bytes) o->ring_bytes = UINT64_C(2) * o->ring_file_bytes;
    if (o->cache_bytes == 0) o->cache_bytes = DEFAULT_CACHE;
    if (o->rows_bytes == 0) o->rows_bytes = DEFAULT_ROWS;
    if (o->readers == 0) o->readers = 2;
    if (o->readers > MG_READERS_MAX) o->readers = MG_READERS_MAX;
    if (o->parts == 0) o->parts = 1;
    if (o->extent_bytes == 0) o->extent_bytes = MG_EXTENT_MIN;
    if (o->walk == 0) o->walk = WALK;
}

// The ring of a store stays as it was made, whatever the options say.
static void take_ring(struct mg_store *st, bool asked) {
    uint64_t has = st->head.ring_pages * st->head.page_bytes;
    if (asked && has != st->o.ring_bytes / st->o.ring_file_bytes * st->o.ring_file_bytes)
        mg_store_say(st, MG_LOG_INF, "The journal keeps the %llu MB that this store was made with",
                     (unsigned long long)(has >> 20));
    st->o.ring_bytes = has;
}

static int recover(struct mg_store *st, struct mg_disk_why *why) {
    uint64_t began = mg_bell_clock();
    st->progress_at = began + PROGRESS_NS;
    snprintf(why->text, sizeof(why->text), "the tables cannot be read");
    int err = mg_recover_rows(st);
    bool recount = st->recount && !st->look_only;
    if (err == 0 && !st->look_only) err = mg_files_mirror(st, why);
    if (err == 0 && recount) err = mg_files_clear(st, why); // a new manifest does not know any more what was left
    if (err == 0 && recount) err = mg_recount_subjects(st);
    if (err == 0) err = mg_extents_open(st);
    if (err == 0) err = open_journal(st, why);
    if (err == 0 && !recount && !st->look_only) err = mg_files_clear(st, why);
    if (err) return err;
    mg_recover_end(st);
    st->status.recovery_ms = (uint32_t)((mg_bell_clock() - began) / 1000000);
    return 0;
}

static int open_store(struct mg_store **out, const struct mg_store_options *options, bool look_only, char *err_text,
                      size_t err_size) {
    struct mg_disk_why why = {""};
    struct mg_store *st = mg_zalloc(sizeof(*st));
    st->o = *options;
    st->look_only = look_only;
    set_defaults(&st->o);
    st->extent_min = st->o.extent_bytes;
    st->env.cache = mg_blockcache_new(st->o.cache_bytes);
    st->filters.max = st->o.cache_bytes; // 64 MB: of 36 million rows
    st->env.filters = &st->filters;
    mg_segment_pool_init(&st->pool);
    st->env.report = report_fault;
    st->env.arg = st;
    st->keeping = mg_zalloc(sizeof(*st->keeping));
    int err = mg_disk_open(&st->disk, st->o.dir, "midge-server", look_only ? MG_DISK_LOOK_ONLY : MG_DISK_CREATE, &why);
    if (err == 0) err = mg_files_open(st, &why);
    if (err == 0) take_ring(st, options->ring_bytes > 0);
    if (err == 0) {
        st->parts = mg_zalloc(st->o.parts * sizeof(st->parts[0]));
        for (unsigned i = 0; i < st->o.parts; i++) st->parts[i] = new_part(st, i);
        err = recover(st, &why);
    }
    if (err == 0 && !look_only) err = start_threads(st);
    if (err) {
        const char *text = why.text[0] ? why.text : mg_strerror(err);
        bool named = strstr(text, st->o.dir) != NULL;
        snprintf(err_text, err_size, "%s%s%s", named ? "" : st->o.dir, named ? "" : ": ", text);
        mg_store_close(st);
        return err;
    }
    *out = st;
    return 0;
}

int mg_store_open(struct mg_store **out, const struct mg_store_options *o, char *err, size_t err_size) {
    return open_store(out, o, false, err, err_size);
}

int mg_store_look(struct mg_store **out, const struct mg_store_options *o, char *err, size_t err_size) {
    return open_store(out, o, true, err, err_size);
}

// ---- close ----------------------------------------------------------------------------------------------------------

static void free_part(struct mg_store_part *p) {
    if (p == NULL) return;
    p->closed = true;
    for (struct mg_stream *s = mg_stream_next(p, NULL); s; s = mg_stream_next(p, s)) mg_stream_give_up(s);
    mg_part_open_all(p); // what came after the last turn
    mg_seal_free(p->seal);
    p->seal = NULL;
    for (struct mg_swap *w = p->swaps, *next; w; w = next) {
        next = w->next;
        mg_swap_free(w);
    }
    while (!mg_list_empty(&p->streams)) mg_stream_free(mg_container_of(p->streams.next, struct mg_stream, link));
    mg_part_free_garbage(p);
    mg_free((void *)p->garbage);
    mg_free(p->tables);
    mg_free(p->stretched);
    mg_rows_fini(&p->rows);
    for (struct mg_chunk *c = p->chunks_first, *next; c; c = next) {
        next = c->next;
        mg_chunk_unref(c);
    }
    mg_extent_drop(p);
    mg_extent_seal(p);
    mg_extent_drop(p);
    for (uint32_t i = 0; i < p->unsent_len; i++) mg_part_batch_free(p->unsent[i]);
    mg_free(p->unsent);
    mg_table_fini(&p->by_id);
    mg_table_fini(&p->names);
    mg_part_forget_results(p);
    mg_free(p);
}

bool mg_store_settle(struct mg_store *st) {
    struct mg_journal_state j;
    if (st->keeper == NULL || atomic_load(&st->poisoned) || atomic_load(&st->stuck)) return true;
    if (st->settled) return atomic_load(&st->keeping->checkpoints) >= st->settled;
    mg_journal_state(st->journal, &j);
    if ((j.head - j.tail) * j.page_size < WORTH_SETTLING) return true;
    st->settled = atomic_load(&st->keeping->checkpoints) + 1;
    mg_store_press(st);
    return false;
}

void mg_store_close(struct mg_store *st) {
    if (st == NULL) return;
    atomic_store(&st->keeping->closing, true);
    mg_keeper_wake(st);
    // The keeper uses the journal, readers and committer may still have something for the keeper.
    for (unsigned i = 0; i < MG_READERS_MAX; i++) mg_worker_stop(st->readers[i]);
    mg_keeper_stop(st);
    mg_extents_stop(st);
    mg_journal_close(st->journal);
    for (unsigned i = 0; st->parts && i < st->o.parts; i++) free_part(st->parts[i]);
    mg_free(st->parts);
    mg_extents_close(st);
    mg_files_close(st); // the last references
    for (unsigned i = 0; i < MG_READERS_MAX; i++) mg_worker_free(st->readers[i]);
    mg_worker_free(st->keeper);
    mg_segment_pool_fini(&st->pool);
    mg_blockcache_free(st->env.cache);
    mg_disk_close(st->disk);
    mg_orphans_fini(&st->orphans);
    mg_free(st->keeping->recounts);
    mg_free(st->keeping->intents); // doomed files were deleted until just now
    mg_free(st->keeping);
    mg_free(st->lost_extents);
    mg_free(st);
}
