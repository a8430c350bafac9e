// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reads messages of a stream in order and without a gap, for an operation: through an ephemeral consumer that is made
// anew behind the last message whenever something is missing or the connection was lost (ADR-17's ordered consumer).
#ifndef MGC_HOST_READER_H
#define MGC_HOST_READER_H

#include "client/host/op.h"

typedef struct mgc_reader {
    // Set before the start; slices in the op's arena.
    midge_op *op;
    midge_str stream, filter;
    enum midge_deliver deliver;
    bool headers_only;
    bool lasting; // a watch: keeps trying while the stream exists. Otherwise it ends after some tries without progress.
    // A message; or with msg NULL, once: all that was there at the start has been given. It may end the op, then it
    // returns false and the reader is not touched any more.
    bool (*entry)(midge_op *op, const midge_msg *msg, const midge_js_meta *meta);

    // The reader's.
    midge_js js;
    midge_js_pull pull;
    midge_hook hook;
    uint64_t stream_seq, consumer_seq; // of the last message
    uint64_t behind;                   // messages that were there at the start and are not given yet
    unsigned tries;                    // since the last progress
    bool caught_up, started;
    char name[23];
    char buf[1024];
} mgc_reader;

// One for each op, in its arena, zeroed before. After it has started, errors end the op.
int mgc_reader_start(mgc_reader *r);
// From the stop of an op.
void mgc_reader_stop(mgc_reader *r);

#endif
