// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The start: rows of streams from the tables, then the journal from where the last checkpoint ended. What is read does
// not depend on how much is stored: the ring, the streams' rows, the feet of tables. Segments are opened when somebody
// wants to read them.
//
// Every record is applied as it was when it was new (apply.c); those of a stream that the checkpoint has already are
// told by its operation number. A gap in the numbers of a stream means that records were lost: it is reported, and what
// is behind the gap is kept.
#include <string.h>

#include "jetstream/store/correct.h"
#include "jetstream/store/erase.h"
#include "jetstream/store/merge.h"
#include "jetstream/store/recover.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

static struct mg_store_part *part_of(struct mg_store *st, uint64_t stream) {
    return st->parts[stream % st->o.parts]; // numbers are given so that the part that creates a stream keeps it
}

static struct mg_stream *find(struct mg_store *st, uint64_t id) { return mg_part_stream(part_of(st, id), id); }

// ---- rows -----------------------------------------------------------------------------------------------------------

static int take_stream(struct mg_store *st, uint64_t id, mg_slice value) {
    struct mg_stream *s = mg_stream_new(part_of(st, id), id);
    return mg_stream_decode_row(s, value);
}

static int take_state(struct mg_store *st, uint64_t id, mg_slice value) {
    struct mg_state_row row;
    if (id == 0) { // of the store: the highest number of a stream, and those whose DROP the journal may not have
        if (value.n < 8 || value.n % 8 != 0) return MG_ECORRUPT;
        atomic_store(&st->next_stream, mg_get_u64(value.p));
        for (size_t i = 8; i < value.n; i += 8) mg_orphans_dropped(&st->orphans, mg_get_u64(value.p + i));
        return 0;
    }
    struct mg_stream *s = find(st, id);
    if (s == NULL) return 0;
    if (value.n < MG_STATE_ROW_SIZE) return MG_ECORRUPT;
    if (!mg_lost_decode(&s->lost_ranges, mg_slice_of(value.p + MG_STATE_ROW_SIZE, value.n - MG_STATE_ROW_SIZE)))
        return MG_ECORRUPT;
    mg_state_row_unpack(&row, value.p);
    s->op = row.op;
    s->first = row.first;
    s->last = s->found_last = row.last;
    s->msgs = row.msgs;
    s->bytes = row.bytes;
    s->subjects = row.subjects;
    s->lost = row.lost;
    s->lost_operations = row.lost_operations;
    s->last_time = row.last_time;
    s->epoch = row.epoch;
    s->first_exact = (row.flags & MG_STATE_FIRST_EXACT) != 0;
    s->rebuilt = (row.flags & MG_STATE_REBUILT) != 0;
    s->inexact = (row.flags & MG_STATE_INEXACT) != 0 || (s->rebuilt && s->lost_ranges.len);
    s->unsure = s->inexact;
    s->inexact_op = s->op;
    s->overlooked = row.overlooked;
    if (row.last_time > s->part->last_time) s->part->last_time = row.last_time;
    return 0;
}

// Facts of all stretches, which come in order: the parts will only tell what changes (facts.h).
static void add_fact(struct mg_facts *f, uint64_t stream, const struct mg_stretch *c) {
    if (f->len == 0 || f->streams[f->len - 1].stream != stream)
        mg_facts_add(f, &(struct mg_fact){.stream = stream, .dedupe_before = INT64_MIN});
    mg_facts_add_stretch(f, mg_fact_stretch_of(c->segment->id, c->first_seq, c->last_seq, c->messages, c->live));
}

// Of a segment that no manifest names.
static struct mg_segment_ref *no_segment(struct mg_store *st, uint64_t file, const struct mg_stretch *c) {
    struct mg_segment_ref *g =
        mg_segment_ref_new(st, &(struct mg_manifest_segment){.file = file, .messages = c->messages});
    atomic_store(&g->footless, true);
    return g;
}

