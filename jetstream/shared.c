// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/shared.h"

static uint64_t get(const _Atomic uint64_t *of) { return atomic_load_explicit(of, memory_order_relaxed); }

// One that ends on another shard while this reads may have ended before it has begun.
static uint64_t between(uint64_t begun, uint64_t ended) { return begun > ended ? begun - ended : 0; }

struct mg_js_sums mg_js_sums(const struct mg_js_shared *all, unsigned shards) {
    struct mg_js_sums s = {.answered = 0};
    uint64_t begun[2] = {0, 0}, ended[2] = {0, 0};
    for (unsigned i = 0; i < shards; i++) {
        const struct mg_js_tally *t = &all->shard[i];
        for (unsigned info = 0; info < 2; info++) {
            ended[info] += get(&t->ended[info]);
            begun[info] += get(&t->begun[info]);
        }
        s.answered += get(&t->answered);
        s.errors += get(&t->errors);
        s.consumers += get(&t->consumers);
        s.messages += get(&t->messages);
    }
    for (unsigned info = 0; info < 2; info++) s.inflight[info] = between(begun[info], ended[info]);
    return s;
}
