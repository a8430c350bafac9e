// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a sequential NEXT has read ahead: the batch that it answers from, and the one behind it, which a reader thread
// fetches while the first is being used, so that the disk and who is delivered to work at the same time.
//
// A batch is true as long as nothing left memory for files since it came (then removals of its messages may be where
// it does not look): `installs`. What was removed meanwhile is left out by what memory knows.
#ifndef MG_JETSTREAM_STORE_AHEAD_H
#define MG_JETSTREAM_STORE_AHEAD_H

#include "jetstream/store/cold.h"

struct mg_read_batch {
    struct mg_cold_answer *answer; // owned; NULL: there is no batch
    struct mg_cold_entry *entries; // in it
    uint32_t count, next;
    uint64_t from, covered; // what a question "next from this number on" may be answered from
    uint32_t installs;      // of the stream's part, when it came
    bool full;              // it ends where it does because that was enough
    uint64_t removals;      // of the stream, when it was known to be free of removed messages
};

// Of one read, on its shard.
struct mg_read_ahead {
    struct mg_store_part *part;
    struct mg_read_batch now, then;
    struct mg_cold_read *coming; // the question for `then`
    uint64_t coming_from;        // what it asks from
};

// The question for a batch from that number on: its size depends on how many readers of the part have one.
struct mg_cold_question mg_ahead_question(const struct mg_stream *s, const struct mg_read *r, uint64_t from);
// Takes an answer over: the batch to answer from.
struct mg_read_ahead *mg_ahead_new(struct mg_cold_read *cold);
// The first entry from number *from on, and asks for the next batch when it is time. NULL: no batch has it; *from is
// then behind what they cover.
const struct mg_cold_entry *mg_ahead_find(struct mg_stream *s, struct mg_read *r, uint64_t *from);
// Is there a question under way that will tell? The read may then wait for it: r->cold is the same question.
bool mg_ahead_is_coming(const struct mg_read *r, uint64_t from);
void mg_ahead_free(struct mg_read_ahead *a); // NULL is fine; cancels the question that is under way
bool mg_ahead_forget(struct mg_cold_read *cold); // the question is given up. False: it is none of these

// read.c: the read goes on, its question has been answered.
void mg_read_go_on(struct mg_read *r);

#endif
