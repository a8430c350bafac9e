// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// See timer.h. `tick` is the first millisecond that has not been processed. A timer is due at the first whole
// millisecond at or after its time. When `tick` reaches a multiple of 256 the level-1 slot of that block moves down,
// when it reaches a multiple of 256 * 64 the level-2 slot too, and so on: before any timer of the block can be due.
//
// Bits say which slots may be occupied. Stopping a timer leaves its slot's bit set; mg_wheel_next clears it when it
// finds the slot empty, so a stopped timer never wakes anybody.
#include "server/base/timer.h"

#include <string.h>

#include "server/base/assert.h"

#define NS_PER_TICK UINT64_C(1000000)
#define L0_BITS 8
#define LN_BITS 6

static unsigned level_shift(int level) { return L0_BITS + LN_BITS * (unsigned)level; }

void mg_wheel_init(struct mg_wheel *w, uint64_t now_ns) {
    memset(w, 0, sizeof(*w));
    w->tick = now_ns / NS_PER_TICK;
    mg_list_init(&w->due);
    mg_list_init(&w->moving);
    for (int i = 0; i < MG_WHEEL_L0; i++) mg_list_init(&w->slot0[i]);
    for (int l = 0; l < MG_WHEEL_LEVELS - 1; l++)
        for (int i = 0; i < MG_WHEEL_LN; i++) mg_list_init(&w->slots[l][i]);
}

void mg_timer_init(struct mg_timer *t, void (*fire)(struct mg_timer *t)) {
    mg_list_init(&t->link);
    t->at = 0;
    t->fire = fire;
}

static void place(struct mg_wheel *w, struct mg_timer *t) {
    uint64_t due = t->at / NS_PER_TICK + (t->at % NS_PER_TICK != 0);
    if (due < w->tick) due = w->tick;
    uint64_t delta = due - w->tick;
    if (delta < MG_WHEEL_L0) {
        unsigned i = due & (MG_WHEEL_L0 - 1);
        mg_list_push_back(&w->slot0[i], &t->link);
        w->bits0[i / 64] |= UINT64_C(1) << (i % 64);
        return;
    }
    int level = 0;
    while (level < MG_WHEEL_LEVELS - 2 && delta >= UINT64_C(1) << level_shift(level + 1)) level++;
    // Beyond the last level: wait in its farthest slot and be placed again from there.
    uint64_t span = UINT64_C(1) << level_shift(level + 1);
    if (delta >= span) due = w->tick + span - 1;
    unsigned i = (due >> level_shift(level)) & (MG_WHEEL_LN - 1);
    mg_list_push_back(&w->slots[level][i], &t->link);
    w->bits[level] |= UINT64_C(1) << i;
}

void mg_timer_start(struct mg_wheel *w, struct mg_timer *t, uint64_t at) {
    mg_assert(t->fire != NULL);
    mg_list_remove(&t->link);
    t->at = at;
    place(w, t);
}

void mg_timer_stop(struct mg_wheel *w, struct mg_timer *t) {
    (void)w;
    mg_list_remove(&t->link);
}

// The slots that begin at `tick` are to move down.
static void cascade(struct mg_wheel *w) {
    for (int level = 0; level < MG_WHEEL_LEVELS - 1; level++) {
        if (w->tick & ((UINT64_C(1) << level_shift(level)) - 1)) return;
        unsigned i = (w->tick >> level_shift(level)) & (MG_WHEEL_LN - 1);
        mg_list_splice(&w->moving, &w->slots[level][i]);
        w->bits[level] &= ~(UINT64_C(1) << i);
    }
}

static struct mg_timer *take(struct mg_list *list) {
    struct mg_timer *t = mg_container_of(list->next, struct mg_timer, link);
    mg_list_remove(&t->link);
    return t;
}

