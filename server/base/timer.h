// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A hierarchical timer wheel (Varghese and Lauck, 1987) with a millisecond tick that is never ticked: the owner asks
// for the next occupied slot and sleeps until then. Pure: time is an argument. One shard owns a wheel.
//
//   level 0: 256 slots of 1 ms
//   levels 1..4: 64 slots each of 256 ms, 16 s, 17 min, 18 h (later times wait in the last)
//
// Start, stop: O(1). Advance: O(timers that fire or move down), and no more than MG_WHEEL_MOST of them at a time. A
// timer never fires early; it may fire up to 1 ms late, or later where very many are due.
#ifndef MG_BASE_TIMER_H
#define MG_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/list.h"

struct mg_timer {
    struct mg_list link;
    uint64_t at; // ns
    void (*fire)(struct mg_timer *t);
};

#define MG_WHEEL_L0 256
#define MG_WHEEL_LN 64
#define MG_WHEEL_LEVELS 5

#ifdef MG_SIM
#define MG_WHEEL_MOST 3u // so that it happens
#else
#define MG_WHEEL_MOST 1024u
#endif

struct mg_wheel {
    uint64_t tick;      // ms: everything before it has fired, or is in `due`
    struct mg_list due; // to be fired at once
    struct mg_list moving; // to be placed anew, before anything at `tick` fires
    uint64_t bits0[MG_WHEEL_L0 / 64];
    uint64_t bits[MG_WHEEL_LEVELS - 1];
    struct mg_list slot0[MG_WHEEL_L0];
    struct mg_list slots[MG_WHEEL_LEVELS - 1][MG_WHEEL_LN];
};

void mg_wheel_init(struct mg_wheel *w, uint64_t now_ns);
// A timer must be initialized once; it is then idle.
void mg_timer_init(struct mg_timer *t, void (*fire)(struct mg_timer *t));
static inline bool mg_timer_active(const struct mg_timer *t) { return !mg_list_empty(&t->link); }
// (Re)starts t to fire at `at` ns; a time in the past fires at the next advance.
void mg_timer_start(struct mg_wheel *w, struct mg_timer *t, uint64_t at);
void mg_timer_stop(struct mg_wheel *w, struct mg_timer *t);
// Fires what is due at now; what is more than it does at a time is left, and mg_wheel_next says so. A fire function may
// start and stop any timer.
void mg_wheel_advance(struct mg_wheel *w, uint64_t now_ns);
// When to call advance next: ns, at or before the earliest timer's time; UINT64_MAX if there is none.
uint64_t mg_wheel_next(struct mg_wheel *w);

#endif
