// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a consumer remembers across a restart, and the changes that lead from one state to the next.
//
// Every change is decided once, becomes a struct mg_js_delta, and is applied by the one function that also replays it:
// so a snapshot and the deltas since then give the same state, whatever the clock or the rules say by then. A delta
// that does not fit the state (it came from disk) is refused.
#ifndef MG_JETSTREAM_CONSUMER_STATE_H
#define MG_JETSTREAM_CONSUMER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/consumer/pending.h"
#include "server/base/buf.h"
#include "server/base/slice.h"

// A pair of numbers: of the consumer, and of the stream.
struct mg_js_pair {
    uint64_t dseq, seq;
};

// The numbers that last_per_subject has yet to deliver, packed: differences as varints.
struct mg_js_skip {
    struct mg_buf packed; // owned
    size_t at;            // where the next one begins
    uint64_t head;        // the next one; 0: none is left
    uint64_t left;        // how many, head included
};

struct mg_js_state {
    struct mg_js_pair delivered; // the last ones
    struct mg_js_pair floor;     // all up to them are done
    uint64_t resume;             // where to go on behind the skip list; 0: nowhere special
    bool no_acks;                // ack policy none: the floor follows the deliveries
    struct mg_js_pending pending;
    struct mg_js_skip *skip;     // owned; NULL: none
};

enum mg_js_delta_op {
    MG_JS_DELTA_DELIVER = 1, // seq for the first time, due at `due`
    MG_JS_DELTA_REDELIVER,   // seq again, due at `due`
    MG_JS_DELTA_BOUNCE,      // that delivery of seq did not count; due again at `due`
    MG_JS_DELTA_DUE,         // seq is due at `due` (negative acknowledgement, work in progress, other rules)
    // Those above have a due time.
    MG_JS_DELTA_DROP,        // seq is done: acknowledged, terminated or gone from the stream
    MG_JS_DELTA_DROP_TO,     // all up to seq are done, and so is the floor
    MG_JS_DELTA_PARK,        // seq was delivered often enough
    MG_JS_DELTA_FIRST,       // the stream begins at seq
    MG_JS_DELTA_RESET,       // begins anew at seq
    MG_JS_DELTA_SKIP,        // seq of the skip list has gone
    MG_JS_DELTA_OPS
};

struct mg_js_delta {
    enum mg_js_delta_op op;
    uint64_t seq;
    int64_t due; // ns, whole milliseconds; MG_JS_NEVER
};

// Begins before `next`, the first number to be looked at.
void mg_js_state_init(struct mg_js_state *s, uint64_t next, bool no_acks);
void mg_js_state_fini(struct mg_js_state *s);
// The numbers for last_per_subject, ascending and not below the position. Behind them it goes on at `resume`.
void mg_js_state_skip_list(struct mg_js_state *s, const uint64_t *seqs, size_t n, uint64_t resume);
// The next number to look at, as far as the state knows (the consumer may have looked further and found nothing).
uint64_t mg_js_state_next(const struct mg_js_state *s);
static inline uint64_t mg_js_state_skip_head(const struct mg_js_state *s) { return s->skip ? s->skip->head : 0; }

// MG_OK; MG_ECORRUPT: it does not fit, and nothing was changed.
int mg_js_state_apply(struct mg_js_state *s, const struct mg_js_delta *d);

// ---- as bytes (state_code.c) ----------------------------------------------------------------------------------------

void mg_js_state_encode(const struct mg_js_state *s, struct mg_buf *out); // appends a snapshot
// Any bytes. out is initialized when it returns MG_OK, and owns its memory. MG_ECORRUPT; MG_EUNSUPPORTED: a version
// that this program does not know.
int mg_js_state_decode(struct mg_js_state *out, mg_slice bytes);

// Deltas of one record stand in a row, each relative to the one before. A zeroed coder stands at the beginning.
struct mg_js_delta_coder {
    uint64_t seq;
    int64_t due;
};
void mg_js_delta_encode(struct mg_js_delta_coder *c, struct mg_buf *out, const struct mg_js_delta *d);
// Takes one delta from *in. MG_OK; MG_EEOF: nothing is left; MG_ECORRUPT.
int mg_js_delta_decode(struct mg_js_delta_coder *c, mg_slice *in, struct mg_js_delta *out);
// Applies all deltas of a record. MG_ECORRUPT: those before the bad one were applied.
int mg_js_state_replay(struct mg_js_state *s, mg_slice record);

#endif
