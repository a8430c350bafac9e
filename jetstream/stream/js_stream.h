// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A stream of JetStream on its shard: its subjects, the publish path, and what clients ask of it directly. The messages
// themselves, limits, deduplication and order are the store's (jetstream/store/store.h).
#ifndef MG_JETSTREAM_STREAM_JS_STREAM_H
#define MG_JETSTREAM_STREAM_JS_STREAM_H

#include "jetstream/api/stream_config.h"
#include "jetstream/js.h"

// Owned by its shard; lives from create (or recovery) until its deletion is durable.
struct mg_js_stream {
    struct mg_list link; // of js->streams
    struct mg_js *js;
    struct mg_stream *store;
    struct mg_js_stream_config config;
    struct mg_js_sub **subs; // one for each subject
    size_t nsubs;
    struct mg_js_sub *direct, *direct_last; // $JS.API.DIRECT.GET.<name> and .<name>.>
    struct mg_buf last_msg_id;   // of the last stored message; empty: it had none
    struct mg_list waits;        // of struct mg_js_wait: calls into the store that are not answered
    uint64_t acks, refused;
};

// Takes a stored stream into service: subscribes to its subjects. config is moved.
struct mg_js_stream *mg_js_stream_new(struct mg_js *js, struct mg_stream *store, struct mg_js_stream_config *config);
void mg_js_stream_free(struct mg_js_stream *s);
// Subscribes to what the configuration says now.
void mg_js_stream_subscribe(struct mg_js_stream *s);

// A call into the store: `done` is called with its result, when that may be told.
struct mg_js_wait {
    struct mg_list link;
    struct mg_js_stream *stream; // NULL: it went meanwhile
    void (*done)(struct mg_js_wait *w, const struct mg_result *r);
};
extern const struct mg_stream_ops mg_js_stream_ops;

// publish.c: a message on one of the stream's subjects.
void mg_js_stream_publish(void *arg, const struct mg_msg *m);

static inline mg_slice mg_js_stream_name(const struct mg_js_stream *s) { return s->config.name; }
static inline struct mg_stream_limits mg_js_stream_limits(const struct mg_js_stream_config *c) {
    return (struct mg_stream_limits){
        .max_msgs = c->max_msgs,
        .max_bytes = c->max_bytes,
        .max_msgs_per_subject = c->max_msgs_per_subject,
        .max_age = (uint64_t)c->max_age,
        .dedupe_window = (uint64_t)c->duplicate_window,
        .discard = c->discard == MG_JS_DISCARD_NEW ? MG_DISCARD_NEW : MG_DISCARD_OLD,
        .discard_new_per_subject = c->discard_new_per_subject,
    };
}

#endif
