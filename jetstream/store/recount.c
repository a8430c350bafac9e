// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/recount.h"

#include <stdlib.h>
#include <string.h>

#include "jetstream/store/files.h"
#include "jetstream/store/packed.h"
#include "jetstream/store/seal.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define PACE_BYTES (1024u * 1024)
#define UNKNOWN_BYTES (UINT64_MAX / 4)

// ---- one stream -----------------------------------------------------------------------------------------------------

struct removed {
    uint64_t chunk; // UINT64_MAX: none yet
    struct mg_buf bits;
};

static bool is_removed(struct mg_recount *r, struct removed *x, uint64_t seq) {
    if (seq < r->low) return true;
    if (seq / MG_REMOVED_SPAN != x->chunk) {
        char key[MG_ROW_KEY_HEAD + 8];
        x->chunk = seq / MG_REMOVED_SPAN;
        mg_row_key_head(key, MG_ROW_REMOVED, r->stream);
        mg_put_be64(key + MG_ROW_KEY_HEAD, x->chunk);
        x->bits.len = 0;
        int err = mg_runset_get(r->runs, mg_slice_of(key, sizeof(key)), &x->bits);
        if (err && err != MG_ENOTFOUND && r->err == 0) r->err = err;
    }
    uint64_t bit = seq % MG_REMOVED_SPAN;
    return x->bits.len == MG_REMOVED_BYTES && (x->bits.p[bit / 8] >> (bit % 8) & 1);
}

static struct mg_cell *row_of(struct mg_recount *r, struct mg_rowmap *rows, mg_slice subject) {
    char key[MG_CELL_KEY_MAX];
    bool added;
    mg_row_key_head(key, MG_ROW_SUBJECT, r->stream);
    mg_put_be32(key + MG_ROW_KEY_HEAD, r->epoch);
    memcpy(key + MG_ROW_KEY_HEAD + 4, subject.p, subject.n);
    mg_slice k = mg_slice_of(key, MG_ROW_KEY_HEAD + 4 + subject.n);
    uint64_t hash = mg_row_hash(0, k);
    struct mg_cell *cell = mg_rowmap_get(rows, hash, k);
    if (cell) return cell;
    cell = mg_rowmap_put(rows, hash, k, mg_subject_row_size(0), &added);
    memset(cell->value, 0, cell->value_len);
    r->subjects++;
    return cell;
}

static void count_subject(struct mg_recount *r, struct mg_rowmap *rows, uint64_t seq, mg_slice subject, uint32_t size) {
    struct mg_cell *cell = row_of(r, rows, subject);
    struct mg_subject_row *v = (struct mg_subject_row *)(void *)cell->value;
    if (v->count++ == 0) v->first = seq;
    v->last = seq;
    uint32_t n = v->recent_len;
    bool kept = r->max_per_subject > 0 && r->max_per_subject < MG_SUBJECT_RECENT_MAX;
    if (!kept || n >= MG_SUBJECT_RECENT_MAX) return;
    mg_rowmap_resize(rows, cell, mg_subject_row_size(n + 1));
    v = (struct mg_subject_row *)(void *)cell->value;
    v->recent[n] = (struct mg_subject_recent){.seq = seq, .size = size};
    v->recent_len = n + 1;
}

// Of the numbers first..last of a stretch, those that are there cannot be read; `bytes` of them at most.
static void count_unreadable(struct mg_recount *r, const struct mg_stretch *at, struct removed *x, uint64_t first,
                             uint64_t last, uint64_t bytes) {
    uint64_t n = 0, from = 0, to = 0;
    if (first < r->low) first = r->low;
    if (first < at->first_seq) first = at->first_seq;
    if (last > at->last_seq) last = at->last_seq;
    for (uint64_t seq = first; seq <= last; seq++) {
        if (is_removed(r, x, seq)) continue;
        if (n++ == 0) from = seq;
        to = seq;
    }
    if (n > at->live) n = at->live;
    if (n == 0) return;
    if (at->segment) r->unreadable += mg_lost_add(&r->lost, from, to, n);
    r->maybe += n;
    if (to > r->left_out) r->left_out = to;
    r->maybe_bytes += bytes < UNKNOWN_BYTES - r->maybe_bytes ? bytes : UNKNOWN_BYTES - r->maybe_bytes;
    if (r->gap_end == 0 || from == r->gap_end) r->gap_end = to + 1;
}

