// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Removing messages: one by number, many by filter or number. A purge of everything is one record. Everything else
// works in slices of some messages (mg_removals_most): each is a record with the list of what it removes, and between
// two slices the shard does other things. The result of a purge follows its last slice; a purge that a crash cuts short
// was not answered, and has removed the older part of what it was to remove.
#include <string.h>

#include "jetstream/store/cold.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/proto/subject.h"

#define SLICE_COST 64u // us, more or less

// What removing seq needs to know, from memory: 0, MG_ENOTFOUND (it is in no memtable).
static int find_in_memory(struct mg_stream *s, uint64_t seq, struct mg_removal *out) {
    const uint8_t *bytes = mg_memtable_get(&s->mem, seq);
    if (bytes == NULL) return MG_ENOTFOUND;
    struct mg_record_view v;
    mg_record_borrow(&v, bytes);
    *out = (struct mg_removal){
        .seq = seq,
        .size = mg_stream_size_of(s, v.subject.n, v.headers.n, v.payload.n),
        .named = mg_memtable_where(&s->mem, seq) != MG_MEM_OPEN,
        .subject = v.subject,
    };
    return 0;
}

int mg_remove_execute(struct mg_stream *s, uint64_t seq, bool erase, void *ctx) {
    struct mg_removal r;
    int err = seq < s->first || seq > s->last ? MG_ENOTFOUND : 0;
    if (err == 0) err = find_in_memory(s, seq, &r);
    if (err == MG_ENOTFOUND && seq >= s->first && seq < mg_stream_cold_end(s)) err = mg_assist_meta(s, seq, &r);
    if (err == MG_EAGAIN) return err;
    if (err == MG_ENOTFOUND && seq >= s->first && mg_stream_has_lost(s, seq)) err = MG_ECORRUPT;
    if (err == 0) {
        struct mg_removals list = {0};
        mg_removals_add(&list, &r);
        mg_removals_write(s, &list, erase);
        mg_removals_fini(&list);
    }
    mg_stream_answer(s, ctx, err, seq, MG_ANSWER_PLAIN);
    return 0;
}

// ---- purge ----------------------------------------------------------------------------------------------------------

// A bound beyond the end moves the end: the next message gets that number (spec/jetstream-streams.md 6).
static int clear_all(struct mg_stream *s, uint64_t up_to, void *ctx) {
    uint64_t removed = s->msgs, last = up_to > s->last + 1 ? up_to - 1 : s->last;
    struct mg_record_view rec = {.head = {.type = MG_RECORD_CLEAR, .seq = last, .time = s->last_time}};
    mg_stream_write(s, &rec);
    mg_stream_answer(s, ctx, 0, removed, MG_ANSWER_PLAIN);
    return 0;
}

static void answer(struct mg_stream *s, const struct mg_change *c, uint64_t removed) {
    bool rollup = c->rolled_up > 0;
    mg_stream_answer(s, c->ctx, 0, rollup ? c->rolled_up : removed, rollup ? MG_ANSWER_APPENDED : MG_ANSWER_PLAIN);
}

// Something that it needs cannot be read: what was removed stays removed, the rest stays.
static void fail(struct mg_stream *s, const struct mg_change *c, int err) {
    mg_stream_answer(s, c->ctx, err, 0, MG_ANSWER_PLAIN);
}

static bool wanted(const struct mg_change *c, mg_slice subject) {
    return c->filter.n == 0 || mg_subject_match(subject, c->filter);
}

// The next slice from memory: false when there is nothing more below the bound.
static bool slice_of_memory(struct mg_stream *s, struct mg_change *c, struct mg_removals *list) {
    const uint32_t most = mg_removals_most(s);
    uint32_t looked = 0;
    while (list->count < most && looked++ < s->part->store->o.walk) {
        uint64_t seq = c->cursor;
        struct mg_removal r;
        if (mg_memtable_next(&s->mem, &seq) == NULL || seq >= c->up_to) return false;
        c->cursor = seq + 1;
        if (find_in_memory(s, seq, &r) == 0 && wanted(c, r.subject)) mg_removals_add(list, &r);
    }
    return true;
}

static int slice_of_purge(struct mg_stream *s, struct mg_change *c, bool *more) {
    struct mg_removals list = {0};
    int err = 0;
    *more = true;
    if (c->cursor < s->first) c->cursor = s->first;
    if (c->cursor < mg_stream_cold_end(s) && c->cursor < c->up_to) {
        err = mg_assist_slice(s, &c->cursor, c->up_to, c->filter, mg_removals_most(s), &list);
    } else {
        *more = slice_of_memory(s, c, &list);
    }
    if (c->keep && c->done + list.count >= c->keep) { // `keep` holds how many may go
        *more = false;
        mg_removals_cut(&list, (uint32_t)(c->keep - c->done));
    }
    c->done += list.count;
    if (list.count) mg_removals_write(s, &list, false);
    mg_removals_fini(&list);
    return err;
}

// A purge that keeps some removes as many as there are too many: that number takes the place of `keep`.
static int start(struct mg_stream *s, struct mg_change *c) {
    if (c->up_to == 0 || c->up_to > s->last + 1) c->up_to = s->last + 1;
    if (c->keep) {
        uint64_t total = s->msgs;
        if (c->filter.n) {
            int err = mg_assist_count(s, c->filter, s->first, &total);
            if (err) return err;
        }
        if (total <= c->keep) {
            answer(s, c, 0);
            return MG_EEOF;
        }
        c->keep = total - c->keep;
    }
    c->cursor = s->first;
    c->started = true;
    return 0;
}

int mg_purge_execute(struct mg_stream *s, struct mg_change *c) {
    if (!c->started) {
        if (c->filter.n == 0 && c->keep == 0 && (c->up_to == 0 || c->up_to > s->last))
            return clear_all(s, c->up_to, c->ctx);
        int err = start(s, c);
        if (err == MG_EAGAIN) return err;
        if (err != 0 && err != MG_EEOF) fail(s, c, err);
        if (err) return 0;
        // From here on the state of the purge must live with the change: it has to be one that waits.
        if (mg_list_empty(&s->waiting)) {
            mg_part_pump_later(s);
            return MG_EAGAIN;
        }
    }
    for (bool more = true; more;) {
        int err = slice_of_purge(s, c, &more);
        if (err == MG_EAGAIN) return err;
        if (err) {
            fail(s, c, err);
            return 0;
        }
        if (more && mg_part_spent(s->part, SLICE_COST)) {
            mg_part_pump_later(s);
            return MG_EAGAIN;
        }
    }
    answer(s, c, c->done);
    return 0;
}

// In front of whatever waits: it is the second half of the change that is being decided.
void mg_purge_older(struct mg_stream *s, mg_slice filter, uint64_t below, void *ctx) {
    struct mg_change c = {.kind = MG_CHANGE_PURGE, .filter = filter, .up_to = below, .rolled_up = below, .ctx = ctx};
    c.cursor = s->first;
    c.started = true;
    const struct mg_subject_row *row;
    // The subject's row says where they begin and how many they are: with the new one there is one more. A publish to
    // `a.*` rolls up all that this matches, which no row knows of.
    if (filter.n && mg_subject_is_literal(filter) && mg_stream_subject_row(s, filter, &row) == 0 && row) {
        if (row->count <= 1) {
            answer(s, &c, 0);
            return;
        }
        if (row->first > c.cursor) c.cursor = row->first;
        c.keep = (uint64_t)row->count - 1;
    }
    mg_change_first(s, &c);
}
