// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/clock.h"

#include "server/base/planted.h"

static void begin_grace(struct mg_clock *c, int64_t jump) {
    if (!MG_PLANTED(jump_ages)) c->lag += jump;
    c->lag_until = c->mono + MG_CLOCK_GRACE;
}

// Behind a jump, once it is no news any more: ages lag for as long as the wall clock says that it was none. Returns how
// far they would jump if it has changed its mind.
static int64_t settle(struct mg_clock *c, int64_t wall, int64_t elapsed) {
    int64_t behind = c->now > wall ? c->now - wall : 0;
    if (c->lag == 0 || c->mono < c->lag_until) return 0;
    int64_t jump = c->lag - behind;
    if (c->corrected && jump > elapsed + MG_CLOCK_JUMP) {
        begin_grace(c, 0);
        c->corrected = false;
        return jump;
    }
    if (jump > 0) c->lag = behind;
    c->corrected = c->lag > 0;
    return 0;
}

int64_t mg_clock_start(struct mg_clock *c, uint64_t mono, int64_t wall, int64_t last, struct mg_clock_lag lag) {
    *c = (struct mg_clock){.now = wall > last ? wall : last, .mono = mono, .lag = lag.ns, .lag_until = mono};
    c->corrected = lag.ns && lag.at == 0;
    if (last == 0) return 0;
    // The lag may have been kept behind a jump behind which nothing was stored.
    int64_t jump = wall - (lag.at > last ? lag.at : last);
    // How much of it was over nobody knows: how long there was no process says the same clock.
    if (lag.ns && !c->corrected) c->lag_until += MG_CLOCK_GRACE;
    settle(c, wall, 0);
    if (jump > MG_CLOCK_JUMP) begin_grace(c, jump);
    return jump > MG_CLOCK_JUMP || jump < -MG_CLOCK_JUMP ? jump : 0;
}

int64_t mg_clock_move(struct mg_clock *c, uint64_t mono, int64_t wall) {
    int64_t elapsed = mono > c->mono ? (int64_t)(mono - c->mono) : 0;
    int64_t expected = c->now + elapsed, ahead = wall - expected;
    if (mono > c->mono) c->mono = mono;
    if (ahead >= 0) {
        c->now = wall;
    } else {
        c->now = expected - (-ahead < elapsed / 2 ? -ahead : elapsed / 2);
    }
    int64_t jump = settle(c, wall, elapsed);
    if (ahead <= MG_CLOCK_JUMP) return jump;
    begin_grace(c, ahead);
    return ahead;
}

struct mg_clock_lag mg_clock_lag(const struct mg_clock *c) {
    return (struct mg_clock_lag){c->lag, c->lag && c->lag_until > c->mono ? c->now : 0};
}
