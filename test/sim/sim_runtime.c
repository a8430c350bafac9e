// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The runtime under the simulator: the toy application of toy.h on 2 to 6 shards, with credit from next to nothing to
// plenty. First everything runs until nothing will ever happen again: then nobody may wait and nothing may be missing.
// Then the shards are told to shut down and must.
#include <stdarg.h>
#include <stdio.h>

#include "test/sim/sim.h"
#include "test/sim/toy.h"

_Noreturn void toy_fail(const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    sim_fail("%s", text);
}

static struct toy_params draw(struct sim *s, const struct sim_args *args) {
    static const uint64_t credits[] = {1, 400, 3000, 30000, 1000000};
    static const uint32_t sizes[] = {0, 100, 2000, 30000};
    static const unsigned give_ups[] = {0, 16, 128, 250};
    static const uint64_t pauses[] = {1000, 100000, 2000000, 20000000};
    unsigned shards = args->shards ? args->shards : 2 + (unsigned)sim_below(s, 5);
    bool brief = sim_chance(s, 64); // many sources that end soon: who is forgotten is not helped by later traffic
    return (struct toy_params){
        .shards = shards,
        .credit = credits[sim_below(s, 5)] * (shards - 1),
        .sources = 1 + (unsigned)sim_below(s, brief ? 20 : 6),
        .acts = 1 + (unsigned)sim_below(s, brief ? 3 : 60),
        .burst = 1 + (unsigned)sim_below(s, 20),
        .interest = sizes[sim_below(s, 3)],
        .body = sizes[sim_below(s, 4)],
        .react = (unsigned)sim_below(s, 200),
        .announce = (unsigned)sim_below(s, 256),
        .give_up = give_ups[sim_below(s, 4)],
        .pause_ns = pauses[sim_below(s, 4)],
    };
}

static bool all_ended(void *arg) { return sim_all_ended(arg); }

static void run(uint64_t seed, const struct sim_args *args) {
    struct sim *s = sim_new(seed);
    const struct toy_params params = draw(s, args);
    struct toy *toy = toy_new(&params);
    sim_set_step_limit(s, 20000000);
    sim_spawn(s, "toy-0", toy_run, toy);
    enum sim_end end = sim_run(s, all_ended, s, MG_NEVER);
    sim_check(end != SIM_STEPS, "somebody spins");
    sim_check(end == SIM_IDLE, "the shards stopped by themselves");
    toy_check_idle(toy);
    toy_stop(toy);
    end = sim_run(s, all_ended, s, MG_NEVER);
    sim_check(end == SIM_DONE, "the shutdown does not end");
    toy_check_end(toy);
    const struct mg_shard_counters c = toy_counters(toy);
    sim_check(c.doorbells <= sim_doorbells(s), "doorbells were not all rung");
    toy_free(toy);
    sim_free(s);
}

int main(int argc, char **argv) { return sim_main(argc, argv, 400, run); }