// What was begun. False: there is more of it, and the time is over.
static bool go_on(struct mg_wheel *w, unsigned *left) {
    for (; !mg_list_empty(&w->moving); --*left) {
        if (*left == 0) return false;
        place(w, take(&w->moving));
    }
    for (; !mg_list_empty(&w->due); --*left) {
        if (*left == 0) return false;
        struct mg_timer *t = take(&w->due);
        t->fire(t);
    }
    return true;
}

// The first slot of level 0 at or after `from` whose bit is set, or MG_WHEEL_L0.
static unsigned next_slot0(const struct mg_wheel *w, unsigned from) {
    for (unsigned word = from / 64; word < MG_WHEEL_L0 / 64; word++) {
        uint64_t bits = w->bits0[word];
        if (word == from / 64) bits &= ~UINT64_C(0) << (from % 64);
        if (bits) return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return MG_WHEEL_L0;
}

// Earliest possible time (ticks) of a timer in level 0, or UINT64_MAX.
static uint64_t next0(struct mg_wheel *w) {
    unsigned from = w->tick & (MG_WHEEL_L0 - 1);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = next_slot0(w, round ? 0 : from); i < (round ? from : MG_WHEEL_L0); i = next_slot0(w, i + 1)) {
            if (!mg_list_empty(&w->slot0[i])) return w->tick + ((i - from) & (MG_WHEEL_L0 - 1));
            w->bits0[i / 64] &= ~(UINT64_C(1) << (i % 64));
            if (i + 1 == MG_WHEEL_L0) break;
        }
    }
    return UINT64_MAX;
}

static uint64_t next_upper(struct mg_wheel *w, int level) {
    unsigned shift = level_shift(level);
    uint64_t block = w->tick >> shift;
    // The block that tick is in has moved down already, unless tick is its very first.
    unsigned first = w->tick & ((UINT64_C(1) << shift) - 1) ? 1 : 0;
    for (unsigned d = first; d < MG_WHEEL_LN + first && w->bits[level]; d++) {
        unsigned i = (block + d) & (MG_WHEEL_LN - 1);
        if (!(w->bits[level] & UINT64_C(1) << i)) continue;
        if (!mg_list_empty(&w->slots[level][i])) return (block + d) << shift;
        w->bits[level] &= ~(UINT64_C(1) << i);
    }
    return UINT64_MAX;
}

// The tick of the next occupied slot of any level, or UINT64_MAX.
static uint64_t next_tick(struct mg_wheel *w) {
    uint64_t best = next0(w);
    for (int level = 0; level < MG_WHEEL_LEVELS - 1; level++) {
        uint64_t t = w->bits[level] ? next_upper(w, level) : UINT64_MAX;
        if (t < best) best = t;
    }
    return best;
}

uint64_t mg_wheel_next(struct mg_wheel *w) {
    if (!mg_list_empty(&w->due)) return (w->tick - 1) * NS_PER_TICK;
    uint64_t best = mg_list_empty(&w->moving) ? next_tick(w) : w->tick;
    return best == UINT64_MAX ? UINT64_MAX : best * NS_PER_TICK;
}

// Goes from one occupied slot to the next: blocks in between whose upper slots are empty have nothing to move down, so
// however long the time was, only timers cost anything.
void mg_wheel_advance(struct mg_wheel *w, uint64_t now_ns) {
    uint64_t target = now_ns / NS_PER_TICK;
    unsigned left = MG_WHEEL_MOST;
    while (go_on(w, &left) && w->tick <= target) {
        uint64_t next = next_tick(w);
        if (next > target) {
            w->tick = target + 1;
            return;
        }
        w->tick = next;
        if (next % MG_WHEEL_L0 == 0) cascade(w);
        if (!mg_list_empty(&w->moving)) continue; // then what of it is due now is in the slot
        unsigned slot = next % MG_WHEEL_L0;
        w->tick = next + 1;
        mg_list_splice(&w->due, &w->slot0[slot]);
        w->bits0[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    }
}
