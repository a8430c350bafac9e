// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shared by the files of direct gets (spec/jetstream-streams.md 8): direct.c takes requests apart, direct_one.c answers
// with one message, direct_batch.c with those that follow each other, direct_multi.c with the last ones of subjects.
#ifndef MG_JETSTREAM_STREAM_DIRECT_H
#define MG_JETSTREAM_STREAM_DIRECT_H

#include "jetstream/api/shape.h"
#include "jetstream/stream/js_stream.h"

struct mg_js_ask {
    uint64_t seq;
    mg_slice last_by_subj, next_by_subj;
    int64_t batch, max_bytes;
    struct mg_js_time start_time, up_to_time;
    struct mg_strings multi_last;
    uint64_t up_to_seq;
    bool no_hdr;
};

// One request, from its message to the last of its answers. Its reads give it up when the stream goes.
struct mg_js_direct {
    struct mg_js_wait wait;
    struct mg_js_task task;
    struct mg_js_reading rd;
    struct mg_js_stream *stream;
    struct mg_js_ask ask;
    void (*then)(struct mg_js_direct *d); // where it goes on
    mg_slice filter;                      // of the read
    // Of answers with more than one message.
    uint64_t pending, last_seq, sent_bytes;
    int64_t sent;
    void *own; // direct_multi.c
    mg_slice to; // in text
    char text[];
};

void mg_js_direct_free(struct mg_js_direct *d);
void mg_js_direct_status(struct mg_js_direct *d, const char *text); // "404 Message Not Found"; frees d
// The same when all that the stream's state says is durable: for what is not there (its removal may not be).
void mg_js_direct_nothing(struct mg_js_direct *d, const char *text);
// `then` when r has its answer, at once or later. The filter is d->filter, empty: none.
void mg_js_direct_read(struct mg_js_direct *d, enum mg_read_kind kind, uint64_t seq,
                       void (*then)(struct mg_js_direct *d));
// `then` in the shard's next turn: an answer may not take long.
void mg_js_direct_later(struct mg_js_direct *d, void (*then)(struct mg_js_direct *d));
// Sends what was read as one of several messages. False: enough bytes were sent.
bool mg_js_direct_send(struct mg_js_direct *d);
int64_t mg_js_direct_max_bytes(const struct mg_js_direct *d);
// Ends an answer with several messages; ceiling 0: none is told. Frees d.
void mg_js_direct_end(struct mg_js_direct *d, uint64_t ceiling);

void mg_js_direct_one(struct mg_js_direct *d);
void mg_js_direct_batch(struct mg_js_direct *d);
void mg_js_direct_multi(struct mg_js_direct *d);
void mg_js_direct_multi_free(struct mg_js_direct *d);

#endif
