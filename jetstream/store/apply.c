// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a record does to a stream's state. The same code runs right after a record was written and when it is replayed;
// it decides nothing and reads nothing from disk. Changes to rows whose older value is on disk are kept as changes.
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/dedupe.h"
#include "jetstream/store/erase.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define WORTH_A_CHECKPOINT (1024u * 1024)
#define MANY_STRETCHES 1024u // are, too

uint32_t mg_stream_size_of(const struct mg_stream *s, size_t subject, size_t headers, size_t payload) {
    // spec/jetstream-streams.md 7: what the reference's stores would use for it.
    if (s->storage == MG_STORAGE_FILE) return mg_stored_size(subject, headers, payload);
    return (uint32_t)(16 + subject + headers + payload);
}

size_t mg_subject_key(const struct mg_stream *s, mg_slice subject, char *out) {
    mg_row_key_head(out, MG_ROW_SUBJECT, s->id);
    mg_put_be32(out + MG_ROW_KEY_HEAD, s->epoch);
    memcpy(out + MG_ROW_KEY_HEAD + 4, subject.p, subject.n);
    return MG_ROW_KEY_HEAD + 4 + subject.n;
}

// ---- subjects -------------------------------------------------------------------------------------------------------

static struct mg_subject_row *value_of(struct mg_cell *r) { return (struct mg_subject_row *)(void *)r->value; }

static bool memo_holds(const struct mg_stream *s, mg_slice subject) {
    const size_t head = MG_ROW_KEY_HEAD + 4;
    return s->last_row && s->last_rows == s->rows->active && s->last_row->key_len == head + subject.n &&
           memcmp(s->last_row->key + head, subject.p, subject.n) == 0;
}

// The subject's row, to be changed. Counts the row as unresolved when it becomes so.
static struct mg_cell *touch_subject(struct mg_stream *s, mg_slice subject, bool *was_there) {
    struct mg_cell *r;
    if (memo_holds(s, subject)) {
        r = s->last_row;
        *was_there = !(r->flags & MG_CELL_DELETED);
        if (!*was_there) {
            memset(r->value, 0, r->value_len);
            r->flags = 0;
        }
        return r;
    }
    char key[MG_CELL_KEY_MAX];
    mg_slice k = mg_slice_of(key, mg_subject_key(s, subject, key));
    enum mg_row_found f = mg_rows_touch(s->rows, k, mg_subject_row_size(0), &r);
    *was_there = f != MG_ROW_ABSENT;
    if (f == MG_ROW_PENDING && value_of(r)->first == 0) s->unresolved++;
    s->last_row = r;
    s->last_rows = s->rows->active;
    return r;
}

static void remember_recent(struct mg_stream *s, struct mg_cell *r, uint64_t seq, uint32_t size) {
    int64_t max = s->limits.max_msgs_per_subject;
    uint32_t n = value_of(r)->recent_len;
    if (max <= 0 || max >= MG_SUBJECT_RECENT_MAX || n >= MG_SUBJECT_RECENT_MAX) return;
    if (r->value_len < mg_subject_row_size(n + 1)) mg_rowmap_resize(s->rows->active, r, mg_subject_row_size(n + 1));
    value_of(r)->recent[n] = (struct mg_subject_recent){.seq = seq, .size = size};
    value_of(r)->recent_len = n + 1;
}

static void subject_added(struct mg_stream *s, mg_slice subject, uint64_t seq, uint32_t size) {
    bool was_there;
    struct mg_cell *r = touch_subject(s, subject, &was_there);
    struct mg_subject_row *v = value_of(r);
    if (v->first == 0) v->first = seq;
    v->count++;
    v->last = seq;
    v->last_gone = 0;
    if (!was_there) s->subjects++;
    remember_recent(s, r, seq, size);
}

void mg_stream_subject_last_is(struct mg_stream *s, mg_slice subject, uint64_t seq) {
    bool was_there;
    struct mg_subject_row *v = value_of(touch_subject(s, subject, &was_there));
    v->last = seq;
    v->last_gone = 0;
}

