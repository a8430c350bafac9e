// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What would take long if it were done in one go: the longest turn of the shard, on the CPU, while a large publish
// evicts tens of thousands of small messages, and while checkpoints, purges and a deletion go over a stream that has
// very many stretches, as one of some terabytes has.
#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/shard/mbuf.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"
#include "test/bench/store/watch.h"

#define SMALL 200000u
#define EVICTED 22500u

struct slices {
    struct rig r;
    struct load l;
    struct hist turns, turns_cpu;
    bool over;
};

static void answered(struct load *l, const struct mg_result *res) {
    struct slices *b = mg_container_of(l, struct slices, l);
    b->over |= res->ctx == b;
}

static enum rig_step over_step(void *arg) { return ((struct slices *)arg)->over ? RIG_DONE : RIG_WAIT; }

static struct slices *begin(const struct bench *o, uint32_t section, unsigned streams,
                            const struct mg_stream_limits *limits) {
    struct slices *b = mg_zalloc(sizeof(*b));
    rig_open_sections(&b->r, o->dir, UINT64_C(512) << 20, section);
    load_init(&b->l, &b->r, streams, 0, limits);
    b->l.size = 1;
    b->l.done = answered;
    b->l.in_flight = 10000;
    return b;
}

static void watch(struct slices *b) {
    b->r.turns = &b->turns;
    b->r.turns_cpu = &b->turns_cpu;
    b->r.watch = watch_new(400000);
}

static void say(struct slices *b, const char *name) {
    figure(name, hist_max_us(&b->turns_cpu), "us");
    b->turns_cpu = b->turns = (struct hist){.count = 0};
}

// Around what is asked for: it may be done at once.
static void ask(struct slices *b) {
    b->over = false;
    watch_begin(b->r.watch);
}
static void wait(struct slices *b) {
    hist_add(&b->turns_cpu, watch_end(b->r.watch));
    rig_run(&b->r, over_step, b);
}

static void end(struct slices *b, const struct bench *o) {
    watch_say(b->r.watch);
    watch_free(b->r.watch);
    b->r.watch = NULL;
    load_fini(&b->l);
    rig_close(&b->r);
    rig_remove(o->dir);
    mg_free(b);
}

