// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The decision about a publish: conditions, limits, what it evicts. Everything is decided before anything is changed,
// so whatever needs a row or a message from disk can say MG_EAGAIN and be tried again.
//
// The order of the checks is the reference's (spec/jetstream-streams.md 12, column R1); those that need no state of the
// store (sizes, headers, sealed) are the caller's.
//
// A rollup and what it removes are one record where that can be: the list of a subject's few messages, or a flag that
// says "all". Many messages of a subject, or ones that have to be sought for long, go in slices behind it (purge.c);
// the answer comes behind the last one.
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/dedupe.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/proto/subject.h"

// A record does not name more removals than this. More of them go into records of their own, in front.
#define REMOVALS_IN_RECORD 256u
#define REMOVALS_BYTES 32768u
#define SLICE_COST 64u // us, more or less, of making room

struct decision {
    const struct mg_append *a;
    uint64_t seq;
    uint32_t size;
    uint64_t msgs, bytes; // as they will be
    const struct mg_subject_row *row; // NULL: none now
    uint64_t own_oldest;  // numbers of this subject up to it are on the list already
    uint64_t up_to, own;  // numbers up to it are, and how many of this subject
    bool replaces, sought; // sought: the oldest were, and the answer is used up
    bool rolled, clears;  // the rollup is in the record: its list has them all; it removes everything
    bool crowded;         // there is more to evict than may be on the list
    struct mg_removals list;
    struct mg_extent *extent;
};

int mg_stream_subject_row(struct mg_stream *s, mg_slice subject, const struct mg_subject_row **out) {
    char key[MG_CELL_KEY_MAX];
    const struct mg_cell *row;
    enum mg_row_found f = mg_rows_get(s->rows, mg_slice_of(key, mg_subject_key(s, subject, key)), &row);
    if (f == MG_ROW_PENDING) return MG_EAGAIN;
    *out = f == MG_ROW_FOUND ? (const struct mg_subject_row *)(const void *)row->value : NULL;
    return 0;
}

int mg_stream_subject(struct mg_stream *s, mg_slice subject, uint64_t *count) {
    const struct mg_subject_row *row;
    int err = mg_stream_subject_row(s, subject, &row);
    if (err == 0) *count = row && row->count > 0 ? (uint64_t)row->count : 0;
    return err;
}

// Nothing but a look at the messages tells the last one of many subjects. It is remembered, because the decision may
// have to be tried again.
static int last_of_many(struct mg_stream *s, mg_slice pattern, uint64_t *actual) {
    bool fresh = s->wild.op == s->op && mg_slice_eq(mg_buf_slice(&s->wild.subject), pattern);
    if (!fresh) {
        int err = mg_assist_last(s, pattern, s->last, actual);
        if (err) return err;
        s->wild.subject.len = 0;
        mg_buf_add_slice(&s->wild.subject, pattern);
        s->wild.op = s->op;
        s->wild.seq = *actual;
    }
    *actual = s->wild.seq;
    return 0;
}

static int last_of_subject(struct mg_stream *s, mg_slice subject, uint64_t *actual) {
    const struct mg_subject_row *row;
    if (!mg_subject_valid_literal(subject)) return last_of_many(s, subject, actual);
    int err = mg_stream_subject_row(s, subject, &row);
    if (err) return err;
    *actual = row ? row->last : 0;
    if (mg_stream_overlooks(s, *actual + 1)) return mg_assist_last(s, subject, s->last, actual);
    if (row == NULL || !row->last_gone) return 0;
    // The newest was removed: which one is the newest now? The row remembers, so it is looked for once.
    err = mg_assist_last(s, subject, row->last, actual);
    if (err == 0 && *actual) mg_stream_subject_last_is(s, subject, *actual);
    return err;
}

// It is not as it should be: the answer is queued.
static int refused(struct mg_stream *s, int err, void *ctx) {
    mg_stream_answer(s, ctx, err, 0, MG_ANSWER_PLAIN);
    return 1;
}

static int check_last_id(struct mg_stream *s, const struct mg_append *a, void *ctx) {
    if (!a->expects_id || mg_slice_eq(a->expect_id, mg_buf_slice(&s->last_id))) return 0;
    if (a->facts) {
        a->facts->last_id.len = 0;
        mg_buf_add_slice(&a->facts->last_id, mg_buf_slice(&s->last_id));
    }
    return refused(s, MG_EWRONGID, ctx);
}