// False: the row does not name it.
static bool forget_recent(struct mg_subject_row *v, uint64_t seq) {
    for (uint32_t i = 0; i < v->recent_len; i++) {
        if (v->recent[i].seq != seq) continue;
        memmove(&v->recent[i], &v->recent[i + 1], (v->recent_len - i - 1) * sizeof(v->recent[0]));
        v->recent_len--;
        return true;
    }
    return false;
}

static void subject_shrunk(struct mg_stream *s, struct mg_cell *r, bool was_there) {
    struct mg_subject_row *v = value_of(r);
    // The value stays as long as its list says: a shorter list is a shorter value.
    if (r->value_len > mg_subject_row_size(v->recent_len)) r->value_len = mg_subject_row_size(v->recent_len);
    if (r->flags & MG_CELL_UNRESOLVED || v->count > 0) return;
    r->flags = MG_CELL_DELETED;
    if (was_there) s->subjects--;
}

// Was it wrong? A row that was computed without messages that could not be read is too low when these go. That its last
// message is there is known in any case: then nobody must take the subject for empty.
static bool was_too_low(struct mg_subject_row *v) {
    bool wrong = v->count < 0 || (v->count == 0 && !v->last_gone);
    if (wrong && !v->last_gone) v->count = 1;
    return wrong;
}

static void subject_removed(struct mg_stream *s, mg_slice subject, uint64_t seq) {
    bool was_there;
    struct mg_cell *r = touch_subject(s, subject, &was_there);
    struct mg_subject_row *v = value_of(r);
    if (v->first == 0) v->first = seq;
    v->count--;
    bool named = forget_recent(v, seq);
    if (!named && r->flags & MG_CELL_UNRESOLVED) v->older_gone |= MG_SUBJECT_OLDER_GONE;
    if (v->last <= seq) {
        v->last = seq;
        v->last_gone = 1;
    }
    if (!(r->flags & MG_CELL_UNRESOLVED) && was_too_low(v)) mg_correct_inexact(s);
    subject_shrunk(s, r, was_there);
}

void mg_stream_subject_is(struct mg_stream *s, mg_slice subject, const struct mg_corrected_subject *x) {
    bool was_there;
    struct mg_cell *r = touch_subject(s, subject, &was_there);
    struct mg_subject_row *v = value_of(r);
    *v = (struct mg_subject_row){.count = x->count, .first = x->first ? x->first : 1, .last = x->last,
                                 .last_gone = x->last_gone || x->count <= 0};
    if (r->flags & MG_CELL_UNRESOLVED) v->older_gone = MG_SUBJECT_OLDER_WRONG;
    else if (!was_there && x->count > 0) s->subjects++;
    subject_shrunk(s, r, was_there);
}

void mg_stream_subject_merged(struct mg_stream *s, mg_slice before, struct mg_cell *after, bool frozen) {
    if (after->flags & MG_CELL_DELETED && was_too_low(value_of(after))) {
        if (value_of(after)->count > 0) after->flags = 0;
        mg_correct_doubt(s, 0);
    }
    bool was = before.p != NULL, is = !(after->flags & MG_CELL_DELETED);
    int more = is - was;
    mg_assert(s->unresolved > 0);
    s->unresolved--;
    s->subjects = (uint64_t)((int64_t)s->subjects + more);
    if (frozen) mg_seal_correct(s, more);
}

static mg_slice subject_of(const uint8_t *bytes) {
    struct mg_record_view v;
    mg_record_borrow(&v, bytes);
    return v.subject;
}

// ---- removals -------------------------------------------------------------------------------------------------------

uint64_t mg_stream_cold_end(const struct mg_stream *s) {
    const struct mg_stretch *last = mg_stretches_last(&s->cold);
    return last ? last->last_seq + 1 : 0;
}

