// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Payloads of 1 MB, as extents and through the ring of the journal, in turn in the same store; and what a small append
// waits for beside them.
#include <stdio.h>

#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

#define RING (64u << 20)
#define LARGE (1u << 20)

struct scene {
    struct load probe, bulk;
};

// Until the bulk is done; small ones go on for as long.
static enum rig_step step(void *arg) {
    struct scene *s = arg;
    load_push(&s->bulk);
    if (s->bulk.answered < s->bulk.total) load_push(&s->probe);
    bool idle = s->bulk.answered == s->bulk.total && s->probe.answered == s->probe.sent;
    return idle ? RIG_DONE : RIG_WAIT;
}

struct piece {
    double mb_s, cpu_us;
};

static struct piece run(struct rig *r, struct scene *s, bool extents, unsigned messages, struct hist *probe) {
    r->store->extent_min = extents ? 256u << 10 : UINT32_MAX;
    s->probe.latency = probe;
    s->probe.in_flight = probe ? 1 : 0;
    s->bulk.total = s->bulk.sent + messages;
    double cpu = cpu_seconds();
    uint64_t began = mg_loop_clock(r->loop);
    rig_run(r, step, s);
    double seconds = (double)(mg_loop_clock(r->loop) - began) / 1e9;
    return (struct piece){.mb_s = messages * (LARGE / 1048576.0) / seconds,
                          .cpu_us = (cpu_seconds() - cpu) / messages * 1e6};
}

static void say(const char *name, bool extents, double value, const char *unit) {
    char text[64];
    snprintf(text, sizeof(text), "%s%s", name, extents ? "" : "_ring");
    figure(text, value, unit);
}

void row_large(const struct bench *b) {
    enum { ROUNDS = 7 };
    const unsigned rounds = b->quick ? 3 : ROUNDS, messages = b->quick ? 200 : 600;
    struct mg_stream_limits limits = {.max_msgs = 200};
    struct rig r;
    struct scene s;
    double rate[2][ROUNDS], cpu[2][ROUNDS], ratio[ROUNDS], p50[2][ROUNDS], p99[2][ROUNDS];
    rig_open(&r, b->dir, RING);
    load_init(&s.bulk, &r, 1, 0, &limits);
    load_init(&s.probe, &r, 1, 1, &limits);
    s.bulk.size = LARGE;
    s.bulk.in_flight = 16;
    for (int extents = 0; extents < 2; extents++) run(&r, &s, extents, 200, NULL); // files are made
    for (unsigned k = 0; k < rounds; k++) {
        for (int extents = 0; extents < 2; extents++) {
            struct piece p = run(&r, &s, extents, messages, NULL);
            rate[extents][k] = p.mb_s;
            cpu[extents][k] = p.cpu_us;
            struct hist *h = mg_zalloc(sizeof(*h));
            run(&r, &s, extents, messages / 2, h);
            p50[extents][k] = hist_us(h, 0.5);
            p99[extents][k] = hist_us(h, 0.99);
            mg_free(h);
        }
        ratio[k] = rate[1][k] / rate[0][k];
    }
    figure("large_to_ring", median(ratio, rounds), "x");
    for (int extents = 1; extents >= 0; extents--) {
        say("large_rate", extents, median(rate[extents], rounds), "MB/s");
        say("large_cpu", extents, median(cpu[extents], rounds), "us");
        say("large_small_median", extents, median(p50[extents], rounds), "us");
        say("large_small_p99", extents, median(p99[extents], rounds), "us");
    }
    double raw = raw_write_us(&r, LARGE, 101);
    figure("large_raw", 1e6 / raw, "MB/s");
    load_fini(&s.bulk);
    load_fini(&s.probe);
    rig_close(&r);
}
