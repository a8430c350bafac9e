// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reads. What is in memory is answered at once; what is in segments goes to a reader thread (cold.c). A walk through
// the memtable that finds nothing for long is cut into slices. Between two of them messages come and go, and
// checkpoints take them from memory into segments:
//
//   NEXT    goes on from its number, wherever that is by then
//   COUNT   goes up by numbers, through segments and memory alike. What it has counted is taken off when it is removed,
//           so a count is exact at the moment of its answer
//   LAST    goes down by numbers. Before it goes on or answers it looks at what has come since; what it has passed does
//           not match and never will. So it does not miss what has taken the place of a message in front of it
#include <string.h>

#include "jetstream/store/ahead.h"
#include "jetstream/store/cold.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/proto/subject.h"

#define READ_COST 16u // us, more or less

static bool matches(const mg_slice *filters, unsigned n, mg_slice subject) {
    for (unsigned i = 0; i < n; i++) {
        if (mg_subject_match(subject, filters[i])) return true;
    }
    return n == 0;
}

static int answer(struct mg_read *r, int err) {
    r->err = err;
    return 0;
}

static int answer_record(struct mg_read *r, uint64_t seq, const struct mg_record_view *v) {
    r->msg = (struct mg_message){seq, v->head.time, v->subject, v->headers, v->payload};
    return answer(r, 0);
}

// A message may be in a segment before the result of its append was given.
static int answer_entry(struct mg_read *r, const struct mg_cold_entry *e) {
    if (e->seq > r->stream->visible && r->kind != MG_READ_LAST && !r->last_of_subject) return answer(r, MG_ENOTFOUND);
    r->msg = (struct mg_message){e->seq, e->time, e->subject, e->headers, e->payload};
    return answer(r, e->err);
}

static int wait_slow(struct mg_read *r) {
    mg_list_push_back(&r->stream->slow, &r->waits);
    mg_part_want(r->stream);
    return MG_EAGAIN;
}

static int go_on_later(struct mg_read *r) {
    mg_part_pump_later(r->stream);
    return wait_slow(r);
}

static uint32_t walk_most(const struct mg_stream *s) { return s->part->store->o.walk; }

// ---- memory ---------------------------------------------------------------------------------------------------------

static int next_in_memory(struct mg_stream *s, struct mg_read *r, uint64_t from) {
    struct mg_record_view v;
    uint32_t looked = 0;
    for (uint64_t seq = from;; seq++) {
        const uint8_t *bytes = mg_memtable_next(&s->mem, &seq);
        if (bytes == NULL || seq > s->visible) return answer(r, MG_ENOTFOUND);
        mg_record_borrow(&v, bytes);
        if (matches(r->filters, r->filters_len, v.subject)) return answer_record(r, seq, &v);
        if (++looked < walk_most(s)) continue;
        r->partial = seq + 1;
        return go_on_later(r);
    }
}

// What has come since: [r->from + 1, upto]. 0: something matches, or is in a segment already; MG_ENOTFOUND: nothing
// does; MG_EAGAIN: there is more.
static int look_at_newer(struct mg_stream *s, struct mg_read *r, uint64_t upto) {
    struct mg_record_view v;
    uint32_t looked = 0;
    if (upto > r->from && r->from + 1 < mg_stream_cold_end(s)) return 0;
    for (uint64_t seq = r->from + 1; seq <= upto; seq++) {
        const uint8_t *bytes = mg_memtable_next(&s->mem, &seq);
        if (bytes == NULL || seq > upto) break;
        mg_record_borrow(&v, bytes);
        if (matches(r->filters, r->filters_len, v.subject)) return 0;
        r->from = seq;
        if (++looked == walk_most(s)) return MG_EAGAIN;
    }
    r->from = upto;
    return MG_ENOTFOUND;
}