static size_t removed_key(const struct mg_stream *s, uint64_t seq, char *out) {
    mg_row_key_head(out, MG_ROW_REMOVED, s->id);
    mg_put_be64(out + MG_ROW_KEY_HEAD, seq / MG_REMOVED_SPAN);
    return MG_ROW_KEY_HEAD + 8;
}

static void set_removed(struct mg_stream *s, uint64_t seq) {
    char key[MG_ROW_KEY_HEAD + 8];
    struct mg_cell *r;
    mg_rows_touch(s->rows, mg_slice_of(key, removed_key(s, seq, key)), MG_REMOVED_BYTES, &r);
    s->removals++;
    uint64_t bit = seq % MG_REMOVED_SPAN;
    r->value[bit / 8] = (char)(r->value[bit / 8] | 1 << (bit % 8));
}

static bool known_removed(const struct mg_stream *s, uint64_t seq, bool *any) {
    char key[MG_ROW_KEY_HEAD + 8];
    mg_slice k = mg_slice_of(key, removed_key(s, seq, key));
    uint64_t hash = mg_row_hash(s->rows->seed, k), bit = seq % MG_REMOVED_SPAN;
    for (int i = -1; i < (int)s->rows->frozen_len; i++) {
        const struct mg_cell *r = mg_rowmap_get(i < 0 ? s->rows->active : s->rows->frozen[i], hash, k);
        *any |= r != NULL;
        // An unresolved row has the newer bits only, so look further down; a complete one has all.
        if (r && r->value_len == MG_REMOVED_BYTES && (r->value[bit / 8] >> (bit % 8) & 1)) return true;
        if (r && !(r->flags & MG_CELL_UNRESOLVED)) return false;
    }
    return false;
}

bool mg_stream_known_removed(const struct mg_stream *s, uint64_t seq) {
    bool any = false;
    return seq < s->first || known_removed(s, seq, &any);
}

bool mg_stream_has_lost(const struct mg_stream *s, uint64_t seq) {
    return mg_lost_has(&s->lost_ranges, seq) && !mg_stream_known_removed(s, seq);
}

bool mg_stream_known_removed_in_turn(const struct mg_stream *s, uint64_t seq, uint64_t *clean) {
    bool any = false;
    if (seq < s->first) return true;
    if (seq / MG_REMOVED_SPAN == *clean) return false;
    bool removed = known_removed(s, seq, &any);
    if (!any) *clean = seq / MG_REMOVED_SPAN;
    return removed;
}

// Of one chunk of numbers, of all generations together.
static void add_bits(const struct mg_stream *s, uint64_t chunk, struct mg_buf *out) {
    char key[MG_ROW_KEY_HEAD + 8];
    mg_slice k = mg_slice_of(key, removed_key(s, chunk * MG_REMOVED_SPAN, key));
    uint64_t hash = mg_row_hash(s->rows->seed, k);
    size_t at = out->len;
    for (int i = -1; i < (int)s->rows->frozen_len; i++) {
        const struct mg_cell *r = mg_rowmap_get(i < 0 ? s->rows->active : s->rows->frozen[i], hash, k);
        if (r == NULL || r->value_len != MG_REMOVED_BYTES) continue;
        if (out->len == at) {
            mg_buf_add(out, &chunk, sizeof(chunk));
            mg_buf_add(out, r->value, MG_REMOVED_BYTES);
        } else {
            for (size_t b = 0; b < MG_REMOVED_BYTES; b++) out->p[at + 8 + b] = (char)(out->p[at + 8 + b] | r->value[b]);
        }
    }
}

void mg_stream_removed_bits(const struct mg_stream *s, uint64_t *from, const struct mg_stretch *c, uint32_t *left,
                            struct mg_buf *out) {
    if (*from < s->first) *from = s->first;
    if (*from < c->first_seq) *from = c->first_seq;
    for (; *from <= c->last_seq && *left > 0; --*left) {
        uint64_t chunk = *from / MG_REMOVED_SPAN;
        add_bits(s, chunk, out);
        *from = (chunk + 1) * MG_REMOVED_SPAN; // the next stretch may begin in front of it
    }
}

