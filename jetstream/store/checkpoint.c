// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The checkpoint: what the parts have sealed goes to immutable files, and the journal's pages become free.
//
//   1. every part seals (seal.h) and gives what is durable
//   2. the ids of the files to come are written into the manifest (an orphan of a crash is then known garbage)
//   3. one segment for all streams, and one for each that has a lot; one run of primary rows, one of the others;
//      segments in which nothing lives are found
//   4. files synced, directories synced
//   5. the manifest, in both slots, names the new files, not the dead ones, and the page to replay from
//   6. the journal recycles, the parts read from the new files and drop the memory
//
// When a write fails (the disk is full), nothing is given up: the sealed state stays in memory, what was begun is
// deleted, and it is tried again after a while. The journal fills up meanwhile, and changes wait or are refused.
#include <stdlib.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/erase.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/space.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"
#include "server/shard/loop.h"

#define RETRY_NS UINT64_C(1000000000)
#define SYNC_POLL_NS UINT64_C(1000000)
#define BREAK_MAX UINT64_C(4000000) // ns
#define BREATH 1024u // rows that are looked at between two breaths

struct cells {
    struct mg_cell **at;
    uint32_t count, cap;
};

struct checkpoint {
    struct mg_store *st;
    struct mg_seal **seals;
    struct mg_sealed_stream **streams; // of all parts, ascending ids
    uint32_t streams_len;
    struct mg_rowmap *extra;           // rows of the new stretches
    struct cells primary, others;
    struct mg_facts facts;             // of all parts
    struct mg_segment_ref **dead;      // segments in which nothing lives
    uint64_t *dead_ids;                // theirs, ascending
    uint32_t dead_len;
    struct mg_segment_ref *segments[MG_KEEPER_FILES];
    uint32_t segments_len;
    struct mg_run_ref *runs[2];
    uint32_t runs_len;
    uint64_t first_id, next_id;
    uint64_t replay_from;
    struct mg_bell bell;               // nobody rings it
    uint64_t piece_at, piece_head;     // when the last piece was written, and how far the journal was then
};

// ---- pace -----------------------------------------------------------------------------------------------------------

// After each piece: a break, twice as long as the piece took, unless the journal grows so fast that it might be full
// before the checkpoint is done. A commit flushes the device's cache and pays for all that was written into it before.
static int take_break(void *arg, size_t written) {
    struct checkpoint *c = arg;
    struct mg_journal_state j;
    mg_journal_state(c->st->journal, &j);
    uint64_t now = mg_bell_clock(), took = now - c->piece_at, grown = (j.head - c->piece_head) * j.page_size;
    bool hurry = grown > written / 4 || j.head - j.tail > j.pages / 4 * 3 || atomic_load(&c->st->keeping->closing);
    if (took > BREAK_MAX / 2) took = BREAK_MAX / 2;
    if (!hurry) mg_bell_wait(&c->bell, now + 2 * took);
    c->piece_at = hurry ? now : mg_bell_clock();
    c->piece_head = j.head;
    return 0;
}

static void paced(struct checkpoint *c, struct mg_file_writer *w) {
    w->pace = take_break;
    w->pace_arg = c;
}

// ---- segments -------------------------------------------------------------------------------------------------------

struct section_sink {
    struct checkpoint *c;
    uint32_t from; // index of the first stream of this file
    struct mg_section *sections;
    uint32_t count, cap;
};

static void take_section(void *arg, uint32_t ordinal, const struct mg_section *section) {
    struct section_sink *k = arg;
    (void)ordinal;
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 16;
        k->sections = mg_realloc(k->sections, k->cap * sizeof(k->sections[0]));
    }
    k->sections[k->count++] = *section;
}

static int add_stream(struct mg_segment_builder *b, const struct mg_sealed_stream *z, uint32_t generation) {
    mg_segment_builder_pack(b, z->packed);
    for (uint32_t i = 0; i < z->blocks_len; i++) {
        const struct mg_mem_block *block = z->blocks[i];
        for (uint32_t k = 0; k < block->count; k++) {
            if (!mg_mem_block_alive_at(block, k, generation)) continue;
            int err = mg_segment_builder_add(b, block->records[k]);
            if (err) return err;
        }
    }
    return 0;
}

static uint32_t generation_of(const struct checkpoint *c, const struct mg_sealed_stream *z) {
    for (unsigned i = 0; i < c->st->o.parts; i++) {
        const struct mg_seal *s = c->seals[i];
        if (z >= s->streams && z < s->streams + s->streams_len) return s->generation;
    }
    return 0;
}

