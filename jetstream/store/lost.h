// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which messages of a stream were found damaged: a short list of ranges, so that each is counted and told once, also
// after a restart (it is kept behind the stream's counters). When the list is full the nearest range grows: it then
// covers some that are fine, and its count says how many are not. Pure.
#ifndef MG_JETSTREAM_STORE_LOST_H
#define MG_JETSTREAM_STORE_LOST_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/store/format.h"
#include "server/base/slice.h"

#define MG_LOST_RANGES 32u

struct mg_lost {
    struct mg_lost_range at[MG_LOST_RANGES]; // ascending, apart from each other
    uint32_t len;
};

// Of the messages first..last, `count` are lost. Returns how many of them are news.
uint64_t mg_lost_add(struct mg_lost *l, uint64_t first, uint64_t last, uint64_t count);

bool mg_lost_has(const struct mg_lost *l, uint64_t seq); // a range covers it

#define MG_LOST_BYTES_MAX (MG_LOST_RANGES * MG_LOST_RANGE_SIZE)
size_t mg_lost_encode(const struct mg_lost *l, char out[MG_LOST_BYTES_MAX]); // bytes
bool mg_lost_decode(struct mg_lost *l, mg_slice bytes);                      // false: they are not plausible

#endif
