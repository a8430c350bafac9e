// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A stream of JetStream on its shard: its subjects, the publish path, and what clients ask of it directly. The messages
// themselves, limits, deduplication and order are the store's (jetstream/store/store.h).
#ifndef MG_JETSTREAM_STREAM_JS_STREAM_H
#define MG_JETSTREAM_STREAM_JS_STREAM_H

#include "jetstream/api/stream_config.h"
#include "jetstream/js.h"
#include "server/proto/transform.h"

// A read of the stream (jetstream/store/store.h). Zeroed before the first use; the owner's.
struct mg_js_reading {
    struct mg_list link; // of s->reads, while it waits
    struct mg_js_stream *stream;
    struct mg_read r;
    void (*done)(struct mg_js_reading *rd); // r has the answer. Not called when there was nothing to wait for
    void (*gone)(struct mg_js_reading *rd); // the stream goes, or the server: there will be no answer
};

// Owned by its shard; lives from create (or recovery) until its deletion is durable.
struct mg_js_stream {
    struct mg_js *js;
    struct mg_stream *store;     // NULL: it is deleted, only its consumers are still going
    struct mg_js_stream_config config;
    struct mg_list busy;         // of js->busy
    struct mg_list stalled;      // of js->stalled
    struct mg_list leaving;      // of js->leaving
    struct mg_js_sub **subs;     // one for each subject
    size_t nsubs;
    struct mg_js_sub *direct, *direct_last; // $JS.API.DIRECT.GET.<name> and .<name>.>; NULL: not allowed
    struct mg_list reads;        // of struct mg_js_reading: those that wait
    struct mg_list held;         // messages that wait for the id of the last one (hold.c), which is being read
    uint32_t held_count;
    struct mg_js_reading last_message;
    struct mg_transform *transform, *republish; // NULL: none
    struct mg_buf ack_prefix;    // what all acknowledgements of publishes begin with
    struct mg_js_members *members; // its consumers (member.h); NULL: it never had any
    struct mg_js_expiry *expiry; // expiry.c; NULL: its messages have no time of their own
    bool deleting;               // its deletion is under way: it takes nothing any more
};

// Takes a stored stream into service. config is moved.
struct mg_js_stream *mg_js_stream_new(struct mg_js *js, struct mg_stream *store, struct mg_js_stream_config *config);
void mg_js_stream_free(struct mg_js_stream *s);
// The same behind its deletion: its consumers may be very many, and go in slices.
void mg_js_stream_leave(struct mg_js_stream *s);
// It behaves as *config says from now on. config is moved.
void mg_js_stream_reconfigure(struct mg_js_stream *s, struct mg_js_stream_config *config);
// Leaves its subjects and gives up what waits: before it is deleted.
void mg_js_stream_retire(struct mg_js_stream *s);
// The server ends.
void mg_js_stream_shutdown(struct mg_js_stream *s);
// Calls mg_js_stream_turn at the end of the turn.
void mg_js_stream_busy(struct mg_js_stream *s);
void mg_js_stream_stall(struct mg_js_stream *s); // the same when it may send again
bool mg_js_stream_turn(struct mg_js_stream *s); // true: there is more to do
// Would a consumer get a message on this subject? For retention by interest.
bool mg_js_stream_wanted(const struct mg_js_stream *s, mg_slice subject);


static inline mg_slice mg_js_stream_name(const struct mg_js_stream *s) { return s->config.name; }
struct mg_stream_limits mg_js_stream_limits(const struct mg_js_stream_config *c);

// publish.c: a message on one of the stream's subjects.
bool mg_js_stream_publish(void *arg, const struct mg_msg *m);

// Where a message is stored, as headers tell it: those of direct gets and of republished messages. Appends the stored
// headers and, behind them, these; the block is still open (the empty line is missing).
struct mg_js_where {
    mg_slice subject;
    uint64_t seq;
    int64_t time;
};
void mg_js_write_where(struct mg_buf *out, const struct mg_js_stream *s, mg_slice stored, const struct mg_js_where *w);

// direct.c: requests of $JS.API.DIRECT.GET.
bool mg_js_stream_direct(void *arg, const struct mg_msg *m);

// consumers
uint64_t mg_js_stream_consumers(const struct mg_js_stream *s);
// May the stream be configured like this, with the consumers that it has (10069)?
int mg_js_stream_check_consumers(const struct mg_js_stream *s, const struct mg_js_stream_config *c,
                                 struct mg_js_error *e);

// ---- reads ----------------------------------------------------------------------------------------------------------

// 0: answered at once. MG_EAGAIN: `done` or `gone` will be called.
int mg_js_read(struct mg_js_stream *s, struct mg_js_reading *rd);
void mg_js_reading_end(struct mg_js_reading *rd); // gives up, and forgets what was read ahead

#endif