static int take_stretch(struct mg_store *st, uint64_t id, const struct mg_row *row) {
    uint64_t file;
    struct mg_stretch c;
    struct mg_stream *s = find(st, id);
    if (s == NULL) return 0;
    if (mg_stretch_decode(row->key, row->value, &file, &c) != 0) return MG_ECORRUPT;
    struct mg_segment_ref *g = mg_keeper_segment(st, file);
    struct mg_segment_ref *lost = g ? NULL : mg_keeper_lost_segment(st, file);
    if (c.last_seq < s->first) c.live = 0; // whatever its row says
    if (g == NULL && lost == NULL && c.live == 0) {
        mg_rows_delete(s->rows, row->key); // dropped in the same manifest that has this row; it is left over
        return 0;
    }
    if (g == NULL && c.live > 0) { // reported when it was not found; none of it can be read, none of it is gone
        if (s->unreadable_ranges == NULL) s->unreadable_ranges = mg_zalloc(sizeof(*s->unreadable_ranges));
        s->unreadable += mg_lost_add(s->unreadable_ranges, c.first_seq, c.last_seq, c.live);
    }
    c.segment = g ? mg_segment_ref_get(g) : lost ? mg_segment_ref_get(lost) : no_segment(st, file, &c);
    // Of a missing segment, too, even if nothing in it lives: no compaction spans it.
    if (g || !MG_PLANTED(missing_spanned)) add_fact(&st->keeping->facts, id, &c);
    mg_stretches_add(&s->cold, &c);
    return 0;
}

static int take_row(struct mg_store *st, const struct mg_row *row) {
    if (row->key.n < MG_ROW_KEY_HEAD) return MG_ECORRUPT;
    uint64_t id = mg_get_be64(row->key.p + 1);
    switch (row->key.p[0]) {
    case MG_ROW_STREAM: return take_stream(st, id, row->value);
    case MG_ROW_STATE: return take_state(st, id, row->value);
    case MG_ROW_STRETCH: return take_stretch(st, id, row);
    default: return MG_EEOF; // behind what is needed
    }
}

// What was to be erased and may not be yet.
static int take_erasures(struct mg_store *st, struct mg_merge *m) {
    char from[1] = {MG_ROW_ERASE};
    int err = mg_merge_seek(m, mg_slice_of(from, 1));
    while (err == 0 && mg_merge_row(m)->key.p[0] == MG_ROW_ERASE) {
        mg_erase_found(st, mg_merge_row(m)->key);
        err = mg_merge_next(m);
    }
    return err == MG_ENOTFOUND ? 0 : err;
}

int mg_recover_rows(struct mg_store *st) {
    struct mg_merge *m = mg_runset_merge(st->runs, true, false);
    if (m == NULL) return 0;
    char from[1] = {MG_ROW_STREAM};
    int err = mg_merge_seek(m, mg_slice_of(from, 1));
    while (err == 0) {
        err = take_row(st, mg_merge_row(m));
        if (err == 0) err = mg_merge_next(m);
    }
    if (err == MG_ENOTFOUND || err == MG_EEOF) err = take_erasures(st, m);
    mg_merge_free(m);
    return err;
}

// ---- the journal ----------------------------------------------------------------------------------------------------

static const uint8_t *keep_bytes(struct mg_store_part *p, const void *bytes, size_t n) {
    uint8_t *to = mg_part_reserve(p, n);
    memcpy(to, bytes, n);
    p->chunk->used += n;
    p->batch_at = p->chunk->used;
    return to;
}

// What a torn end may have cost was perhaps never acknowledged: that is no loss, and is not called one.
static bool perhaps_torn(const struct mg_store *st) { return st->maybe_torn && !st->damaged; }
static const char *what_happened(const struct mg_store *st) {
    return perhaps_torn(st) ? "missing; perhaps they are of a commit that was torn and that nobody was told about"
                            : "lost in the journal";
}

// A correction behind what is lost is about rows that counted it: its figures are counted once more.
static void distrust_corrections(struct mg_stream *s) { s->recount = MG_RECOUNT_STALE; }

