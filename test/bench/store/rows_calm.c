// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How steady commits are: one append in flight again and again (each is a commit), alone and while the store is busy
// with checkpoints, compaction and cold readers. Raw writes of a page, one after the other, take the place of the
// appends in two more scenes: what they suffer beside the same load is the limit.
//
// calm: a busy scene has updates of keys, which make garbage, and a replay that goes as fast as one reader can. It goes
// on until a checkpoint and a compaction have come to their end in it; if they do not within a minute, the row fails.
// readers: a busy scene has twenty readers and nothing else.
//
// The tails are the first to feel what others do on the machine. So the scenes are played in many short rounds, alone
// and busy in turn. All rounds count: a tail is that of all commits of all rounds.
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
// A second, each of the twenty: somebody takes them. All together that is a million of messages, which are 2 Gbit/s on
// the wire (128 bytes, and about as much for subject, reply and frames), more than the network of a machine of two
// cores carries. Readers without a limit would take the shard's whole CPU, as nobody's client does, and it would be
// measured how a CPU is shared; that is shown, too, without a mark.
#define READ_RATE 50000
// Of each of the four streams that are updated, and updates a second: of what a checkpoint has written half is garbage
// when the next one but one comes, not all of it (then there is nothing to copy), so compaction follows them closely.
#define KEYS 50000
#define UPDATE_RATE 150000
#define PATIENCE_NS UINT64_C(60000000000)
#define ROUNDS 20

struct reader {
    struct mg_stream *stream;
    struct mg_read read;
    bool waits;
    uint64_t got, end, most; // most: that it may have got by now
};

// What happened in a scene.
struct tally {
    uint64_t checkpoints, compactions;
    uint64_t read, again; // messages; and those that one of the readers had read already, so the system has them
    double seconds;
};

struct scene {
    struct load probe, bulk;
    struct mg_stream *old; // what readers read
    struct reader readers[READERS];
    unsigned nreaders;
    uint64_t rate; // of each; 0: as fast as it can
    uint64_t began, until;
    bool silent;   // no probes
    bool works;    // not over before a checkpoint and a compaction were
    uint64_t checkpoints, compactions; // when it began
};

struct round {
    struct hist quiet, busy, raw_quiet, raw_busy, turns, busy_free;
    struct tally tally, tally_free; // of `busy` and of `busy_free`
    double cpu, mb;                 // what others took: share of the CPUs, MB a second of the device
};