static void give_stretches(struct checkpoint *c, const struct section_sink *k, struct mg_segment_ref *g) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < k->count; i++) {
        const struct mg_section *sec = &k->sections[i];
        while (c->streams[at]->id < sec->stream) at++;
        struct mg_sealed_stream *z = c->streams[at];
        mg_assert(z->id == sec->stream);
        z->stretches = mg_realloc(z->stretches, (z->stretches_len + 1) * sizeof(z->stretches[0]));
        struct mg_stretch *new = &z->stretches[z->stretches_len++];
        *new = mg_stretch_of(mg_segment_ref_get(g), i, sec);
        char key[MG_STRETCH_KEY], value[MG_STRETCH_ROW_SIZE];
        mg_stretch_encode(z->id, new, key, value);
        mg_slice k8 = mg_slice_of(key, sizeof(key));
        bool added;
        struct mg_cell *cell = mg_rowmap_put(c->extra, mg_row_hash(0, k8), k8, sizeof(value), &added);
        memcpy(cell->value, value, sizeof(value));
    }
}

static bool has_sections(void *arg) { return ((struct section_sink *)arg)->count > 0; }

// One file with the messages of those streams that `pick` says. Nothing is written when there are none.
static int write_segment(struct checkpoint *c, bool (*pick)(const struct mg_sealed_stream *z, const void *arg),
                         const void *arg) {
    uint32_t any = 0;
    for (uint32_t i = 0; i < c->streams_len; i++) any += pick(c->streams[i], arg) && c->streams[i]->bytes;
    if (any == 0) return 0;
    struct section_sink sink = {.c = c};
    struct mg_segment_write w;
    int err = mg_segment_write_open(&w, c->st, c->next_id, take_section, &sink);
    paced(c, &w.writer);
    for (uint32_t i = 0; i < c->streams_len && err == 0; i++) {
        if (!pick(c->streams[i], arg)) continue;
        err = add_stream(w.builder, c->streams[i], generation_of(c, c->streams[i]));
    }
    struct mg_segment_ref *g = NULL;
    err = mg_segment_write_close(&w, err, has_sections, &sink, &g);
    if (err == 0 && g) {
        g->age = c->st->keeping->age + 1;
        c->next_id++;
        c->segments[c->segments_len++] = g;
        give_stretches(c, &sink, g);
    }
    mg_free(sink.sections);
    return err;
}

static bool is_small(const struct mg_sealed_stream *z, const void *arg) {
    return z->bytes < *(const uint32_t *)arg;
}
static bool is_this(const struct mg_sealed_stream *z, const void *arg) { return z == arg; }

static int write_segments(struct checkpoint *c) {
    int err = write_segment(c, is_small, &c->st->o.big_stream_bytes);
    for (uint32_t i = 0; i < c->streams_len && err == 0; i++) {
        if (c->streams[i]->bytes >= c->st->o.big_stream_bytes) err = write_segment(c, is_this, c->streams[i]);
    }
    return err;
}

// ---- rows -----------------------------------------------------------------------------------------------------------

static void gather(struct checkpoint *c, const struct mg_rowmap *m) {
    for (uint32_t i = mg_rowmap_end(m); i-- > 0;) {
        if (i % BREATH == 0) mg_thread_breathe();
        struct mg_cell *cell = mg_rowmap_at(m, i);
        if (cell == NULL || cell->flags & MG_CELL_READ) continue;
        if (cell->key[0] == MG_ROW_ERASE && !(cell->flags & MG_CELL_DELETED))
            mg_erase_add(c->st->keeping, mg_cell_key(cell));
        struct cells *l = mg_row_kind_primary((uint8_t)cell->key[0]) ? &c->primary : &c->others;
        if (l->count == l->cap) {
            l->cap = l->cap ? l->cap * 2 : 256;
            l->at = mg_realloc(l->at, l->cap * sizeof(l->at[0]));
        }
        l->at[l->count++] = cell;
    }
}

static int write_run(struct checkpoint *c, struct cells *l, bool primary) {
    if (l->count == 0) return 0;
    mg_cells_sort(l->at, l->count);
    struct mg_run_write w;
    int err = mg_run_write_open(&w, c->st, c->next_id, primary);
    paced(c, &w.writer);
    for (uint32_t i = 0; i < l->count && err == 0; i++) {
        const struct mg_cell *cell = l->at[i];
        bool gone = (cell->flags & MG_CELL_DELETED) != 0;
        struct mg_row row = {mg_cell_key(cell), gone ? (mg_slice){NULL, 0} : mg_cell_value(cell), gone};
        err = mg_run_builder_add(w.builder, &row);
    }
    struct mg_run_ref *r = NULL;
    err = mg_run_write_close(&w, err, &r);
    if (err == 0) {
        c->next_id++;
        c->runs[c->runs_len++] = r;
    }
    return err;
}

