// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/size.h"

#define MB (UINT64_C(1) << 20)
#define RING_FILES 8u
#define SPARED (256 * MB) // of a machine: the system, and what of the server is not the store

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high) { return v < low ? low : v > high ? high : v; }

void mg_store_size(struct mg_store_options *o, uint64_t memory) {
    if (memory < MG_STORE_MEMORY_MIN) memory = MG_STORE_MEMORY_MIN;
    const uint64_t share = memory / 8;
    o->ring_file_bytes = (uint32_t)(clamp(share / RING_FILES / MB, 1, 8) * MB);
    o->ring_bytes = (uint64_t)RING_FILES * o->ring_file_bytes;
    o->cache_bytes = share;
    o->rows_bytes = share;
    o->queue_bytes = clamp(2 * share, 0, 128 * MB);
}

uint64_t mg_store_memory(uint64_t machine) {
    uint64_t rest = machine > SPARED ? machine - SPARED : 0;
    return clamp(rest / 3, MG_STORE_MEMORY_MIN, MG_STORE_MEMORY_FULL);
}