// From r->partial down. 0: answered; MG_ENOTFOUND: memory has none; MG_EAGAIN: there is more.
static int last_in_memory(struct mg_stream *s, struct mg_read *r) {
    struct mg_record_view v;
    uint32_t looked = 0;
    for (uint64_t seq = r->partial; r->partial > 0; seq = r->partial) {
        const uint8_t *bytes = mg_memtable_prev(&s->mem, &seq);
        if (bytes == NULL) break;
        mg_record_borrow(&v, bytes);
        if (matches(r->filters, r->filters_len, v.subject)) return answer_record(r, seq, &v);
        r->partial = seq - 1;
        if (++looked == walk_most(s) && r->partial > 0) return MG_EAGAIN;
    }
    return MG_ENOTFOUND;
}

// Times ascend with numbers.
static int time_in_memory(struct mg_stream *s, struct mg_read *r) {
    struct mg_record_view v;
    uint64_t lo = mg_memtable_first(&s->mem), hi = s->visible + 1;
    if (lo < s->first) lo = s->first;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2, seq = mid;
        const uint8_t *bytes = mg_memtable_next(&s->mem, &seq);
        if (bytes) mg_record_borrow(&v, bytes);
        if (bytes && seq <= s->visible && v.head.time < r->time) {
            lo = seq + 1;
        } else {
            hi = mid;
        }
    }
    const uint8_t *bytes = mg_memtable_next(&s->mem, &lo);
    if (bytes == NULL || lo > s->visible) return answer(r, MG_ENOTFOUND);
    mg_record_borrow(&v, bytes);
    return answer_record(r, lo, &v);
}

// ---- segments -------------------------------------------------------------------------------------------------------

static void free_ahead(struct mg_read *r) {
    if (r->ahead && r->cold == r->ahead->coming) r->cold = NULL;
    mg_ahead_free(r->ahead);
    r->ahead = NULL;
}

static void keep_answer(struct mg_read *r, struct mg_cold_read *cold) {
    free_ahead(r);
    r->ahead = mg_ahead_new(cold);
}

// A LAST that segments have answered, when nothing newer has come. False: that one has been removed.
static bool last_from_ahead(struct mg_stream *s, struct mg_read *r) {
    const struct mg_read_batch *a = &r->ahead->now;
    if (a->installs != mg_stream_installs(s)) return false; // removals may have left memory
    if (a->count && mg_stream_known_removed(s, a->entries[0].seq)) return false;
    if (a->count) answer_entry(r, &a->entries[0]);
    else answer(r, MG_ENOTFOUND);
    return true;
}

// Holds the answer back until it is durable. Then there is a copy of it.
static int settle(struct mg_stream *s, struct mg_read *r) {
    if (r->inside) return 0;
    int err = mg_read_settle(s, r);
    if (err == MG_EAGAIN && r->kind == MG_READ_LAST) free_ahead(r);
    return err;
}

// Only a sequential NEXT keeps what it has read ahead.
static void tell(struct mg_read *r) {
    struct mg_read_ahead *a = NULL;
    if (r->kind == MG_READ_LAST) {
        a = r->ahead;
        r->ahead = NULL;
    }
    r->done(r); // may free it
    mg_ahead_free(a);
}

static int execute(struct mg_stream *s, struct mg_read *r);

static int stop_counting(struct mg_read *r, int err) {
    mg_list_remove(&r->counts);
    return answer(r, err);
}

static int counted_cold(struct mg_stream *s, struct mg_read *r, const struct mg_cold_read *cold) {
    if (cold->err) r->err = cold->err;
    r->count += cold->total;
    r->partial = cold->upto;
    if (r->seq < r->partial - 1) r->seq = r->partial - 1; // what has come from memory meanwhile
    return execute(s, r);
}

// The owner's rows are asked for one by one and not kept: who has very many of them does not fill memory by looking at
// them. PENDING: tables may have it, and *key is what they call it.
static enum mg_row_found row_in_memory(struct mg_stream *s, struct mg_read *r, struct mg_buf *key) {
    char head[MG_ROW_KEY_HEAD];
    const struct mg_cell *cell;
    mg_row_key_head(head, MG_ROW_OWNER, s->id);
    mg_buf_add(key, head, sizeof(head));
    mg_buf_add_slice(key, r->key);
    enum mg_row_found f = mg_rows_peek(s->rows, mg_buf_slice(key), &cell);
    if (f == MG_ROW_FOUND) r->msg = (struct mg_message){.payload = mg_cell_value(cell)};
    if (f != MG_ROW_PENDING) answer(r, f == MG_ROW_FOUND ? 0 : MG_ENOTFOUND);
    return f;
}