// The highest number of a stream, for numbers are never used again; then the streams that were dropped just now: the
// journal may have older records of them, but not the one that says so (orphans.h).
static void put_store_row(struct checkpoint *c) {
    char key[MG_ROW_KEY_HEAD];
    bool added;
    uint32_t dropped = 0, at = 8;
    for (unsigned i = 0; i < c->st->o.parts; i++) dropped += c->seals[i]->dropped_len;
    mg_row_key_head(key, MG_ROW_STATE, 0);
    mg_slice k = mg_slice_of(key, sizeof(key));
    struct mg_cell *cell = mg_rowmap_put(c->extra, mg_row_hash(0, k), k, 8 + 8 * dropped, &added);
    mg_put_u64(cell->value, atomic_load(&c->st->next_stream));
    for (unsigned i = 0; i < c->st->o.parts; i++) {
        for (uint32_t n = 0; n < c->seals[i]->dropped_len; n++, at += 8)
            mg_put_u64(cell->value + at, c->seals[i]->dropped[n]);
    }
}

// How far ages are behind, for the next start.
static void put_clock(struct checkpoint *c) {
    char key[MG_CLOCK_KEY], value[16];
    struct mg_clock_lag lag = c->seals[0]->lag;
    bool added;
    for (unsigned i = 1; i < c->st->o.parts; i++) {
        if (c->seals[i]->lag.ns > lag.ns) lag = c->seals[i]->lag;
    }
    if (lag.ns == 0 && c->st->lag.ns == 0) return;
    mg_clock_key(key);
    mg_put_u64(value, (uint64_t)lag.ns);
    mg_put_u64(value + 8, (uint64_t)lag.at);
    mg_slice k = mg_slice_of(key, sizeof(key));
    memcpy(mg_rowmap_put(c->extra, mg_row_hash(0, k), k, sizeof(value), &added)->value, value, sizeof(value));
    c->st->lag = lag;
}

static int write_rows(struct checkpoint *c) {
    put_store_row(c);
    put_clock(c);
    gather(c, c->extra);
    for (unsigned i = 0; i < c->st->o.parts; i++) gather(c, c->seals[i]->rows);
    int err = write_run(c, &c->primary, true);
    return err ? err : write_run(c, &c->others, false);
}

// ---- the moment -----------------------------------------------------------------------------------------------------

static uint64_t replay_from(const struct checkpoint *c) {
    uint64_t page = UINT64_MAX;
    for (unsigned i = 0; i < c->st->o.parts; i++) {
        if (c->seals[i]->page < page) page = c->seals[i]->page;
    }
    return page;
}

// With a sync interval what came back may not be durable yet. The manifest must not name a page that a power cut could
// take back.
static void sync_journal(struct checkpoint *c) {
    struct mg_store *st = c->st;
    struct mg_journal_state state = {0};
    if (st->o.sync_interval == 0) return;
    mg_journal_sync_soon(st->journal);
    for (;;) {
        mg_journal_state(st->journal, &state);
        if (state.durable >= replay_from(c) || state.poisoned || atomic_load(&st->keeping->closing)) break;
        mg_keeper_sleep(st, SYNC_POLL_NS);
    }
    if (state.durable < c->replay_from) c->replay_from = state.durable;
}

// Segments in which nothing lives any more go with this checkpoint: its rows say so, and in the manifest that names
// these rows the segments are not named.
static void find_dead(struct checkpoint *c) {
    struct mg_keeper *k = c->st->keeping;
    uint32_t n;
    struct mg_fact_segment *list = mg_facts_segments(&c->facts, &n);
    c->dead = mg_alloc((k->segments_len + 1u) * sizeof(struct mg_segment_ref *));
    c->dead_ids = mg_alloc((k->segments_len + 1u) * sizeof(c->dead_ids[0]));
    c->dead_len = 0;
    for (uint32_t i = 0; i < k->segments_len; i++) {
        struct mg_segment_ref *g = k->segments[i];
        const struct mg_fact_segment *f = mg_fact_segment_find(list, n, g->id);
        if (g->busy || (f && f->live > 0)) continue;
        c->dead_ids[c->dead_len] = g->id;
        c->dead[c->dead_len++] = g;
    }
    mg_free(list);
}

