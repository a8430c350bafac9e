// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A change of one stream: an errand from the catalogue (streams.c) to the stream's shard (stream_change.c) and back.
// The request stays at home.
#ifndef MG_JETSTREAM_REQUEST_STREAM_CHANGE_H
#define MG_JETSTREAM_REQUEST_STREAM_CHANGE_H

#include "jetstream/request/request.h"

enum mg_js_change_kind {
    MG_JS_CHANGE_NONE, // a create of what is there already: only the answer
    MG_JS_CHANGE_CREATE,
    MG_JS_CHANGE_UPDATE,
    MG_JS_CHANGE_DELETE,
};

struct mg_js_change {
    struct mg_js_errand errand;
    enum mg_js_change_kind what;
    enum mg_js_reply reply;
    mg_slice name;        // owned, as is all below
    struct mg_buf config; // CREATE, UPDATE: the stored form
    // Of the home.
    struct mg_js_request *rq;
    struct mg_js_item *entry; // busy; NULL: nothing changes
    struct mg_js_stream_config before, behind; // UPDATE
    // Of the stream's shard.
    struct mg_js *there;
    struct mg_js_wait wait;
    // What comes of it.
    bool made;     // the stream is there, behaves as configured, has gone
    bool happened; // and that is durable
    bool untold;   // nothing is answered
    struct mg_js_stream *stream; // CREATE on the home's shard
    struct mg_js_error error;    // row NULL: none
    struct mg_buf answer;
};

struct mg_js_change *mg_js_change_new(struct mg_js_request *rq, enum mg_js_change_kind what, mg_slice name);
void mg_js_change_free(struct mg_js_change *ch);
void mg_js_change_done(struct mg_js_errand *e); // at home

#endif