// What has come into memory meanwhile is newer. One that cannot be read is as good as none.
static void row_cold(struct mg_stream *s, struct mg_read *r, const struct mg_cold_read *cold) {
    struct mg_buf key = MG_BUF_INIT;
    if (row_in_memory(s, r, &key) == MG_ROW_PENDING) {
        r->msg = (struct mg_message){.payload = mg_buf_slice(&cold->answer->bytes)};
        answer(r, cold->err ? MG_ENOTFOUND : 0);
        if (cold->err && cold->err != MG_ENOTFOUND) mg_store_row_lost(s->part->store, mg_buf_slice(&key), cold->err);
    }
    mg_buf_fini(&key);
}

// Neither in memory nor in a segment: the journal, or the extents, may have lost it.
static int answer_gone(struct mg_read *r, uint64_t seq) {
    r->msg = (struct mg_message){.seq = seq};
    return answer(r, mg_stream_has_lost(r->stream, seq) ? MG_ECORRUPT : MG_ENOTFOUND);
}

static void cold_done(struct mg_cold_read *cold) {
    struct mg_read *r = cold->user;
    struct mg_stream *s = cold->stream;
    int err = 0;
    r->cold = NULL;
    if (r->kind == MG_READ_COUNT) {
        err = counted_cold(s, r, cold);
    } else if (r->kind == MG_READ_ROW) {
        row_cold(s, r, cold);
    } else if (cold->err) {
        answer(r, cold->err);
    } else if (r->kind == MG_READ_LAST) {
        keep_answer(r, cold);
        err = execute(s, r);
    } else if (cold->count && (r->kind != MG_READ_SEQ || cold->entries[0].seq == r->seq)) {
        answer_entry(r, &cold->entries[0]);
        if (r->kind == MG_READ_NEXT && r->sequential && cold->count > 1) keep_answer(r, cold);
    } else if (r->kind == MG_READ_NEXT) {
        err = next_in_memory(s, r, cold->covered);
    } else if (r->kind == MG_READ_TIME) {
        err = time_in_memory(s, r);
    } else if (r->last_of_subject) { // what was its last one has been removed meanwhile
        r->last_of_subject = false;
        r->kind = MG_READ_LAST;
        r->seq = r->partial;
        r->partial = 0;
        err = execute(s, r);
    } else {
        answer_gone(r, r->seq);
    }
    if (err == 0) err = settle(s, r);
    if (err == 0) tell(r);
}

void mg_read_go_on(struct mg_read *r) {
    struct mg_stream *s = r->stream;
    int err = execute(s, r);
    if (err == 0) err = settle(s, r);
    if (err == 0) tell(r);
}

static int ask(struct mg_stream *s, struct mg_read *r, enum mg_cold_kind kind, uint64_t from) {
    struct mg_cold_question q = {.kind = kind, .from = from, .time = r->time, .filters = r->filters,
                                 .filters_len = r->kind == MG_READ_SEQ ? 0 : r->filters_len, .max = 1};
    if (r->kind == MG_READ_NEXT && r->sequential) q = mg_ahead_question(s, r, from);
    r->cold = mg_cold_ask(s, &q, cold_done, r);
    return MG_EAGAIN;
}

// ---- questions ------------------------------------------------------------------------------------------------------

static int read_seq(struct mg_stream *s, struct mg_read *r, uint64_t seq, uint64_t bound) {
    if (seq < s->first || seq > bound) return answer(r, MG_ENOTFOUND);
    const uint8_t *bytes = mg_memtable_get(&s->mem, seq);
    struct mg_stretch_at at;
    if (bytes) {
        struct mg_record_view v;
        mg_record_borrow(&v, bytes);
        return answer_record(r, seq, &v);
    }
    if (mg_stream_known_removed(s, seq)) return answer(r, MG_ENOTFOUND);
    if (mg_stretches_of(&s->cold, seq, &at) == NULL) return answer_gone(r, seq);
    r->seq = seq;
    return ask(s, r, MG_COLD_SCAN, seq);
}

