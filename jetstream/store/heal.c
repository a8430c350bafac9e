// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The good path: all tables of subjects are read through once, which tells the ranges of keys that cannot be read
// (gaps). Then they are merged into one new table; in the place of a gap stand the rows that the segments tell, with
// the sections' own lists of subjects saying which messages to look at. One manifest, as after any merge. A checkpoint
// gives the new tables to the parts.
//
// All of it speaks of one moment, the last checkpoint before it began: its tables say which sections there are and what
// is removed, and references keep these files. Checkpoints go on meanwhile (mg_keeper_pace); their tables are newer and
// stay above. What they change in rows below is changed in memory.
//
// It fails without a trace, as a merge does, and is tried again later. Messages that cannot be read count nowhere: the
// stream is told, and the table is not written before a checkpoint knows of it (`overlooked` of the stream's counters).
#include "jetstream/store/heal.h"

#include <stdlib.h>
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/files.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/moment.h"
#include "jetstream/store/recount.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/worker.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"

#define RETRY_NS UINT64_C(10000000000)
#define PACE_ROWS 1024u
#define HEAD (MG_ROW_KEY_HEAD + 4u)

struct heal {
    struct mg_store *st;
    struct mg_moment moment;
    struct mg_run_ref **old;           // of subjects, newest first
    uint32_t old_len;
    struct mg_run_gap *gaps;           // ascending, apart from each other
    uint32_t gaps_len;
    struct heal_stream {
        uint64_t id, first;
        uint64_t overlooked;
        uint32_t epoch;
        bool doubt;
    } *streams;                        // ascending
    uint32_t streams_len;
    uint32_t rows;
    uint64_t counted;                  // rows that were
    bool news;                         // something was left out that a stream does not know of
};

void mg_heal_want(struct mg_store *st) {
    if (st->keeper == NULL || atomic_exchange(&st->keeping->heal_now, true)) return;
    mg_store_press(st); // wakes it; and with a checkpoint the parts get what was written
}

static int pace(struct heal *h) { return ++h->rows % PACE_ROWS ? 0 : mg_keeper_pace(h->st); }

// ---- gaps -----------------------------------------------------------------------------------------------------------

static void add_gap(struct heal *h, const struct mg_run_gap *g) {
    h->gaps = mg_realloc(h->gaps, (h->gaps_len + 1) * sizeof(h->gaps[0]));
    struct mg_run_gap *to = &h->gaps[h->gaps_len++];
    *to = (struct mg_run_gap){.low = MG_BUF_INIT, .high = MG_BUF_INIT, .endless = g->endless};
    mg_buf_add_slice(&to->low, mg_buf_slice(&g->low));
    mg_buf_add_slice(&to->high, mg_buf_slice(&g->high));
}

static int by_low(const void *a, const void *b) {
    const struct mg_run_gap *x = a, *y = b;
    return mg_cell_compare(mg_buf_slice(&x->low), mg_buf_slice(&y->low));
}

static bool ends_before(const struct mg_run_gap *g, mg_slice key) {
    return !g->endless && mg_cell_compare(mg_buf_slice(&g->high), key) <= 0;
}

static void free_gap(struct mg_run_gap *g) {
    mg_buf_fini(&g->low);
    mg_buf_fini(&g->high);
}

static void join_gaps(struct heal *h) {
    uint32_t n = 0;
    if (h->gaps_len) qsort(h->gaps, h->gaps_len, sizeof(h->gaps[0]), by_low);
    for (uint32_t i = 1; i < h->gaps_len; i++) {
        struct mg_run_gap *a = &h->gaps[n], *b = &h->gaps[i];
        if (ends_before(a, mg_buf_slice(&b->low))) {
            h->gaps[++n] = *b;
            continue;
        }
        bool longer =
            !a->endless && (b->endless || mg_cell_compare(mg_buf_slice(&b->high), mg_buf_slice(&a->high)) > 0);
        if (longer) {
            struct mg_buf high = a->high;
            a->high = b->high;
            b->high = high;
            a->endless = b->endless;
        }
        free_gap(b);
    }
    if (h->gaps_len) h->gaps_len = n + 1;
}