// Conditions. 0: they hold. 1: they do not, the answer is queued. MG_EAGAIN.
static int check_conditions(struct mg_stream *s, const struct mg_append *a, void *ctx) {
    uint64_t actual = 0;
    if (a->expect_subject_last != MG_ANY_SEQ) {
        int err = last_of_subject(s, a->expect_subject.n ? a->expect_subject : a->subject, &actual);
        if (err) return err;
        if (actual != a->expect_subject_last) {
            mg_stream_answer(s, ctx, MG_EWRONGSEQ, actual, MG_ANSWER_PLAIN);
            return 1;
        }
    }
    if (a->expect_last != MG_ANY_SEQ && a->expect_last != s->last) {
        mg_stream_answer(s, ctx, MG_EWRONGSEQ, s->last, MG_ANSWER_PLAIN);
        return 1;
    }
    if (a->refuse_early) return refused(s, a->refuse_early, ctx);
    if (a->msg_id.n && s->limits.dedupe_window) {
        int err = mg_dedupe_find(s, a->msg_id, &actual);
        if (err == MG_EAGAIN) return err;
        if (err == 0) {
            mg_stream_answer(s, ctx, 0, actual, MG_ANSWER_DUPLICATE);
            return 1;
        }
    }
    return check_last_id(s, a, ctx);
}

static int check_discard_new(struct mg_stream *s, const struct decision *d) {
    const struct mg_stream_limits *l = &s->limits;
    if (l->discard != MG_DISCARD_NEW) return 0;
    if (d->replaces && l->discard_new_per_subject && !d->a->no_limit_per_subject) return MG_EMAXPERSUBJECT;
    // spec 13a: a message that replaces one of its subject is not refused for max_msgs, nor for bytes it frees.
    uint64_t msgs = mg_sure_of(s->msgs, s->slack.msgs), bytes = mg_sure_of(s->bytes, s->slack.bytes);
    if (l->max_msgs > 0 && msgs >= (uint64_t)l->max_msgs && !d->replaces) return MG_EMAXMSGS;
    if (l->max_bytes > 0 && bytes + d->size > (uint64_t)l->max_bytes && !d->replaces) return MG_EMAXBYTES;
    return 0;
}

// Once it is known what the message replaces.
static int check_growth(const struct mg_stream *s, const struct decision *d) {
    const struct mg_stream_limits *l = &s->limits;
    uint64_t bytes = mg_sure_of(s->bytes, s->slack.bytes);
    if (l->discard != MG_DISCARD_NEW || l->max_bytes <= 0 || bytes + d->size <= (uint64_t)l->max_bytes) return 0;
    return d->bytes > s->bytes ? MG_EMAXBYTES : 0;
}

static void evict(struct mg_stream *s, struct decision *d, uint64_t seq, uint32_t size, mg_slice subject) {
    // What was written since the last seal is replayed from its own record, subject included.
    bool named = mg_memtable_where(&s->mem, seq) != MG_MEM_OPEN && seq != d->seq;
    mg_removals_add(&d->list, &(struct mg_removal){.seq = seq, .size = size, .named = named, .subject = subject});
    d->msgs = mg_sure_of(d->msgs, 1);
    d->bytes = mg_sure_of(d->bytes, size);
}

// The row does not name them all: they have to be looked for.
static int evict_found(struct mg_stream *s, struct decision *d, uint64_t excess) {
    uint64_t bytes = 0, most = mg_removals_most(s), n = excess < most ? excess : most;
    uint32_t before = d->list.count;
    int err = mg_assist_oldest(s, d->a->subject, d->row->first, n, &d->list, &bytes);
    if (err) return err;
    d->crowded = n < excess && d->list.count > before; // none: those that are left cannot be read
    d->msgs = mg_sure_of(d->msgs, d->list.count - before);
    d->bytes = mg_sure_of(d->bytes, bytes);
    d->own_oldest = d->list.previous;
    d->own = d->list.count;
    d->sought = true;
    return 0;
}