// What the row of a literal subject knows: no message of it is before its first or behind its last one. *from moves, or
// becomes MG_ANY_SEQ: there is nothing. It stays where the row may overlook something. MG_EAGAIN: the row is being
// looked up.
static int narrow(struct mg_stream *s, const struct mg_read *r, uint64_t *from, const struct mg_subject_row **row) {
    char key[MG_CELL_KEY_MAX];
    const struct mg_cell *cell;
    *row = NULL;
    if (r->filters_len != 1 || r->filters[0].n > UINT16_MAX || !mg_subject_is_literal(r->filters[0])) return 0;
    enum mg_row_found f = mg_rows_get(s->rows, mg_slice_of(key, mg_subject_key(s, r->filters[0], key)), &cell);
    if (f == MG_ROW_PENDING) return MG_EAGAIN;
    if (f == MG_ROW_FOUND) *row = (const struct mg_subject_row *)(const void *)cell->value;
    if (mg_stream_overlooks(s, *from)) return 0;
    if (*row == NULL || (*row)->last < *from) *from = MG_ANY_SEQ;
    else if ((*row)->first > *from) *from = (*row)->first;
    return 0;
}

static int read_next(struct mg_stream *s, struct mg_read *r) {
    uint64_t begin = r->partial > r->seq ? r->partial : r->seq, from = begin > s->first ? begin : s->first;
    const struct mg_subject_row *row;
    if (from <= s->visible && narrow(s, r, &from, &row) != 0) return wait_slow(r);
    if (from > s->visible) return answer(r, MG_ENOTFOUND);
    const struct mg_cold_entry *e = from < mg_stream_cold_end(s) ? mg_ahead_find(s, r, &from) : NULL;
    if (e) return answer_entry(r, e);
    if (from >= mg_stream_cold_end(s)) return next_in_memory(s, r, from);
    if (!mg_ahead_is_coming(r, from)) return ask(s, r, MG_COLD_SCAN, from);
    r->cold = r->ahead->coming;
    return MG_EAGAIN;
}

// The row of a literal subject knows its last message.
static int read_last_of_subject(struct mg_stream *s, struct mg_read *r, uint64_t bound, bool *answered) {
    char key[MG_CELL_KEY_MAX];
    const struct mg_cell *cell;
    mg_slice k = mg_slice_of(key, mg_subject_key(s, r->filters[0], key));
    *answered = true;
    enum mg_row_found f = mg_rows_get(s->rows, k, &cell);
    if (f == MG_ROW_PENDING) return wait_slow(r);
    const struct mg_subject_row *row = NULL;
    if (f == MG_ROW_FOUND) row = (const struct mg_subject_row *)(const void *)cell->value;
    if (mg_stream_overlooks(s, row ? row->last + 1 : 0)) {
        *answered = false;
        return 0;
    }
    if (row == NULL) return answer(r, MG_ENOTFOUND);
    if (!row->last_gone && row->last <= bound) {
        r->partial = r->seq; // for another try
        int err = read_seq(s, r, row->last, bound);
        if (err == MG_EAGAIN) {
            r->kind = MG_READ_SEQ;
            r->last_of_subject = true;
        }
        return err;
    }
    *answered = false;
    return 0;
}