static int find_gaps(struct heal *h) {
    int err = 0;
    for (uint32_t i = 0; i < h->old_len && err == 0; i++) {
        struct mg_run_iter *it = mg_run_iter_new(h->old[i]->run, true);
        int rc = mg_run_iter_seek(it, (mg_slice){NULL, 0});
        for (; rc != MG_ENOTFOUND && err == 0; rc = mg_run_iter_next(it)) {
            if (rc) add_gap(h, mg_run_iter_gap(it));
            err = pace(h);
        }
        mg_run_iter_free(it);
    }
    join_gaps(h);
    return err;
}

// ---- what is counted ------------------------------------------------------------------------------------------------

static int list_streams(struct heal *h) {
    struct mg_merge *m = mg_runset_merge(h->moment.runs, true, false);
    char from[MG_ROW_KEY_HEAD];
    struct mg_state_row row;
    mg_row_key_head(from, MG_ROW_STATE, 1);
    if (m == NULL) return 0;
    int err = mg_merge_seek(m, mg_slice_of(from, sizeof(from)));
    for (; err == 0; err = mg_merge_next(m)) {
        const struct mg_row *r = mg_merge_row(m);
        if (r->key.n != MG_ROW_KEY_HEAD || r->key.p[0] != MG_ROW_STATE || r->value.n < MG_STATE_ROW_SIZE) break;
        mg_state_row_unpack(&row, r->value.p);
        h->streams = mg_realloc(h->streams, (h->streams_len + 1) * sizeof(h->streams[0]));
        h->streams[h->streams_len++] = (struct heal_stream){
            mg_get_be64(r->key.p + 1), row.first, row.overlooked, row.epoch, row.flags & MG_STATE_IN_DOUBT};
    }
    mg_merge_free(m);
    return err == MG_ENOTFOUND ? 0 : err;
}

// The subjects of one stream that are in a gap.
struct range {
    const struct mg_run_gap *gap;
    char key[MG_CELL_KEY_MAX]; // its head is the stream's
};

static bool in_range(void *arg, mg_slice subject) {
    struct range *r = arg;
    if (subject.n > sizeof(r->key) - HEAD) return false;
    memcpy(r->key + HEAD, subject.p, subject.n);
    mg_slice key = mg_slice_of(r->key, HEAD + subject.n);
    return mg_cell_compare(key, mg_buf_slice(&r->gap->low)) >= 0 && !ends_before(r->gap, key);
}

static int count_stream(struct heal *h, const struct heal_stream *s, struct range *range, struct mg_run_builder *b) {
    struct mg_stretch *stretches;
    uint32_t n;
    int err = mg_moment_stretches(&h->moment, s->id, &stretches, &n);
    struct mg_rowmap *rows = mg_rowmap_new();
    struct mg_subject_match match = {.match = in_range, .arg = range};
    if (s->doubt) mg_correct_tell_doubt(h->st, s->id, &(struct mg_lost){0}, 0);
    for (uint32_t i = 0; i < n && err == 0; i++) {
        struct mg_recount r = {.stream = s->id, .low = s->first, .epoch = s->epoch, .stretches = &stretches[i],
                               .stretches_len = 1, .runs = h->moment.runs, .match = &match};
        mg_recount_stream(&r, rows);
        if (r.maybe) mg_correct_tell_doubt(h->st, s->id, &r.lost, r.left_out);
        h->news |= r.maybe && (!s->doubt || s->overlooked < r.left_out);
        err = mg_keeper_pace(h->st);
    }
    h->counted += rows->count;
    if (err == 0) err = mg_recount_write(b, rows);
    mg_rowmap_unref(rows);
    mg_free(stretches);
    return err;
}

static int count_gap(struct heal *h, const struct mg_run_gap *gap, struct mg_run_builder *b) {
    struct range range = {.gap = gap};
    int err = 0;
    for (uint32_t i = 0; i < h->streams_len && err == 0; i++) {
        const struct heal_stream *s = &h->streams[i];
        char behind[HEAD];
        mg_row_key_head(behind, MG_ROW_SUBJECT, s->id);
        memcpy(range.key, behind, MG_ROW_KEY_HEAD);
        mg_put_be32(range.key + MG_ROW_KEY_HEAD, s->epoch);
        mg_put_be32(behind + MG_ROW_KEY_HEAD, s->epoch + 1);
        bool apart = ends_before(gap, mg_slice_of(range.key, HEAD)) ||
                     mg_cell_compare(mg_slice_of(behind, HEAD), mg_buf_slice(&gap->low)) <= 0;
        if (!apart) err = count_stream(h, s, &range, b);
    }
    return err;
}

// ---- the new table --------------------------------------------------------------------------------------------------

