// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_model.h"

#define SLACK UINT64_C(20000000000) // ns by which ages may be late

void js_model_init(struct js_model *m, struct sim *s) {
    *m = (struct js_model){.sim = s};
    for (unsigned i = 0; i < JS_STREAMS; i++) {
        struct js_stream *st = &m->streams[i];
        *st = (struct js_stream){.m = m, .no = i};
        for (unsigned k = 0; k < JS_CONSUMERS; k++) st->consumers[k] = (struct js_consumer){.stream = st, .no = k};
    }
}

void js_model_fini(struct js_model *m) {
    for (unsigned i = 0; i < JS_STREAMS; i++) {
        struct js_stream *s = &m->streams[i];
        js_stream_new_generation(s);
        mg_free(s->removals);
        for (unsigned k = 0; k < JS_CONSUMERS; k++) {
            mg_free(s->consumers[k].seen);
            mg_free(s->consumers[k].by_dseq);
        }
    }
    for (size_t i = 0; i < m->nmsgs; i++) mg_free(m->msgs[i]);
    mg_free(m->msgs);
}

void js_model_new_life(struct js_model *m) {
    m->life++;
    js_tick(m);
    for (size_t i = 0; i < m->nmsgs; i++) {
        struct js_msg *msg = m->msgs[i];
        if (msg->fate == JS_OPEN) msg->fate = JS_UNKNOWN;
        if (msg->answered_at == 0) msg->answered_at = sim_now(m->sim);
    }
    for (unsigned i = 0; i < JS_STREAMS * JS_CONSUMERS; i++) {
        struct js_stream *s = &m->streams[i / JS_CONSUMERS];
        struct js_consumer *c = &s->consumers[i % JS_CONSUMERS];
        for (size_t k = 0; k < s->nended; k++) s->ended[k] &= 3;
        s->busy = c->busy = false;
        s->users = c->users = 0;
        c->ndseq = 0;
        if (s->memory) s->phase = JS_ABSENT;
        if (s->memory || c->memory) c->phase = JS_ABSENT;
    }
}

// ---- what happens to messages --------------------------------------------------------------------------------------

void js_stream_new_generation(struct js_stream *s) {
    s->generation++;
    for (size_t i = 0; i < s->nremovals; i++) mg_free(s->removals[i]);
    mg_free(s->at);
    mg_free(s->present);
    mg_free(s->ended);
    s->at = NULL;
    s->present = NULL;
    s->ended = NULL;
    s->nat = s->npresent = s->nremovals = s->nended = 0;
    s->last = s->looked = 0;
    s->version = s->next_version = 0;
    for (unsigned i = 0; i < JS_CONSUMERS; i++) s->consumers[i].phase = JS_ABSENT;
}

struct js_msg *js_publish(struct js_stream *s, unsigned subject, unsigned publisher) {
    struct js_model *m = s->m;
    struct js_msg *msg = mg_zalloc(sizeof(*msg));
    if (m->nmsgs % 64 == 0) m->msgs = mg_realloc(m->msgs, (m->nmsgs + 64) * sizeof(m->msgs[0]));
    m->msgs[m->nmsgs++] = msg;
    *msg = (struct js_msg){.stream = s, .generation = s->generation, .subject = subject, .publisher = publisher,
                           .sent = js_tick(m), .sent_at = sim_now(m->sim), .after = s->last};
    return msg;
}

uint64_t js_msg_number(const struct js_model *m, const struct js_msg *msg) {
    uint64_t i = m->nmsgs;
    while (m->msgs[--i] != msg) continue;
    return i;
}

struct js_msg *js_at(const struct js_stream *s, uint64_t seq) {
    return seq < s->nat && s->at[seq] ? s->m->msgs[s->at[seq] - 1] : NULL;
}

static void place(struct js_msg *msg, uint64_t seq) {
    struct js_stream *s = msg->stream;
    uint64_t number = js_msg_number(s->m, msg);
    if (seq >= s->nat) {
        size_t n = seq + 64;
        s->at = mg_realloc(s->at, n * sizeof(s->at[0]));
        memset(s->at + s->nat, 0, (n - s->nat) * sizeof(s->at[0]));
        s->nat = n;
    }
    sim_check(s->at[seq] == 0 || s->at[seq] == number + 1, "stream %u: number %llu is message %llu and message %llu",
              s->no, (unsigned long long)seq, (unsigned long long)s->at[seq] - 1, (unsigned long long)number);
    sim_check(msg->seq == 0 || msg->seq == seq, "message %llu has the numbers %llu and %llu",
              (unsigned long long)number, (unsigned long long)msg->seq, (unsigned long long)seq);
    sim_check(msg->expect == 0 || msg->expect == seq, "message %llu was to be %llu and is %llu",
              (unsigned long long)number, (unsigned long long)msg->expect, (unsigned long long)seq);
    sim_check(seq > msg->after, "message %llu got number %llu, and %llu was known when it was sent",
              (unsigned long long)number, (unsigned long long)seq, (unsigned long long)msg->after);
    s->at[seq] = number + 1;
    msg->seq = seq;
    msg->fate = JS_STORED;
    if (seq > s->last) s->last = seq;
}