// What is newer may have taken the place of what is visible, so it must not be passed over: the answer waits for it.
// After a failure of the journal that would be for ever.
static int read_last(struct mg_stream *s, struct mg_read *r) {
    uint64_t bound = s->part->poisoned ? s->visible : s->last, upto = r->seq < bound ? r->seq : bound;
    if (mg_stream_is_empty(s) || upto < s->first) return answer(r, MG_ENOTFOUND);
    if (r->partial == 0 && r->ahead == NULL) {
        if (r->filters_len == 1 && r->seq >= bound && r->filters[0].n <= UINT16_MAX &&
            mg_subject_is_literal(r->filters[0])) {
            bool answered;
            int err = read_last_of_subject(s, r, bound, &answered);
            if (answered) return err;
        }
        r->from = r->partial = upto;
    }
    int err = look_at_newer(s, r, upto);
    if (err == MG_EAGAIN) return go_on_later(r);
    if (err == 0 || (r->ahead && !last_from_ahead(s, r))) { // from the end again
        free_ahead(r);
        r->from = r->partial = upto;
    } else if (r->ahead) {
        return 0;
    }
    err = last_in_memory(s, r);
    if (err == 0) return 0;
    if (err == MG_EAGAIN) return go_on_later(r);
    if (s->cold.count == 0 || r->partial == 0) return answer(r, MG_ENOTFOUND);
    return ask(s, r, MG_COLD_LAST, r->partial);
}

static int read_time(struct mg_stream *s, struct mg_read *r) {
    bool cold = s->first < mg_stream_cold_end(s) && mg_stretch_reaches(mg_stretches_last(&s->cold), r->time);
    return cold ? ask(s, r, MG_COLD_TIME, s->first) : time_in_memory(s, r);
}

static int read_row(struct mg_stream *s, struct mg_read *r) {
    struct mg_buf key = MG_BUF_INIT;
    enum mg_row_found f = row_in_memory(s, r, &key);
    const mg_slice k = mg_buf_slice(&key);
    const struct mg_cold_question q = {.kind = MG_COLD_ROW, .filters = &k, .filters_len = 1};
    if (f == MG_ROW_PENDING) r->cold = mg_cold_ask(s, &q, cold_done, r);
    mg_buf_fini(&key);
    return f == MG_ROW_PENDING ? MG_EAGAIN : 0;
}

// True: the row of a literal subject says it all. One that has to be looked up is not worth a wait.
static bool count_of_subject(struct mg_stream *s, struct mg_read *r) {
    const struct mg_subject_row *row;
    uint64_t from = r->from;
    if (narrow(s, r, &from, &row) != 0) return false;
    if (from == MG_ANY_SEQ) return true;
    if (row == NULL || row->first < r->from || row->count < 0) return false;
    r->count = (uint64_t)row->count;
    return true;
}

// r->partial: all below is counted (of what a reader is just counting: mg_reads_removed).
static int read_count(struct mg_stream *s, struct mg_read *r) {
    struct mg_record_view v;
    uint32_t looked = 0;
    if (r->partial == 0) {
        r->from = r->seq > s->first ? r->seq : s->first;
        r->seq = s->last;
        r->count = s->msgs;
        if (r->filters_len == 0 && r->from <= s->first && !s->unsure) return answer(r, 0);
        r->count = 0;
        r->err = 0;
        if (count_of_subject(s, r)) return answer(r, 0);
        r->partial = r->from;
        mg_list_push_back(&s->counts, &r->counts);
    }
    if (r->partial < s->first) r->partial = s->first;
    while (r->partial <= r->seq) {
        if (r->partial < mg_stream_cold_end(s)) return ask(s, r, MG_COLD_COUNT, r->partial);
        const uint8_t *bytes = mg_memtable_next(&s->mem, &r->partial);
        if (bytes == NULL || r->partial > r->seq) break;
        mg_record_borrow(&v, bytes);
        r->count += matches(r->filters, r->filters_len, v.subject);
        r->partial++;
        if (++looked == walk_most(s)) return go_on_later(r);
    }
    return stop_counting(r, r->err);
}

// What was counted is not there any more.
void mg_reads_removed(struct mg_stream *s, uint64_t seq, mg_slice subject) {
    for (struct mg_list *l = s->counts.next; l != &s->counts; l = l->next) {
        struct mg_read *r = mg_container_of(l, struct mg_read, counts);
        if (seq < r->from) continue;
        if (seq < r->partial) r->count -= matches(r->filters, r->filters_len, subject);
        else if (r->cold && seq < r->cold->upto) mg_cold_uncount(r->cold, seq, subject);
    }
}