static void evict_with(struct slices *b, const char *name) {
    const struct mg_stream *s = b->l.streams[0];
    struct mg_mbuf *large = mg_mbuf_new(EVICTED * mg_stream_size_of(s, 8, 0, 1) - mg_stream_size_of(s, 8, 0, 0));
    memset(large->data, 'x', large->cap);
    struct mg_append a = {.subject = MG_S("orders.0"), .payload = {large->data, large->cap}, .mbuf = large,
                          .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
    watch(b);
    ask(b);
    mg_assert(mg_stream_append(b->l.streams[0], &a, b) == 0);
    mg_mbuf_unref(large);
    wait(b);
    mg_assert(mg_stream_messages(s) == SMALL - EVICTED + 1);
    say(b, name);
}

static void evict(const struct bench *o, bool cold, const char *name) {
    const struct mg_stream_limits limits = {.max_bytes = SMALL * (30 + 8 + 1)};
    struct slices *b = begin(o, 0, 1, &limits);
    b->l.total = SMALL;
    rig_run(&b->r, load_step, &b->l);
    if (cold) rig_checkpoint(&b->r);
    evict_with(b, name);
    end(b, o);
}

static void checkpoint(struct slices *b, const char *name) {
    b->l.total++;
    rig_run(&b->r, load_step, &b->l);
    rig_checkpoint(&b->r);
    say(b, name);
}

static void purge(struct slices *b, unsigned stream, mg_slice filter, const char *name) {
    ask(b);
    mg_assert(mg_stream_purge(b->l.streams[stream], filter, 0, 0, b) == 0);
    wait(b);
    say(b, name);
}

static enum rig_step begun_step(void *arg) {
    const struct slices *b = arg;
    const struct mg_stream *s = b->l.streams[1];
    return s->part->seal && s->sealed_in != s->part->generation ? RIG_DONE : RIG_WAIT;
}

// While a checkpoint is about to look at what has changed in each of its stretches.
static void delete(struct slices *b, const char *name) {
    mg_store_press(b->r.store);
    rig_run(&b->r, begun_step, b);
    ask(b);
    mg_assert(mg_stream_delete(b->l.streams[1], b) == 0);
    mg_stream_set_ops(b->l.streams[0], NULL, NULL);
    wait(b);
    b->l.nstreams = 0;
    rig_checkpoint(&b->r);
    say(b, name);
}

static void stretches(const struct bench *o) {
    struct slices *b = begin(o, 10, 2, NULL);
    b->l.subjects = 10;
    b->l.total = o->quick ? 400000 : 2000000;
    rig_run(&b->r, load_step, &b->l);
    watch(b);
    rig_checkpoint(&b->r);
    say(b, "slices_written");
    checkpoint(b, "slices_sealed");
    purge(b, 0, MG_S("orders.7"), "slices_removed");
    checkpoint(b, "slices_removed_sealed");
    purge(b, 0, (mg_slice){NULL, 0}, "slices_purged");
    checkpoint(b, "slices_purged_sealed");
    purge(b, 1, MG_S("orders.7"), "slices_removed_too");
    delete(b, "slices_deleted");
    end(b, o);
}

// All of it is in memory.
static void delete_hot(const struct bench *o) {
    struct slices *b = begin(o, 0, 2, NULL);
    b->l.total = o->quick ? 400000 : 2000000;
    rig_run(&b->r, load_step, &b->l);
    watch(b);
    ask(b);
    mg_assert(mg_stream_delete(b->l.streams[1], b) == 0);
    wait(b);
    b->l.nstreams = 1;
    rig_checkpoint(&b->r);
    say(b, "slices_deleted_hot");
    end(b, o);
}

// Takes the place of the load's only stream.
static struct slices *begin_in_memory(const struct bench *o, const struct mg_stream_limits *limits) {
    struct slices *b = begin(o, 0, 1, NULL);
    struct mg_stream **s = &b->l.streams[0];
    const struct mg_stream_ops *ops = (*s)->ops;
    mg_assert(mg_stream_create(b->r.part, MG_S("memory"), MG_S(""), MG_STORAGE_MEMORY, limits, 0, s, NULL) == 0);
    mg_stream_set_ops(*s, ops, &b->l);
    return b;
}

static void fill(struct slices *b, uint64_t more, size_t size, unsigned subjects) {
    b->l.total += more;
    b->l.size = size;
    b->l.subjects = subjects;
    rig_run(&b->r, load_step, &b->l);
}

// What memory streams let go of is freed, and that takes long if it is much.
static void memory(const struct bench *o) {
    struct slices *b = begin_in_memory(o, &(struct mg_stream_limits){.max_bytes = SMALL * (16 + 8 + 1)});
    fill(b, SMALL, 1, 1);
    evict_with(b, "slices_memory_evicted");
    end(b, o);
    b = begin_in_memory(o, &(struct mg_stream_limits){.max_msgs = 0});
    watch(b);
    fill(b, 200, 400000, 1);
    b->turns_cpu = (struct hist){.count = 0};
    purge(b, 0, (mg_slice){NULL, 0}, "slices_memory_large");
    fill(b, 1000000, 100, 200000);
    b->turns_cpu = (struct hist){.count = 0};
    purge(b, 0, MG_S("orders.1"), "slices_memory_removed");
    ask(b);
    mg_assert(mg_stream_configure(b->l.streams[0], MG_S(""), &(struct mg_stream_limits){.max_msgs = 500000}, b) == 0);
    wait(b);
    say(b, "slices_memory_limited");
    purge(b, 0, (mg_slice){NULL, 0}, "slices_memory_purged");
    fill(b, 1000000, 100, 200000);
    b->turns_cpu = (struct hist){.count = 0};
    ask(b);
    mg_assert(mg_stream_delete(b->l.streams[0], b) == 0);
    wait(b);
    b->l.nstreams = 0;
    rig_checkpoint(&b->r);
    say(b, "slices_memory_deleted");
    end(b, o);
}

static enum rig_step gone_step(void *arg) {
    struct slices *b = arg;
    b->r.wake_at = mg_loop_clock(b->r.loop) + 1000000;
    for (unsigned i = 0; i < b->l.nstreams; i++) {
        if (mg_stream_messages(b->l.streams[i])) return RIG_WAIT;
    }
    return RIG_DONE;
}

// Very many streams whose messages become too old at the same time.
static void age(const struct bench *o) {
    const struct mg_stream_limits limits = {.max_age = UINT64_C(2000000000)};
    struct slices *b = begin(o, 0, o->quick ? 1000 : 10000, &limits);
    b->l.total = b->l.nstreams * 20u;
    rig_run(&b->r, load_step, &b->l);
    watch(b);
    rig_run(&b->r, gone_step, b);
    say(b, "slices_aged");
    end(b, o);
}

void row_slices(const struct bench *o) {
    evict(o, false, "slices_evicted_here");
    evict(o, true, "slices_evicted_cold");
    stretches(o);
    delete_hot(o);
    memory(o);
    age(o);
}
