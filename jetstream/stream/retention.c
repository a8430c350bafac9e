// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams that keep a message only as long as somebody needs it (spec/jetstream-consumers.md 14.2). A work queue has
// one consumer for each message: who is done with it removes it. With retention by interest the last one does; all
// that were done in a turn are asked about together.
//
// A removal is written before the changes of the consumer that led to it (mg_js_member_flush): a crash between them
// leaves a consumer that waits for a message that has gone, which it finds out, and never a message that nobody waits
// for.
//
// Whoever leaves, or wants less, may have been the last to need many: then the stream is looked through, a slice a
// turn.
#include "jetstream/stream/member.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define SWEEP_SLICE 1024u // messages looked at in one turn

struct mg_js_sweep {
    struct mg_js_reading rd;
    uint64_t next, last;
    bool reading;
};

enum need { NO, PERHAPS, YES };

// subject empty: not known.
static enum need needs(const struct mg_js_member *m, uint64_t seq, mg_slice subject) {
    if (m->c == NULL) return YES; // it is being made
    bool ahead = seq >= mg_js_consumer_next(m->c);
    if (!ahead && mg_js_pending_find(&mg_js_consumer_state(m->c)->pending, seq) == NULL) return NO;
    if (m->own.n == 0) return YES;
    if (subject.n == 0) return ahead || m->refiltered ? PERHAPS : YES;
    return mg_js_member_matches(m, subject) ? YES : NO;
}

static void remove_message(struct mg_js_stream *s, uint64_t seq) { mg_stream_remove(s->store, seq, false, NULL); }

bool mg_js_stream_wanted(const struct mg_js_stream *s, mg_slice subject) {
    const struct mg_js_members *ms = s->members;
    if (ms == NULL) return false;
    if (ms->asleep.count > 0 || !mg_list_empty(&ms->unfiltered)) return true;
    return ms->nfiltered && mg_sublist_match_any(ms->index, subject);
}

// ---- one by one -----------------------------------------------------------------------------------------------------

void mg_js_retention_done(struct mg_js_member *m, uint64_t seq) {
    if (m->stream->config.retention != MG_JS_LIMITS) mg_buf_add(&m->stream->members->done, &seq, sizeof(seq));
}

struct question {
    const uint64_t *seqs;
    uint8_t *need; // enum need, for each
    size_t n;
};

static void ask(void *arg, struct mg_js_member *m) {
    static const mg_slice unknown = {NULL, 0};
    struct question *q = arg;
    for (size_t i = 0; i < q->n; i++) {
        if (q->need[i] == YES) continue;
        enum need n = needs(m, q->seqs[i], unknown);
        if (n > q->need[i]) q->need[i] = (uint8_t)n;
    }
}

// Looks at these messages, a slice a turn.
static void sweep(struct mg_js_stream *s, uint64_t first, uint64_t last);

static void remove_unneeded(struct mg_js_members *ms, const uint64_t *seqs, size_t n) {
    struct question q = {seqs, mg_zalloc(n), n};
    uint64_t lowest = UINT64_MAX, highest = 0; // of those for which it depends on the subject
    bool shared = ms->stream->config.retention == MG_JS_INTEREST && ms->n > 1;
    if (shared && !MG_PLANTED(first_of_two)) mg_js_members_each(ms, ask, &q);
    for (size_t i = 0; i < n; i++) {
        if (q.need[i] == NO) remove_message(ms->stream, seqs[i]);
        if (q.need[i] != PERHAPS) continue;
        if (seqs[i] < lowest) lowest = seqs[i];
        if (seqs[i] > highest) highest = seqs[i];
    }
    if (highest) sweep(ms->stream, lowest, highest);
    mg_free(q.need);
}

// ---- all that there are ---------------------------------------------------------------------------------------------

struct asked {
    uint64_t seq;
    mg_slice subject;
    bool needed;
};

static void ask_one(void *arg, struct mg_js_member *m) {
    struct asked *a = arg;
    a->needed = a->needed || needs(m, a->seq, a->subject) == YES;
}