// The oldest of the subject, so that `max_msgs_per_subject` holds with the new one.
static int evict_of_subject(struct mg_stream *s, struct decision *d) {
    uint64_t max = (uint64_t)s->limits.max_msgs_per_subject;
    if (d->row == NULL || (uint64_t)d->row->count + 1 <= max) return 0;
    uint64_t excess = (uint64_t)d->row->count + 1 - max;
    if (d->row->recent_len != (uint64_t)d->row->count) return evict_found(s, d, excess);
    for (uint64_t i = 0; i < excess && i < d->row->recent_len; i++) {
        evict(s, d, d->row->recent[i].seq, d->row->recent[i].size, d->a->subject);
        d->own_oldest = d->row->recent[i].seq;
        d->own++;
    }
    return 0;
}

static bool over_limits(const struct mg_stream *s, const struct decision *d) {
    const struct mg_stream_limits *l = &s->limits;
    if (l->discard != MG_DISCARD_OLD) return false; // as in the reference
    return (l->max_msgs > 0 && mg_sure_of(d->msgs, s->slack.msgs) > (uint64_t)l->max_msgs) ||
           (l->max_bytes > 0 && mg_sure_of(d->bytes, s->slack.bytes) > (uint64_t)l->max_bytes);
}

// The oldest of the stream, so that max_msgs and max_bytes hold.
static int evict_oldest(struct mg_stream *s, struct decision *d) {
    if (!over_limits(s, d)) return 0;
    struct mg_head_walk walk = mg_head_walk_of(s);
    struct mg_head_message m;
    while (over_limits(s, d)) {
        // One may always be: most publishes evict no more.
        d->crowded = d->list.count > 0 && (d->list.count >= mg_removals_most(s) || d->list.buf.len >= REMOVALS_BYTES);
        if (d->crowded) return 0;
        int err = mg_head_next(s, &walk, &m);
        if (err == MG_EAGAIN) return err;
        if (err) { // nobody is left but the new one
            bool too_large = s->limits.max_bytes > 0 && d->size > (uint64_t)s->limits.max_bytes;
            if (too_large) evict(s, d, d->seq, d->size, d->a->subject);
            return 0; // or the counters still have what was damaged
        }
        bool own = mg_slice_eq(m.subject, d->a->subject);
        if (own && m.seq <= d->own_oldest) continue; // on the list already
        evict(s, d, m.seq, m.size, m.subject);
        d->up_to = m.seq;
        d->own += own;
        if (mg_head_message_unknown(&m)) return 0; // how much it was, nobody knows: the next one sees to the rest
    }
    return 0;
}

// ---- rollups --------------------------------------------------------------------------------------------------------

static bool fits(const struct decision *d, uint64_t more) {
    return d->list.count + more <= REMOVALS_IN_RECORD &&
           d->list.buf.len + more * (d->a->subject.n + 30) <= REMOVALS_BYTES;
}

// Those that the row does not name. The list stays as it was if they cannot all be had at once.
static int roll_up_found(struct mg_stream *s, struct decision *d, uint64_t left) {
    uint32_t before = d->list.count;
    uint64_t bytes = 0, from = d->row->first > d->up_to ? d->row->first : d->up_to + 1;
    if (d->sought) return 0;
    int err = mg_assist_oldest(s, d->a->subject, from, left, &d->list, &bytes);
    if (err) return err;
    d->rolled = d->list.count - before == left;
    if (!d->rolled) mg_removals_cut(&d->list, before);
    return 0;
}

// What the limits have left of the subject.
static int roll_up_subject(struct mg_stream *s, struct decision *d) {
    int err = mg_stream_subject_row(s, d->a->subject, &d->row);
    if (err) return err;
    uint64_t count = d->row && d->row->count > 0 ? (uint64_t)d->row->count : 0;
    uint64_t left = count > d->own ? count - d->own : 0;
    if (MG_PLANTED(rollup_half_done) || !fits(d, left)) return 0;
    if (left > 0 && d->row->recent_len != count) return roll_up_found(s, d, left);
    for (uint32_t i = 0; left > 0 && i < d->row->recent_len; i++) {
        const struct mg_subject_recent *r = &d->row->recent[i];
        if (r->seq > d->own_oldest && r->seq > d->up_to) evict(s, d, r->seq, r->size, d->a->subject);
    }
    d->rolled = true;
    return 0;
}

