// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The roll of a stream's consumers: each of some names is woken if it sleeps, asked for what it does not know, and
// shown, one after the other, some a turn. Who has gone meanwhile, or cannot be read, is left out.
#ifndef MG_JETSTREAM_STREAM_ROLL_H
#define MG_JETSTREAM_STREAM_ROLL_H

#include "jetstream/stream/member.h"

// The owner's, of the streams' shard. Zeroed at first but for js, each and end; it can be used again when it has ended.
struct mg_js_roll {
    struct mg_js *js;
    void (*each)(struct mg_js_roll *r, struct mg_js_member *m);
    void (*end)(struct mg_js_roll *r, struct mg_js_stream *s); // the last call; NULL: the stream is gone
    struct mg_js_task task; // its `drop` may be set, see js.h
    struct mg_js_knowing knowing;
    struct mg_js_member *answered; // asked and has answered at once
    bool asking;
    struct mg_buf stream; // its name
    struct mg_buf names;  // u32 length, text
    size_t at;            // of the next one
};

// At most `most` names behind the first `skip` in the order of names. `end` may be called before this returns.
void mg_js_roll_call(struct mg_js_roll *r, struct mg_js_stream *s, size_t skip, size_t most);
// Frees what it holds; not while a consumer has been asked.
void mg_js_roll_fini(struct mg_js_roll *r);

#endif
