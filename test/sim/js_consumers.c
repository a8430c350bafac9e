// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdio.h>
#include <string.h>

#include "server/base/mem.h"
#include "test/sim/js_model.h"

#define LL(x) ((unsigned long long)(x))

void js_consumer_new_generation(struct js_consumer *c) {
    c->generation++;
    mg_free(c->seen);
    mg_free(c->by_dseq);
    c->seen = NULL;
    c->by_dseq = NULL;
    c->nseen = c->ndseq = 0;
    c->since = c->born = c->told = c->floor = c->floor_dseq = c->delivered = 0;
    c->version = c->next_version = 0;
    c->paused = c->paused_until = 0;
}

bool js_matches(const struct js_consumer *c, unsigned subject) { return c->filter == JS_ALL || c->filter == subject; }

struct js_seen *js_seen(struct js_consumer *c, uint64_t seq) {
    if (seq >= c->nseen) {
        size_t n = seq + 64;
        c->seen = mg_realloc(c->seen, n * sizeof(c->seen[0]));
        memset(c->seen + c->nseen, 0, (n - c->nseen) * sizeof(c->seen[0]));
        c->nseen = n;
    }
    return &c->seen[seq];
}

// ---- deliveries ----------------------------------------------------------------------------------------------------

static struct js_first *by_dseq(struct js_consumer *c, uint64_t dseq) {
    if (dseq >= c->ndseq) {
        size_t n = dseq + 64;
        c->by_dseq = mg_realloc(c->by_dseq, n * sizeof(c->by_dseq[0]));
        memset(c->by_dseq + c->ndseq, 0, (n - c->ndseq) * sizeof(c->by_dseq[0]));
        c->ndseq = n;
    }
    return &c->by_dseq[dseq];
}

// In one life each delivery has a number of its own, and first deliveries come in the order of the stream.
static void check_number(struct js_consumer *c, const struct js_delivery *d) {
    struct js_first *f = by_dseq(c, d->dseq);
    sim_check(f->count == 0, "consumer %u.%u: delivery %llu is of %llu and of %llu", c->stream->no, c->no, LL(d->dseq),
              LL(f->seq), LL(d->seq));
    *f = (struct js_first){d->seq, (unsigned)d->count};
    if (d->count != 1 || c->push) return;
    for (uint64_t i = d->dseq; i-- > 0;) {
        const struct js_first *o = &c->by_dseq[i];
        if (o->count != 1) continue;
        sim_check(o->seq < d->seq, "consumer %u.%u: first deliveries %llu, %llu are of %llu, %llu", c->stream->no,
                  c->no, LL(i), LL(d->dseq), LL(o->seq), LL(d->seq));
        break;
    }
    for (uint64_t i = d->dseq + 1; i < c->ndseq; i++) {
        const struct js_first *o = &c->by_dseq[i];
        if (o->count != 1) continue;
        sim_check(o->seq > d->seq, "consumer %u.%u: first deliveries %llu, %llu are of %llu, %llu", c->stream->no,
                  c->no, LL(d->dseq), LL(i), LL(d->seq), LL(o->seq));
        break;
    }
}

static void check_count(const struct js_consumer *c, const struct js_seen *seen, const struct js_delivery *d) {
    unsigned life = c->stream->m->life;
    bool again = d->count < 64 && (seen->counts >> d->count & 1);
    sim_check(d->count > 0, "consumer %u.%u: %llu is delivered for the 0th time", c->stream->no, c->no, LL(d->seq));
    if (c->max_deliver > 0) {
        sim_check(d->count <= (uint64_t)c->max_deliver, "consumer %u.%u: %llu is delivered for the %lluth time",
                  c->stream->no, c->no, LL(d->seq), LL(d->count));
        sim_check(!again || d->count == 1, "consumer %u.%u: %llu is delivered for the %lluth time again",
                  c->stream->no, c->no, LL(d->seq), LL(d->count));
    }
    bool twice = seen->life == life && d->count < 64 && (seen->lately >> d->count & 1);
    sim_check(!twice || c->push, "consumer %u.%u: %llu is delivered twice for the %lluth time",
              c->stream->no, c->no, LL(d->seq), LL(d->count));
}

void js_received(struct js_consumer *c, const struct js_delivery *d, uint64_t asked) {
    struct js_stream *s = c->stream;
    const struct js_msg *msg = js_at(s, d->seq);
    struct js_seen *seen = js_seen(c, d->seq);
    sim_check(msg && js_matches(c, msg->subject), "consumer %u.%u got what it has not asked for", s->no, c->no);
    sim_check(seen->confirmed == 0 || seen->confirmed > asked,
              "consumer %u.%u: %llu is delivered behind the confirmation that it is done", s->no, c->no, LL(d->seq));
    sim_check(c->paused == 0 || c->paused > asked || sim_now(s->m->sim) >= c->paused_until,
              "consumer %u.%u is paused and delivers", s->no, c->no);
    if (c->since && asked > c->since) check_count(c, seen, d);
    check_number(c, d);
    seen->receipts++;
    if (seen->life != s->m->life) seen->lately = 0;
    if (d->count < 64) seen->counts |= UINT64_C(1) << d->count;
    if (d->count < 64) seen->lately |= UINT64_C(1) << d->count;
    seen->life = s->m->life;
    if (s->m->draining) seen->drained = true;
}

// ---- acknowledgements ----------------------------------------------------------------------------------------------

static void note(struct js_stream *s, uint64_t seq, uint8_t bit) {
    if (seq >= s->nended) {
        size_t n = seq + 64;
        s->ended = mg_realloc(s->ended, n);
        memset(s->ended + s->nended, 0, n - s->nended);
        s->nended = n;
    }
    s->ended[seq] |= bit;
}

