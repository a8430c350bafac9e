// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/clock.h"

static void begin_grace(struct mg_clock *c, int64_t jump) {
    if (c->mono >= c->lag_until) c->lag = 0; // the one before is over
    c->lag += jump;
    c->lag_until = c->mono + MG_CLOCK_GRACE;
}

int64_t mg_clock_start(struct mg_clock *c, uint64_t mono, int64_t wall, int64_t last) {
    *c = (struct mg_clock){.now = wall > last ? wall : last, .mono = mono};
    if (last == 0) return 0;
    int64_t jump = wall - last;
    if (jump > MG_CLOCK_JUMP) begin_grace(c, jump);
    return jump > MG_CLOCK_JUMP || jump < -MG_CLOCK_JUMP ? jump : 0;
}

int64_t mg_clock_move(struct mg_clock *c, uint64_t mono, int64_t wall) {
    int64_t elapsed = mono > c->mono ? (int64_t)(mono - c->mono) : 0;
    int64_t expected = c->now + elapsed, ahead = wall - expected;
    if (mono > c->mono) c->mono = mono;
    if (ahead >= 0) {
        c->now = wall;
        if (ahead <= MG_CLOCK_JUMP) return 0;
        begin_grace(c, ahead);
        return ahead;
    }
    c->now = expected - (-ahead < elapsed / 2 ? -ahead : elapsed / 2);
    return 0;
}
