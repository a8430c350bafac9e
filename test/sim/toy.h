// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A small application over shard.h that does what a broker does to the runtime, and checks every promise of the
// runtime. The simulator runs it on virtual shards, the stress test on real threads.
//
// Each shard has sources, which stand for connections. A source acts in bursts; an act is an announcement of interest
// (to all other shards) or data (to some), and waits for credit first. Data may cause reactions, which never wait, and
// work that is put off to the idle hook. After a burst a source may ask for a PONG: a note of what its shard has sent
// so far, which becomes visible to the outside (to all shards' sources) when it is flushed. Checked:
//  - records arrive once, whole, in the order in which they were sent (per kind of phase, sender and receiver);
//  - data is never seen before the interest that its causes had announced;
//  - what a flushed PONG covers was processed by whoever begins to parse input later;
//  - waiters are resumed first-in first-out; at the end all credit is back and nothing is lost.
#ifndef MG_TEST_SIM_TOY_H
#define MG_TEST_SIM_TOY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/shard/shard.h"

#define TOY_SHARDS 8

struct toy_params {
    unsigned shards;
    uint64_t credit;
    unsigned sources;   // of a shard
    unsigned acts;      // of a source
    unsigned burst;     // acts at most before it pauses
    uint32_t interest;  // bytes of an announcement, at most
    uint32_t body;      // bytes of a piece of data, at most
    unsigned react;     // of 256: data causes other data
    unsigned announce;  // of 256: an act is interest
    unsigned give_up;   // of 256: one who waited for credit does nothing with it
    uint64_t pause_ns;  // between two bursts, at most
    bool stop_by_itself; // shut down when all sources have done their acts
};

struct toy_shard;

// Shared by all shards. Only the atomics change while they run.
struct toy {
    struct toy_params params;
    struct mg_runtime *rt;
    struct toy_shard *shards[TOY_SHARDS];
    atomic_uint unfinished; // sources
    atomic_bool stopping;
    // What flushed PONGs cover: announcements of a shard, and data from one to another.
    _Atomic uint64_t seen_interest[TOY_SHARDS];
    _Atomic uint64_t seen_data[TOY_SHARDS][TOY_SHARDS];
};

struct toy *toy_new(const struct toy_params *params);
void toy_run(void *toy); // starts the shards and runs shard 0
// Asks the shards to shut down: any thread, any time.
void toy_stop(struct toy *toy);
// After SIM_IDLE: fails unless everything was done.
void toy_check_idle(const struct toy *toy);
void toy_check_end(const struct toy *toy); // after toy_run
void toy_free(struct toy *toy);
// Adds up what the shards counted.
struct mg_shard_counters toy_counters(const struct toy *toy);

// The test program's: prints why and ends the process.
_Noreturn void toy_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
