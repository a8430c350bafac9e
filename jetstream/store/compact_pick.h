// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which segments are worth rewriting. Pure: figures in, a choice out.
#ifndef MG_JETSTREAM_STORE_COMPACT_PICK_H
#define MG_JETSTREAM_STORE_COMPACT_PICK_H

#include <stdbool.h>
#include <stdint.h>

#define MG_COMPACT_MAX 16u // inputs of a job

struct mg_compact_item {
    uint64_t id, size;   // bytes of the file
    uint64_t live;       // bytes that a file with what lives would have, about
    uint32_t age, stretches;
    bool usable;         // may be rewritten
};

// Sorts by age, the oldest first: neighbours then hold neighbouring messages of their streams.
void mg_compact_sort(struct mg_compact_item *list, uint32_t n);
// Chooses from a sorted list; indexes, ascending, in out. 0: nothing is worth it.
uint32_t mg_compact_pick(const struct mg_compact_item *list, uint32_t n, uint32_t out[MG_COMPACT_MAX]);
// How much garbage there is.
enum mg_garbage {
    MG_GARBAGE_SOME,
    MG_GARBAGE_MUCH,  // 0.3 of what lives, which is more than there should be: no time for breaks
    MG_GARBAGE_FLOOD, // more than what lives: publishers make it faster than it goes
};
enum mg_garbage mg_compact_garbage(const struct mg_compact_item *list, uint32_t n);

#endif
