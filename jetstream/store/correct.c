// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The part's side of correct.h: when counters are wrong, how wrong they may be, and the correction.
#include "jetstream/store/correct.h"

#include <string.h>

#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

// ---- wrong ----------------------------------------------------------------------------------------------------------

// Bytes of the stretches that have messages of a range.
static uint64_t bytes_around(const struct mg_stream *s, const struct mg_lost_range *r, uint64_t *counted) {
    uint64_t n = 0;
    struct mg_stretch_at at = mg_stretches_find(&s->cold, r->first > *counted ? r->first : *counted + 1);
    for (const struct mg_stretch *c; (c = mg_stretches_get(&s->cold, at)) && c->first_seq <= r->last;
         at = mg_stretches_next(&s->cold, at)) {
        n += mg_stretch_bytes(c);
        *counted = c->last_seq;
    }
    return n;
}

// Whatever was found damaged may be what has gone. Of what is in no segment any more the size is a guess.
static void loosen(struct mg_stream *s) {
    uint64_t msgs = s->lost + s->unreadable, counted = 0;
    uint64_t bytes = s->msgs ? s->bytes / s->msgs * msgs : 0;
    for (uint32_t i = 0; i < s->lost_ranges.len; i++) bytes += bytes_around(s, &s->lost_ranges.at[i], &counted);
    if (MG_PLANTED(tight_limits)) return;
    if (msgs > s->slack.msgs) s->slack.msgs = msgs;
    if (bytes > s->slack.bytes) s->slack.bytes = bytes;
}

void mg_correct_inexact(struct mg_stream *s) {
    s->inexact = true;
    s->inexact_op = s->op;
}

void mg_correct_unsure(struct mg_stream *s) {
    mg_correct_inexact(s);
    s->unsure = true;
    s->recount_from = 0; // limits wait for the result
    loosen(s);
}

void mg_correct_settled(struct mg_stream *s) {
    s->inexact = s->unsure = false;
    s->overlooked = 0;
    s->slack.msgs = s->slack.bytes = 0;
}

void mg_correct_want(struct mg_stream *s) {
    if (!s->inexact || s->recount != MG_RECOUNT_IDLE || s->first < s->recount_from) return;
    if (s->recount_from && s->unsure) loosen(s); // `first` has just passed something
    s->recount = MG_RECOUNT_WANTED;
    mg_store_press_soon(s->part->store);
}

void mg_correct_doubt(struct mg_stream *s, uint64_t left_out) {
    mg_correct_inexact(s);
    if (left_out > s->overlooked) s->overlooked = left_out;
    s->dirty = true;
    mg_seal_inexact(s);
    if (s->recount == MG_RECOUNT_ASKED) s->recount = MG_RECOUNT_STALE;
    mg_correct_want(s);
}

void mg_correct_start(struct mg_stream *s) {
    if (s->unsure) loosen(s);
    if (s->recount == MG_RECOUNT_STALE) {
        s->recount = MG_RECOUNT_IDLE;
        mg_correct_doubt(s, 0);
    }
    mg_correct_want(s);
}

// ---- the correction -------------------------------------------------------------------------------------------------

void mg_correct_found_free(struct mg_correction_found *c) {
    for (uint32_t i = 0; i < c->pieces_len; i++) mg_buf_fini(&c->pieces[i]);
    mg_free(c->pieces);
    mg_free(c);
}

// There is a result. What became wrong since then is counted once more.
static void end(struct mg_stream *s, uint64_t op) {
    s->recount = MG_RECOUNT_IDLE;
    if (s->inexact_op > op) s->recount_from = 0;
    else s->slack.msgs = s->slack.bytes = 0;
    mg_limits_resume(s);
    mg_correct_want(s);
}

static void submit(struct mg_stream *s, const struct mg_correction_found *c) {
    struct mg_change change = {.kind = MG_CHANGE_CORRECT, .seq = c->op, .exact = c->exact, .quiet = true,
                               .started = true};
    struct mg_correction by = c->by;
    if (s->inexact_op > c->op) by.subjects = 0;
    for (uint32_t i = 0; i < c->pieces_len || i == 0; i++) {
        struct mg_buf value = MG_BUF_INIT;
        char head[MG_CORRECTION_SIZE];
        mg_correction_pack(head, &by);
        mg_buf_add(&value, head, sizeof(head));
        if (c->pieces_len) mg_buf_add_slice(&value, mg_buf_slice(&c->pieces[i]));
        change.value = mg_buf_slice(&value);
        change.last = i + 1 >= c->pieces_len;
        mg_change_submit(s, &change);
        mg_buf_fini(&value);
        by = (struct mg_correction){.epoch = c->by.epoch};
    }
}