static int write_rows(struct heal *h, struct mg_run_builder *b) {
    struct mg_run **inputs = mg_alloc((h->old_len + 1) * sizeof(struct mg_run *));
    for (uint32_t i = 0; i < h->old_len; i++) inputs[i] = h->old[i]->run;
    struct mg_merge *m = mg_merge_new(inputs, h->old_len, true, true);
    uint32_t g = 0;
    int err = 0, rc = mg_merge_seek(m, (mg_slice){NULL, 0});
    for (; rc != MG_ENOTFOUND && err == 0; rc = mg_merge_next(m)) {
        if (rc) continue; // a gap
        const struct mg_row *row = mg_merge_row(m);
        for (; g < h->gaps_len && ends_before(&h->gaps[g], row->key) && err == 0; g++)
            err = count_gap(h, &h->gaps[g], b);
        bool inside = g < h->gaps_len && mg_cell_compare(row->key, mg_buf_slice(&h->gaps[g].low)) >= 0;
        if (err == 0 && !inside) err = mg_run_builder_add(b, row);
        if (err == 0) err = pace(h);
    }
    for (; g < h->gaps_len && err == 0; g++) err = count_gap(h, &h->gaps[g], b);
    mg_merge_free(m);
    mg_free(inputs);
    return err;
}

static int write_table(struct heal *h) {
    struct mg_run_ref *product = NULL;
    struct mg_run_write w;
    uint64_t id;
    int err = mg_files_begin(h->st, 1, &id);
    if (err) return err;
    err = mg_run_write_open(&w, h->st, id, false);
    if (err == 0) {
        err = write_rows(h, w.builder);
        if (err == 0 && h->news) err = MG_EAGAIN;
        err = mg_run_write_close(&w, err, &product);
    }
    if (err == 0) err = mg_files_sync_dirs(h->st);
    if (err == 0) {
        struct mg_files_change change = {
            .job = id, .runs = &product, .runs_len = 1, .old_runs = h->old, .old_runs_len = h->old_len};
        err = mg_files_commit(h->st, &change);
    }
    if (err) {
        mg_files_abandon(h->st, NULL, 0, &product, product != NULL);
        mg_files_end(h->st, id);
    } else {
        mg_run_ref_put(product);
    }
    return err;
}

// ---- the job --------------------------------------------------------------------------------------------------------

static void begin(struct heal *h) {
    mg_moment_take(&h->moment, h->st);
    h->old = mg_runset_kind(h->moment.runs, false, &h->old_len);
    for (uint32_t i = 0; i < h->old_len; i++) h->old[i]->busy++;
}

static void end(struct heal *h) {
    for (uint32_t i = 0; i < h->old_len; i++) h->old[i]->busy--;
    for (uint32_t i = 0; i < h->gaps_len; i++) free_gap(&h->gaps[i]);
    mg_free(h->gaps);
    mg_free(h->streams);
    mg_free(h->old);
    mg_moment_end(&h->moment);
}

uint64_t mg_heal_step(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    struct heal h = {.st = st};
    if (!atomic_load(&k->heal_now) || !k->knows) return MG_NEVER;
    if (mg_bell_clock() < k->heal_at) return k->heal_at;
    atomic_store(&k->heal_now, false);
    begin(&h);
    int err = find_gaps(&h);
    bool any = h.gaps_len > 0, later;
    if (err == 0 && any) err = list_streams(&h);
    if (err == 0 && any) err = write_table(&h);
    later = err == MG_EAGAIN;
    if (later) { // behind the next checkpoint
        atomic_store(&k->heal_now, true);
        k->pressed = true;
    }
    if (err && err != MG_ECLOSED && !later) {
        mg_store_say(st, MG_LOG_ERR, "tables of subjects could not be written anew: %s", mg_strerror(err));
        atomic_fetch_add(&k->heal_failed, 1);
        atomic_store(&k->heal_now, true);
        k->heal_at = mg_bell_clock() + RETRY_NS;
        k->pressed = true; // whoever waits for it hears of it
    } else if (err == 0 && any) {
        mg_store_say(st, MG_LOG_WRN, "tables of subjects were written anew: %llu subjects were counted",
                     (unsigned long long)h.counted);
        atomic_fetch_add(&k->healed, 1);
        k->merge_at = 0; // what could not be merged can be
        mg_correct_stale(k);
        k->pressed = true; // the parts get it
    }
    end(&h);
    return 0;
}