static void answered(struct js_msg *msg, enum js_fate fate) {
    struct js_model *m = msg->stream->m;
    sim_check(msg->fate == JS_OPEN || (msg->fate == JS_STORED && msg->answered == 0 && fate == JS_STORED),
              "message %llu is answered twice, or not as it is seen", (unsigned long long)js_msg_number(m, msg));
    msg->fate = fate;
    msg->answered = js_tick(m);
    msg->answered_at = sim_now(m->sim);
}

void js_stored(struct js_msg *msg, uint64_t seq) {
    answered(msg, JS_STORED);
    if (msg->generation == msg->stream->generation) place(msg, seq);
}

void js_refused(struct js_msg *msg) { answered(msg, JS_REFUSED); }

void js_duplicate(struct js_msg *msg, uint64_t seq) {
    struct js_stream *s = msg->stream;
    answered(msg, JS_DUPLICATE);
    const struct js_msg *first = js_at(s, seq);
    sim_check(msg->id != 0, "message %llu is a duplicate and has no id",
              (unsigned long long)js_msg_number(s->m, msg));
    sim_check(first == NULL || msg->generation != s->generation || first->id == msg->id,
              "message %llu is called a duplicate of %llu, which has another id",
              (unsigned long long)js_msg_number(s->m, msg), (unsigned long long)seq);
    if (seq > s->last && msg->generation == s->generation) s->last = seq;
}

struct js_msg *js_found(struct js_stream *s, uint64_t number, uint64_t seq, mg_slice subject) {
    struct js_model *m = s->m;
    sim_check(number < m->nmsgs, "message %llu was invented", (unsigned long long)number);
    struct js_msg *msg = m->msgs[number];
    sim_check(msg->stream == s, "message %llu is in another stream", (unsigned long long)number);
    char want[16];
    snprintf(want, sizeof(want), "s%u.%u", s->no, msg->subject);
    sim_check(mg_slice_eq(subject, mg_cstr(want)), "message %llu is on %.*s", (unsigned long long)number,
              (int)subject.n, subject.p);
    sim_check(msg->generation == s->generation, "message %llu is back from an earlier stream",
              (unsigned long long)number);
    sim_check(msg->fate != JS_REFUSED && msg->fate != JS_DUPLICATE, "message %llu was refused and is stored at %llu",
              (unsigned long long)number, (unsigned long long)seq);
    place(msg, seq);
    return msg;
}

struct js_removal *js_remove(struct js_stream *s) {
    struct js_removal *r = mg_zalloc(sizeof(*r));
    s->removals = mg_realloc(s->removals, (s->nremovals + 1) * sizeof(struct js_removal *));
    s->removals[s->nremovals++] = r;
    r->sent = js_tick(s->m);
    return r;
}

// ---- what may be missing, and what must ----------------------------------------------------------------------------

static bool hits(const struct js_removal *r, const struct js_msg *msg) {
    if (r->failed) return false;
    if (r->seq) return r->seq == msg->seq;
    return (r->filter == JS_ALL || r->filter == msg->subject) && (r->below == 0 || msg->seq < r->below);
}

// surely: those that are; else those that may be.
static bool removed(const struct js_stream *s, const struct js_msg *msg, bool surely) {
    for (size_t i = 0; i < s->nremovals; i++) {
        const struct js_removal *r = s->removals[i];
        if (!hits(r, msg)) continue;
        if (!surely && (r->answered == 0 || msg->sent < r->answered)) return true;
        bool before = r->seq != 0 || (msg->answered && msg->answered < r->sent && r->keep == 0);
        if (surely && r->answered && before) return true;
    }
    return false;
}

// How many messages of its subject may have come behind it (surely: are there); those of a rollup count in *rollups.
static uint64_t newer(const struct js_stream *s, const struct js_msg *msg, bool surely, uint64_t *rollups) {
    uint64_t n = 0;
    *rollups = 0;
    for (size_t i = 0; i < s->m->nmsgs; i++) {
        const struct js_msg *o = s->m->msgs[i];
        if (o->stream != s || o->generation != s->generation || o == msg) continue;
        if (o->subject != msg->subject && !o->rollup_all) continue;
        if (o->fate == JS_REFUSED || o->fate == JS_DUPLICATE || (o->seq && o->seq < msg->seq)) continue;
        if (surely && o->seq == 0) continue;
        n += o->subject == msg->subject && (!surely || (o->seq < s->npresent && s->present[o->seq]));
        *rollups += o->rollup; // also one that a crash has cut off: all or nothing of it is there
    }
    return n;
}

