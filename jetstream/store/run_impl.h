// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of runs share.
#ifndef MG_STORE_RUN_IMPL_H
#define MG_STORE_RUN_IMPL_H

#include "jetstream/store/run.h"

// What stays of a part: its first key, and its filter from when it was first read. Those who may not block ask it.
struct run_gate {
    mg_slice first;
    _Atomic(uint8_t *) filter; // NULL: not read yet, there is none, or no memory for it
    atomic_uint lines;         // of the filter; valid behind it
};

struct mg_run {
    struct mg_frame_file file;
    struct mg_run_foot foot;
    struct mg_block *top; // the payload of the top frame, into which the following point
    mg_slice max_key;
    struct run_gate *gates; // one a part, ascending
    uint32_t ngates;
    struct mg_buf gate_keys;
    struct mg_block_view parts;
};

// A part in memory.
struct run_part {
    struct mg_run_part ref;
    struct mg_block *block;
    const uint8_t *filter; // NULL: none
    uint32_t lines;
    struct mg_block_view blocks; // first key -> mg_run_block
};

// Loads the part that a row of the top names. If its frame is damaged in all copies, its data frames are walked, and
// the index made of them; what could not be read is a block of length 0 there. Cannot fail.
void run_part_load(const struct mg_run *r, const struct mg_row *top_row, struct run_part *part);
void run_part_release(struct run_part *part);
// Where the data frame is that a row of a part's index names. MG_ECORRUPT: nowhere, its rows cannot be read.
int run_block_place(const struct run_part *part, const struct mg_row *index_row, uint64_t *at, uint32_t *length);

#endif
