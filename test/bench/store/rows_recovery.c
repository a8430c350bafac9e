// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Recovery: a process fills a store and is killed while it appends; the page cache forgets the files; another process
// opens the store and reads a message.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/bench/store/rig.h"
#include "test/bench/store/rows.h"

struct first {
    bool done;
};
static void first_done(struct mg_read *r) {
    mg_assert(r->err == 0);
    ((struct first *)r->user)->done = true;
}
static enum rig_step first_step(void *arg) { return ((struct first *)arg)->done ? RIG_DONE : RIG_WAIT; }

// What was refused is sent again, so that there is as much as there should be.
static void again(struct load *l, const struct mg_result *res) {
    if (res->ctx == l && res->err && l->total) l->total++;
}

// Two messages to each, one behind the other: the second one finds the subject's row in memory, so it takes minutes
// only.
static size_t subject_of(uint64_t n, char out[32]) {
    return (size_t)snprintf(out, 32, "dev.%u.%u", (unsigned)(n / 2 % 1000), (unsigned)(n / 2000));
}

// Never returns: killed from outside when it has said that all is there.
static void fill_and_go_on(const struct bench *b, int say) {
    struct rig r;
    struct load l;
    uint64_t n = b->quick ? 1000000 : 20000000;
    rig_open(&r, b->dir, 0);
    load_init(&l, &r, 1, 0, NULL);
    struct mg_stream *s = l.streams[0];
    for (unsigned i = 0; i < n / 200; i++) { // rows of consumers
        char key[32], value[200] = {0};
        mg_slice k = {key, (size_t)snprintf(key, sizeof(key), "consumer-%u", i)};
        mg_assert(mg_stream_row_put(s, k, mg_slice_of(value, sizeof(value)), NULL) == 0);
        if (i % 1000 == 999) mg_store_part_turn(r.part);
    }
    l.subject = subject_of;
    l.subjects = (unsigned)(2 * n);
    l.size = 460;
    l.done = again;
    l.in_flight = 4000;
    l.total = n;
    rig_run(&r, load_step, &l);
    fprintf(stderr, "%llu refused, %u runs\n", (unsigned long long)l.failed, r.store->runs->count);
    if (write(say, "x", 1) != 1) abort();
    l.total = 0;
    rig_run(&r, load_step, &l);
    abort();
}

static void fill_and_kill(const struct bench *b) {
    int pipes[2];
    char c;
    mg_assert(pipe(pipes) == 0);
    pid_t pid = fork();
    mg_assert(pid >= 0);
    if (pid == 0) fill_and_go_on(b, pipes[1]);
    close(pipes[1]);
    mg_assert(read(pipes[0], &c, 1) == 1);
    usleep(500000); // in the middle of whatever it does
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pipes[0]);
}

static void open_and_read(const struct bench *b, double *ms, double *first_ms, double *mb) {
    struct rig r;
    struct first f = {false};
    rig_forget(b->dir);
    struct io io = io_now();
    uint64_t began = mg_bell_clock();
    rig_open(&r, b->dir, 0);
    *ms = (double)(mg_bell_clock() - began) / 1e6;
    struct mg_read read = {.kind = MG_READ_SEQ, .seq = 1, .done = first_done, .user = &f};
    if (mg_stream_read(rig_stream(&r, 0, NULL), &read) == MG_EAGAIN) rig_run(&r, first_step, &f);
    *first_ms = (double)(mg_bell_clock() - began) / 1e6;
    *mb = (double)(io_now().read - io.read) / 1e6;
    struct mg_store_status s = mg_store_status(r.store);
    fprintf(stderr, "%llu messages, %.2f GB; %llu records replayed, %llu damaged pages, %u runs, %u segments; %u ms\n",
            (unsigned long long)s.messages, (double)s.bytes / 1e9, (unsigned long long)s.records_replayed,
            (unsigned long long)s.damaged_pages, r.store->runs->count, r.store->keeping->segments_len, s.recovery_ms);
    rig_close(&r);
}

// The first opening is the one after the kill; the second finds what the first has left.
void row_recovery(const struct bench *b) {
    double ms, first_ms, mb;
    fill_and_kill(b);
    open_and_read(b, &ms, &first_ms, &mb);
    figure("recovery_open", ms / 1000, "s");
    figure("recovery_first_message", first_ms / 1000, "s");
    figure("recovery_read", mb, "MB");
}