static void take(struct mg_stream *s, const struct mg_correction_found *c) {
    for (uint32_t i = 0; i < c->lost.len; i++) {
        const struct mg_lost_range *r = &c->lost.at[i];
        mg_stream_found_lost(s, r->first, r->last, r->count);
    }
    if (c->doubt) {
        mg_correct_doubt(s, c->left_out);
        return;
    }
    if (c->again || s->recount == MG_RECOUNT_STALE) {
        s->recount = MG_RECOUNT_IDLE;
        mg_correct_want(s);
        return;
    }
    s->recount_from = c->failed ? UINT64_MAX : c->exact ? 0 : c->gap_end;
    bool any = c->exact || c->by.msgs || c->by.bytes;
    if (c->failed || !any || c->by.epoch != s->epoch) end(s, c->op);
    else submit(s, c);
}

void mg_correct_found_arrived(struct mg_parcel *p) {
    struct mg_correction_found *c = mg_container_of(p, struct mg_correction_found, parcel);
    struct mg_stream *s = mg_part_stream(c->part, c->stream);
    if (s && !s->deleted && !c->part->closed) take(s, c);
    mg_correct_found_free(c);
}

// The rows as they will be. MG_EAGAIN: some are being looked up.
static struct mg_corrected_subject decide_subject(const struct mg_miscount *m, const struct mg_subject_row *row) {
    struct mg_corrected_subject x = {.count = m->more, .first = m->first, .last = m->last,
                                     .subject_len = (uint16_t)m->len};
    if (row == NULL) return x;
    x.count += row->count;
    if (x.first == 0 || row->first < x.first) x.first = row->first;
    if (row->last < x.last) return x;
    x.last = row->last;
    x.last_gone = row->last_gone;
    return x;
}

static int decide_subjects(struct mg_stream *s, mg_slice list, struct mg_buf *out) {
    struct mg_miscount m = {0};
    int err = 0;
    for (size_t at = 0; at < list.n; at += sizeof(m) + m.len) {
        const struct mg_subject_row *row;
        memcpy(&m, list.p + at, sizeof(m));
        mg_slice subject = mg_slice_of(list.p + at + sizeof(m), m.len);
        int rc = mg_stream_subject_row(s, subject, &row);
        if (rc) err = rc; // all of them are asked for at once
        if (rc || (row == NULL && m.more <= 0)) continue;
        struct mg_corrected_subject x = decide_subject(&m, row);
        char head[MG_CORRECTED_SUBJECT_SIZE];
        mg_corrected_subject_pack(head, &x);
        mg_buf_add(out, head, sizeof(head));
        mg_buf_add_slice(out, subject);
    }
    return err;
}

int mg_correct_execute(struct mg_stream *s, struct mg_change *c) {
    bool current = s->inexact_op <= c->seq && s->recount != MG_RECOUNT_STALE;
    bool exact = c->last && c->exact && current;
    struct mg_buf payload = MG_BUF_INIT;
    mg_buf_add(&payload, c->value.p, MG_CORRECTION_SIZE);
    mg_slice list = mg_slice_of(c->value.p + MG_CORRECTION_SIZE, c->value.n - MG_CORRECTION_SIZE);
    // Otherwise rows may not be what the correction is about any more.
    if (current && decide_subjects(s, list, &payload) == MG_EAGAIN) {
        mg_buf_fini(&payload);
        return MG_EAGAIN;
    }
    struct mg_record_view rec = {.head = {.type = MG_RECORD_CORRECT,
                                          .flags = exact ? MG_RECORD_EXACT : 0,
                                          .seq = c->seq,
                                          .time = s->last_time},
                                 .payload = mg_buf_slice(&payload)};
    mg_stream_write(s, &rec);
    mg_buf_fini(&payload);
    if (c->last) end(s, c->seq);
    return 0;
}

static uint64_t moved(uint64_t n, int64_t by) {
    if (by < 0) return mg_sure_of(n, (uint64_t)-by);
    return n + (uint64_t)by;
}

static void apply_subjects(struct mg_stream *s, mg_slice list) {
    struct mg_corrected_subject x;
    for (size_t at = 0; list.n - at >= MG_CORRECTED_SUBJECT_SIZE; at += x.subject_len) {
        mg_corrected_subject_unpack(&x, list.p + at);
        at += MG_CORRECTED_SUBJECT_SIZE;
        if (x.subject_len == 0 || x.subject_len > list.n - at) return;
        mg_stream_subject_is(s, mg_slice_of(list.p + at, x.subject_len), &x);
    }
}

void mg_correct_apply(struct mg_stream *s, const struct mg_record_view *rec) {
    struct mg_correction by;
    if (rec->payload.n < MG_CORRECTION_SIZE) return;
    mg_correction_unpack(&by, rec->payload.p);
    if (by.epoch != s->epoch) return;
    s->msgs = moved(s->msgs, by.msgs);
    s->bytes = moved(s->bytes, by.bytes);
    s->subjects = moved(s->subjects, by.subjects);
    apply_subjects(s, mg_slice_of(rec->payload.p + MG_CORRECTION_SIZE, rec->payload.n - MG_CORRECTION_SIZE));
    if (!(rec->head.flags & MG_RECORD_EXACT) || s->recount == MG_RECOUNT_STALE) return;
    mg_correct_settled(s);
    if (s->msgs > 0) return;
    s->first_exact = false; // it is empty, so it begins behind its end
    mg_stream_forget_counters(s);
}
