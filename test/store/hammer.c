// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A process that is meant to be killed: appends to a store and says on its output what was acknowledged; or reads
// everything that is there and says it in the same words (kill.py compares them).
//
//     store-hammer load DIR     "stream seq number" for each acknowledged message, "full" when the disk is, for ever
//     store-hammer verify DIR   "stream seq number" for each message, then "state stream first last messages lost"
//
// A message's bytes follow from its number. 0 ok; 1 bytes that were never written, or the store does not open (2).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jetstream/store/store.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timer.h"
#include "server/shard/loop.h"

#define STREAMS 3u
#define IN_FLIGHT 300u

struct hammer {
    struct mg_loop *loop;
    struct mg_wheel wheel;
    struct mg_store_part *part;
    struct mg_stream *streams[STREAMS];
    uint64_t next, in_flight, paused;
    bool full, verify;
    // verify
    unsigned at;
    struct mg_read read;
    bool ended, waits;
    int rc;
};

// What the message with this number says.
static size_t bytes_of(uint64_t number, char out[4096]) {
    uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);
    size_t n = number % 50 == 0 ? 3000 : 8 + x % 200;
    for (size_t i = 0; i < n; i++, x = x * UINT64_C(6364136223846793005) + 1) out[i] = (char)(x >> 56);
    memcpy(out, &number, 8);
    return n;
}

static void result(void *app, const struct mg_result *r) {
    struct hammer *h = app;
    uint64_t number = (uintptr_t)r->ctx;
    if (number == 0) return;
    h->in_flight--;
    unsigned stream = (unsigned)(number % STREAMS);
    if (r->err == 0) printf("%u %llu %llu\n", stream, (unsigned long long)r->seq, (unsigned long long)number);
    if (r->err == 0) h->full = false;
    if (r->err == MG_ENOSPC && !h->full) printf("full\n");
    if (r->err == MG_ENOSPC) h->full = true;
}

static const struct mg_stream_ops ops = {.result = result};

static void publish(struct hammer *h) {
    char subject[32], payload[4096];
    while (h->in_flight < (h->full ? 1 : IN_FLIGHT)) {
        uint64_t number = h->next++;
        int len = snprintf(subject, sizeof(subject), "s.%u", (unsigned)(number / STREAMS % 1000));
        struct mg_append a = {.subject = {subject, (size_t)len}, .payload = {payload, bytes_of(number, payload)},
                              .expect_last = MG_ANY_SEQ, .expect_subject_last = MG_ANY_SEQ};
        if (mg_stream_append(h->streams[number % STREAMS], &a, (void *)(uintptr_t)number) != 0) exit(3);
        h->in_flight++;
    }
}

// ---- verify ---------------------------------------------------------------------------------------------------------

static void take(struct hammer *h) {
    struct mg_read *r = &h->read;
    char bytes[4096];
    uint64_t number = 0;
    if (r->err == MG_ENOTFOUND) {
        mg_stream_read_end(r);
        memset(r, 0, sizeof(*r));
        h->at++;
        return;
    }
    r->seq = r->msg.seq + 1;
    if (r->err) {
        printf("unreadable %u %llu\n", h->at, (unsigned long long)r->msg.seq);
        return;
    }
    if (r->msg.payload.n >= 8) memcpy(&number, r->msg.payload.p, 8);
    if (bytes_of(number, bytes) != r->msg.payload.n || memcmp(bytes, r->msg.payload.p, r->msg.payload.n) != 0) {
        printf("wrong %u %llu\n", h->at, (unsigned long long)r->msg.seq);
        h->rc = 1;
    } else {
        printf("%u %llu %llu\n", h->at, (unsigned long long)r->msg.seq, (unsigned long long)number);
    }
}

static void done(struct mg_read *r) {
    struct hammer *h = r->user;
    h->waits = false;
    take(h);
}

