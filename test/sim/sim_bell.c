// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bell.h in the simulator: a thread is a fiber, waiting is letting others run until somebody has rung.
#include "server/shard/bell.h"
#include "test/sim/sim_impl.h"

static bool *rung_of(struct mg_bell *b) { return (bool *)(void *)b->impl; }

void mg_bell_init(struct mg_bell *b) { *rung_of(b) = false; }
void mg_bell_fini(struct mg_bell *b) { (void)b; }

void mg_bell_ring(struct mg_bell *b) {
    mg_loop_switch_point();
    *rung_of(b) = true;
}

bool mg_bell_wait(struct mg_bell *b, uint64_t until) {
    struct sim *s = sim_current();
    mg_assert(s->running != NULL);
    mg_loop_switch_point();
    if (!*rung_of(b) && until > s->now) sim_sleep(s, rung_of(b), until);
    bool rung = *rung_of(b);
    *rung_of(b) = false;
    return rung;
}

uint64_t mg_bell_clock(void) { return sim_current()->now += 50; }
