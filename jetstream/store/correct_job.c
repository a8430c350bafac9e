// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The keeper's side of correct.h: reads all of a stream as of the last checkpoint and finds by how much the counters of
// that checkpoint are wrong.
//
// Rows of subjects are compared one by one with what was counted. Of a stream with very many the count is made in
// several passes, each of a share of the subjects, so that memory is bounded (about 100 bytes for each of SUBJECTS).
// Checkpoints go on meanwhile, and the breaks are those of any job (mg_keeper_pace).
//
// It fails without a trace. Where rows of subjects cannot be read they are written anew first (heal.c).
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/heal.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/moment.h"
#include "jetstream/store/recount.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define SUBJECTS 1000000u  // of a pass
#define PACE_ROWS 1024u
#define PIECE 32768u       // bytes of subjects in a record
#define HEAD (MG_ROW_KEY_HEAD + 4u)

struct job {
    struct mg_store *st;
    struct mg_moment moment;
    uint64_t stream;
    struct mg_state_row was;
    struct mg_stretch *stretches;
    uint32_t stretches_len;
    uint64_t passes, pass;
    uint64_t msgs, bytes, subjects, maybe, maybe_bytes; // of all passes
    uint64_t emptied, made; // subjects whose rows go, and come, with the correction
    struct mg_correction_found *found;
};

void mg_correct_listed(struct mg_keeper *k, const uint64_t *streams, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (k->recounts_len == k->recounts_cap) {
            k->recounts_cap = k->recounts_cap ? k->recounts_cap * 2 : 16;
            k->recounts = mg_realloc(k->recounts, k->recounts_cap * sizeof(k->recounts[0]));
        }
        k->recounts[k->recounts_len++] = (struct mg_recount_wish){.stream = streams[i], .stale = k->forget};
    }
}

void mg_correct_stale(struct mg_keeper *k) {
    k->forget = true;
    for (uint32_t i = 0; i < k->recounts_len; i++) k->recounts[i].stale = true;
}

static int pace(void *arg) { return mg_keeper_pace(arg); }

// ---- subjects -------------------------------------------------------------------------------------------------------

static bool in_pass(const struct job *j, mg_slice subject) {
    return j->passes == 1 || mg_row_hash(0, subject) % j->passes == j->pass;
}

static bool matches(void *arg, mg_slice subject) { return in_pass(arg, subject); }

static void add_subject(struct job *j, mg_slice subject, int64_t more, const struct mg_subject_row *is) {
    struct mg_correction_found *c = j->found;
    struct mg_miscount m = {.more = more, .first = is->first, .last = is->last, .len = (uint32_t)subject.n};
    if (c->pieces_len == 0 || c->pieces[c->pieces_len - 1].len >= PIECE) {
        c->pieces = mg_realloc(c->pieces, (c->pieces_len + 1) * sizeof(c->pieces[0]));
        c->pieces[c->pieces_len++] = (struct mg_buf)MG_BUF_INIT;
    }
    struct mg_buf *piece = &c->pieces[c->pieces_len - 1];
    mg_buf_add(piece, &m, sizeof(m));
    mg_buf_add_slice(piece, subject);
}

static void compare_row(struct job *j, const struct mg_row *row, const struct mg_rowmap *counted) {
    struct mg_subject_row was, is = {0};
    mg_slice subject = mg_slice_of(row->key.p + HEAD, row->key.n - HEAD);
    if (subject.n == 0 || subject.n > UINT16_MAX || row->value.n < sizeof(was) || !in_pass(j, subject)) return;
    struct mg_cell *c = mg_rowmap_get(counted, mg_row_hash(0, row->key), row->key);
    memcpy(&was, row->value.p, sizeof(was));
    if (c) memcpy(&is, c->value, sizeof(is));
    if (c) c->flags = MG_CELL_DELETED; // seen
    if (was.count == is.count) return;
    add_subject(j, subject, is.count - was.count, &is);
    j->emptied += is.count == 0;
}

// Subjects that have messages and no row.
static void add_others(struct job *j, const struct mg_rowmap *counted) {
    for (uint32_t i = mg_rowmap_end(counted); i-- > 0;) {
        const struct mg_cell *c = mg_rowmap_at(counted, i);
        struct mg_subject_row is;
        if (c == NULL || c->flags & MG_CELL_DELETED) continue;
        memcpy(&is, c->value, sizeof(is));
        add_subject(j, mg_slice_of(c->key + HEAD, c->key_len - HEAD), is.count, &is);
        j->made++;
    }
}

static int compare(struct job *j, const struct mg_rowmap *counted) {
    struct mg_merge *m = mg_runset_merge(j->moment.runs, false, true);
    char head[HEAD];
    uint32_t rows = 0;
    mg_row_key_head(head, MG_ROW_SUBJECT, j->stream);
    mg_put_be32(head + MG_ROW_KEY_HEAD, j->was.epoch);
    int err = m ? mg_merge_seek(m, mg_slice_of(head, HEAD)) : MG_ENOTFOUND;
    for (; err == 0; err = err ? err : mg_merge_next(m)) {
        const struct mg_row *row = mg_merge_row(m);
        if (row->key.n < HEAD || memcmp(row->key.p, head, HEAD) != 0) break;
        compare_row(j, row, counted);
        if (++rows % PACE_ROWS == 0) err = mg_keeper_pace(j->st);
    }
    if (m) mg_merge_free(m);
    if (err == MG_ECORRUPT || err == MG_EIO) {
        mg_heal_want(j->st);
        return MG_EAGAIN;
    }
    if (err && err != MG_ENOTFOUND) return err;
    add_others(j, counted);
    return 0;
}

