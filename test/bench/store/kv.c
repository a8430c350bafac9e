// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The space of a key-value stream: one message a subject is kept, keys are updated at random.
//
//     store-kv DIR [keys] [updates] [payload] [in flight] [updates a second; 0: as fast as it goes]
//
// Fills the keys, then updates; ten times on the way, and at the end when the background work has nothing to do, it
// prints the bytes of segments and tables against the bytes of the stream as its state counts them, and how long
// updates took.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "jetstream/store/store.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/base/timer.h"
#include "server/shard/loop.h"

#define LATENCIES 65536u

struct run {
    const char *dir;
    struct mg_store *st;
    struct mg_loop *loop;
    struct mg_wheel wheel;
    struct mg_store_part *part;
    struct mg_stream *s;
    uint64_t keys, total, sent, done, failed, in_flight, most, rate, began, reported, ended;
    uint64_t random;
    uint64_t *sent_at; // of those in flight, a ring
    uint64_t *latency; // of those since the last report, at most LATENCIES
    uint64_t latency_len;
    char *payload;
    size_t size;
    unsigned resting; // turns of 1 ms in which there was nothing to do in the background
    bool settled;
};

static uint64_t next_random(struct run *r) {
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

static void result(void *app, const struct mg_result *res) {
    struct run *r = app;
    if (res->ctx == NULL) return;
    uint64_t took = mg_loop_clock(r->loop) - r->sent_at[r->done % r->most];
    if (r->latency_len < LATENCIES) {
        r->latency[r->latency_len++] = took;
    } else {
        r->latency[next_random(r) % LATENCIES] = took;
    }
    r->done++;
    r->in_flight--;
    if (res->err) r->failed++;
}
static const struct mg_stream_ops ops = {.result = result};

static uint64_t folder_bytes(const struct run *r, const char *folder, unsigned *files) {
    char path[512];
    uint64_t n = 0;
    snprintf(path, sizeof(path), "%s/%s", r->dir, folder);
    DIR *d = opendir(path);
    *files = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat about;
        snprintf(path, sizeof(path), "%s/%s/%s", r->dir, folder, e->d_name);
        if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) continue;
        n += (uint64_t)about.st_size;
        ++*files;
    }
    if (d) closedir(d);
    return n;
}