void js_ack_sent(struct js_consumer *c, uint64_t seq) {
    uint64_t tick = js_tick(c->stream->m);
    for (uint64_t i = c->ack_all ? 1 : seq; i <= seq; i++) {
        const struct js_msg *msg = js_at(c->stream, i);
        struct js_seen *seen = js_seen(c, i);
        if (msg && !js_matches(c, msg->subject)) continue;
        if (seen->acked == 0) seen->acked = tick;
        note(c->stream, i, 1);
    }
}

void js_ack_confirmed(struct js_consumer *c, uint64_t seq) {
    uint64_t tick = js_tick(c->stream->m);
    // Those that were given up in the meantime are below the floor, and ended one by one.
    for (uint64_t i = c->ack_all && c->max_deliver < 0 ? 1 : seq; i <= seq; i++) {
        const struct js_msg *msg = js_at(c->stream, i);
        struct js_seen *seen = js_seen(c, i);
        if (msg == NULL || !js_matches(c, msg->subject)) continue;
        if (seen->confirmed == 0) seen->confirmed = tick;
        note(c->stream, i, c->memory ? 4 : 2);
    }
}

// Is it sure that c was there when the message came, and is there now?
static bool surely_wants(const struct js_consumer *c, const struct js_msg *msg) {
    return c->phase == JS_PRESENT && c->since && c->since < msg->sent && js_matches(c, msg->subject) && !c->ack_none;
}

bool js_may_be_done(struct js_stream *s, uint64_t seq, unsigned subject) {
    const struct js_msg *msg = js_at(s, seq);
    (void)subject;
    if (s->kind == JS_QUEUE) return seq < s->nended && (s->ended[seq] & 1);
    for (unsigned i = 0; i < JS_CONSUMERS; i++) {
        struct js_consumer *c = &s->consumers[i];
        if (surely_wants(c, msg) && js_seen(c, seq)->acked == 0) return false;
    }
    return true;
}

bool js_must_be_done(struct js_stream *s, uint64_t seq, unsigned subject) {
    if (s->kind == JS_QUEUE) return seq < s->nended && (s->ended[seq] & 6);
    if (s->kind != JS_INTEREST) return false;
    for (unsigned i = 0; i < JS_CONSUMERS; i++) {
        struct js_consumer *c = &s->consumers[i];
        if (c->phase == JS_MAYBE) return false;
        if (c->phase == JS_PRESENT && js_matches(c, subject) && js_seen(c, seq)->confirmed == 0) return false;
    }
    return true;
}

// ---- its state -----------------------------------------------------------------------------------------------------

void js_told(struct js_consumer *c, const struct js_facts *f, uint64_t asked) {
    struct js_stream *s = c->stream;
    if (asked > c->told) {
        sim_check(f->floor >= c->floor && f->floor_dseq >= c->floor_dseq,
                  "consumer %u.%u: its floor goes back from %llu (%llu) to %llu (%llu)", s->no, c->no, LL(c->floor),
                  LL(c->floor_dseq), LL(f->floor), LL(f->floor_dseq));
        sim_check(f->delivered >= c->delivered, "consumer %u.%u: what it has delivered goes back from %llu to %llu",
                  s->no, c->no, LL(c->delivered), LL(f->delivered));
    }
    sim_check(f->floor <= f->delivered, "consumer %u.%u: its floor is %llu, and it has delivered %llu", s->no, c->no,
              LL(f->floor), LL(f->delivered));
    sim_check(c->max_ack_pending == 0 || f->num_ack_pending <= c->max_ack_pending,
              "consumer %u.%u waits for %llu acknowledgements", s->no, c->no, LL(f->num_ack_pending));
    if (f->floor < c->floor || f->delivered < c->delivered) return; // older than what is known
    c->floor = f->floor;
    c->floor_dseq = f->floor_dseq;
    c->delivered = f->delivered;
    c->told = js_tick(s->m);
}

static const char *say(char *why, size_t n, const struct js_consumer *c, uint64_t seq, const char *what, uint64_t v) {
    snprintf(why, n, "consumer %u.%u, %llu %s %llu", c->stream->no, c->no, LL(seq), what, LL(v));
    return why;
}

const char *js_consumer_judge(struct js_consumer *c, const struct js_facts *f, char *why, size_t n) {
    struct js_stream *s = c->stream;
    uint64_t pending = 0, unfinished = 0;
    for (uint64_t seq = 1; seq <= s->last; seq++) {
        const struct js_msg *msg = js_at(s, seq);
        bool there = seq < s->npresent && s->present[seq];
        struct js_seen *seen = js_seen(c, seq);
        if (msg && !js_matches(c, msg->subject)) continue;
        if (there && seq > f->delivered) pending++;
        if (seq <= f->delivered && seen->confirmed == 0) unfinished++;
        bool mine = !c->fresh || (msg && c->since && msg->sent > c->since);
        if (there && mine && seq <= f->floor && seen->acked == 0 && c->max_deliver < 0 && !c->ack_none)
            return say(why, n, c, seq, "was never acknowledged and is below the floor, which is", f->floor);
    }
    // What is known of a consumer that begins later than the stream is less.
    if (pending != f->num_pending) return say(why, n, c, pending, "messages wait for it, and it says", f->num_pending);
    if (f->num_ack_pending > unfinished)
        return say(why, n, c, unfinished, "deliveries at most are open, and it says", f->num_ack_pending);
    return NULL;
}
