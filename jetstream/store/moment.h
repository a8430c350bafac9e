// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A moment of the store: its tables, and the segments that they speak of, as the last checkpoint or compaction has left
// them. References keep the files, so a job of the keeper may take its time: what others write meanwhile is newer and
// lies above.
#ifndef MG_JETSTREAM_STORE_MOMENT_H
#define MG_JETSTREAM_STORE_MOMENT_H

#include "jetstream/store/stretch.h"

struct mg_store;

struct mg_moment {
    struct mg_runset *runs;
    struct mg_segment_ref **segments; // ascending ids
    uint32_t segments_len;
};

void mg_moment_take(struct mg_moment *m, struct mg_store *st); // the keeper
void mg_moment_end(struct mg_moment *m);

// The stretches of a stream, ascending; the array is the caller's (mg_free). Their segments live as long as the moment;
// NULL: it could not be found at the start. Blocks.
int mg_moment_stretches(const struct mg_moment *m, uint64_t stream, struct mg_stretch **out, uint32_t *n);

#endif