static void check_gap(struct mg_stream *s, const struct mg_record_view *rec) {
    if (rec->head.op == s->op + 1) return;
    distrust_corrections(s);
    struct mg_store *st = s->part->store;
    uint64_t missing = rec->head.op - s->op - 1, messages = 0;
    if (rec->head.type == MG_RECORD_MSG && rec->head.seq > s->last + 1)
        messages = mg_stream_count_lost(s, s->last + 1, rec->head.seq - 1, rec->head.seq - 1 - s->last);
    mg_store_say(st, perhaps_torn(st) ? MG_LOG_WRN : MG_LOG_ERR,
                 "stream %.*s: operations %llu to %llu, %llu messages behind %llu among them, are %s", (int)s->name.n,
                 s->name.p, (unsigned long long)s->op + 1, (unsigned long long)rec->head.op - 1,
                 (unsigned long long)messages, (unsigned long long)s->last, what_happened(st));
    s->lost_operations += missing;
}

// Told at the end: where a stream was deleted, and that is durable, extents of its messages may be used again.
static void lose_extent(struct mg_stream *s, const struct mg_record_view *rec, int err) {
    struct mg_store *st = s->part->store;
    st->lost_extents = mg_realloc(st->lost_extents, (st->lost_extents_len + 1u) * sizeof(st->lost_extents[0]));
    st->lost_extents[st->lost_extents_len++] =
        (struct mg_lost_extent){.stream = s->id, .seq = rec->head.seq, .err = err};
    distrust_corrections(s);
    mg_stream_apply_unread(s, rec);
}

static void tell_lost_extents(struct mg_store *st) {
    for (uint32_t i = 0; i < st->lost_extents_len; i++) {
        const struct mg_lost_extent *l = &st->lost_extents[i];
        struct mg_stream *s = find(st, l->stream);
        if (s == NULL || MG_PLANTED(silent_extent)) continue;
        mg_store_say(st, MG_LOG_ERR, "stream %.*s: the extent of message %llu cannot be read: %s", (int)s->name.n,
                     s->name.p, (unsigned long long)l->seq, mg_strerror(l->err));
        mg_stream_found_lost(s, l->seq, l->seq, 1);
    }
    mg_free(st->lost_extents);
    st->lost_extents = NULL;
    st->lost_extents_len = 0;
}

// A name is given again only when its stream was dropped: the record that says so was lost.
static void drop_earlier(struct mg_store *st, const struct mg_stream *now) {
    for (unsigned i = 0; i < st->o.parts; i++) {
        struct mg_stream *s = mg_stream_find(st->parts[i], now->name);
        if (s == now) s = mg_stream_find_other(now);
        if (s == NULL || s->id > now->id) continue;
        mg_store_say(st, MG_LOG_WRN, "stream %.*s: its deletion is not in the journal; a later stream of its name "
                     "shows that it was deleted", (int)s->name.n, s->name.p);
        mg_stream_apply_drop(s);
        mg_stream_free(s);
    }
}

int mg_recover_record(void *arg, const struct mg_record_view *rec, const void *bytes, uint64_t page) {
    struct mg_store *st = arg;
    uint64_t id = rec->head.stream;
    bool begins = false;
    (void)page;
    st->status.records_replayed++;
    if (st->o.progress) atomic_fetch_add_explicit(&st->o.progress->records, 1, memory_order_relaxed);
    if (id >= atomic_load(&st->next_stream)) atomic_store(&st->next_stream, id);
    struct mg_stream *s = find(st, id);
    if (s && rec->head.op + MG_PLANTED(off_by_one) <= s->op) return 0;
    if (s == NULL) {
        // A stream that the tables do not know: new since the checkpoint, or dropped before it. Or it was lost.
        if (rec->head.type != MG_RECORD_STREAM || rec->head.op != 1) {
            mg_orphans_add(&st->orphans, rec);
            return 0;
        }
        s = mg_stream_new(part_of(st, id), id);
        begins = true;
    } else {
        check_gap(s, rec);
    }
    if (rec->head.time > s->part->last_time) s->part->last_time = rec->head.time;
    struct mg_record_view kept;
    bool large = rec->head.type == MG_RECORD_MSG && rec->head.flags & MG_RECORD_EXTENT;
    int err = 0;
    const uint8_t *copy = large ? mg_extent_recover(s->part, rec, &err) : keep_bytes(s->part, bytes, rec->head.length);
    if (copy == NULL) {
        lose_extent(s, rec, err);
        return 0;
    }
    mg_record_borrow(&kept, copy);
    mg_stream_apply(s, &kept, copy, false);
    if (begins) drop_earlier(st, s);
    if (s->deleted) mg_stream_free(s);
    return 0;
}