static int by_value(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(struct run *r, const char *what) {
    struct mg_stream_state state = {0};
    unsigned nseg, nrun;
    uint64_t segments = folder_bytes(r, "segments", &nseg), tables = folder_bytes(r, "tables", &nrun);
    struct mg_store_status status = mg_store_status(r->st);
    mg_stream_state(r->s, &state);
    double live = state.bytes ? (double)state.bytes : 1.0;
    double p50 = 0, p999 = 0;
    if (r->latency_len) {
        qsort(r->latency, r->latency_len, sizeof(r->latency[0]), by_value);
        p50 = (double)r->latency[r->latency_len / 2] / 1e6;
        p999 = (double)r->latency[r->latency_len * 999 / 1000] / 1e6;
    }
    r->latency_len = 0;
    printf("%-7s %9llu done, live %7.1f MB; segments %3u, %7.1f MB = %.2f; tables %3u, %6.1f MB = %.2f; "
           "%llu checkpoints, %llu compactions, %llu merges; ms p50 %.2f p99.9 %.2f\n",
           what, (unsigned long long)r->done, live / 1e6, nseg, (double)segments / 1e6, (double)segments / live, nrun,
           (double)tables / 1e6, (double)tables / live, (unsigned long long)status.checkpoints,
           (unsigned long long)status.compactions, (unsigned long long)status.merges, p50, p999);
    fflush(stdout);
}

static bool may_send(struct run *r) {
    if (r->in_flight >= r->most || r->sent >= r->keys + r->total) return false;
    return r->rate == 0 || r->sent < (mg_loop_clock(r->loop) - r->began) / 1000 * r->rate / 1000000;
}

static void publish(struct run *r) {
    char subject[64];
    while (may_send(r)) {
        uint64_t key = r->sent < r->keys ? r->sent : next_random(r) % r->keys;
        int len = snprintf(subject, sizeof(subject), "$KV.bucket.key%08llu", (unsigned long long)key);
        struct mg_append a = {.subject = {subject, (size_t)len}, .payload = {r->payload, r->size},
                              .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
        r->sent_at[r->sent % r->most] = mg_loop_clock(r->loop);
        mg_assert(mg_stream_append(r->s, &a, r) == 0);
        r->sent++;
        r->in_flight++;
    }
}

static bool before_poll(void *arg) {
    struct run *r = arg;
    bool more = mg_store_part_turn(r->part);
    publish(r);
    more |= mg_store_part_turn(r->part);
    if (r->done >= r->keys + (r->reported + 1) * r->total / 10 && r->reported < 10) {
        r->reported++;
        report(r, r->reported == 10 ? "updated" : "");
    }
    if (r->done == r->keys + r->total && !r->settled) {
        if (r->ended == 0) {
            r->ended = mg_loop_clock(r->loop);
            mg_store_press(r->st);
        } else if (!mg_store_status(r->st).resting) {
            r->resting = 0;
        } else if (++r->resting > 100) { // files that were replaced are deleted by now
            report(r, "at rest");
            r->settled = true;
        }
    }
    if (r->settled && mg_store_part_stop(r->part)) mg_loop_stop(r->loop);
    uint64_t next = mg_loop_clock(r->loop) + 1000000, due = mg_wheel_next(&r->wheel);
    mg_loop_set_timer(r->loop, due < next ? due : next);
    return more;
}

static void timer(void *arg) {
    struct run *r = arg;
    mg_wheel_advance(&r->wheel, mg_loop_now(r->loop));
}

static void say(void *arg, int level, const char *text) {
    (void)arg;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static uint64_t arg_or(int argc, char **argv, int i, uint64_t value) {
    return argc > i ? strtoull(argv[i], NULL, 10) : value;
}

static void open_stream(struct run *r) {
    struct mg_stream_limits limits = {.max_msgs_per_subject = 1};
    mg_slice name = {"KV_bucket", 9};
    r->s = mg_stream_find(r->part, name);
    if (r->s == NULL)
        mg_assert(mg_stream_create(r->part, name, (mg_slice){"{}", 2}, MG_STORAGE_FILE, &limits, 0, &r->s, NULL) == 0);
    mg_stream_set_ops(r->s, &ops, r);
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: %s DIR [keys] [updates] [payload] [in flight] [rate]\n", argv[0]), 2;
    struct run r = {.dir = argv[1], .keys = arg_or(argc, argv, 2, 100000), .total = arg_or(argc, argv, 3, 1000000)};
    r.size = arg_or(argc, argv, 4, 512);
    r.most = arg_or(argc, argv, 5, 1000);
    r.rate = arg_or(argc, argv, 6, 0);
    r.random = 88172645463325252u;
    r.payload = mg_zalloc(r.size + 1);
    r.sent_at = mg_zalloc(r.most * sizeof(r.sent_at[0]));
    r.latency = mg_zalloc(LATENCIES * sizeof(r.latency[0]));
    char err[256];
    struct mg_store_options o = {.dir = r.dir, .parts = 1, .log = say};
    if (mg_store_open(&r.st, &o, err, sizeof(err)) != 0) return fprintf(stderr, "%s\n", err), 1;
    struct mg_loop_hooks hooks = {.arg = &r, .before_poll = before_poll, .timer = timer};
    mg_assert(mg_loop_new(&r.loop, &hooks) == 0);
    mg_wheel_init(&r.wheel, mg_loop_clock(r.loop));
    r.part = mg_store_part(r.st, 0);
    mg_store_part_start(r.part, r.loop, &r.wheel);
    open_stream(&r);
    r.began = mg_loop_clock(r.loop);
    mg_loop_run(r.loop);
    double seconds = (double)(r.ended - r.began) / 1e9;
    printf("%.0f appends/s, %llu failed\n", (double)(r.keys + r.total) / seconds, (unsigned long long)r.failed);
    mg_store_close(r.st);
    mg_loop_free(r.loop);
    mg_free(r.payload);
    mg_free(r.sent_at);
    mg_free(r.latency);
    return r.failed ? 1 : 0;
}