// Files go with a checkpoint: for a lot it is made soon, a little waits for the next one.
void mg_stream_freed(struct mg_stream *s, uint64_t bytes) {
    if (bytes >= WORTH_A_CHECKPOINT) mg_store_press_soon(s->part->store);
}

void mg_stream_freed_all(struct mg_stream *s) {
    uint64_t n = s->cold.count > MANY_STRETCHES ? WORTH_A_CHECKPOINT : 0;
    struct mg_stretch_at at = {0, 0};
    for (const struct mg_stretch *c; n < WORTH_A_CHECKPOINT && (c = mg_stretches_get(&s->cold, at));
         at = mg_stretches_next(&s->cold, at))
        n += mg_stretch_bytes(c);
    mg_stream_freed(s, n);
}

// The stream is empty: the subjects' rows of the old epoch mean nothing any more.
void mg_stream_forget_counters(struct mg_stream *s) {
    s->epoch += !MG_PLANTED(same_epoch);
    s->msgs = s->bytes = s->subjects = 0;
    s->unresolved = 0;
    s->last_row = NULL;
    mg_correct_settled(s);
}

// A record that is replayed may remove a message that does not count: its own record was lost in the journal, or the
// counters are those of a rebuild, which could not read it.
static bool counts(const struct mg_stream *s, uint64_t seq) {
    if (seq > s->found_last) return false;
    struct mg_stretch_at at;
    return !s->rebuilt || (mg_stretches_of(&s->cold, seq, &at) && !mg_lost_has(&s->lost_ranges, seq));
}

// Of what cannot be read the counters keep what nobody knows: too high until it is counted again (correct.h), never
// too low.
static void take_off(struct mg_stream *s, uint64_t seq, uint32_t size, mg_slice subject, bool known) {
    // A replay may be the first to hear of it.
    if (!known && !mg_lost_has(&s->lost_ranges, seq)) mg_stream_found_lost(s, seq, seq, 1);
    if (!known || s->msgs == 0) {
        mg_correct_unsure(s);
    } else {
        s->msgs--;
        s->bytes -= s->bytes < size ? s->bytes : size;
    }
    if (subject.n) subject_removed(s, subject, seq);
    else mg_correct_inexact(s);
}

static void apply_removal(struct mg_stream *s, const struct mg_removal *r, bool live) {
    mg_slice subject = r->subject;
    bool known = subject.n > 0 || r->size > 0;
    const uint8_t *bytes = mg_memtable_get(&s->mem, r->seq);
    if (bytes) {
        subject = subject_of(bytes);
        known = true;
        if (s->storage == MG_STORAGE_MEMORY) mg_part_garbage(s->part, bytes);
        // A message of an earlier generation may be in a segment soon: its removal must be a row, too.
        if (mg_memtable_remove(&s->mem, r->seq, s->part->generation) == MG_MEM_SEALED && !MG_PLANTED(lost_removal))
            set_removed(s, r->seq);
    } else {
        if (!r->named || (!live && !counts(s, r->seq))) return;
        set_removed(s, r->seq);
        struct mg_stretch_at at;
        const struct mg_stretch *stretch = mg_stretches_of(&s->cold, r->seq, &at);
        if (stretch && stretch->live > 0 && known) {
            mg_stretches_set_live(&s->cold, at, stretch->live - 1u);
            if (stretch->live == 0) mg_stream_freed(s, mg_stretch_bytes(stretch));
        }
        mg_head_removed(s, r->seq);
    }
    take_off(s, r->seq, r->size, subject, known);
    if (s->inexact && mg_stream_is_empty(s)) mg_stream_forget_counters(s);
    if (r->seq == s->first) {
        s->first++;
        s->first_exact = false;
    }
    if (!live) return;
    mg_reads_removed(s, r->seq, subject);
    mg_stream_tell_removed(s, r->seq, subject);
}

