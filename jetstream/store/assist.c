// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a change needs to know of messages in segments, or of many. Only the change at the head of a stream's queue is
// being decided, so one question at a time is enough: it is asked, the change waits (MG_EAGAIN), and when it is tried
// again the answer is here. It is used once, but for what it tells of messages to be removed.
#include <string.h>

#include "jetstream/store/cold.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define META_AHEAD 64u // messages
#define META_BYTES (16u * 1024)

void mg_assist_reset(struct mg_stream *s) {
    struct mg_assist *a = &s->assist;
    if (a->asked) mg_cold_cancel(a->asked);
    mg_cold_answer_free(a->answer);
    mg_stream_read_end(&a->read);
    mg_buf_fini(&a->filter);
    *a = (struct mg_assist){.meta_at = a->meta_at};
}

// A read that is under way knows itself what happens; what does not match never will.
void mg_assist_stale(struct mg_stream *s) {
    if (s->assist.asked || s->assist.reading || s->assist.kind == MG_ASSIST_OLDEST_HERE) return;
    s->assist.kind = MG_ASSIST_NONE;
}

static void answered(struct mg_cold_read *r) {
    struct mg_stream *s = r->stream;
    struct mg_assist *a = &s->assist;
    a->asked = NULL;
    a->entries = r->entries;
    a->count = r->count;
    a->covered = r->covered;
    a->err = r->err;
    a->installs = mg_stream_installs(s);
    a->answer = r->answer;
    r->answer = NULL;
    mg_stream_pump(s);
}

// True: the answer to exactly this question is there.
static bool have(struct mg_stream *s, enum mg_assist_kind kind, uint64_t seq, const struct mg_cold_question *q) {
    struct mg_assist *a = &s->assist;
    // What came before files changed, or age removed something, speaks of another time.
    bool stale = a->asked == NULL && a->installs != mg_stream_installs(s);
    if (a->kind == kind && a->seq == seq && !stale) return a->asked == NULL;
    mg_assist_reset(s);
    a->kind = kind;
    a->seq = seq;
    a->asked = mg_cold_ask(s, q, answered, NULL);
    return false;
}

static struct mg_removal removal_of(const struct mg_stream *s, const struct mg_cold_entry *e) {
    return (struct mg_removal){
        .seq = e->seq,
        .size = mg_stream_size_of(s, e->subject.n, e->headers.n, e->payload.n),
        .named = true,
        .subject = e->subject,
    };
}

// The last entry that begins at or below seq.
static const struct mg_cold_entry *entry_at(const struct mg_assist *a, uint64_t seq) {
    uint32_t lo = 0, hi = a->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (a->entries[mid].seq <= seq) lo = mid + 1;
        else hi = mid;
    }
    return lo ? &a->entries[lo - 1] : NULL;
}

// An earlier answer tells of this one, too.
static bool meta_is_known(const struct mg_stream *s, uint64_t seq) {
    const struct mg_assist *a = &s->assist;
    if (a->kind != MG_ASSIST_META || a->asked || a->err || a->installs != mg_stream_installs(s)) return false;
    if (seq < a->seq || seq >= a->covered) return false;
    const struct mg_cold_entry *e = entry_at(a, seq);
    return e == NULL || e->err == 0 || e->seq == seq || e->last_seq < seq;
}

// Who removes one message behind the other (acknowledgements of a queue do) asks for some at once, and an answer is
// used as long as it holds.
int mg_assist_meta(struct mg_stream *s, uint64_t seq, struct mg_removal *out) {
    struct mg_assist *a = &s->assist;
    bool known = meta_is_known(s, seq), runs = seq > a->meta_at && seq - a->meta_at <= META_AHEAD;
    struct mg_cold_question q = {
        .kind = MG_COLD_SCAN, .from = seq, .max = runs ? META_AHEAD : 1, .max_bytes = META_BYTES};
    if (!known && !have(s, MG_ASSIST_META, seq, &q)) return MG_EAGAIN;
    a->meta_at = seq;
    const struct mg_cold_entry *e = entry_at(a, seq);
    int err = a->err ? a->err : e == NULL || e->seq != seq ? MG_ENOTFOUND : e->err;
    if (err && err != MG_ENOTFOUND) a->kind = MG_ASSIST_NONE; // the next time it may be readable
    if (err) return err;
    if (mg_stream_known_removed(s, seq) && !MG_PLANTED(removed_twice)) return MG_ENOTFOUND; // meanwhile
    *out = removal_of(s, e);
    return 0;
}

int mg_assist_slice(struct mg_stream *s, uint64_t *cursor, uint64_t end, mg_slice filter, uint32_t max,
                    struct mg_removals *list) {
    struct mg_cold_question q = {
        .kind = MG_COLD_SCAN, .from = *cursor, .filters = &filter, .filters_len = filter.n > 0, .max = max};
    if (!have(s, MG_ASSIST_SLICE, *cursor, &q)) return MG_EAGAIN;
    const struct mg_assist *a = &s->assist;
    for (uint32_t i = 0; i < a->count && a->entries[i].seq < end; i++) {
        if (a->entries[i].err) continue; // what cannot be read is not removed: it is lost, and said to be
        struct mg_removal r = removal_of(s, &a->entries[i]);
        mg_removals_add(list, &r);
    }
    *cursor = a->covered > *cursor ? a->covered : *cursor + 1;
    s->assist.kind = MG_ASSIST_NONE;
    return a->err;
}