void mg_recover_damage(void *arg, const struct mg_journal_damage *d) {
    struct mg_store *st = arg;
    if (MG_PLANTED(silent_recovery)) return;
    if (d->unfinished) { // a power cut does that
        mg_store_say(st, MG_LOG_INF,
                     "journal: pages %llu to %llu: %s: the end of the journal is torn; nothing that was acknowledged "
                     "as durable is in it", (unsigned long long)d->page, (unsigned long long)(d->pages_end - 1),
                     mg_damage_text(d->cause));
        return;
    }
    if (d->perhaps_torn) st->maybe_torn = true;
    else st->damaged = true;
    st->status.damaged_pages += d->pages_end - d->page;
    mg_store_say(st, d->perhaps_torn ? MG_LOG_WRN : MG_LOG_ERR, "journal: pages %llu to %llu: %s%s",
                 (unsigned long long)d->page, (unsigned long long)(d->pages_end - 1), mg_damage_text(d->cause),
                 d->perhaps_torn ? "; perhaps the torn end of a commit that nobody was told about" : "");
}

static void tell_orphans(struct mg_store *st) {
    for (uint32_t i = 0; i < st->orphans.len; i++) {
        const struct mg_orphan *x = &st->orphans.list[i];
        if (x->dropped) continue;
        st->status.unknown_streams++;
        st->status.lost_messages += x->messages;
        mg_store_say(st, perhaps_torn(st) ? MG_LOG_WRN : MG_LOG_ERR,
                     "stream number %llu is not known, but the journal has %llu records of it: %llu messages from %llu "
                     "to %llu are %s",
                     (unsigned long long)x->stream, (unsigned long long)x->records, (unsigned long long)x->messages,
                     (unsigned long long)x->first_seq, (unsigned long long)x->last_seq, what_happened(st));
    }
    mg_orphans_fini(&st->orphans);
}

static void take_clock(struct mg_store *st) {
    char key[MG_CLOCK_KEY];
    struct mg_buf value = MG_BUF_INIT;
    mg_clock_key(key);
    bool kept = mg_runset_get(st->runs, mg_slice_of(key, sizeof(key)), &value) == 0 && value.len == 16;
    if (kept && !MG_PLANTED(jump_forgotten))
        st->lag = (struct mg_clock_lag){(int64_t)mg_get_u64(value.p), (int64_t)mg_get_u64(value.p + 8)};
    if (st->lag.ns < 0) st->lag.ns = 0;
    mg_buf_fini(&value);
}

void mg_recover_end(struct mg_store *st) {
    take_clock(st);
    tell_lost_extents(st);
    tell_orphans(st);
    for (unsigned i = 0; i < st->o.parts; i++) {
        struct mg_store_part *p = st->parts[i];
        if (p->last_time > st->last_time) st->last_time = p->last_time;
        for (struct mg_stream *s = mg_stream_next(p, NULL); s; s = mg_stream_next(p, s)) {
            s->visible = s->last;
            mg_correct_start(s);
            st->status.streams++;
            st->status.messages += s->msgs;
            st->status.bytes += s->bytes;
        }
    }
}
