// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/shared.h"

static uint64_t get(const _Atomic uint64_t *of) { return atomic_load_explicit(of, memory_order_relaxed); }

// A request that goes from one shard to another while this reads may have ended for us before it has begun.
static uint64_t between(uint64_t begun, uint64_t ended) { return begun > ended ? begun - ended : 0; }

struct mg_js_sums mg_js_sums(const struct mg_js_shared *all, unsigned shards) {
    struct mg_js_sums s = {.inflight = 0};
    uint64_t begun = 0, ended = 0, info_begun = 0, info_ended = 0;
    for (unsigned i = 0; i < shards; i++) {
        const struct mg_js_tally *t = &all->shard[i];
        ended += get(&t->ended);
        begun += get(&t->begun);
        info_ended += get(&t->info_ended);
        info_begun += get(&t->info_begun);
        s.answered += get(&t->answered);
        s.errors += get(&t->errors);
        s.consumers += get(&t->consumers);
        s.messages += get(&t->messages);
    }
    s.inflight = between(begun, ended);
    s.info_inflight = between(info_begun, info_ended);
    return s;
}