static void apply_removals(struct mg_stream *s, mg_slice list, bool live) {
    struct mg_removal_walk w = mg_removal_walk_of(list);
    s->gone_batch = s->batch;
    for (struct mg_removal r; mg_removal_next(&w, &r);) apply_removal(s, &r, live);
    if (s->storage == MG_STORAGE_MEMORY) mg_memtable_trim(&s->mem);
    if (!s->first_exact && live) mg_head_advance(s);
    if (live) mg_correct_want(s);
}

static void want_erased(struct mg_stream *s, mg_slice list, bool live) {
    struct mg_removal_walk w = mg_removal_walk_of(list);
    for (struct mg_removal r; mg_removal_next(&w, &r);) mg_erase_want(s, r.seq, live);
}

// Everything up to `last` is gone, in one stroke.
static void apply_clear(struct mg_stream *s, uint64_t last, bool live) {
    if (s->storage == MG_STORAGE_MEMORY) mg_part_garbage_table(s->part, &s->mem);
    else mg_memtable_clear(&s->mem, s->part->generation);
    mg_stream_freed_all(s);
    mg_head_reset(s);
    mg_stream_forget_counters(s);
    if (last > s->last) s->last = last;
    s->first = s->last + 1;
    s->first_exact = true;
    s->gone_batch = s->batch;
    mg_reads_cleared(s);
    if (live && !MG_PLANTED(silent_clear)) mg_stream_answer(s, NULL, 0, s->last, MG_ANSWER_CLEARED);
}

// ---- rows of the owner ----------------------------------------------------------------------------------------------

static struct mg_buf owner_key(const struct mg_stream *s, mg_slice key) {
    struct mg_buf out = MG_BUF_INIT;
    char head[MG_ROW_KEY_HEAD];
    mg_row_key_head(head, MG_ROW_OWNER, s->id);
    mg_buf_add(&out, head, sizeof(head));
    mg_buf_add_slice(&out, key);
    return out;
}

// The row that came with a message; returns what stands behind it.
static mg_slice apply_own_row(struct mg_stream *s, uint64_t seq, mg_slice extra) {
    uint16_t n;
    char number[8];
    if (extra.n < sizeof(n)) return (mg_slice){NULL, 0};
    memcpy(&n, extra.p, sizeof(n));
    if (extra.n - sizeof(n) < n) return (mg_slice){NULL, 0};
    struct mg_buf key = owner_key(s, mg_slice_of(extra.p + sizeof(n), n));
    mg_put_be64(number, seq);
    mg_buf_add(&key, number, sizeof(number));
    s->rows_batch = s->batch;
    mg_rows_put(s->rows, mg_buf_slice(&key), MG_S("1")); // to be there is all that it says
    mg_buf_fini(&key);
    return mg_slice_of(extra.p + sizeof(n) + n, extra.n - sizeof(n) - n);
}

// ---- messages -------------------------------------------------------------------------------------------------------

static void apply_message(struct mg_stream *s, const struct mg_record_view *rec, const uint8_t *bytes, bool live) {
    uint32_t size = mg_stream_size_of(s, rec->subject.n, rec->headers.n, rec->payload.n);
    mg_slice extra = rec->extra;
    if (rec->head.flags & MG_RECORD_CLEARS) apply_clear(s, rec->head.seq - 1, live);
    s->last = rec->head.seq;
    s->last_time = rec->head.time;
    mg_memtable_add(&s->mem, rec->head.seq, bytes, rec->head.length);
    if (mg_stream_is_empty(s)) {
        s->first = rec->head.seq;
        s->first_exact = true;
    }
    s->msgs++;
    s->bytes += size;
    subject_added(s, rec->subject, rec->head.seq, size);
    if (rec->head.flags & MG_RECORD_DEDUPED && extra.n >= MG_DEDUPE_HASH) {
        if (live || !MG_PLANTED(late_dedupe)) mg_dedupe_put(s, extra.p, rec->head.seq, rec->head.time);
        extra = mg_slice_of(extra.p + MG_DEDUPE_HASH, extra.n - MG_DEDUPE_HASH);
    }
    if (rec->head.flags & MG_RECORD_WITH_ROW) extra = apply_own_row(s, rec->head.seq, extra);
    if (extra.n && (live || !MG_PLANTED(replay_decides))) apply_removals(s, extra, live);
}