struct plan {
    const char *row;
    bool bulk;
    unsigned readers;
    uint64_t rate;   // of a reader; 0: as fast as it can
    double quantile; // that counts
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

static void count_work(const struct scene *s, uint64_t *checkpoints, uint64_t *compactions) {
    struct mg_keeper *k = s->probe.rig->store->keeping;
    *checkpoints = atomic_load(&k->checkpoints);
    *compactions = atomic_load(&k->compactions);
}

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

// False: it has to go on.
static bool is_over(const struct scene *s, uint64_t now) {
    uint64_t checkpoints, compactions;
    if (now < s->until) return false;
    if (!s->works) return true;
    count_work(s, &checkpoints, &compactions);
    if (checkpoints > s->checkpoints && compactions > s->compactions) return true;
    if (now > s->until + PATIENCE_NS) fail("a busy scene without a checkpoint or a compaction");
    return false;
}

static enum rig_step scene_step(void *arg) {
    struct scene *s = arg;
    struct rig *r = s->probe.rig;
    if (!s->silent) load_push(&s->probe);
    if (s->bulk.rig) load_push(&s->bulk);
    bool more = false;
    uint64_t now = mg_loop_clock(r->loop);
    for (unsigned i = 0; i < s->nreaders; i++) {
        struct reader *x = &s->readers[i];
        x->most = s->rate ? (uint64_t)((double)(now - s->began) / 1e9 * (double)s->rate) : UINT64_MAX;
        read_on(x);
        more |= !x->waits && x->got < x->most;
    }
    if (r->wake_at > now + 1000000) r->wake_at = now + 1000000;
    if (!is_over(s, now)) return more ? RIG_MORE : RIG_WAIT;
    bool idle = s->probe.sent == s->probe.answered && (s->bulk.rig == NULL || s->bulk.sent == s->bulk.answered);
    s->probe.total = s->probe.sent;
    s->bulk.total = s->bulk.sent;
    return idle ? RIG_DONE : RIG_WAIT;
}

static struct tally play(struct scene *s, struct rig *r, double seconds, struct hist *h) {
    struct tally t;
    s->probe.total = s->bulk.total = 0;
    s->probe.latency = h;
    s->bulk.began = 0;
    s->bulk.sent = s->bulk.answered = 0;
    s->works = s->bulk.rig != NULL;
    count_work(s, &s->checkpoints, &s->compactions);
    s->began = mg_loop_clock(r->loop);
    s->until = s->began + (uint64_t)(seconds * 1e9);
    rig_run(r, scene_step, s);
    count_work(s, &t.checkpoints, &t.compactions);
    return (struct tally){.checkpoints = t.checkpoints - s->checkpoints, .compactions = t.compactions - s->compactions,
                          .seconds = (double)(mg_loop_clock(r->loop) - s->began) / 1e9};
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

static void end_readers(struct scene *s, struct tally *t) {
    for (unsigned i = 0; i < s->nreaders; i++) {
        struct reader *x = &s->readers[i];
        uint64_t share = x->end / s->nreaders; // up to where the next one began
        mg_stream_read_end(&x->read);
        t->read += x->got;
        t->again += x->got > share ? x->got - share : 0;
    }
    s->nreaders = 0;
}

static enum rig_step rest_step(void *arg) {
    struct scene *s = arg;
    struct rig *r = s->probe.rig;
    uint64_t now = mg_loop_clock(r->loop);
    r->wake_at = now + 10000000;
    if (now > s->until) fail("the store does not come to rest");
    return mg_store_status(r->store).resting ? RIG_DONE : RIG_WAIT;
}

// Compaction goes on behind a busy scene: nothing of it is left when the quiet one begins.
static void rest(struct scene *s, struct rig *r) {
    s->until = mg_loop_clock(r->loop) + PATIENCE_NS;
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

static struct tally play_raw(struct scene *s, struct rig *r, double seconds, struct hist *h) {
    struct raw_probe x = {.rig = r, .hist = h};
    struct mg_thread *t;
    s->silent = true;
    mg_assert(mg_thread_start(&t, "raw", raw_main, &x) == 0);
    struct tally tally = play(s, r, seconds, NULL);
    atomic_store(&x.over, true);
    mg_thread_join(t);
    s->silent = false;
    return tally;
}

static struct tally play_busy(struct scene *s, struct rig *r, const struct plan *p, uint64_t rate, bool raw,
                              double seconds, struct hist *h) {
    rig_forget(r->dir);
    add_readers(s, s->old, p->readers);
    s->rate = rate;
    struct tally t = raw ? play_raw(s, r, seconds, h) : play(s, r, seconds, h);
    end_readers(s, &t);
    if (t.read == 0) fail("a busy scene in which nothing was read");
    return t;
}

// The same load beside appends and beside raw writes.
static void play_round(struct scene *s, struct rig *r, const struct plan *p, double seconds, struct round *x) {
    struct rig *bulk = s->bulk.rig;
    struct weather w = weather_now(r->dir);
    s->bulk.rig = NULL;
    rest(s, r);
    play(s, r, seconds, &x->quiet);
    play_raw(s, r, seconds / 2, &x->raw_quiet);
    s->bulk.rig = bulk;
    r->turns = &x->turns;
    x->tally = play_busy(s, r, p, p->rate, false, seconds, &x->busy);
    play_busy(s, r, p, p->rate, true, seconds, &x->raw_busy);
    r->turns = NULL;
    if (p->rate) x->tally_free = play_busy(s, r, p, 0, false, seconds, &x->busy_free);
    weather_since(&w, r->dir, &x->cpu, &x->mb);
    fprintf(stderr, "others %.0f %%, %.0f MB/s; %.0f and %.0f us quiet, %.0f busy, raw %.0f and %.0f; %.1f s, %.1f M "
            "read, %llu checkpoints, %llu compactions\n", x->cpu * 100, x->mb, hist_us(&x->quiet, 0.5),
            hist_us(&x->quiet, p->quantile), hist_us(&x->busy, p->quantile), hist_us(&x->raw_quiet, p->quantile),
            hist_us(&x->raw_busy, p->quantile), x->tally.seconds, (double)x->tally.read / 1e6,
            (unsigned long long)x->tally.checkpoints, (unsigned long long)x->tally.compactions);
}

static void figure_of(const char *row, const char *name, double value, const char *unit) {
    char text[64];
    snprintf(text, sizeof(text), "%s_%s", row, name);
    figure(text, value, unit);
}

static void merge(struct round *all, const struct round *x) {
    hist_merge(&all->quiet, &x->quiet);
    hist_merge(&all->busy, &x->busy);
    hist_merge(&all->raw_quiet, &x->raw_quiet);
    hist_merge(&all->raw_busy, &x->raw_busy);
    hist_merge(&all->turns, &x->turns);
    hist_merge(&all->busy_free, &x->busy_free);
    all->tally.checkpoints += x->tally.checkpoints;
    all->tally.compactions += x->tally.compactions;
    all->tally.read += x->tally.read;
    all->tally.again += x->tally.again;
    all->tally.seconds += x->tally.seconds;
    all->tally_free.read += x->tally_free.read;
    all->tally_free.seconds += x->tally_free.seconds;
    all->cpu += x->cpu;
    all->mb += x->mb;
}

static void sum_up(const struct plan *p, const struct round *rounds, unsigned n) {
    struct round *all = mg_zalloc(sizeof(*all));
    double tails[ROUNDS];
    for (unsigned i = 0; i < n; i++) {
        merge(all, &rounds[i]);
        tails[i] = hist_us(&rounds[i].busy, p->quantile);
    }
    double middle = hist_us(&all->quiet, 0.5), quiet = hist_us(&all->quiet, p->quantile);
    double busy = hist_us(&all->busy, p->quantile);
    figure_of(p->row, "quiet_median", middle, "us");
    figure_of(p->row, "quiet_tail", quiet, "us");
    figure_of(p->row, "raw_quiet_tail", hist_us(&all->raw_quiet, p->quantile), "us");
    figure_of(p->row, "busy_median", hist_us(&all->busy, 0.5), "us");
    figure_of(p->row, "busy_tail", busy, "us");
    figure_of(p->row, "busy_tail_of_rounds", median(tails, n), "us");
    figure_of(p->row, "raw_busy_tail", hist_us(&all->raw_busy, p->quantile), "us");
    figure_of(p->row, "turn_tail", hist_us(&all->turns, 0.999), "us");
    figure_of(p->row, "to_median", busy / middle, "x");
    figure_of(p->row, "to_quiet", busy / quiet, "x");
    figure_of(p->row, "to_raw", busy / hist_us(&all->raw_busy, p->quantile), "x");
    figure_of(p->row, "seconds", all->tally.seconds, "s");
    figure_of(p->row, "checkpoints", (double)all->tally.checkpoints, "");
    figure_of(p->row, "compactions", (double)all->tally.compactions, "");
    figure_of(p->row, "read", (double)all->tally.read / all->tally.seconds, "/s");
    figure_of(p->row, "read_again", 100 * (double)all->tally.again / (double)all->tally.read, "%");
    if (p->rate) {
        figure_of(p->row, "free_to_quiet", hist_us(&all->busy_free, p->quantile) / quiet, "x");
        figure_of(p->row, "free_read", (double)all->tally_free.read / all->tally_free.seconds, "/s");
    }
    figure_of(p->row, "others_cpu", all->cpu / n * 100, "%");
    figure_of(p->row, "others_device", all->mb / n, "MB/s");
    mg_free(all);
}

// Streams of keys, each of which was updated twice: garbage comes and goes as it will from now on.
static void begin_updates(struct scene *s, struct rig *r) {
    load_init(&s->bulk, r, 4, 2, &(struct mg_stream_limits){.max_msgs_per_subject = 1});
    s->bulk.subjects = KEYS;
    s->bulk.total = 4 * KEYS;
    rig_run(r, load_step, &s->bulk);
    s->bulk.random = true;
    s->bulk.total = 3 * 4 * KEYS;
    rig_run(r, load_step, &s->bulk);
    s->bulk.rate = UPDATE_RATE;
}

static void scenes(const struct bench *b, const struct plan *p) {
    struct rig r;
    struct scene s = {.nreaders = 0};
    struct load old;
    unsigned rounds = b->quick ? 4 : ROUNDS;
    struct round *all = mg_zalloc(rounds * sizeof(*all));
    rig_open(&r, b->dir, RING);
    load_init(&s.probe, &r, 1, 0, NULL);
    s.probe.in_flight = 1;
    load_init(&old, &r, 1, 1, NULL);
    fill(&r, &old, b->quick ? 24 : 48); // as much as a replay takes in a scene
    s.old = old.streams[0];
    if (p->bulk) begin_updates(&s, &r);
    for (unsigned i = 0; i < rounds; i++) play_round(&s, &r, p, b->quick ? 0.7 : 1.5, &all[i]);
    sum_up(p, all, rounds);
    mg_free(all);
    if (p->bulk) load_fini(&s.bulk);
    load_fini(&old);
    load_fini(&s.probe);
    rig_close(&r);
}

void row_calm(const struct bench *b) {
    scenes(b, &(struct plan){.row = "calm", .bulk = true, .readers = 1, .quantile = 0.999});
}

void row_readers(const struct bench *b) {
    scenes(b, &(struct plan){.row = "readers", .readers = READERS, .rate = READ_RATE, .quantile = 0.99});
}