static void look_at(struct mg_js_members *ms, const struct mg_message *m) {
    struct asked a = {m->seq, m->subject, false};
    mg_js_members_each(ms, ask_one, &a);
    if (!a.needed) remove_message(ms->stream, m->seq);
}

static void swept(struct mg_js_members *ms) {
    mg_js_reading_end(&ms->sweep->rd);
    mg_free(ms->sweep);
    ms->sweep = NULL;
}

// What was read; false: that was all.
static bool take(struct mg_js_members *ms) {
    struct mg_js_sweep *sw = ms->sweep;
    const struct mg_read *r = &sw->rd.r;
    bool back = sw->next < r->seq; // meanwhile something before it was asked about
    if (r->err == MG_ENOTFOUND || r->msg.seq > sw->last) return back;
    if (r->err == 0) look_at(ms, &r->msg);
    if (!back) sw->next = r->msg.seq + 1;
    return true;
}

static void came(struct mg_js_reading *rd) {
    struct mg_js_members *ms = rd->r.user;
    ms->sweep->reading = false;
    if (!take(ms)) swept(ms);
    mg_js_stream_busy(ms->stream);
}

static void gone(struct mg_js_reading *rd) { ((struct mg_js_members *)rd->r.user)->sweep->reading = false; }

static bool sweep_some(struct mg_js_members *ms) {
    for (unsigned i = 0; i < SWEEP_SLICE && ms->sweep && !ms->sweep->reading; i++) {
        struct mg_js_reading *rd = &ms->sweep->rd;
        rd->r.kind = MG_READ_NEXT;
        rd->r.sequential = true;
        rd->r.seq = ms->sweep->next;
        rd->r.user = ms;
        rd->done = came;
        rd->gone = gone;
        if (mg_js_read(ms->stream, rd) != 0) ms->sweep->reading = true;
        else if (!take(ms)) swept(ms);
    }
    return ms->sweep && !ms->sweep->reading;
}

static void sweep(struct mg_js_stream *s, uint64_t first, uint64_t last) {
    struct mg_js_members *ms = s->members;
    if (ms->sweep == NULL) {
        ms->sweep = mg_zalloc(sizeof(*ms->sweep));
        ms->sweep->next = first;
    }
    if (ms->sweep->next > first) ms->sweep->next = first;
    if (ms->sweep->last < last) ms->sweep->last = last;
    mg_js_stream_busy(s);
}

static void settled(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r) {
    if (r && r->err == 0 && s->members && !s->deleting) sweep(s, 1, r->seq);
    mg_free(w);
}

// For those who need a message less: all that were published before, also those that cannot be read yet.
static void sweep_all(struct mg_js_stream *s) {
    struct mg_js_wait *w = mg_zalloc(sizeof(*w));
    mg_js_wait(s->js, w, settled);
    mg_stream_barrier(s->store, w);
}

void mg_js_retention_sweep(struct mg_js_stream *s) {
    static const mg_slice all = {NULL, 0};
    if (s->config.retention != MG_JS_INTEREST || s->deleting) return;
    if (s->members && s->members->n + s->members->asleep.count > 0) sweep_all(s);
    else if (mg_stream_messages(s->store)) mg_stream_purge(s->store, all, 0, 0, NULL);
}

void mg_js_retention_stop(struct mg_js_members *ms) {
    if (ms->sweep) swept(ms);
}

void mg_js_retention_settle(struct mg_js_members *ms) {
    struct mg_buf done = ms->done;
    if (done.len == 0) return;
    ms->done = (struct mg_buf)MG_BUF_INIT;
    remove_unneeded(ms, (const uint64_t *)(const void *)done.p, done.len / sizeof(uint64_t));
    mg_buf_fini(&done);
}

bool mg_js_retention_turn(struct mg_js_members *ms) {
    mg_js_retention_settle(ms);
    return ms->sweep != NULL && sweep_some(ms);
}
