// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How steady commits are: one append in flight again and again (each is a commit), alone and while the store is busy
// with checkpoints, compaction and cold readers. Raw writes of a page, one after the other, take the place of the
// appends in two more scenes: what they suffer beside the same load is the limit.
//
// The tails are the first to feel what others do on the machine. So the scenes are played in many short rounds, and the
// half of the rounds counts in which others did the least (not: those with the best figures).
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

#define RING (64u << 20)
#define READERS 20
#define A_TURN 64 // messages that a reader takes in one turn, as a consumer would
#define READ_RATE 1000000 // a second, all readers together: somebody takes them
#define ROUNDS 20

struct reader {
    struct mg_stream *stream;
    struct mg_read read;
    bool waits;
    uint64_t got, end, most; // most: that it may have got by now
};

struct scene {
    struct load probe, bulk;
    struct mg_stream *old; // what readers read
    struct reader readers[READERS];
    unsigned nreaders;
    uint64_t began, until;
    bool silent; // no probes
};

struct round {
    struct hist quiet, busy, raw_quiet, raw_busy, turns;
    double cpu, mb; // what others took: share of the CPUs, MB a second of the device
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
    if (!s->silent) load_push(&s->probe);
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
    if (now < s->until && s->probe.rig->wake_at > s->until) s->probe.rig->wake_at = s->until;
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

// Raw writes on a thread of its own, as the committer is.
struct raw_probe {
    struct rig *rig;
    struct hist *hist;
    atomic_bool over;
};

static void raw_main(void *arg) {
    struct raw_probe *x = arg;
    struct raw w;
    mg_thread_prompt();
    raw_open(&w, x->rig, 4096);
    while (!atomic_load(&x->over)) hist_add(x->hist, raw_write(&w));
    raw_close(&w);
}

static void play_raw(struct scene *s, struct rig *r, double seconds, struct hist *h) {
    struct raw_probe x = {.rig = r, .hist = h};
    struct mg_thread *t;
    s->silent = true;
    mg_assert(mg_thread_start(&t, "raw", raw_main, &x) == 0);
    play(s, r, seconds, NULL);
    atomic_store(&x.over, true);
    mg_thread_join(t);
    s->silent = false;
}

// The same load twice: beside appends and beside raw writes.
static uint64_t play_busy(struct scene *s, struct rig *r, unsigned readers, double seconds, struct round *x) {
    uint64_t got = 0;
    for (int raw = 0; raw <= 1; raw++) {
        rig_forget(r->dir);
        add_readers(s, s->old, readers);
        r->turns = &x->turns;
        if (raw) play_raw(s, r, seconds, &x->raw_busy);
        else play(s, r, seconds, &x->busy);
        r->turns = NULL;
        got += end_readers(s);
    }
    return got;
}

static void play_round(struct scene *s, struct rig *r, unsigned readers, double seconds, struct round *x) {
    struct rig *bulk = s->bulk.rig;
    struct weather w = weather_now(r->dir);
    s->bulk.rig = NULL;
    rest(s, r, seconds);
    play(s, r, seconds, &x->quiet);
    play_raw(s, r, seconds / 2, &x->raw_quiet);
    s->bulk.rig = bulk;
    uint64_t got = play_busy(s, r, readers, seconds, x);
    weather_since(&w, r->dir, &x->cpu, &x->mb);
    fprintf(stderr, "others %.0f %%, %.0f MB/s; p99.9 %.0f us quiet, %.0f busy, raw %.0f and %.0f; %.1f M read\n",
            x->cpu * 100, x->mb, hist_us(&x->quiet, 0.999), hist_us(&x->busy, 0.999), hist_us(&x->raw_quiet, 0.999),
            hist_us(&x->raw_busy, 0.999), (double)got / 1e6);
}

// The device is as busy with some 500 MB/s as a CPU is with one thread.
static double trouble(const struct round *x) { return x->cpu + x->mb / 500; }

static int by_trouble(const void *a, const void *b) {
    double x = trouble(a), y = trouble(b);
    return (x > y) - (x < y);
}

static void figure_of(const char *row, const char *name, double value, const char *unit) {
    char text[64];
    snprintf(text, sizeof(text), "%s_%s", row, name);
    figure(text, value, unit);
}

static void sum_up(const char *row, struct round *rounds, unsigned n, double quantile) {
    struct round *all = mg_zalloc(sizeof(*all));
    double cpu = 0, mb = 0;
    qsort(rounds, n, sizeof(*rounds), by_trouble);
    n = (n + 1) / 2;
    for (unsigned i = 0; i < n; i++) {
        hist_merge(&all->quiet, &rounds[i].quiet);
        hist_merge(&all->busy, &rounds[i].busy);
        hist_merge(&all->raw_quiet, &rounds[i].raw_quiet);
        hist_merge(&all->raw_busy, &rounds[i].raw_busy);
        hist_merge(&all->turns, &rounds[i].turns);
        cpu += rounds[i].cpu / n;
        mb += rounds[i].mb / n;
    }
    double median = hist_us(&all->quiet, 0.5), busy = hist_us(&all->busy, quantile);
    figure_of(row, "quiet_median", median, "us");
    figure_of(row, "quiet_tail", hist_us(&all->quiet, quantile), "us");
    figure_of(row, "raw_quiet_tail", hist_us(&all->raw_quiet, quantile), "us");
    figure_of(row, "busy_median", hist_us(&all->busy, 0.5), "us");
    figure_of(row, "busy_tail", busy, "us");
    figure_of(row, "raw_busy_tail", hist_us(&all->raw_busy, quantile), "us");
    figure_of(row, "turn_tail", hist_us(&all->turns, 0.999), "us");
    figure_of(row, "turn_worst", hist_us(&all->turns, 1 - 1e-9), "us");
    figure_of(row, "to_median", busy / median, "x");
    figure_of(row, "to_quiet", busy / hist_us(&all->quiet, quantile), "x");
    figure_of(row, "to_raw", busy / hist_us(&all->raw_busy, quantile), "x");
    figure_of(row, "others_cpu", cpu * 100, "%");
    figure_of(row, "others_device", mb, "MB/s");
    mg_free(all);
}

static void scenes(const struct bench *b, const char *row, bool bulk, unsigned readers, double quantile) {
    struct rig r;
    struct scene s = {.nreaders = 0};
    struct load old;
    unsigned rounds = b->quick ? 4 : ROUNDS;
    struct round *all = mg_zalloc(rounds * sizeof(*all));
    rig_open(&r, b->dir, RING);
    load_init(&s.probe, &r, 1, 0, NULL);
    s.probe.in_flight = 1;
    load_init(&old, &r, 1, 1, NULL);
    fill(&r, &old, b->quick ? 3 : 8);
    s.old = old.streams[0];
    if (bulk) {
        load_init(&s.bulk, &r, 4, 2, &(struct mg_stream_limits){.max_msgs_per_subject = 1});
        s.bulk.subjects = 20000;
        s.bulk.random = true;
        s.bulk.rate = 150000;
    }
    for (unsigned i = 0; i < rounds; i++) play_round(&s, &r, readers, b->quick ? 0.7 : 1.5, &all[i]);
    sum_up(row, all, rounds, quantile);
    mg_free(all);
    if (bulk) load_fini(&s.bulk);
    load_fini(&old);
    load_fini(&s.probe);
    rig_close(&r);
}

void row_calm(const struct bench *b) { scenes(b, "calm", true, 1, 0.999); }

void row_readers(const struct bench *b) { scenes(b, "readers", false, READERS, 0.99); }
