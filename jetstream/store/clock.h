// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The store's time: follows the wall clock, but never goes back, and a wall clock that jumped does not expire data.
//
//   the wall clock is set back     time goes on at half its speed until the wall clock has caught up
//   it jumps ahead (over 1 h)      new messages get the new time; but for 10 minutes ages are counted as if it had not,
//                                  so that somebody can correct the clock before data is gone for being too old.
//                                  If that happens, ages go on by the corrected clock (and what was stored meanwhile
//                                  lives longer by as much)
//
// A start after a long time looks like a jump and is treated as one. How far ages are behind is kept across starts,
// from the checkpoint on that a jump asks for; who ends in between forgets it.
// Pure: times are arguments, ns.
#ifndef MG_JETSTREAM_STORE_CLOCK_H
#define MG_JETSTREAM_STORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define MG_CLOCK_JUMP INT64_C(3600000000000)  // more than this is no delay, but a jump
#define MG_CLOCK_GRACE UINT64_C(600000000000) // for so long nothing expires because of it

struct mg_clock {
    int64_t now;   // since the epoch
    uint64_t mono; // when that was
    int64_t lag;   // how far ages are behind
    uint64_t lag_until; // for so long in any case
    bool corrected;     // the jump was taken back
};

// What is kept of it: zeroed, nothing.
struct mg_clock_lag {
    int64_t ns, at; // at: when, by this clock; 0: the jump was taken back
};

// last: the newest time that was stored before; 0: none. Returns how far the wall clock is ahead of it (> 0) or behind
// (< 0), if that is a jump; else 0.
int64_t mg_clock_start(struct mg_clock *c, uint64_t mono, int64_t wall, int64_t last, struct mg_clock_lag lag);
// Moves to a later moment. Returns the width of a jump, else 0.
int64_t mg_clock_move(struct mg_clock *c, uint64_t mono, int64_t wall);
// The time that ages are measured at.
static inline int64_t mg_clock_aging(const struct mg_clock *c) {
    return c->now - c->lag;
}
struct mg_clock_lag mg_clock_lag(const struct mg_clock *c);

#endif
