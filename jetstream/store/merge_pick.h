// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which table runs are worth merging. Pure: figures in, a choice out.
#ifndef MG_JETSTREAM_STORE_MERGE_PICK_H
#define MG_JETSTREAM_STORE_MERGE_PICK_H

#include <stdbool.h>
#include <stdint.h>

#define MG_MERGE_MANY 6u     // of a kind: some are merged
#define MG_MERGE_AT_ONCE 16u // inputs of a merge
#define MG_MERGE_LIMIT 48u   // free ones of a kind; a checkpoint waits for a merge rather than adding another one

struct mg_merge_item {
    uint64_t size; // bytes of the file
    bool busy;     // input of a merge that runs
};

// Runs of one kind, the newest first. Both give how many neighbours to merge, from *from on; 0: none.
//
// If there are `many`: the newest ones, and older ones as long as they are not much larger than what is taken already;
// nothing at or behind a busy one. At most `most` bytes.
uint32_t mg_merge_pick(const struct mg_merge_item *runs, uint32_t n, uint32_t many, uint64_t most, uint32_t *from);
// There are too many: the cheapest neighbours.
uint32_t mg_merge_pick_cheap(const struct mg_merge_item *runs, uint32_t n, uint32_t *from);

#endif
