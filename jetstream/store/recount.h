// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Counting again what a stream has in its segments: rows of subjects, which are kept once since they can be computed,
// and counters. Blocks; the start and the rebuilding of a store.
#ifndef MG_JETSTREAM_STORE_RECOUNT_H
#define MG_JETSTREAM_STORE_RECOUNT_H

#include "jetstream/store/keeper.h"
#include "jetstream/store/stream.h"

struct mg_recount {
    // Given: the stream, and where its messages are (ascending).
    uint64_t stream, low;   // messages below `low` are removed
    uint32_t epoch;         // of the rows of subjects
    int64_t max_per_subject;
    const struct mg_stretch *stretches;
    uint32_t stretches_len;
    const struct mg_runset *runs; // rows of removed messages
    const struct mg_subject_match *match; // only these subjects; NULL: all
    int (*pace)(void *arg);       // called now and then; not 0: that's the end. NULL is fine
    void *pace_arg;
    // Found.
    uint64_t first, last, msgs, bytes, subjects, unreadable;
    struct mg_lost lost;    // the unreadable ones, but for those of segments that could not be found at the start
    uint64_t maybe, maybe_bytes; // what cannot be read is at most so many messages, and bytes
    uint64_t left_out;      // the last of them; 0: there is none
    uint64_t gap_end;       // the number behind the first of them that follow each other; 0: all can be read
    int err;                // pace's, or what is removed cannot be told
    uint64_t op;            // the highest of any record
    int64_t last_time;
    size_t read;            // since the last call of `pace`
};
// `rows` gets the rows of subjects; it should be empty. Memory: about 100 bytes a subject.
void mg_recount_stream(struct mg_recount *r, struct mg_rowmap *rows);

// Adds all rows of a map to a run, in order of their keys.
int mg_recount_write(struct mg_run_builder *b, const struct mg_rowmap *rows);

// A run with rows of subjects could not be opened: writes all of them anew. After mg_recover_rows, before the journal
// is read: streams are as the checkpoint left them.
int mg_recount_subjects(struct mg_store *st);

#endif
