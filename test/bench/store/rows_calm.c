// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How steady commits are: one append in flight again and again (each is a commit), alone and while the store is busy
// with checkpoints, compaction and cold readers.
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

#define RING (64u << 20)
#define READERS 20
#define A_TURN 64 // messages that a reader takes in one turn, as a consumer would
#define READ_RATE 1000000 // a second, all readers together: somebody takes them

struct reader {
    struct mg_stream *stream;
    struct mg_read read;
    bool waits;
    uint64_t got, end, most; // most: that it may have got by now
};

struct scene {
    struct load probe, bulk;
    struct reader readers[READERS];
    unsigned nreaders;
    uint64_t began, until;
};

static void read_done(struct mg_read *r) {
    struct reader *x = r->user;
    x->waits = false;
    x->read.seq = r->err == MG_ENOTFOUND ? 1 : r->msg.seq + 1;
    x->got += r->err == 0;
}

// Round and round through what is on disk.
static void read_on(struct reader *x) {
    for (unsigned i = 0; i < A_TURN && !x->waits && x->got < x->most; i++) {
        if (x->read.seq >= x->end) x->read.seq = 1;
        int err = mg_stream_read(x->stream, &x->read);
        if (err == MG_EAGAIN) {
            x->waits = true;
        } else {
            read_done(&x->read);
        }
    }
}

static enum rig_step scene_step(void *arg) {
    struct scene *s = arg;
    load_push(&s->probe);
    if (s->bulk.rig) load_push(&s->bulk);
    bool more = false;
    uint64_t now = mg_loop_clock(s->probe.rig->loop);
    for (unsigned i = 0; i < s->nreaders; i++) {
        struct reader *x = &s->readers[i];
        x->most = (uint64_t)((double)(now - s->began) / 1e9 * READ_RATE / s->nreaders);
        read_on(x);
        more |= !x->waits && x->got < x->most;
    }
    if (s->nreaders && s->probe.rig->wake_at > now + 1000000) s->probe.rig->wake_at = now + 1000000;
    if (now < s->until) return more ? RIG_MORE : RIG_WAIT;
    bool idle = s->probe.sent == s->probe.answered && (s->bulk.rig == NULL || s->bulk.sent == s->bulk.answered);
    s->probe.total = s->probe.sent;
    s->bulk.total = s->bulk.sent;
    return idle ? RIG_DONE : RIG_WAIT;
}

static void play(struct scene *s, struct rig *r, double seconds, struct hist *h) {
    s->probe.total = s->bulk.total = 0;
    s->probe.latency = h;
    s->bulk.began = 0;
    s->bulk.sent = s->bulk.answered = 0;
    s->began = mg_loop_clock(r->loop);
    s->until = s->began + (uint64_t)(seconds * 1e9);
    rig_run(r, scene_step, s);
}

static void fill(struct rig *r, struct load *l, unsigned laps) {
    l->total = l->sent + laps * (RING / 208);
    rig_run(r, load_step, l);
    rig_checkpoint(r);
}

static void add_readers(struct scene *s, struct mg_stream *stream, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        struct reader *x = &s->readers[s->nreaders++];
        uint64_t end = stream->last;
        *x = (struct reader){.stream = stream, .end = end,
                             .read = {.kind = MG_READ_NEXT, .sequential = true, .seq = 1 + end * i / n}};
        x->read.user = x;
        x->read.done = read_done;
    }
}

static uint64_t end_readers(struct scene *s) {
    uint64_t got = 0;
    for (unsigned i = 0; i < s->nreaders; i++) {
        mg_stream_read_end(&s->readers[i].read);
        got += s->readers[i].got;
    }
    s->nreaders = 0;
    return got;
}

static enum rig_step rest_step(void *arg) {
    struct scene *s = arg;
    uint64_t now = mg_loop_clock(s->probe.rig->loop);
    s->probe.rig->wake_at = s->until;
    return now < s->until ? RIG_WAIT : RIG_DONE;
}

// Compaction goes on behind a busy scene.
static void rest(struct scene *s, struct rig *r, double seconds) {
    s->until = mg_loop_clock(r->loop) + (uint64_t)(seconds * 1e9);
    rig_run(r, rest_step, s);
}

// Quiet and busy in turn.
static void scenes(const struct bench *b, bool bulk, unsigned readers, struct hist *quiet, struct hist *busy) {
    struct rig r;
    struct scene s = {.nreaders = 0};
    struct load old;
    unsigned rounds = b->quick ? 3 : 10;
    uint64_t got = 0;
    struct hist *turns = mg_zalloc(sizeof(*turns));
    rig_open(&r, b->dir, RING);
    load_init(&s.probe, &r, 1, 0, NULL);
    s.probe.in_flight = 1;
    load_init(&old, &r, 1, 1, NULL);
    fill(&r, &old, b->quick ? 3 : 8);
    if (bulk) {
        load_init(&s.bulk, &r, 4, 2, &(struct mg_stream_limits){.max_msgs_per_subject = 1});
        s.bulk.subjects = 20000;
        s.bulk.random = true;
    }
    struct rig *bulk_rig = s.bulk.rig;
    for (unsigned i = 0; i < rounds; i++) {
        double seconds = b->quick ? 1 : 3;
        s.bulk.rig = NULL;
        rest(&s, &r, 2);
        play(&s, &r, seconds, quiet);
        s.bulk.rig = bulk_rig;
        s.bulk.rate = 150000;
        rig_forget(b->dir);
        add_readers(&s, old.streams[0], readers);
        r.turns = turns;
        play(&s, &r, seconds, busy);
        r.turns = NULL;
        got += end_readers(&s);
    }
    fprintf(stderr, "%llu probes quiet, %llu busy, %llu messages read\n", (unsigned long long)quiet->count,
            (unsigned long long)busy->count, (unsigned long long)got);
    figure(bulk ? "calm_turn_p999" : "readers_turn_p999", hist_us(turns, 0.999), "us");
    figure(bulk ? "calm_turn_worst" : "readers_turn_worst", hist_us(turns, 1 - 1e-9), "us");
    mg_free(turns);
    if (bulk) load_fini(&s.bulk);
    load_fini(&old);
    load_fini(&s.probe);
    rig_close(&r);
}

void row_calm(const struct bench *b) {
    struct hist *quiet = mg_zalloc(sizeof(*quiet)), *busy = mg_zalloc(sizeof(*busy));
    scenes(b, true, 1, quiet, busy);
    figure("calm_quiet_median", hist_us(quiet, 0.5), "us");
    figure("calm_quiet_p999", hist_us(quiet, 0.999), "us");
    figure("calm_busy_median", hist_us(busy, 0.5), "us");
    figure("calm_busy_p999", hist_us(busy, 0.999), "us");
    figure("calm_p999_to_quiet_p999", hist_us(busy, 0.999) / hist_us(quiet, 0.999), "x");
    figure("calm_p999_to_quiet_median", hist_us(busy, 0.999) / hist_us(quiet, 0.5), "x");
    mg_free(quiet);
    mg_free(busy);
}

void row_readers(const struct bench *b) {
    struct hist *quiet = mg_zalloc(sizeof(*quiet)), *busy = mg_zalloc(sizeof(*busy));
    scenes(b, false, READERS, quiet, busy);
    figure("readers_p99_alone", hist_us(quiet, 0.99), "us");
    figure("readers_p99", hist_us(busy, 0.99), "us");
    figure("readers_p99_to_alone", hist_us(busy, 0.99) / hist_us(quiet, 0.99), "x");
    mg_free(quiet);
    mg_free(busy);
}