// ---- what readers ask, too ------------------------------------------------------------------------------------------

static void read_done(struct mg_read *r) {
    struct mg_stream *s = r->user;
    s->assist.reading = false;
    s->assist.err = r->err;
    mg_part_pump_later(s);
}

// 0: the answer to exactly this question is in s->assist.read.
static int have_read(struct mg_stream *s, enum mg_assist_kind kind, enum mg_read_kind read, uint64_t seq,
                     mg_slice filter) {
    struct mg_assist *a = &s->assist;
    if (a->kind == kind && a->seq == seq && mg_slice_eq(filter, mg_buf_slice(&a->filter)))
        return a->reading ? MG_EAGAIN : 0;
    mg_assist_reset(s);
    a->kind = kind;
    a->seq = seq;
    mg_buf_add_slice(&a->filter, filter);
    a->filters[0] = mg_buf_slice(&a->filter);
    a->read = (struct mg_read){.kind = read, .inside = true, .seq = seq, .filters = a->filters,
                               .filters_len = filter.n > 0, .done = read_done, .user = s};
    int err = mg_stream_read(s, &a->read);
    a->reading = err != 0;
    a->err = a->read.err;
    return err;
}

int mg_assist_last(struct mg_stream *s, mg_slice subject, uint64_t seq, uint64_t *out) {
    if (have_read(s, MG_ASSIST_LAST, MG_READ_LAST, seq, subject) != 0) return MG_EAGAIN;
    int err = s->assist.err;
    *out = err == MG_ENOTFOUND ? 0 : s->assist.read.msg.seq;
    s->assist.kind = MG_ASSIST_NONE;
    return err == MG_ENOTFOUND ? 0 : err; // one that cannot be read may be the one
}

int mg_assist_count(struct mg_stream *s, mg_slice filter, uint64_t from, uint64_t *out) {
    if (have_read(s, MG_ASSIST_COUNT, MG_READ_COUNT, from, filter) != 0) return MG_EAGAIN;
    *out = s->assist.read.count;
    s->assist.kind = MG_ASSIST_NONE;
    return s->assist.err;
}

// ---- the oldest -----------------------------------------------------------------------------------------------------

static bool of_subject(const uint8_t *bytes, mg_slice subject, struct mg_record_view *v) {
    mg_record_borrow(v, bytes);
    return mg_slice_eq(v->subject, subject);
}

// It has found nothing yet, up to `walked`.
static bool walks(const struct mg_stream *s, mg_slice subject, uint64_t from) {
    const struct mg_assist *a = &s->assist;
    return a->kind == MG_ASSIST_OLDEST_HERE && a->seq == from && a->installs == mg_stream_installs(s) &&
           mg_slice_eq(subject, mg_buf_slice(&a->filter));
}

static int walk_on(struct mg_stream *s, mg_slice subject, uint64_t from, uint64_t at) {
    struct mg_assist *a = &s->assist;
    mg_assist_reset(s);
    a->kind = MG_ASSIST_OLDEST_HERE;
    a->seq = from;
    a->walked = at;
    a->installs = mg_stream_installs(s);
    mg_buf_add_slice(&a->filter, subject);
    mg_part_pump_later(s);
    return MG_EAGAIN;
}

static int oldest_in_memory(struct mg_stream *s, mg_slice subject, uint64_t from, uint64_t n, struct mg_removals *list,
                            uint64_t *bytes) {
    struct mg_record_view v;
    uint32_t looked = 0;
    uint64_t at = walks(s, subject, from) ? s->assist.walked : from;
    for (const uint8_t *b; n > 0 && (b = mg_memtable_next(&s->mem, &at)); at++) {
        if (looked++ == s->part->store->o.walk) {
            if (list->count > 0) break;
            return walk_on(s, subject, from, at);
        }
        if (!of_subject(b, subject, &v)) continue;
        uint32_t size = mg_stream_size_of(s, v.subject.n, v.headers.n, v.payload.n);
        bool named = mg_memtable_where(&s->mem, at) != MG_MEM_OPEN;
        mg_removals_add(list, &(struct mg_removal){.seq = at, .size = size, .named = named, .subject = v.subject});
        *bytes += size;
        n--;
    }
    return 0;
}

int mg_assist_oldest(struct mg_stream *s, mg_slice subject, uint64_t from, uint64_t n, struct mg_removals *list,
                     uint64_t *bytes) {
    if (from < mg_stream_cold_end(s) && !walks(s, subject, from)) {
        struct mg_cold_question q = {.kind = MG_COLD_SCAN, .from = from, .filters = &subject, .filters_len = 1,
                                     .max = n > 4096 ? 4096 : (uint32_t)n};
        if (!have(s, MG_ASSIST_OLDEST, from, &q)) return MG_EAGAIN;
        for (uint32_t i = 0; i < s->assist.count; i++) {
            struct mg_removal r = removal_of(s, &s->assist.entries[i]);
            if (s->assist.entries[i].err) continue;
            mg_removals_add(list, &r);
            *bytes += r.size;
            n--;
        }
        s->assist.kind = MG_ASSIST_NONE;
        if (s->assist.err) return s->assist.err;
        if (s->assist.covered < mg_stream_cold_end(s)) return 0; // those in memory are younger than what is left
    }
    return oldest_in_memory(s, subject, from, n, list, bytes);
}
