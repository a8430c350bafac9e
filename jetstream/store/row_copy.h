// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Copying the rows that memory has beyond the runs, a slice in each turn of the shard, for a reader that lists rows.
// What changes meanwhile may be in the copy or not; what was there at the beginning is, for the generations are kept.
#ifndef MG_STORE_ROW_COPY_H
#define MG_STORE_ROW_COPY_H

#include "jetstream/store/rows.h"

struct mg_row_copy {
    struct mg_runset *runs; // a reference, of the same moment; NULL: none
    struct mg_rowmap *levels[MG_ROW_LEVELS + 1]; // references, newest first
    uint32_t nlevels, level, slot, grown;
    bool begun;
    struct mg_rowmap *rows; // the copies: mg_row_hash with seed 0. Deleted ones, too
};

void mg_row_copy_begin(struct mg_row_copy *c, const struct mg_rows *rows, bool with_runs);
// The next slice of those that are wanted. False: there is more. Changes whose older value is on its way are left out.
bool mg_row_copy_more(struct mg_row_copy *c, bool (*wanted)(const void *arg, mg_slice key), const void *arg);
void mg_row_copy_end(struct mg_row_copy *c);

#endif