static int commit(struct checkpoint *c) {
    c->replay_from = replay_from(c);
    sync_journal(c);
    struct mg_store *st = c->st;
    struct mg_files_change change = {
        .job = c->first_id,
        .segments = c->segments,
        .segments_len = c->segments_len,
        .runs = c->runs,
        .runs_len = c->runs_len,
        .old_segments = c->dead,
        .old_segments_len = c->dead_len,
        .replay_from = c->replay_from,
    };
    return mg_files_commit(st, &change);
}

static int write_all(struct checkpoint *c) {
    // Files, directories, manifest: in this order (each step relies on the one before being durable).
    int err = mg_files_begin(c->st, MG_KEEPER_FILES, &c->first_id);
    c->next_id = c->first_id;
    if (err == 0) err = write_segments(c);
    if (err == 0) err = write_rows(c);
    if (err == 0) err = mg_files_sync_dirs(c->st);
    if (err == 0) err = commit(c);
    return err;
}

// After a failure: the files are deleted with their last reference, unless a manifest may name them (files.c); the
// sealed state is as it was.
static void undo(struct checkpoint *c) {
    for (uint32_t i = 0; i < c->streams_len; i++) {
        struct mg_sealed_stream *z = c->streams[i];
        for (uint32_t k = 0; k < z->stretches_len; k++) mg_segment_ref_put(z->stretches[k].segment);
        mg_free(z->stretches);
        z->stretches = NULL;
        z->stretches_len = 0;
    }
    mg_files_abandon(c->st, c->segments, c->segments_len, c->runs, c->runs_len);
    mg_files_end(c->st, c->first_id);
    c->segments_len = c->runs_len = 0;
    c->primary.count = c->others.count = 0;
}

// ---- facts ----------------------------------------------------------------------------------------------------------

static void add_facts(struct mg_facts *all, const struct mg_facts *f) {
    for (uint32_t i = 0; i < f->len; i++) mg_facts_add(all, &f->streams[i]);
    for (const struct mg_fact_changes *b = f->told; b; b = b->next) {
        for (uint32_t i = 0; i < b->len; i++) mg_facts_add_change(all, b->at[i].stream, b->at[i].at);
    }
}

static void join_facts(struct checkpoint *c) {
    struct mg_facts now = {0};
    for (unsigned i = 0; i < c->st->o.parts; i++) add_facts(&now, &c->seals[i]->facts);
    mg_facts_sort(&now);
    mg_facts_join(&c->facts, &now, &c->st->keeping->facts);
    mg_facts_fini(&now);
}

// The new stretches stand behind the older ones of their stream: as of the seal, all in them lives.
static void keep_facts(struct checkpoint *c) {
    struct mg_facts *now = &c->st->keeping->facts;
    mg_facts_fini(now);
    for (uint32_t i = 0, at = 0; i < c->facts.len; i++) {
        const struct mg_fact *x = &c->facts.streams[i];
        mg_facts_add(now, x);
        for (uint32_t k = 0; k < x->len; k++) {
            const struct mg_fact_stretch *old = &c->facts.stretches[x->at + k];
            if (mg_keeper_segment(c->st, old->segment) || mg_keeper_lost_segment(c->st, old->segment))
                mg_facts_add_stretch(now, *old);
        }
        while (at < c->streams_len && c->streams[at]->id < x->stream) at++;
        const struct mg_sealed_stream *z = at < c->streams_len ? c->streams[at] : NULL;
        for (uint32_t k = 0; z && z->id == x->stream && k < z->stretches_len; k++) {
            const struct mg_stretch *n = &z->stretches[k];
            mg_facts_add_stretch(now, mg_fact_stretch_of(n->segment->id, n->first_seq, n->last_seq,
                                                                n->messages, n->messages));
        }
    }
    c->st->keeping->knows = true;
}

// ---- parts ----------------------------------------------------------------------------------------------------------

static void sealed(struct mg_parcel *p) {
    struct mg_seal *seal = mg_container_of(p, struct mg_seal, parcel);
    seal->part->store->keeping->sealed++;
}

static void installed(struct mg_parcel *p) {
    struct mg_seal *seal = mg_container_of(p, struct mg_seal, parcel);
    seal->part->store->keeping->installed++;
    mg_seal_free(seal);
}

