// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the runtime: shared by shard.c (life, turns) and post.c (batches, credit).
#ifndef MG_SHARD_IMPL_H
#define MG_SHARD_IMPL_H

#include <stdatomic.h>

#include "server/shard/shard.h"

#define BATCH_CAP 65536u
#define POST_ROUND_BYTES (256u * 1024)   // unposted bytes that force a round
#define TURN_BYTES (256u * 1024)         // input bytes between two hooks
#define TURN_CALLS 256u                  // input calls between two hooks
#define TURN_NS UINT64_C(200000)         // time between two hooks
#define FLUSH_SOCKETS 256u               // sockets flushed before the next poll
#define DEFAULT_CREDIT (UINT64_C(8) << 20)
#define RESUME_AT_ONCE 4u                // inputs resumed a returned batch
#define POOL_MAX 16u                     // free batches kept

enum batch_phase { PHASE_INTEREST, PHASE_DATA, PHASE_HOME };

struct batch {
    struct mg_mail mail; // first: the mailbox links batches
    uint16_t owner;      // the shard that made it
    uint16_t at;         // the shard that it was sent to
    uint8_t phase;
    uint32_t cap, used;
    uint64_t charged;
    struct batch *more; // next batch of the same outbox
    char data[] __attribute__((aligned(8)));
};

// What waits to be posted to one other shard, and the credit towards it.
struct outbox {
    struct batch *first[2], *last[2]; // by phase
    struct mg_rec *tail; // last data record that was not posted yet
    uint64_t tail_seq;   // grows with every data record and every round
    int64_t credit;
    struct mg_list waiters;
    unsigned resumable; // waiters that may be resumed in this turn
};

struct mg_shard {
    struct mg_mailbox mailbox; // first: other threads touch only this
    char pad[64];
    unsigned id;
    struct mg_runtime *rt;
    struct mg_loop *loop;
    struct mg_thread *thread;
    const struct mg_shard_ops *ops;
    void *app;
    struct mg_wheel wheel;
    uint64_t rng[2];

    struct outbox *out; // by shard; the own one is unused
    struct batch *pool;
    unsigned pooled;
    uint64_t unposted;  // bytes in outboxes
    uint64_t in_flight; // batches sent and not yet home
    unsigned waiting;   // inputs that wait for credit

    size_t turn_bytes;
    unsigned turn_calls;
    uint64_t turn_began; // 0: not yet
    bool draining, flush_more;
    bool stopping, voted; // voted: counted in the runtime's votes
    struct mg_shard_counters counters;
};

struct mg_runtime {
    unsigned n;
    uint64_t credit; // of one sender towards one receiver
    char prefix[12];
    _Atomic unsigned votes; // shards that are to stop and have nothing under way
    struct mg_shard *shards[MG_MAX_SHARDS];
};

void post_init(struct mg_shard *sh);
void post_fini(struct mg_shard *sh);
void post_round(struct mg_shard *sh);
bool post_pending(const struct mg_shard *sh);
void post_came_home(struct mg_shard *sh, struct batch *b);
void post_send_home(struct mg_shard *sh, struct batch *b);
// Resumes inputs whose credit came back. Returns true if some more may be resumed.
bool post_resume(struct mg_shard *sh);

#endif