// A record of which the length is known has at most so many bytes, unless it may be a packed one.
static uint64_t most_bytes(const struct mg_section_scan *scan, const struct mg_section_entry *e) {
    const uint8_t *p = mg_section_scan_record(scan);
    struct mg_stored s;
    if (e->seq != e->last_seq || e->length < MG_RECORD_SIZE || p == NULL) return UNKNOWN_BYTES;
    if (mg_stored_measure(&s, p, e->length) || s.length != e->length || s.seq != e->seq || s.packed)
        return UNKNOWN_BYTES;
    return mg_stored_size(0, 1, e->length - MG_RECORD_SIZE);
}

static bool paced(struct mg_recount *r, size_t bytes) {
    r->read += bytes;
    if (r->err == 0 && r->pace && r->read >= PACE_BYTES) {
        r->read = 0;
        r->err = r->pace(r->pace_arg);
    }
    return r->err == 0;
}

static void count_stretch(struct mg_recount *r, struct mg_rowmap *rows, const struct mg_stretch *at,
                          struct removed *x) {
    const struct mg_segment *g;
    struct mg_section section;
    if (at->last_seq > r->last) r->last = at->last_seq;
    if (at->segment == NULL || mg_stretch_open(at, r->stream, &g, &section) != 0) {
        count_unreadable(r, at, x, at->first_seq, at->last_seq, UNKNOWN_BYTES);
        return;
    }
    struct mg_section_filter *filter = r->match ? mg_section_filter_new(g, &section, r->match) : NULL;
    struct mg_section_scan *scan = mg_section_scan_new(g, &section, filter, 0, true);
    struct mg_section_entry e = {0};
    struct mg_record_view v;
    for (int err; paced(r, e.length);) {
        err = mg_section_scan_next(scan, &e, &v);
        if (err == MG_ENOTFOUND) break;
        if (err) {
            count_unreadable(r, at, x, e.seq, e.last_seq, most_bytes(scan, &e));
            continue;
        }
        if (v.head.op > r->op) r->op = v.head.op;
        if (v.head.time > r->last_time) r->last_time = v.head.time;
        if (is_removed(r, x, e.seq)) continue;
        uint32_t size = mg_stored_size(v.subject.n, v.headers.n, v.payload.n);
        if (r->msgs++ == 0) r->first = e.seq;
        r->bytes += size;
        count_subject(r, rows, e.seq, v.subject, size);
    }
    mg_section_scan_free(scan);
    mg_section_filter_free(filter);
    mg_stretch_close(at);
}

void mg_recount_stream(struct mg_recount *r, struct mg_rowmap *rows) {
    struct removed x = {.chunk = UINT64_MAX};
    for (uint32_t i = 0; i < r->stretches_len && r->err != MG_ECLOSED; i++)
        count_stretch(r, rows, &r->stretches[i], &x);
    mg_buf_fini(&x.bits);
}

int mg_recount_write(struct mg_run_builder *b, const struct mg_rowmap *rows) {
    struct mg_cell **list = mg_rowmap_sorted(rows);
    int err = 0;
    for (uint32_t i = 0; i < rows->count && err == 0; i++)
        err = mg_run_builder_add(b, &(struct mg_row){mg_cell_key(list[i]), mg_cell_value(list[i]), false});
    mg_free(list);
    return err;
}

// ---- all of them, at the start --------------------------------------------------------------------------------------