static bool may_be_gone(struct js_stream *s, const struct js_msg *msg, uint64_t last) {
    uint64_t rollups, n = newer(s, msg, false, &rollups);
    if (s->max_msgs > 0 && last - msg->seq >= (uint64_t)s->max_msgs) return true;
    if (s->max_per_subject > 0 && n >= (uint64_t)s->max_per_subject) return true;
    if (s->max_age && sim_now(s->m->sim) - msg->sent_at >= s->max_age) return true;
    if (s->kind == JS_QUEUE || s->kind == JS_INTEREST) {
        if (js_may_be_done(s, msg->seq, msg->subject)) return true;
    }
    return rollups > 0 || removed(s, msg, false);
}

static const char *must_be_gone(struct js_stream *s, const struct js_msg *msg) {
    uint64_t rollups, n = newer(s, msg, true, &rollups), now = sim_now(s->m->sim);
    if (rollups) return "rolled up";
    if (s->max_per_subject > 0 && n >= (uint64_t)s->max_per_subject) return "beyond the limit of its subject";
    if (s->max_age && msg->answered && now - msg->answered_at > s->max_age + SLACK) return "too old";
    if (js_must_be_done(s, msg->seq, msg->subject)) return "done";
    return removed(s, msg, true) ? "removed" : NULL;
}

// ---- the whole stream ----------------------------------------------------------------------------------------------

static void check_order(const struct js_stream *s) {
    for (size_t i = 0; i < s->m->nmsgs; i++) {
        const struct js_msg *a = s->m->msgs[i];
        if (a->stream != s || a->generation != s->generation || a->seq == 0) continue;
        for (size_t k = i + 1; k < s->m->nmsgs; k++) {
            const struct js_msg *b = s->m->msgs[k];
            if (b->stream != s || b->seq == 0 || b->generation != s->generation) continue;
            sim_check(a->publisher != b->publisher || a->seq < b->seq, "messages %zu, %zu of a publisher: %llu, %llu",
                      i, k, (unsigned long long)a->seq, (unsigned long long)b->seq);
            if (a->id && a->id == b->id && s->dedupe && s->kind != JS_INTEREST) {
                uint64_t end = b->answered_at > a->answered_at ? b->answered_at : a->answered_at;
                sim_check(a->sent_at + s->dedupe <= end, "messages %zu and %zu have one id: %llu and %llu", i, k,
                          (unsigned long long)a->seq, (unsigned long long)b->seq);
            }
        }
        for (uint64_t q = a->expect_subject; a->expect_subject && q < a->seq; q++) {
            const struct js_msg *between = js_at(s, q);
            bool there = q < s->npresent && s->present[q]; // if not, it was perhaps removed before
            sim_check(!there || between == NULL || between->subject != a->subject,
                      "message %zu is at %llu, and expected nothing on its subject since %llu", i,
                      (unsigned long long)a->seq, (unsigned long long)a->expect_subject - 1);
        }
    }
}

static const char *say(char *why, size_t n, const struct js_stream *s, uint64_t seq, const char *what) {
    snprintf(why, n, "stream %u, number %llu: %s", s->no, (unsigned long long)seq, what);
    return why;
}

const char *js_stream_judge(struct js_stream *s, uint64_t first, uint64_t last, char *why, size_t n) {
    if (last < s->last) return say(why, n, s, last, "is the last, though a higher one was told");
    s->last = last;
    check_order(s);
    uint64_t count = 0, lowest = 0;
    for (uint64_t seq = 1; seq <= last; seq++) {
        bool there = seq < s->npresent && s->present[seq];
        count += there;
        if (there && lowest == 0) lowest = seq;
        const struct js_msg *msg = js_at(s, seq);
        if (msg == NULL) continue;
        const char *gone = there ? must_be_gone(s, msg) : NULL;
        if (gone) {
            snprintf(why, n, "stream %u, number %llu: is there though it is %s", s->no, (unsigned long long)seq, gone);
            return why;
        }
        if (!there && !may_be_gone(s, msg, last)) return say(why, n, s, seq, "is lost");
    }
    if (s->max_age == 0 && count != s->messages) return say(why, n, s, s->messages, "messages are said to be there");
    if (s->max_age == 0 && count && lowest != first) return say(why, n, s, first, "is said to be the first");
    if (s->max_msgs > 0 && count > (uint64_t)s->max_msgs) return say(why, n, s, count, "more than its limit");
    return NULL;
}
