// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Counters that became wrong, and how they become right again.
//
// A message that cannot be read is there as long as nothing removes it: it counts, and it may come back (a cable). When
// age or a limit takes it nobody can tell what to subtract. A damaged record has a length, but not for sure a subject;
// of a damaged range it is not even known how many messages it had. So the counters stay too high, never too low, and
// the stream is *inexact*; where `msgs` itself may be wrong it is *unsure*, and a 0 does not mean that it is empty.
//
//      part                              keeper
//        | inexact: a checkpoint soon      |
//        | ---- checkpoint ------------->  | names the stream
//        |                                 | reads the stream's segments as of the checkpoint, compares with its rows
//        | <--- the difference ----------  |
//        | CORRECT records                 |
//
// The difference is between what the checkpoint says and what it has, so it is right for every later state: changes
// since then were exact, or have made the stream inexact anew, and then it is counted once more. It goes through the
// stream's queue and the journal like any change, and the part decides whether with it all is exact. Rows of subjects
// are written as they are with it: where one cannot be read later it is computed, and nothing is to be subtracted then.
//
// A row that is computed is the one that cannot be read, unless messages could not be read either, or the counters were
// inexact. Then the stream becomes inexact with it, and a difference that is on its way is about other rows: stale.
// Until all is exact, or `first` has passed what such rows leave out, they are not asked which message of a subject
// is the last one, or whether there is any: a walk through the messages tells, or meets what cannot be read
// (`overlooked`).
//
// If something from `first` on cannot be read, nobody can tell its bytes and subjects from those of what has gone: only
// messages and bytes that are too many in any case are taken off, and it is counted again when `first` has passed the
// first of these places.
//
// Meanwhile limits do not remove what can be read in the stead of what has gone: they let `slack` be, the most that the
// counters may be too high by.
#ifndef MG_JETSTREAM_STORE_CORRECT_H
#define MG_JETSTREAM_STORE_CORRECT_H

#include "jetstream/store/stream.h"

struct mg_keeper;

// Of a subject.
struct mg_miscount {
    int64_t more;         // messages than the row says
    uint64_t first, last; // of them all
    uint32_t len;         // of the subject
};

// What the keeper has found of a stream; its own until it is posted to the part, which frees it.
struct mg_correction_found {
    struct mg_parcel parcel;
    struct mg_store_part *part;
    uint64_t stream, op;  // as of this operation
    struct mg_correction by;
    struct mg_buf *pieces; // {struct mg_miscount, subject} one after the other, in pieces that fit into a record
    uint32_t pieces_len;
    bool failed;          // it could not be counted: the next start tries again
    bool again;           // it could not be counted this time
    bool doubt;           // it was not meant to; but rows of subjects do not know of what is lost
    uint64_t left_out;    // the last of the messages that they leave out
    bool exact;           // all could be read
    uint64_t gap_end;     // if not: where what cannot be read ends, at first
    struct mg_lost lost;  // what that is
};
void mg_correct_found_arrived(struct mg_parcel *p);
void mg_correct_found_free(struct mg_correction_found *c);

// ---- the part

static inline uint64_t mg_sure_of(uint64_t n, uint64_t doubt) { return n > doubt ? n - doubt : 0; }

void mg_correct_inexact(struct mg_stream *s); // by the operation that is just applied
void mg_correct_unsure(struct mg_stream *s);  // the same, and not only bytes and subjects
void mg_correct_settled(struct mg_stream *s); // all is exact
void mg_correct_want(struct mg_stream *s);    // if it is inexact and can be counted
// Rows of subjects were made anew, and may have said something else. They may leave out messages up to `left_out`,
// which cannot be read; 0: none.
void mg_correct_doubt(struct mg_stream *s, uint64_t left_out);
void mg_correct_start(struct mg_stream *s);   // the end of the recovery
int mg_correct_execute(struct mg_stream *s, struct mg_change *c);
void mg_correct_apply(struct mg_stream *s, const struct mg_record_view *rec);

// ---- the keeper (correct_job.c)

// Streams that a checkpoint, which is durable now, has named.
void mg_correct_listed(struct mg_keeper *k, const uint64_t *streams, uint32_t n);
// Rows of subjects were counted anew. Of those that nobody has changed since, the parts may have others in memory: they
// forget these with the next checkpoint, and only those behind it say what the parts know.
void mg_correct_stale(struct mg_keeper *k);
// Rows of a stream were counted anew and may have said something else: they leave out what is lost, up to `left_out`
// (0: nothing is), and what had gone unseen.
void mg_correct_tell_doubt(struct mg_store *st, uint64_t stream, const struct mg_lost *lost, uint64_t left_out);
bool mg_correct_step(struct mg_store *st); // counts one of them. False: there is nothing to do

#endif