static void verify(struct hammer *h) {
    for (unsigned budget = 1000; h->at < STREAMS && !h->waits && budget > 0; budget--) {
        if (h->streams[h->at] == NULL) {
            h->at++;
            continue;
        }
        h->read.kind = MG_READ_NEXT;
        h->read.sequential = true;
        h->read.done = done;
        h->read.user = h;
        h->waits = mg_stream_read(h->streams[h->at], &h->read) == MG_EAGAIN;
        if (!h->waits) take(h);
    }
    if (h->at < STREAMS) return;
    struct mg_stream_state s;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (h->streams[i] && mg_stream_state(h->streams[i], &s) != 0) return; // at the next turn
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        if (h->streams[i] == NULL || mg_stream_state(h->streams[i], &s) != 0) continue;
        printf("state %u %llu %llu %llu %llu\n", i, (unsigned long long)s.first, (unsigned long long)s.last,
               (unsigned long long)s.msgs, (unsigned long long)s.lost);
    }
    h->ended = true;
}

// ---- both -----------------------------------------------------------------------------------------------------------

static bool before_poll(void *arg) {
    struct hammer *h = arg;
    bool more = mg_store_part_turn(h->part);
    if (!h->verify) publish(h);
    else if (!h->ended) verify(h);
    more |= mg_store_part_turn(h->part);
    fflush(stdout);
    if (h->ended && mg_store_part_stop(h->part)) mg_loop_stop(h->loop);
    uint64_t soon = mg_loop_clock(h->loop) + 1000000, due = mg_wheel_next(&h->wheel);
    mg_loop_set_timer(h->loop, due < soon ? due : soon);
    return more || (h->verify && !h->ended && !h->waits);
}

static void timer(void *arg) {
    struct hammer *h = arg;
    mg_wheel_advance(&h->wheel, mg_loop_now(h->loop));
}

static void say(void *arg, int level, const char *text) {
    (void)arg;
    fprintf(stderr, "[%d] %s\n", level, text);
}

static void find_streams(struct hammer *h) {
    for (unsigned i = 0; i < STREAMS; i++) {
        char name[8];
        mg_slice n = {name, (size_t)snprintf(name, sizeof(name), "H%u", i)};
        struct mg_stream_limits limits = {.max_msgs = i == 1 ? 20000 : 0, .max_msgs_per_subject = i == 2 ? 5 : 0};
        h->streams[i] = mg_stream_find(h->part, n);
        if (h->streams[i] == NULL && !h->verify)
            mg_assert(mg_stream_create(h->part, n, MG_S("{}"), MG_STORAGE_FILE, &limits, 0, &h->streams[i], NULL) == 0);
        if (h->streams[i]) mg_stream_set_ops(h->streams[i], &ops, h);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: %s load|verify DIR [first number]\n", argv[0]), 2;
    struct hammer h = {.verify = strcmp(argv[1], "verify") == 0, .next = argc > 3 ? strtoull(argv[3], NULL, 10) : 1};
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    struct mg_store *st;
    char err[256];
    struct mg_store_options o = {.dir = argv[2], .parts = 1, .log = say, .ring_bytes = 16u << 20, .secret = "hammer",
                                 .extent_bytes = 3000}; // each fiftieth message is an extent
    if (mg_store_open(&st, &o, err, sizeof(err)) != 0) return fprintf(stderr, "%s\n", err), 2;
    struct mg_loop_hooks hooks = {.arg = &h, .before_poll = before_poll, .timer = timer};
    mg_assert(mg_loop_new(&h.loop, &hooks) == 0);
    mg_wheel_init(&h.wheel, mg_loop_clock(h.loop));
    h.part = mg_store_part(st, 0);
    find_streams(&h);
    mg_store_part_start(h.part, h.loop, &h.wheel);
    mg_loop_run(h.loop);
    mg_store_close(st);
    mg_loop_free(h.loop);
    return h.rc;
}