static void apply_skip(struct mg_stream *s, const struct mg_record_view *rec) {
    s->last = rec->head.seq;
    s->last_time = rec->head.time;
    if (mg_stream_is_empty(s)) s->first = s->last + 1;
    else if (s->first == s->last) s->first_exact = false; // nothing that can be read was in front of it
    mg_memtable_add(&s->mem, rec->head.seq, NULL, 0);
    if (rec->head.flags & MG_RECORD_DEDUPED && rec->extra.n >= MG_DEDUPE_HASH)
        mg_dedupe_put(s, rec->extra.p, rec->head.seq, rec->head.time);
}

void mg_stream_apply_unread(struct mg_stream *s, const struct mg_record_view *rec) {
    mg_slice extra = rec->extra;
    s->op = rec->head.op;
    s->dirty = true;
    if (rec->head.flags & MG_RECORD_CLEARS) apply_clear(s, rec->head.seq - 1, false);
    apply_skip(s, rec);
    if (rec->head.flags & MG_RECORD_DEDUPED && extra.n >= MG_DEDUPE_HASH)
        extra = mg_slice_of(extra.p + MG_DEDUPE_HASH, extra.n - MG_DEDUPE_HASH);
    if (rec->head.flags & MG_RECORD_WITH_ROW) extra = apply_own_row(s, rec->head.seq, extra);
    if (extra.n) apply_removals(s, extra, false);
}

static void apply_row(struct mg_stream *s, const struct mg_record_view *rec) {
    s->rows_batch = s->batch;
    struct mg_buf key = owner_key(s, rec->extra);
    if (rec->head.flags & MG_RECORD_ROW_DELETED) {
        mg_rows_delete(s->rows, mg_buf_slice(&key));
    } else {
        mg_rows_put(s->rows, mg_buf_slice(&key), rec->payload);
    }
    mg_buf_fini(&key);
}

void mg_stream_sum(struct mg_stream *s) {
    struct mg_store_sums *sums = &s->part->sums;
    uint64_t msgs = s->deleted ? 0 : s->msgs, bytes = s->deleted ? 0 : s->bytes;
    sums->messages += msgs - s->summed_msgs;
    sums->bytes[s->storage] += bytes - s->summed_bytes;
    s->summed_msgs = msgs;
    s->summed_bytes = bytes;
}

void mg_stream_apply(struct mg_stream *s, const struct mg_record_view *rec, const uint8_t *bytes, bool live) {
    if (MG_PLANTED(late_seal) && s->sealed_in != s->part->generation) mg_seal_stream(s, true);
    mg_assert(s->sealed_in == s->part->generation);
    s->op = rec->head.op;
    s->dirty = true;
    switch (rec->head.type) {
    case MG_RECORD_MSG: apply_message(s, rec, bytes, live); break;
    case MG_RECORD_SKIP: apply_skip(s, rec); break;
    case MG_RECORD_REMOVE:
        if (!MG_PLANTED(erase_undone) || live || !(rec->head.flags & MG_RECORD_ERASE))
            apply_removals(s, rec->payload, live);
        if (rec->head.flags & MG_RECORD_ERASE) want_erased(s, rec->payload, live);
        break;
    case MG_RECORD_CLEAR: apply_clear(s, rec->head.seq, live); break;
    case MG_RECORD_ROW: apply_row(s, rec); break;
    case MG_RECORD_STREAM: mg_stream_apply_self(s, rec, live); break;
    case MG_RECORD_DROP: mg_stream_apply_drop(s); break;
    case MG_RECORD_CORRECT: mg_correct_apply(s, rec); break;
    default: break; // of a later version: kept in the journal, unknown to us
    }
    mg_stream_sum(s);
}
