// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The head of a stream: its oldest messages, which limits and age remove. While they are in memory this is a walk over
// the memtable. When they are in segments, a window of them is read ahead: number, time, size and subject are all that
// a removal needs.
//
// What always holds: `covered` is the number below which the window knows every message; what was removed since it was
// read is marked `gone`. `first` of the stream is exact unless the window has run dry; then a refill is under way.
#include <string.h>

#include "jetstream/store/cold.h"
#include "jetstream/store/correct.h"
#include "jetstream/store/stream.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define WINDOW 1024u

static struct mg_head_entry *find_entry(struct mg_head *h, uint64_t seq) {
    uint32_t lo = h->next, hi = h->count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (h->entries[mid].seq < seq) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < h->count && h->entries[lo].seq == seq ? &h->entries[lo] : NULL;
}

void mg_head_removed(struct mg_stream *s, uint64_t seq) {
    struct mg_head_entry *e = find_entry(&s->head, seq);
    if (e) e->gone = true;
}

void mg_head_reset(struct mg_stream *s) {
    struct mg_head *h = &s->head;
    if (h->refill) mg_cold_cancel(h->refill);
    mg_free(h->entries);
    mg_buf_fini(&h->subjects);
    memset(h, 0, sizeof(*h));
}

// Keeps what is left of the window, in front.
static void forget_front(struct mg_head *h) {
    struct mg_buf subjects = MG_BUF_INIT;
    uint32_t left = h->count - h->next;
    if (h->next) memmove(h->entries, h->entries + h->next, left * sizeof(h->entries[0]));
    h->count = left;
    h->next = 0;
    for (uint32_t i = 0; i < left; i++) {
        const char *subject = h->subjects.p + h->entries[i].subject_at;
        h->entries[i].subject_at = (uint32_t)subjects.len;
        mg_buf_add(&subjects, subject, h->entries[i].subject_len);
    }
    mg_buf_fini(&h->subjects);
    h->subjects = subjects;
}

static void refilled(struct mg_cold_read *r) {
    struct mg_stream *s = r->stream;
    struct mg_head *h = &s->head;
    h->refill = NULL;
    forget_front(h);
    h->entries = mg_realloc(h->entries, (h->count + r->count + 1) * sizeof(h->entries[0]));
    for (uint32_t i = 0; i < r->count; i++) {
        const struct mg_cold_entry *e = &r->entries[i];
        if (e->seq < h->covered) continue;
        h->entries[h->count++] = (struct mg_head_entry){
            .seq = e->seq,
            .time = e->time,
            .size = e->err ? e->size : mg_stream_size_of(s, e->subject.n, e->headers.n, e->payload.n),
            .subject_at = (uint32_t)h->subjects.len,
            .subject_len = (uint32_t)e->subject.n,
            .gone = mg_stream_known_removed(s, e->seq),
        };
        mg_buf_add_slice(&h->subjects, e->subject);
    }
    h->covered = r->covered;
    mg_head_advance(s);
    mg_stream_pump(s);
}

static void refill(struct mg_stream *s) {
    struct mg_head *h = &s->head;
    if (h->refill || s->part->loop == NULL) return;
    uint64_t from = h->covered > s->first ? h->covered : s->first;
    struct mg_cold_question q = {.kind = MG_COLD_SCAN, .from = from, .max = WINDOW};
    h->refill = mg_cold_ask(s, &q, refilled, NULL);
}

// True when the window reaches to where memory begins.
static bool all_covered(const struct mg_stream *s) { return s->head.covered >= mg_stream_cold_end(s); }

static bool advance(struct mg_stream *s) {
    struct mg_head *h = &s->head;
    if (mg_stream_is_empty(s)) {
        s->first = s->last + 1;
        s->first_exact = true;
        return true;
    }
    if (s->first < mg_stream_cold_end(s)) {
        while (h->next < h->count && (h->entries[h->next].gone || h->entries[h->next].seq < s->first)) h->next++;
        if (h->next < h->count) {
            s->first = h->entries[h->next].seq;
            s->first_exact = true;
            if (h->count - h->next < WINDOW / 4 && !all_covered(s)) refill(s);
            return true;
        }
        if (!all_covered(s)) {
            if (h->covered > s->first) s->first = h->covered;
            refill(s);
            return false;
        }
        s->first = mg_stream_cold_end(s);
    }
    uint64_t seq = s->first;
    s->first = mg_memtable_next(&s->mem, &seq) ? seq : s->last + 1;
    s->first_exact = true;
    return true;
}

bool mg_head_advance(struct mg_stream *s) {
    if (s->first_exact) return true;
    bool done = advance(s);
    mg_correct_want(s);
    return done;
}

struct mg_head_walk mg_head_walk_of(const struct mg_stream *s) {
    return (struct mg_head_walk){.seq = s->first, .entry = s->head.next};
}

int mg_head_next(struct mg_stream *s, struct mg_head_walk *w, struct mg_head_message *out) {
    struct mg_head *h = &s->head;
    if (w->seq < mg_stream_cold_end(s)) {
        for (; w->entry < h->count; w->entry++) {
            const struct mg_head_entry *e = &h->entries[w->entry];
            if (e->gone || e->seq < w->seq) continue;
            *out = (struct mg_head_message){e->seq, e->time, e->size,
                                            mg_slice_of(h->subjects.p + e->subject_at, e->subject_len)};
            w->seq = e->seq + 1;
            w->entry++;
            return 0;
        }
        if (!all_covered(s)) {
            refill(s);
            return MG_EAGAIN;
        }
        w->seq = mg_stream_cold_end(s);
    }
    const uint8_t *bytes = mg_memtable_next(&s->mem, &w->seq);
    if (bytes == NULL) return MG_ENOTFOUND;
    struct mg_record_view v;
    mg_record_borrow(&v, bytes);
    *out = (struct mg_head_message){w->seq, v.head.time, mg_stream_size_of(s, v.subject.n, v.headers.n, v.payload.n),
                                    v.subject};
    w->seq++;
    return 0;
}

