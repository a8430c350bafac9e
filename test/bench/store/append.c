// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Durable appends through the store's C interface: one part on its own loop, so many in flight, over so many streams.
//
//     store-append DIR [messages] [in flight] [streams] [payload] [subjects a stream]
//
// Prints appends a second, CPU a message (all threads), and the latency of one append from call to result.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "jetstream/store/store.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/timer.h"
#include "server/shard/loop.h"

struct run {
    struct mg_loop *loop;
    struct mg_wheel wheel;
    struct mg_store_part *part;
    struct mg_stream **streams;
    unsigned nstreams, subjects;
    uint64_t total, sent, done, failed, in_flight, most;
    char *payload;
    size_t size;
    bool created;
    uint64_t began, ended;
};

static void result(void *app, const struct mg_result *r) {
    struct run *run = app;
    if (r->ctx == NULL) return;
    run->done++;
    run->in_flight--;
    if (r->err) run->failed++;
}

static const struct mg_stream_ops ops = {.result = result};

static void publish(struct run *run) {
    char subject[64];
    while (run->in_flight < run->most && run->sent < run->total) {
        unsigned n = (unsigned)(run->sent % run->nstreams);
        int len = snprintf(subject, sizeof(subject), "orders.%u.%u", n,
                           (unsigned)(run->sent / run->nstreams % run->subjects));
        struct mg_append a = {.subject = {subject, (size_t)len}, .payload = {run->payload, run->size},
                              .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
        int err = mg_stream_append(run->streams[n], &a, run);
        mg_assert(err == 0);
        run->sent++;
        run->in_flight++;
    }
}

static bool before_poll(void *arg) {
    struct run *run = arg;
    bool more = mg_store_part_turn(run->part);
    if (run->done < run->total) {
        publish(run);
        more |= mg_store_part_turn(run->part);
    }
    if (run->done == run->total && run->ended == 0) run->ended = mg_loop_clock(run->loop);
    if (run->ended && mg_store_part_stop(run->part)) mg_loop_stop(run->loop);
    mg_loop_set_timer(run->loop, run->ended ? mg_loop_clock(run->loop) + 1000000 : mg_wheel_next(&run->wheel));
    return more;
}

static void timer(void *arg) {
    struct run *run = arg;
    mg_wheel_advance(&run->wheel, mg_loop_now(run->loop));
}

static void say(void *arg, int level, const char *text) {
    (void)arg;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t arg_or(int argc, char **argv, int i, uint64_t value) {
    return argc > i ? strtoull(argv[i], NULL, 10) : value;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return fprintf(stderr, "usage: %s DIR [messages] [in flight] [streams] [size] [subjects]\n", argv[0]), 2;
    struct run run = {.total = arg_or(argc, argv, 2, 1000000), .most = arg_or(argc, argv, 3, 1000)};
    run.nstreams = (unsigned)arg_or(argc, argv, 4, 1);
    run.size = arg_or(argc, argv, 5, 128);
    run.subjects = (unsigned)arg_or(argc, argv, 6, 1);
    run.payload = mg_zalloc(run.size + 1);
    struct mg_store *st;
    char err[256];
    struct mg_store_options o = {.dir = argv[1], .parts = 1, .log = say};
    if (mg_store_open(&st, &o, err, sizeof(err)) != 0) return fprintf(stderr, "%s\n", err), 1;
    struct mg_store_status status = mg_store_status(st);
    fprintf(stderr, "recovered %llu streams, %llu messages, %llu records in %u ms; %s\n",
            (unsigned long long)status.streams, (unsigned long long)status.messages,
            (unsigned long long)status.records_replayed, status.recovery_ms, status.sync_method);
    struct mg_loop_hooks hooks = {.arg = &run, .before_poll = before_poll, .timer = timer};
    mg_assert(mg_loop_new(&run.loop, &hooks) == 0);
    mg_wheel_init(&run.wheel, mg_loop_clock(run.loop));
    run.part = mg_store_part(st, 0);
    mg_store_part_start(run.part, run.loop, &run.wheel);
    run.streams = mg_zalloc(run.nstreams * sizeof(run.streams[0]));
    for (unsigned i = 0; i < run.nstreams; i++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "S%u", i);
        struct mg_stream_limits limits = {0};
        mg_slice slice = {name, (size_t)n};
        run.streams[i] = mg_stream_find(run.part, slice);
        if (run.streams[i] == NULL)
            mg_assert(mg_stream_create(run.part, slice, (mg_slice){"{}", 2}, MG_STORAGE_FILE, &limits, 0,
                                       &run.streams[i], NULL) == 0);
        mg_stream_set_ops(run.streams[i], &ops, &run);
    }
    double cpu = cpu_seconds();
    run.began = mg_loop_clock(run.loop);
    mg_loop_run(run.loop);
    cpu = cpu_seconds() - cpu;
    double seconds = (double)(run.ended - run.began) / 1e9;
    printf("%.0f appends/s, %.3f us CPU each, %llu failed\n", (double)run.total / seconds,
           cpu / (double)run.total * 1e6, (unsigned long long)run.failed);
    mg_store_close(st);
    mg_loop_free(run.loop);
    return run.failed ? 1 : 0;
}
