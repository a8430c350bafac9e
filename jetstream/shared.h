// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the shards of one JetStream share: counters, all of them relaxed atomics. A tally has one writer, its shard, so
// counting is a plain load and store; whoever wants the whole adds the tallies up. The room that is used is one sum of
// all, to which each shard adds at the end of a turn what has changed: a publish looks at one number only.
#ifndef MG_JETSTREAM_SHARED_H
#define MG_JETSTREAM_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/shard/shard.h"

struct mg_js_tally {
    // Requests of the API, [1] those that only ask for information: what is between is under way, on any shard.
    _Alignas(64) _Atomic uint64_t begun[2];
    _Atomic uint64_t ended[2];
    _Atomic uint64_t answered, errors;          // errors: of those that were answered
    _Atomic uint64_t consumers;
    _Atomic uint64_t messages;                  // stored, as of the last turn
};

struct mg_js_shared {
    _Alignas(64) _Atomic uint64_t used[2]; // bytes stored, by enum mg_stream_storage, as of everybody's last turn
    struct mg_js_tally shard[MG_MAX_SHARDS];
};

// Of the own tally.
static inline void mg_js_count(_Atomic uint64_t *of, uint64_t more) {
    uint64_t was = atomic_load_explicit(of, memory_order_relaxed);
    atomic_store_explicit(of, was + more, memory_order_relaxed);
}
static inline void mg_js_uncount(_Atomic uint64_t *of) { mg_js_count(of, UINT64_MAX); }

// Sums of all tallies, at some moment of each.
struct mg_js_sums {
    uint64_t inflight[2], answered, errors, consumers, messages;
};
struct mg_js_sums mg_js_sums(const struct mg_js_shared *all, unsigned shards);

#endif
