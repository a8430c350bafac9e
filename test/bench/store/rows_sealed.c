// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Checkpoints of a store with very many streams that have all changed: what the shard's turns cost on the CPU while
// they are sealed, while the new files are taken in, and then what compaction has made of these. All streams are
// purged: each gives up a stretch. And one stream with half a million messages in memory is purged.
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"
#include "test/bench/store/watch.h"

struct sealed {
    struct rig r;
    struct load l;
    struct hist turns, turns_cpu;
    uint64_t purged;
};

static void answered(struct load *l, const struct mg_result *res) {
    struct sealed *b = mg_container_of(l, struct sealed, l);
    b->purged += res->ctx == b;
}

static enum rig_step purge_step(void *arg) {
    struct sealed *b = arg;
    return b->purged == b->l.nstreams ? RIG_DONE : RIG_WAIT;
}

static enum rig_step rest_step(void *arg) {
    struct sealed *b = arg;
    b->r.wake_at = mg_loop_clock(b->r.loop) + 10000000;
    return mg_store_status(b->r.store).resting ? RIG_DONE : RIG_WAIT;
}

static void say(struct sealed *b, const char *name, const char *what) {
    char figure_name[64];
    snprintf(figure_name, sizeof(figure_name), "%s_%s", name, what);
    figure(figure_name, hist_max_us(&b->turns_cpu), "us");
    b->turns_cpu = b->turns = (struct hist){.count = 0};
}

static void clear(const struct bench *o) {
    struct sealed *b = mg_zalloc(sizeof(*b));
    rig_open(&b->r, o->dir, 256u << 20);
    load_init(&b->l, &b->r, 1, 0, NULL);
    b->l.total = 500000;
    rig_run(&b->r, load_step, &b->l);
    b->r.turns = &b->turns;
    b->r.turns_cpu = &b->turns_cpu;
    b->r.watch = watch_new(400000);
    b->l.done = answered;
    watch_begin(b->r.watch); // it is decided at once
    mg_assert(mg_stream_purge(b->l.streams[0], (mg_slice){NULL, 0}, 0, 0, b) == 0);
    hist_add(&b->turns_cpu, watch_end(b->r.watch));
    rig_run(&b->r, purge_step, b);
    say(b, "sealed", "cleared");
    watch_free(b->r.watch);
    load_fini(&b->l);
    rig_close(&b->r);
    rig_remove(o->dir);
    mg_free(b);
}

static void checkpoints(const struct bench *o, unsigned streams, const char *name) {
    struct sealed *b = mg_zalloc(sizeof(*b));
    rig_open(&b->r, o->dir, 256u << 20);
    load_init(&b->l, &b->r, streams, 0, NULL);
    rig_checkpoint(&b->r);
    b->r.turns = &b->turns;
    b->r.turns_cpu = &b->turns_cpu;
    b->r.watch = watch_new(400000);
    for (unsigned k = 0; k < 3; k++) {
        b->l.total += 2 * streams;
        rig_run(&b->r, load_step, &b->l);
        if (k == 2) say(b, name, "published");
        rig_checkpoint(&b->r);
    }
    say(b, name, "sealed");
    rig_run(&b->r, rest_step, b);
    say(b, name, "compacted");
    b->l.done = answered;
    for (unsigned i = 0; i < streams; i++)
        mg_assert(mg_stream_purge(b->l.streams[i], (mg_slice){NULL, 0}, 0, 0, b) == 0);
    rig_run(&b->r, purge_step, b);
    say(b, name, "purged");
    rig_checkpoint(&b->r);
    say(b, name, "dropped");
    watch_say(b->r.watch);
    watch_free(b->r.watch);
    load_fini(&b->l);
    rig_close(&b->r);
    rig_remove(o->dir);
    mg_free(b);
}

void row_sealed(const struct bench *o) {
    clear(o);
    checkpoints(o, 10000, "sealed_10000");
    checkpoints(o, 100000, "sealed_100000");
}
