// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/ahead.h"

#include "jetstream/store/store_impl.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define TOTAL_BYTES (64u << 20) // of all batches of a part, unless there are very many readers
#define MOST_BYTES (256u << 10) // of one
#define LEAST_BYTES (16u << 10)
// Readers, of a part. While more of them catch up the disk is busy with one's batch when another's is delivered; and
// commits wait at the disk behind what is read at once.
#define FEW 4u
#define WINDOW_FEW (256u << 10)
#define WINDOW_MANY (32u << 10)
#define ASK_AT 8u // the next one is asked for when an eighth of a batch is used: who takes some and goes costs no more

struct mg_cold_question mg_ahead_question(const struct mg_stream *s, const struct mg_read *r, uint64_t from) {
    size_t share = TOTAL_BYTES / 2 / (s->part->aheads + 1u);
    if (share > MOST_BYTES) share = MOST_BYTES;
    if (share < LEAST_BYTES) share = LEAST_BYTES;
    return (struct mg_cold_question){.kind = MG_COLD_SCAN, .from = from, .filters = r->filters,
                                     .filters_len = r->filters_len, .max = s->part->store->o.walk, .max_bytes = share,
                                     .window = s->part->aheads > FEW ? WINDOW_MANY : WINDOW_FEW};
}

static void drop(struct mg_read_batch *b) {
    mg_cold_answer_free(b->answer);
    *b = (struct mg_read_batch){.answer = NULL};
}

static void take_over(struct mg_read_batch *b, struct mg_cold_read *cold, uint64_t from) {
    *b = (struct mg_read_batch){
        .answer = cold->answer,
        .entries = cold->entries,
        .count = cold->count,
        .from = from,
        .covered = cold->covered,
        .installs = mg_stream_installs(cold->stream),
        .removals = cold->stream->removals,
        .full = cold->count >= cold->q.max || cold->answer->bytes.len >= cold->q.max_bytes,
    };
    cold->answer = NULL;
}

struct mg_read_ahead *mg_ahead_new(struct mg_cold_read *cold) {
    struct mg_read_ahead *a = mg_zalloc(sizeof(*a));
    a->part = cold->part;
    a->part->aheads++;
    take_over(&a->now, cold, cold->q.from);
    return a;
}

void mg_ahead_free(struct mg_read_ahead *a) {
    if (a == NULL) return;
    if (a->coming) mg_cold_cancel(a->coming);
    drop(&a->now);
    drop(&a->then);
    a->part->aheads--;
    mg_free(a);
}

static void came(struct mg_cold_read *cold) {
    struct mg_read *r = cold->user;
    struct mg_read_ahead *a = r->ahead;
    bool waits = r->cold == cold;
    take_over(&a->then, cold, a->coming_from);
    a->coming = NULL;
    if (!waits) return;
    r->cold = NULL;
    mg_read_go_on(r);
}

// Not behind a batch that is not full: what a filter wants is rare there, and the search may go far, for nobody.
static void ask_for_more(struct mg_stream *s, struct mg_read *r) {
    struct mg_read_ahead *a = r->ahead;
    if (!a->now.full || a->coming || a->then.answer || a->part->aheads > FEW) return;
    if (a->now.covered >= mg_stream_cold_end(s)) return;
    if (a->now.next < a->now.count / ASK_AT) return;
    const struct mg_cold_question q = mg_ahead_question(s, r, a->now.covered);
    a->coming_from = q.from;
    a->coming = mg_cold_ask(s, &q, came, r);
}

// True: the batch tells what comes from that number on. *e is NULL when it has nothing there.
static bool look(struct mg_stream *s, struct mg_read_batch *b, uint64_t from, const struct mg_cold_entry **e) {
    *e = NULL;
    if (b->answer == NULL || from < b->from || from >= b->covered) return false;
    if (b->installs != mg_stream_installs(s) && !MG_PLANTED(stale_batch)) return false;
    while (b->next > 0 && b->entries[b->next - 1].last_seq >= from) b->next--;
    for (; b->next < b->count; b->next++) {
        const struct mg_cold_entry *x = &b->entries[b->next];
        if (x->last_seq < from) continue;
        // A damaged range: which of it is there?
        if (x->seq < x->last_seq && !MG_PLANTED(range_passed_over)) return false;
        if (b->removals != s->removals && mg_stream_known_removed(s, x->seq)) continue;
        *e = x;
        return true;
    }
    return true;
}

const struct mg_cold_entry *mg_ahead_find(struct mg_stream *s, struct mg_read *r, uint64_t *from) {
    struct mg_read_ahead *a = r->ahead;
    const struct mg_cold_entry *e;
    if (a == NULL) return NULL;
    for (;;) {
        bool knows = look(s, &a->now, *from, &e);
        if (e) {
            ask_for_more(s, r);
            return e;
        }
        if (knows) *from = a->now.covered;
        if (a->then.answer == NULL) return NULL;
        drop(&a->now);
        a->now = a->then;
        a->then = (struct mg_read_batch){.answer = NULL};
    }
}

bool mg_ahead_is_coming(const struct mg_read *r, uint64_t from) {
    const struct mg_read_ahead *a = r->ahead;
    return a && a->coming && from >= a->coming_from;
}

bool mg_ahead_forget(struct mg_cold_read *cold) {
    if (cold->done != came) return false;
    struct mg_read *r = cold->user;
    r->ahead->coming = NULL;
    return true;
}
