// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The choice of a queue group's member: uniform over all members, local ones and those of other shards by weight.
// Pure; the caller brings the random number.
#ifndef MG_ROUTER_QUEUE_H
#define MG_ROUTER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/router/interest.h"

struct mg_queue_choice {
    bool local;
    uint32_t index; // local: of the member; else the number of the shard, which chooses among its own
};

// local: members here. weights: those of other shards, of which the ones in `skip` (bit s: shard s, tried before) do
// not count. random: 64 uniform bits. False if there is nobody to choose.
// With a local choice the caller goes on from that index until a member can take the message (A9).
static inline bool mg_queue_choose(uint32_t local, const struct mg_iweight *weights, uint32_t n, uint64_t skip,
                                   uint64_t random, struct mg_queue_choice *out) {
    uint64_t total = local;
    for (uint32_t i = 0; i < n; i++)
        if ((skip >> weights[i].shard & 1) == 0) total += weights[i].members;
    if (total == 0) return false;
    uint64_t x = (uint64_t)((unsigned __int128)random * total >> 64); // in [0, total); bias below total / 2^64
    *out = (struct mg_queue_choice){true, (uint32_t)x};
    if (x < local) return true;
    x -= local;
    for (uint32_t i = 0; i < n; i++) {
        if ((skip >> weights[i].shard & 1) != 0) continue;
        if (x < weights[i].members) {
            *out = (struct mg_queue_choice){false, weights[i].shard};
            return true;
        }
        x -= weights[i].members;
    }
    return false; // not reached: x is below the sum of all weights
}

#endif