static int roll_up(struct mg_stream *s, struct decision *d) {
    // A publish to `a.*` rolls up all that this matches, which no row knows of.
    bool own = d->a->rollup_subject && !d->a->rollup_all && mg_subject_is_literal(d->a->subject);
    return own && s->msgs > 0 ? roll_up_subject(s, d) : 0;
}

// One that is too large for the stream removes itself, too: it must be on the list.
static bool clears_all(const struct mg_stream *s, const struct decision *d) {
    bool too_large = s->limits.max_bytes > 0 && d->size > (uint64_t)s->limits.max_bytes;
    return d->a->rollup_all && s->msgs > 0 && !too_large && !MG_PLANTED(rollup_half_done);
}

static int decide(struct mg_stream *s, struct decision *d) {
    const struct mg_stream_limits *l = &s->limits;
    if (d->a->refuse) return d->a->refuse;
    if (d->a->skip) return 0;
    if (l->max_msgs_per_subject > 0) {
        int err = mg_stream_subject_row(s, d->a->subject, &d->row);
        if (err) return err;
        d->replaces = d->row && d->row->count >= l->max_msgs_per_subject;
    }
    int err = check_discard_new(s, d);
    if (err) return err;
    d->msgs++;
    d->bytes += d->size;
    if (l->max_msgs_per_subject > 0) err = evict_of_subject(s, d);
    if (err == 0) err = check_growth(s, d);
    if (err) return err;
    d->clears = clears_all(s, d);
    if (d->clears) {
        mg_removals_clear(&d->list);
        d->crowded = false;
        return 0;
    }
    if (!d->crowded) err = evict_oldest(s, d);
    return err || d->crowded ? err : roll_up(s, d);
}

void mg_append_look_ahead(struct mg_stream *s, const struct mg_append *a) {
    const struct mg_subject_row *row;
    mg_slice expected = a->expect_subject.n ? a->expect_subject : a->subject;
    bool own = s->limits.max_msgs_per_subject > 0 || a->rollup_subject;
    uint64_t seq;
    if (a->skip || a->refuse) return;
    if (own && mg_subject_valid_literal(a->subject)) mg_stream_subject_row(s, a->subject, &row);
    if (a->expect_subject_last != MG_ANY_SEQ && mg_subject_valid_literal(expected))
        mg_stream_subject_row(s, expected, &row);
    if (a->msg_id.n && s->limits.dedupe_window) mg_dedupe_find(s, a->msg_id, &seq);
}

static uint8_t flags_of(const struct decision *d, bool dedupe, bool row) {
    return (uint8_t)((dedupe ? MG_RECORD_DEDUPED : 0) | (row ? MG_RECORD_WITH_ROW : 0) |
                     (d->clears ? MG_RECORD_CLEARS : 0));
}

static void write_record(struct mg_stream *s, struct decision *d, int64_t time) {
    const struct mg_append *a = d->a;
    if (d->list.count > REMOVALS_IN_RECORD || d->list.buf.len > REMOVALS_BYTES) {
        mg_removals_write(s, &d->list, false);
        mg_removals_clear(&d->list);
    }
    char hash[MG_DEDUPE_HASH];
    bool dedupe = a->msg_id.n && s->limits.dedupe_window;
    struct mg_buf extra = MG_BUF_INIT;
    if (dedupe) {
        mg_dedupe_hash(s, a->msg_id, hash);
        mg_buf_add(&extra, hash, sizeof(hash));
    }
    if (a->row.n && !a->skip) {
        uint16_t n = (uint16_t)a->row.n;
        mg_buf_add(&extra, &n, sizeof(n));
        mg_buf_add_slice(&extra, a->row);
    }
    if (d->list.count) mg_removals_encode(&d->list, &extra);
    struct mg_record_view rec = {
        .head = {.type = a->skip ? MG_RECORD_SKIP : MG_RECORD_MSG,
                 .flags = flags_of(d, dedupe, a->row.n && !a->skip),
                 .seq = d->seq,
                 .time = time},
        .extra = mg_buf_slice(&extra),
        .subject = a->subject,
        .headers = a->headers,
        .payload = a->payload,
    };
    if (a->skip) rec.headers = rec.payload = (mg_slice){NULL, 0};
    s->part->publishes = true;
    if (d->extent) mg_stream_write_large(s, &rec, d->extent);
    else mg_stream_write(s, &rec);
    mg_buf_fini(&extra);
}