static bool ask_parts(struct checkpoint *c) {
    struct mg_store *st = c->st;
    struct mg_keeper *k = st->keeping;
    k->sealed = k->installed = 0;
    for (unsigned i = 0; i < st->o.parts; i++) {
        struct mg_seal *seal = mg_zalloc(sizeof(*seal));
        c->seals[i] = seal;
        seal->part = st->parts[i];
        seal->keeper = st->keeper;
        seal->sealed = sealed;
        seal->installed = installed;
        seal->parcel.arrived = mg_seal_ask;
        mg_inbox_post(&seal->part->inbox, &seal->parcel);
    }
    while (k->sealed < st->o.parts && !atomic_load(&k->closing)) mg_worker_wait(st->keeper);
    return k->sealed == st->o.parts;
}

static int by_stream(const void *a, const void *b) {
    const struct mg_sealed_stream *x = *(struct mg_sealed_stream *const *)a, *y = *(struct mg_sealed_stream *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static void list_streams(struct checkpoint *c) {
    uint32_t n = 0;
    for (unsigned i = 0; i < c->st->o.parts; i++) n += c->seals[i]->streams_len;
    c->streams = mg_alloc((n ? n : 1) * sizeof(c->streams[0]));
    for (unsigned i = 0; i < c->st->o.parts; i++) {
        for (uint32_t k = 0; k < c->seals[i]->streams_len; k++) c->streams[c->streams_len++] = &c->seals[i]->streams[k];
    }
    qsort(c->streams, c->streams_len, sizeof(c->streams[0]), by_stream);
}

static void tell_parts(struct checkpoint *c) {
    struct mg_store *st = c->st;
    for (unsigned i = 0; i < st->o.parts; i++) {
        struct mg_seal *seal = c->seals[i];
        seal->runs = mg_runset_ref(st->runs);
        seal->forget = st->keeping->forget;
        seal->dead = mg_alloc((c->dead_len + 1u) * sizeof(seal->dead[0]));
        memcpy(seal->dead, c->dead_ids, c->dead_len * sizeof(seal->dead[0]));
        seal->dead_len = c->dead_len;
        seal->parcel.arrived = mg_seal_installed;
        mg_inbox_post(&seal->part->inbox, &seal->parcel);
    }
    for (uint32_t i = 0; i < c->segments_len; i++) mg_segment_ref_put(c->segments[i]);
    for (uint32_t i = 0; i < c->runs_len; i++) mg_run_ref_put(c->runs[i]);
    // What comes next is about the stretches that the parts will have then.
    struct mg_keeper *k = st->keeping;
    while (k->installed < st->o.parts && !atomic_load(&k->closing)) mg_worker_wait(st->keeper);
}

void mg_checkpoint(struct mg_store *st) {
    struct checkpoint c = {.st = st, .extra = mg_rowmap_new()};
    c.seals = mg_zalloc(st->o.parts * sizeof(c.seals[0]));
    bool done = false;
    uint64_t began = mg_bell_clock();
    mg_bell_init(&c.bell);
    c.piece_at = began;
    if (ask_parts(&c)) {
        list_streams(&c);
        join_facts(&c);
        find_dead(&c);
        while (!done && !atomic_load(&st->poisoned) && !atomic_load(&st->keeping->closing)) {
            if (MG_PLANTED(recycle_first)) mg_journal_recycle(st->journal, replay_from(&c));
            int err = write_all(&c);
            done = err == 0;
            bool first = atomic_exchange(&st->stuck, err) == 0;
            if (err == 0) break;
            undo(&c);
            if (first) mg_store_say(st, MG_LOG_ERR, "checkpoint failed: %s; trying again", mg_strerror(err));
            if (first) mg_store_tell_parts(st);
            if (err == MG_ENOSPC && mg_space_give_up(st)) continue; // there is room for one now
            mg_keeper_sleep(st, RETRY_NS);
        }
    }
    if (done) {
        st->keeping->age++;
        atomic_fetch_add(&st->keeping->checkpoints, 1);
        atomic_fetch_add(&st->checkpoint_ns, mg_bell_clock() - began);
        keep_facts(&c);
        for (unsigned i = 0; i < st->o.parts; i++)
            mg_correct_listed(st->keeping, c.seals[i]->recounts, c.seals[i]->recounts_len);
        mg_journal_recycle(st->journal, c.replay_from);
        tell_parts(&c);
        st->keeping->forget = false;
    }
    // Otherwise the store is closing or poisoned: the parts free what they sealed (mg_store_close).
    mg_bell_fini(&c.bell);
    mg_rowmap_unref(c.extra);
    mg_facts_fini(&c.facts);
    mg_free(c.dead);
    mg_free(c.dead_ids);
    mg_free(c.primary.at);
    mg_free(c.others.at);
    mg_free(c.streams);
    mg_free(c.seals);
}
