// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the operations of midge_host.h share: their life, and requests to the JetStream API.
//
// An operation is a chain of steps. A step sends a request and names the next one; the last step calls mgc_op_end.
#ifndef MGC_HOST_OP_H
#define MGC_HOST_OP_H

#include "client/host/arena.h"
#include "client/host/bind.h"
#include "client/host/midge_host.h"

// A step: the answer of the request before is in op->json and, if it was an error, in op->error.
typedef void (*mgc_step)(midge_op *op, int err);

struct mgc_reader;

typedef struct mgc_op {
    midge *m;
    mgc_arena arena;       // the results
    mgc_arena scratch;     // see mgc_op_scratch
    bool scratching;
    int32_t request;       // the one that is open; 0: none
    mgc_step then, then_acked, then_msg, then_object;
    mgc_arena earlier;     // results before this start, which its arguments may be slices of; freed when it has started
    void *plan;            // what the steps remember, in the arena
    struct mgc_reader *reader;  // that runs, or NULL
    void (*stop)(midge_op *op); // frees what the plan holds outside of the arena; may be NULL
} mgc_op;

// Before anything else. Earlier results stay readable until mgc_op_started, for arguments that are slices of them.
// EINVAL: it runs. ENOMEM.
int mgc_op_begin(midge *m, midge_op *op);
// Ends what mgc_op_begin began in the function that the caller called, and forgets earlier results; `err`: of the first
// step. Returns it.
int mgc_op_started(midge_op *op, int err);
// The end; the op may be gone after it.
void mgc_op_end(midge_op *op, int err);
// A step: the end with the error of the request, or with 0.
void mgc_op_last(midge_op *op, int err);

// Where requests and answers live: with the results, or after mgc_op_scratch in memory that the next call of that
// frees, for operations with any number of requests.
static inline mgc_arena *mgc_op_arena(midge_op *op) {
    return op->internal->scratching ? &op->internal->scratch : &op->internal->arena;
}
void mgc_op_scratch(midge_op *op);
// Where results live.
static inline mgc_arena *mgc_op_results(midge_op *op) {
    return &op->internal->arena;
}

// Requests `<prefix>.<verb>[.<first>[.<second>]]`, then calls the step.
int mgc_api(midge_op *op, const char *verb, midge_str first, midge_str second, midge_str body, mgc_step then);
// The same with a body that was written; ends `body`.
int mgc_api_json(midge_op *op, const char *verb, midge_str first, midge_str second, mgc_json_out *body, mgc_step then);
// Publishes to a stream and waits for its acknowledgement, whose sequence is then in op->count.
int mgc_publish(midge_op *op, midge_str subject, midge_str headers, midge_str data, mgc_step then);
// Reads op->json by a table.
int mgc_op_read(midge_op *op, const mgc_field *table, void *to);
// Reads the error member of an answer: 0 if it has none, else a MIDGE_E code and *error (slices of the arena).
int mgc_api_error_of(midge_str json, midge_api_error *error, mgc_arena *a);

// The prefix of the API for this op, of the arena.
midge_str mgc_api_prefix(midge_op *op);

// All pages of a list: *items (of `size` bytes each) and op->len grow.
typedef struct mgc_list {
    const char *verb, *member; // "STREAM.NAMES", "streams"
    midge_str about;           // stream, or none
    midge_str filter;          // "subject" of the body
    const mgc_field *table;    // of one element; NULL: texts
    size_t size;
    void *items;
    void (*done)(midge_op *op, void *items); // stores the items
} mgc_list;
int mgc_list_all(midge *m, midge_op *op, const mgc_list *list);

// A name of a stream, consumer or bucket: may be a token of a subject. Restricted: only letters, digits, '-' and '_'.
bool mgc_name_ok(midge_str name);
bool mgc_restricted_ok(midge_str name);

bool mgc_text_is(midge_str s, const char *text);
bool mgc_text_eq(midge_str a, midge_str b);
bool mgc_text_starts(midge_str s, const char *prefix);

// Nanoseconds since 1970, by the system's clock.
int64_t mgc_wall_now(void);

extern const mgc_field mgc_stream_config_fields[];
extern const mgc_field mgc_stream_fields[];
extern const mgc_field mgc_consumer_config_fields[];
extern const mgc_field mgc_consumer_fields[];

// Starts of operations that others are made of.
int mgc_stream_change(midge_op *op, const char *verb, const midge_stream_config *config, mgc_step then);
int mgc_consumer_start(midge_op *op, midge_str stream, const midge_consumer_config *config,
                       enum midge_consumer_action action, mgc_step then);
int mgc_purge(midge_op *op, midge_str stream, const midge_purge_opts *opts, mgc_step then);
void mgc_stream_end(midge_op *op, int err); // a step: reads op->stream, ends
int mgc_msg_get(midge_op *op, midge_str stream, const midge_msg_get_opts *opts, mgc_step then); // op->msg

#endif