void mg_reads_cleared(struct mg_stream *s) {
    for (struct mg_list *l = s->counts.next; l != &s->counts; l = l->next) {
        struct mg_read *r = mg_container_of(l, struct mg_read, counts);
        r->count = 0;
        r->partial = s->first;
        if (r->seq < s->last) r->seq = s->last;
        if (r->cold == NULL) continue; // it is among the slow ones
        mg_cold_cancel(r->cold);
        r->cold = NULL;
        go_on_later(r);
    }
}

static int execute(struct mg_stream *s, struct mg_read *r) {
    switch (r->kind) {
    case MG_READ_SEQ: return read_seq(s, r, r->seq, s->visible);
    case MG_READ_NEXT:
        if (MG_PLANTED(blind_walk) && r->partial) return next_in_memory(s, r, r->partial);
        return read_next(s, r);
    case MG_READ_LAST: return read_last(s, r);
    case MG_READ_TIME: return read_time(s, r);
    case MG_READ_ROW: return read_row(s, r);
    case MG_READ_COUNT: return read_count(s, r);
    }
    return answer(r, MG_EINVAL);
}

int mg_stream_read(struct mg_stream *s, struct mg_read *r) {
    mg_assert(r->cold == NULL);
    r->stream = s;
    r->partial = 0;
    r->last_of_subject = false;
    mg_list_init(&r->waits);
    mg_list_init(&r->counts);
    r->err = 0;
    if (r->kind == MG_READ_LAST) free_ahead(r); // of another question
    if (s->deleted) return answer(r, MG_ECLOSED);
    int err = execute(s, r);
    return err ? err : settle(s, r);
}

void mg_stream_read_end(struct mg_read *r) {
    if (r->stream == NULL) return;
    free_ahead(r);
    if (r->cold) mg_cold_cancel(r->cold);
    r->cold = NULL;
    if (r->waits.next) mg_list_remove(&r->waits);
    if (r->counts.next) mg_list_remove(&r->counts);
    mg_free(r->copy);
    r->copy = NULL;
}

void mg_reads_pump(struct mg_stream *s) {
    struct mg_list now;
    mg_list_init(&now);
    mg_list_splice(&now, &s->slow);
    while (!mg_list_empty(&now)) {
        struct mg_read *r = mg_container_of(now.next, struct mg_read, waits);
        mg_list_remove(&r->waits);
        mg_read_go_on(r);
        if (!mg_part_spent(s->part, READ_COST)) continue;
        if (!mg_list_empty(&now)) mg_part_pump_later(s);
        break;
    }
    mg_list_splice(&now, &s->slow); // those who had their turn stand behind the others
    mg_list_splice(&s->slow, &now);
    if (s->deleted) mg_reads_fail(s); // by one who was told
}

static void fail(struct mg_read *r) {
    mg_list_remove(&r->counts);
    mg_free(r->copy);
    r->copy = NULL;
    answer(r, MG_ECLOSED);
    tell(r);
}

// Of the questions that the store was asked. NULL: nobody waits for this one, or it is not a read's.
static struct mg_read *give_up(struct mg_cold_read *cold) {
    bool ahead = mg_ahead_forget(cold);
    if (!ahead && cold->done != cold_done) return NULL;
    struct mg_read *r = cold->user;
    bool waits = r->cold == cold;
    mg_cold_cancel(cold);
    if (waits) r->cold = NULL;
    return waits ? r : NULL;
}

void mg_reads_fail(struct mg_stream *s) {
    mg_list_splice(&s->slow, &s->held);
    while (!mg_list_empty(&s->slow)) {
        struct mg_read *r = mg_container_of(s->slow.next, struct mg_read, waits);
        mg_list_remove(&r->waits);
        fail(r);
    }
    for (struct mg_list *l = s->reads.next, *next; l != &s->reads; l = next) {
        next = l->next;
        struct mg_read *r = give_up(mg_container_of(l, struct mg_cold_read, link));
        if (r == NULL) continue;
        fail(r);
        next = s->reads.next; // who is told may give up others
    }
}