// ---- counting -------------------------------------------------------------------------------------------------------

static int count_pass(struct job *j) {
    struct mg_rowmap *rows = mg_rowmap_new();
    struct mg_subject_match match = {.match = matches, .arg = j};
    struct mg_recount r = {.stream = j->stream, .low = j->was.first, .epoch = j->was.epoch, .stretches = j->stretches,
                           .stretches_len = j->stretches_len, .runs = j->moment.runs,
                           .match = j->passes > 1 ? &match : NULL, .pace = pace, .pace_arg = j->st};
    mg_recount_stream(&r, rows);
    j->msgs += r.msgs;
    j->bytes += r.bytes;
    j->subjects += r.subjects;
    j->maybe += r.maybe;
    j->maybe_bytes += r.maybe_bytes;
    if (j->found->gap_end == 0) j->found->gap_end = r.gap_end;
    for (uint32_t i = 0; i < r.lost.len; i++)
        mg_lost_add(&j->found->lost, r.lost.at[i].first, r.lost.at[i].last, r.lost.at[i].count);
    int err = r.err;
    if (err == 0 && j->maybe == 0) err = compare(j, rows);
    mg_rowmap_unref(rows);
    return err;
}

static int find_stream(struct job *j) {
    struct mg_buf value = MG_BUF_INIT;
    char key[MG_ROW_KEY_HEAD];
    mg_row_key_head(key, MG_ROW_STATE, j->stream);
    int err = mg_runset_get(j->moment.runs, mg_slice_of(key, sizeof(key)), &value);
    if (err == 0 && value.len < MG_STATE_ROW_SIZE) err = MG_ECORRUPT;
    if (err == 0) mg_state_row_unpack(&j->was, value.p);
    mg_buf_fini(&value);
    if (err == 0) err = mg_moment_stretches(&j->moment, j->stream, &j->stretches, &j->stretches_len);
    return err;
}

static uint64_t all_bytes(const struct job *j) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < j->stretches_len; i++) {
        if (j->stretches[i].segment) n += mg_stretch_bytes(&j->stretches[i]);
    }
    return n;
}

static int count(struct job *j) {
    int err = find_stream(j);
    if (err) return err;
    j->passes = j->was.subjects / SUBJECTS + 1;
    uint64_t outer = mg_keeper_enter(j->st, all_bytes(j));
    for (; j->pass < j->passes && err == 0; j->pass++) err = count_pass(j);
    mg_keeper_leave(j->st, outer);
    return err;
}

// What a counter must be moved by to be between two bounds.
static int64_t into(uint64_t was, uint64_t low, uint64_t high) {
    uint64_t is = was < low ? low : was > high ? high : was;
    return (int64_t)(is - was);
}

static void conclude(struct job *j) {
    struct mg_correction_found *c = j->found;
    c->op = j->was.op;
    c->exact = j->maybe == 0;
    c->by.epoch = j->was.epoch;
    c->by.msgs = into(j->was.msgs, j->msgs, j->msgs + j->maybe);
    c->by.bytes = into(j->was.bytes, j->bytes, j->bytes + j->maybe_bytes);
    if (c->exact) c->by.subjects = (int64_t)(j->subjects + j->emptied - j->made - j->was.subjects);
    if (MG_PLANTED(half_correction)) c->by.msgs /= 2;
}

static void post(struct mg_store *st, uint64_t stream, struct mg_correction_found *c) {
    c->part = st->parts[stream % st->o.parts]; // as at the start
    c->stream = stream;
    c->parcel.arrived = mg_correct_found_arrived;
    mg_inbox_post(&c->part->inbox, &c->parcel);
}

void mg_correct_tell_doubt(struct mg_store *st, uint64_t stream, const struct mg_lost *lost, uint64_t left_out) {
    struct mg_correction_found *c = mg_zalloc(sizeof(*c));
    c->doubt = true;
    c->left_out = left_out;
    c->lost = *lost;
    post(st, stream, c);
}

bool mg_correct_step(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    if (k->recounts_len == 0 || atomic_load(&k->heal_now)) return false;
    struct mg_recount_wish wish = k->recounts[0];
    struct job j = {.st = st, .stream = wish.stream};
    memmove(k->recounts, k->recounts + 1, --k->recounts_len * sizeof(k->recounts[0]));
    j.found = mg_zalloc(sizeof(*j.found));
    mg_moment_take(&j.moment, st);
    int err = wish.stale ? MG_EAGAIN : count(&j);
    bool over = err == MG_ENOTFOUND || err == MG_ECLOSED; // the stream, or the store
    if (err == 0) conclude(&j);
    j.found->again = err == MG_EAGAIN;
    j.found->failed = err && !j.found->again;
    if (j.found->failed && !over)
        mg_store_say(st, MG_LOG_WRN, "stream number %llu could not be counted again: %s; the next start tries it",
                     (unsigned long long)j.stream, mg_strerror(err));
    if (over) mg_correct_found_free(j.found);
    else post(st, j.stream, j.found);
    mg_free(j.stretches);
    mg_moment_end(&j.moment);
    return true;
}