static int by_id(const void *a, const void *b) {
    const struct mg_stream *x = *(struct mg_stream *const *)a, *y = *(struct mg_stream *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static struct mg_stream **all_streams(struct mg_store *st, uint32_t *n) {
    struct mg_stream **list = NULL;
    *n = 0;
    for (unsigned i = 0; i < st->o.parts; i++) {
        for (struct mg_stream *s = mg_stream_next(st->parts[i], NULL); s; s = mg_stream_next(st->parts[i], s)) {
            list = mg_realloc(list, (*n + 1) * sizeof(struct mg_stream *));
            list[(*n)++] = s;
        }
    }
    if (*n) qsort(list, *n, sizeof(struct mg_stream *), by_id);
    return list;
}

// Copies, without references.
static struct mg_stretch *stretches_of(const struct mg_stream *s) {
    struct mg_stretch *list = mg_alloc((s->cold.count + 1u) * sizeof(*list));
    uint32_t n = 0;
    struct mg_stretch_at at = {0, 0};
    for (const struct mg_stretch *c; (c = mg_stretches_get(&s->cold, at)); at = mg_stretches_next(&s->cold, at))
        list[n++] = *c;
    return list;
}

static int recount_one(struct mg_store *st, struct mg_stream *s, struct mg_run_builder *b) {
    struct mg_rowmap *rows = mg_rowmap_new();
    struct mg_stretch *list = stretches_of(s);
    struct mg_recount r = {.stream = s->id,
                           .low = s->first,
                           .epoch = s->epoch,
                           .max_per_subject = s->limits.max_msgs_per_subject,
                           .stretches = list,
                           .stretches_len = s->cold.count,
                           .runs = st->runs};
    mg_recount_stream(&r, rows);
    mg_free(list);
    s->subjects = r.subjects;
    uint64_t missing = mg_stream_last_missing(s), left_out = r.left_out > missing ? r.left_out : missing;
    s->inexact |= left_out > 0;
    if (s->inexact) s->recount = MG_RECOUNT_STALE;
    if (left_out > s->overlooked) s->overlooked = left_out;
    for (uint32_t i = 0; i < r.lost.len; i++)
        mg_stream_found_lost(s, r.lost.at[i].first, r.lost.at[i].last, r.lost.at[i].count);
    int err = mg_recount_write(b, rows);
    mg_rowmap_unref(rows);
    return err;
}

// Where rows leave something out, their stream must know of it before they are in a table.
static int write_states(struct mg_store *st, uint64_t id, struct mg_stream *const *list, uint32_t n,
                        struct mg_run_ref **out) {
    struct mg_run_write w = {0};
    char key[MG_ROW_KEY_HEAD], value[MG_STATE_MAX];
    int err = 0;
    *out = NULL;
    for (uint32_t i = 0; i < n && err == 0; i++) {
        if (list[i]->overlooked == 0) continue;
        if (w.main == NULL) err = mg_run_write_open(&w, st, id, true);
        if (err) return err;
        mg_slice v = mg_slice_of(value, mg_seal_state(list[i], key, value));
        err = mg_run_builder_add(w.builder, &(struct mg_row){mg_slice_of(key, sizeof(key)), v, false});
    }
    return mg_run_write_close(&w, err, out);
}

// The new run in the place of all others with rows of subjects; what streams must know before.
static int install(struct mg_store *st, uint64_t job, struct mg_run_ref *run, struct mg_run_ref *states) {
    uint32_t n;
    struct mg_run_ref **old = mg_runset_kind(st->runs, false, &n);
    struct mg_files_change change = {.job = job, .runs = &run, .runs_len = 1, .old_runs = old, .old_runs_len = n};
    struct mg_files_change first = {.runs = &states, .runs_len = 1};
    int err = mg_files_sync_dirs(st);
    if (err == 0 && states) err = mg_files_commit(st, &first);
    if (err == 0) err = mg_files_commit(st, &change);
    mg_free(old);
    for (unsigned i = 0; i < st->o.parts && err == 0; i++) {
        mg_runset_unref(st->parts[i]->rows.runs);
        st->parts[i]->rows.runs = mg_runset_ref(st->runs);
    }
    return err;
}

int mg_recount_subjects(struct mg_store *st) {
    struct mg_run_write w;
    struct mg_run_ref *run = NULL, *states = NULL;
    uint64_t id;
    uint32_t n;
    mg_store_say(st, MG_LOG_WRN, "A table of subjects cannot be read: subjects are counted again from the messages");
    int err = mg_files_begin(st, 2, &id);
    if (err == 0) err = mg_run_write_open(&w, st, id, false);
    if (err) return err;
    struct mg_stream **list = all_streams(st, &n);
    for (uint32_t i = 0; i < n && err == 0; i++) err = recount_one(st, list[i], w.builder);
    err = mg_run_write_close(&w, err, &run);
    if (err == 0) err = write_states(st, id + 1, list, n, &states);
    if (err == 0) err = install(st, id, run, states);
    mg_run_ref_put(run);
    mg_run_ref_put(states);
    mg_free(list);
    if (err == 0) mg_store_say(st, MG_LOG_INF, "Subjects of %u streams were counted", n);
    return err;
}
