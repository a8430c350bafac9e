// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A shard is one thread with its own loop, memory, timers and everything that lives on it. Nothing mutable is shared
// between shards and there are no locks: they talk by records in batches (docs/ARCHITECTURE.md has the picture).
//
// Order. What a client's own PONG covers has happened for everyone. It holds because
//  - a mailbox push is linearizable (mailbox.h);
//  - a post round has two phases, first interest to all targets, then data;
//  - nothing is written to a socket before whatever caused it is posted (mg_turn_end: post, then flush);
//  - every input drains the mailbox after it was read and before it is parsed (mg_shard_input).
//
// Credit is mailbox occupancy: each shard may have so many bytes unprocessed at each other one. A processed batch goes
// home to the shard that made it, and that is the return of its credit. Three classes of senders:
//  - socket input asks mg_credit first and pauses while it is not positive (mg_credit_wait);
//  - producers that pull (consumer deliveries) ask and get a callback, the same way;
//  - reactions never wait: they post into debt, and debt blocks the other two.
// Draining never waits for anything, so there is no circle.
#ifndef MG_SHARD_SHARD_H
#define MG_SHARD_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/list.h"
#include "server/base/timer.h"
#include "server/shard/loop.h"
#include "server/shard/mailbox.h"

#define MG_MAX_SHARDS 64

struct mg_shard;
struct mg_runtime;

// A record in a batch; the body follows. Bodies are 8-byte aligned.
struct mg_rec {
    uint32_t size; // of the body, bytes
    uint16_t kind; // the application's
    uint16_t from; // shard
    char body[];
};

struct mg_shard_ops {
    // Runs once on the shard's thread before its first poll.
    void (*start)(void *app);
    // A record arrived. The body is valid during the call, and on until `settle` where `refers` says so. It may post
    // and produce output; it must not parse input.
    void (*record)(void *app, const struct mg_rec *rec);
    // Give sockets what is pending, at most `max` of them. Returns true when some are left.
    bool (*flush)(void *app, unsigned max);
    // Queues may refer to the bodies of records until the batch goes home: does one? (flush, then settle follow)
    bool (*refers)(void *app);
    // Copies whatever is still referred to.
    void (*settle)(void *app);
    // After a flush: work that was put off (unlinking what died during the turn), a slice of it. True: there is more.
    bool (*idle)(void *app);
};

// An input that waits for credit towards one shard.
struct mg_credit_waiter {
    struct mg_list link; // must be initialized with mg_list_init
    void (*resume)(struct mg_credit_waiter *w);
};

struct mg_runtime_options {
    unsigned shards;      // 1..MG_MAX_SHARDS
    uint64_t credit;      // bytes a shard accepts unprocessed, split over the other shards; 0: 8 MB
    const char *thread_prefix;
};

struct mg_runtime *mg_runtime_new(const struct mg_runtime_options *o);
struct mg_shard *mg_runtime_shard(struct mg_runtime *rt, unsigned id);
unsigned mg_runtime_count(const struct mg_runtime *rt);
// Starts the threads of the shards 1..; shard 0 runs in mg_runtime_run. Every shard must have its ops set.
int mg_runtime_start(struct mg_runtime *rt);
void mg_runtime_run(struct mg_runtime *rt); // shard 0, on the calling thread, until stopped; then joins the others
void mg_runtime_free(struct mg_runtime *rt);

// ---- what code on a shard uses -----------------------------------------------------------------------------------

void mg_shard_set_app(struct mg_shard *sh, const struct mg_shard_ops *ops, void *app);
void *mg_shard_app(const struct mg_shard *sh);
unsigned mg_shard_id(const struct mg_shard *sh);
unsigned mg_shard_count(const struct mg_shard *sh);
struct mg_loop *mg_shard_loop(const struct mg_shard *sh);
struct mg_wheel *mg_shard_wheel(struct mg_shard *sh);
static inline uint64_t mg_shard_now(const struct mg_shard *sh) { return mg_loop_now(mg_shard_loop(sh)); }
// A fast pseudo-random number, not for secrets.
uint64_t mg_shard_random(struct mg_shard *sh);

static inline void mg_timer_at(struct mg_shard *sh, struct mg_timer *t, uint64_t at) {
    mg_timer_start(mg_shard_wheel(sh), t, at);
}

// Says that this shard may stop. The loops of all shards end together: when all may, and nothing that any of them
// sent is still under way. Whoever shuts down first ends all input; reactions to what is under way are still served.
void mg_shard_stop(struct mg_shard *sh);
// True when every batch that this shard sent has been processed and nothing waits to be posted.
bool mg_shard_quiet(const struct mg_shard *sh);

// Reserves room for a record of `size` bytes to shard `to` and charges it. Interest goes out in the first phase of the
// next post round, data in the second. The body must be filled before the next call into the runtime.
struct mg_rec *mg_post_interest(struct mg_shard *sh, unsigned to, uint16_t kind, uint32_t size);
struct mg_rec *mg_post_data(struct mg_shard *sh, unsigned to, uint16_t kind, uint32_t size);
// Makes the last record posted to `to` longer, if `seq` (mg_post_seq after that post) says that it still is the last
// one and there is room in its batch: returns where the `more` new bytes of its body begin. NULL: post a new record.
char *mg_post_extend(struct mg_shard *sh, unsigned to, uint64_t seq, uint32_t more);
uint64_t mg_post_seq(const struct mg_shard *sh, unsigned to);
// Charges more for what a record refers to (a message sent by reference), so that credit bounds memory.
void mg_post_charge(struct mg_shard *sh, unsigned to, uint64_t bytes);

// Credit left towards `to`; input may post when it is positive.
int64_t mg_credit(const struct mg_shard *sh, unsigned to);
// Puts w at the end of the queue for credit towards `to`. resume is called between turns; then input may try again.
void mg_credit_wait(struct mg_shard *sh, unsigned to, struct mg_credit_waiter *w);

// ---- turns -------------------------------------------------------------------------------------------------------

// After input was read and before it is parsed: processes what other shards sent.
void mg_shard_input(struct mg_shard *sh);
// After input: `bytes` were parsed or produced. Runs the hook (post, then flush) when the turn's budget is used up.
void mg_turn_charge(struct mg_shard *sh, size_t bytes);
// Post, then flush.
void mg_turn_end(struct mg_shard *sh);

struct mg_shard_counters {
    uint64_t batches_sent, records_sent, bytes_sent;
    uint64_t doorbells, credit_waits, turns;
};
const struct mg_shard_counters *mg_shard_counters(const struct mg_shard *sh);

#endif