static void remember_id(struct mg_stream *s, mg_slice id) {
    s->last_id.len = 0;
    mg_buf_add_slice(&s->last_id, id);
    s->last_id_known = true;
}

bool mg_stream_last_id_known(const struct mg_stream *s) { return s->last_id_known; }
void mg_stream_set_last_id(struct mg_stream *s, mg_slice id) { remember_id(s, id); }

// A rollup is acknowledged when what it replaces is removed, too.
static void answer_appended(struct mg_stream *s, const struct decision *d, void *ctx) {
    const struct mg_append *a = d->a;
    uint64_t seq = d->seq;
    if (a->skip || !(a->rollup_subject || a->rollup_all) || d->rolled || s->first >= seq) {
        mg_stream_answer(s, ctx, 0, seq, MG_ANSWER_APPENDED);
        return;
    }
    if (MG_PLANTED(rollup_half_done)) mg_stream_answer(s, ctx, 0, seq, MG_ANSWER_APPENDED);
    else mg_stream_answer(s, NULL, 0, seq, MG_ANSWER_VISIBLE);
    mg_purge_older(s, a->rollup_all ? (mg_slice){NULL, 0} : a->subject, seq, ctx);
}

// Conditions, limits, what it evicts; changes nothing. 0: a record can be written. 1: the answer is queued. MG_EAGAIN.
static int prepare(struct mg_stream *s, const struct mg_change *c, struct decision *d) {
    const struct mg_append *a = &c->append;
    *d = (struct decision){.a = a, .seq = s->last + 1, .msgs = s->msgs, .bytes = s->bytes};
    d->size = mg_stream_size_of(s, a->subject.n, a->headers.n, a->payload.n);
    bool before = !c->started || MG_PLANTED(asked_again); // else it makes room
    int err = before ? check_conditions(s, a, c->ctx) : 0;
    if (err == 1) return 1;
    if (err == 0) err = decide(s, d);
    if (err == 0 && before && a->facts && a->facts->want_previous)
        err = last_of_subject(s, a->subject, &a->facts->previous);
    return err == 0 || err == MG_EAGAIN ? err : refused(s, err, c->ctx); // or what it needs to know cannot be read
}

bool mg_append_refused(struct mg_stream *s, const struct mg_change *c) {
    struct decision d;
    bool answered = prepare(s, c, &d) == 1;
    mg_removals_fini(&d.list);
    return answered;
}

static void execute(struct mg_stream *s, struct mg_change *c, struct decision *d) {
    const struct mg_append *a = &c->append;
    int64_t time = a->time ? a->time : mg_part_time(s->part);
    if (time < s->last_time) time = s->last_time;
    if (a->facts) a->facts->time = time;
    d->extent = c->extent;
    write_record(s, d, time);
    c->extent = NULL;
    remember_id(s, a->msg_id);
    answer_appended(s, d, c->ctx);
    mg_stream_appended(s);
}

// The next slice of what it evicts. False: that's enough for this turn.
static bool make_room(struct mg_stream *s, struct mg_change *c, const struct decision *d) {
    if (!c->started) {
        c->started = true;
        // From here on it has to be a change that waits.
        if (mg_list_empty(&s->waiting)) return false;
    }
    mg_removals_write(s, &d->list, false);
    return !mg_part_spent(s->part, SLICE_COST);
}

int mg_append_execute(struct mg_stream *s, struct mg_change *c) {
    struct decision d;
    int err;
    for (bool more = true; more;) {
        err = prepare(s, c, &d);
        more = err == 0 && d.crowded;
        if (err == 0 && !more) execute(s, c, &d);
        if (more && !make_room(s, c, &d)) {
            mg_part_pump_later(s);
            err = MG_EAGAIN;
            more = false;
        }
        mg_removals_fini(&d.list);
    }
    return err == MG_EAGAIN ? err : 0;
}
