// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Cold reads: questions that segments and table runs have to answer. A reader thread works on a snapshot: the stretches
// of the stream and the runs as they are now, both immutable. What was removed is known from rows: those in the runs
// the reader looks at itself, those in memory the shard applies when the answer comes. (A generation that moves from
// memory into runs meanwhile could be missed by both: then `installs` of the part has changed, and the question is
// asked again.)
//
// A long stream has thousands of stretches, so a question takes some of them along and goes on by itself with the next
// ones while it has found nothing. COUNT does not: it speaks of the messages below `upto`, as they were when it was
// asked; whoever asks tells it what is removed meanwhile (mg_cold_uncount) and goes on behind.
#ifndef MG_JETSTREAM_STORE_COLD_H
#define MG_JETSTREAM_STORE_COLD_H

#include "jetstream/store/stream.h"

struct mg_cold_entry {
    uint64_t seq;
    uint64_t last_seq; // the same, or, with err, the last one that may be damaged
    int64_t time;      // with err: it is not younger
    uint32_t size;     // with err: what it counted in `bytes`, as far as anything tells; 0: nothing does
    mg_slice subject, headers, payload;
    int err; // MG_ECORRUPT, MG_EIO: it is there and cannot be read, or whether it is there
};

enum mg_cold_kind {
    MG_COLD_SCAN,  // messages from `from` on, below `end`
    MG_COLD_LAST,  // the last one at or below `from`
    MG_COLD_TIME,  // the first one from `from` on that is not older than `time`
    MG_COLD_COUNT, // how many from `from` on below `upto`, which the asking says
    MG_COLD_ROW,   // the row of the key that is the filter, as the tables have it: in the bytes of the answer
    MG_COLD_SUBJECT, // the row of a subject (the filter), as the tables should have it: in the bytes of the answer
};

struct mg_cold_question {
    enum mg_cold_kind kind;
    uint64_t from;
    int64_t time;
    const mg_slice *filters; // copied
    unsigned filters_len;    // 0: all
    uint32_t max;            // SCAN: entries; SUBJECT: messages that a row names
    size_t max_bytes;        // SCAN: of records; 0: 256 KB
    size_t window;           // SCAN: bytes of a file that are read at once; 0: 64 KB
};

// Does a message on this subject matter to the question?
bool mg_cold_matches(const struct mg_cold_question *q, mg_slice subject);

// What a reader has allocated, it frees: malloc's lock of its memory may be held by a reader that has no CPU just now,
// and a shard must not wait for that. Who takes the answer over gives it back.
struct mg_cold_answer {
    struct mg_parcel parcel;
    struct mg_worker *reader;
    struct mg_cold_entry *entries;
    struct mg_buf bytes; // of the entries
};
void mg_cold_answer_free(struct mg_cold_answer *a); // the shard; NULL is fine

struct mg_cold_read;
// The answer, on the shard. Entries that were removed are left out; slices live until it returns. Not called for a
// question that was cancelled, except for SUBJECT: then the stream is NULL.
typedef void (*mg_cold_done)(struct mg_cold_read *r);

struct mg_cold_read {
    struct mg_parcel parcel;
    struct mg_list link;       // of the stream's reads
    struct mg_stream *stream;  // NULL: cancelled
    struct mg_store_part *part;
    mg_cold_done done;
    void *user;
    // The question and the snapshot.
    struct mg_cold_question q;
    uint64_t stream_id, low;   // messages below `low` are removed
    struct mg_stretch *cold;   // copies, with references
    uint32_t cold_len;
    bool cut;                  // the stream has more of them behind (LAST: in front)
    uint64_t upto;             // COUNT
    struct mg_runset *runs;
    uint32_t installs;
    struct mg_buf filters;     // bytes of the filters
    // The answer.
    struct mg_cold_answer *answer; // done may take it over, and sets it to NULL
    struct mg_cold_entry *entries; // of the answer
    uint32_t count, cap;
    uint64_t covered;          // SCAN: every message below was looked at
    uint64_t total;            // COUNT
    bool doubt;                // SUBJECT: the row that cannot be read may have said something else
    uint64_t left_out;         // SUBJECT: the last of the messages that nobody knows the subject of; 0: none
    int err;                   // the question as a whole could not be answered; never of SCAN: who goes from message
                               // to message always gets ahead
    // COUNT: bitmaps of removed messages that are in memory, gathered in slices before the reader gets it.
    struct mg_list gathers;    // of the stream's list
    struct mg_buf memory_bits;
    uint64_t bits_at;          // those of numbers below are gathered; MG_ANY_SEQ: the reader has it
    uint64_t gone;             // of its messages, removed since it was asked
};

struct mg_cold_read *mg_cold_ask(struct mg_stream *s, const struct mg_cold_question *q, mg_cold_done done, void *user);
// COUNT: a message that was below `upto` and not below `from` is just being removed.
void mg_cold_uncount(struct mg_cold_read *r, uint64_t seq, mg_slice subject);
void mg_cold_gather(struct mg_stream *s); // the next slices
void mg_cold_find(struct mg_cold_read *r); // cold_find.c, on a reader's thread: the answer to r->q
void mg_cold_cancel(struct mg_cold_read *r); // done is not called
void mg_cold_cancel_all(struct mg_stream *s);

#endif
