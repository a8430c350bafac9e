// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Durable appends of 128 bytes. What the device gives is measured behind each run of them: raw writes of the mean size
// of its commits, and what they would carry is the limit.
#include <stdio.h>

#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

#define RING (64u << 20)

struct sample {
    double rate, cpu_us, limit; // a second; each; appends a second that raw writes of the same size would carry
};

static struct sample sample(struct load *l, uint64_t messages) {
    struct rig *r = l->rig;
    struct mg_journal_state before, after;
    mg_journal_state(r->store->journal, &before);
    double cpu = cpu_seconds();
    uint64_t began = mg_loop_clock(r->loop);
    l->total = l->sent + messages;
    rig_run(r, load_step, l);
    double seconds = (double)(mg_loop_clock(r->loop) - began) / 1e9;
    cpu = cpu_seconds() - cpu;
    mg_journal_state(r->store->journal, &after);
    double n = (double)messages, bytes = (double)(after.page_bytes - before.page_bytes);
    double commit = bytes / (double)(after.commits - before.commits);
    double raw = raw_write_us(r, (size_t)commit, 101);
    return (struct sample){.rate = n / seconds, .cpu_us = cpu / n * 1e6, .limit = commit / raw * 1e6 / (bytes / n)};
}

// On a filled store: before the laps that count it has got as much as sixteen of them hold, so the ring is made,
// checkpoints come as they always will and merges go on. The laps are one run from the first append to the last answer:
// nothing is left out, and at its end the store owes no more than what the ring may hold. Raw writes stand before and
// behind it.
void row_append(const struct bench *b) {
    struct rig r;
    struct load l;
    const uint64_t lap = RING / 208, laps = b->quick ? 4 : 20;
    rig_open(&r, b->dir, RING);
    load_init(&l, &r, 1, 0, NULL);
    double limit = sample(&l, (b->quick ? 4 : 16) * lap).limit;
    struct sample s = sample(&l, laps * lap);
    figure("append_rate", s.rate, "/s");
    figure("append_cpu", s.cpu_us, "us");
    figure("append_of_raw", s.rate / ((limit + s.limit) / 2), "x");
    load_fini(&l);
    rig_close(&r);
}

// The same store for all, so that they share the day's weather; each piece is longer than a lap.
static void compare(const struct bench *b, const unsigned *streams, const unsigned *subjects, unsigned n,
                    const char *const *names) {
    struct rig r;
    struct load loads[4];
    unsigned rounds = b->quick ? 3 : 7;
    double rate[4][7], cpu[4][7], rate_to_first[7];
    rig_open(&r, b->dir, RING);
    for (unsigned i = 0, first = 0; i < n; first += streams[i++]) {
        load_init(&loads[i], &r, streams[i], first, NULL);
        loads[i].subjects = subjects[i];
        sample(&loads[i], RING / 208);
    }
    for (unsigned k = 0; k < rounds; k++) {
        for (unsigned i = 0; i < n; i++) {
            struct sample s = sample(&loads[i], (b->quick ? 1 : 3) * RING / 208);
            rate[i][k] = s.rate;
            cpu[i][k] = s.cpu_us;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        char name[64];
        for (unsigned k = 0; k < rounds; k++) rate_to_first[k] = i ? rate[i][k] / rate[0][k] : 1;
        snprintf(name, sizeof(name), "%s_to_one", names[i]);
        if (i) figure(name, median(rate_to_first, rounds), "x");
        snprintf(name, sizeof(name), "%s_cpu", names[i]);
        figure(name, median(cpu[i], rounds), "us");
    }
    for (unsigned i = 0; i < n; i++) load_fini(&loads[i]);
    rig_close(&r);
}

void row_streams(const struct bench *b) {
    compare(b, (const unsigned[]){1, 64, 10000}, (const unsigned[]){1, 1, 1}, 3,
            (const char *const[]){"streams_1", "streams_64", "streams_10000"});
}

void row_subjects(const struct bench *b) {
    compare(b, (const unsigned[]){1, 1, 1}, (const unsigned[]){1, 100000, 10000000}, 3,
            (const char *const[]){"subjects_1", "subjects_100000", "subjects_10000000"});
}

void row_one(const struct bench *b) {
    struct rig r;
    struct load l;
    unsigned rounds = b->quick ? 5 : 21;
    double ratio[21], us[21];
    rig_open(&r, b->dir, RING);
    load_init(&l, &r, 1, 0, NULL);
    for (uint64_t laps = 0; laps < 2; laps++) sample(&l, RING / 208); // the ring is made
    l.in_flight = 1;
    for (unsigned i = 0; i < rounds; i++) {
        struct hist *h = mg_zalloc(sizeof(*h));
        double raw = raw_write_us(&r, 4096, 301);
        l.latency = h;
        l.total = l.sent + 300;
        rig_run(&r, load_step, &l);
        double raw_after = raw_write_us(&r, 4096, 301);
        us[i] = hist_us(h, 0.5);
        ratio[i] = us[i] / ((raw + raw_after) / 2);
        mg_free(h);
    }
    figure("one_latency", median(us, rounds), "us");
    figure("one_of_raw", median(ratio, rounds), "x");
    load_fini(&l);
    rig_close(&r);
}
