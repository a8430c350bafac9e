// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Answers of the JetStream API as text, in the reference's order of members (spec/jetstream-streams.md 1, 2, 6;
// spec/jetstream-consumers.md 1). Pure: what is answered comes in plain structs, and out is appended to.
//
// Small answers are one call. Those with parts are written between begin and end:
//     struct mg_jw w;
//     mg_js_reply_begin(&w, &out, MG_JS_REPLY_STREAM_INFO);
//     mg_js_write_page(&w, page);
//     mg_js_write_stream_info(&w, &info);
//     mg_js_reply_end(&w);
#ifndef MG_JETSTREAM_API_REPLY_H
#define MG_JETSTREAM_API_REPLY_H

#include "jetstream/api/errors.h"
#include "jetstream/store/message.h"

// X(name, what follows io.nats.jetstream.api.v1., what an error answer has behind the error)
#define MG_JS_REPLIES(X)                                                                                              \
    X(ACCOUNT_INFO, "account_info_response", MG_JS_REST_NONE)                                                         \
    X(SYSTEM, "system_response", MG_JS_REST_NONE)                                                                     \
    X(STREAM_CREATE, "stream_create_response", MG_JS_REST_NONE)                                                       \
    X(STREAM_UPDATE, "stream_update_response", MG_JS_REST_NONE)                                                       \
    X(STREAM_NAMES, "stream_names_response", MG_JS_REST_STREAM_NAMES)                                                 \
    X(STREAM_LIST, "stream_list_response", MG_JS_REST_STREAMS)                                                        \
    X(STREAM_INFO, "stream_info_response", MG_JS_REST_PAGE)                                                           \
    X(STREAM_DELETE, "stream_delete_response", MG_JS_REST_NONE)                                                       \
    X(STREAM_PURGE, "stream_purge_response", MG_JS_REST_PURGED)                                                       \
    X(STREAM_MSG_GET, "stream_msg_get_response", MG_JS_REST_NONE)                                                     \
    X(STREAM_MSG_DELETE, "stream_msg_delete_response", MG_JS_REST_NONE)                                               \
    X(STREAM_SNAPSHOT, "stream_snapshot_response", MG_JS_REST_NONE)                                                   \
    X(STREAM_RESTORE, "stream_restore_response", MG_JS_REST_DELIVER)                                                  \
    X(STREAM_LEADER_STEPDOWN, "stream_leader_stepdown_response", MG_JS_REST_NONE)                                     \
    X(STREAM_REMOVE_PEER, "stream_remove_peer_response", MG_JS_REST_NONE)                                             \
    X(CONSUMER_CREATE, "consumer_create_response", MG_JS_REST_NONE)                                                   \
    X(CONSUMER_INFO, "consumer_info_response", MG_JS_REST_NONE)                                                       \
    X(CONSUMER_DELETE, "consumer_delete_response", MG_JS_REST_NONE)                                                   \
    X(CONSUMER_NAMES, "consumer_names_response", MG_JS_REST_CONSUMERS)                                                \
    X(CONSUMER_LIST, "consumer_list_response", MG_JS_REST_CONSUMERS)                                                  \
    X(CONSUMER_PAUSE, "consumer_pause_response", MG_JS_REST_PAUSED)                                                   \
    X(CONSUMER_RESET, "consumer_reset_response", MG_JS_REST_RESET)                                                    \
    X(CONSUMER_UNPIN, "consumer_unpin_response", MG_JS_REST_NONE)                                                     \
    X(CONSUMER_LEADER_STEPDOWN, "consumer_leader_stepdown_response", MG_JS_REST_NONE)

// Members without omitempty stand in error answers too.
enum mg_js_rest {
    MG_JS_REST_NONE,
    MG_JS_REST_PAGE,
    MG_JS_REST_STREAM_NAMES,
    MG_JS_REST_STREAMS,
    MG_JS_REST_CONSUMERS,
    MG_JS_REST_PURGED,
    MG_JS_REST_DELIVER,
    MG_JS_REST_PAUSED,
    MG_JS_REST_RESET,
};

enum mg_js_reply {
#define X(name, type, rest) MG_JS_REPLY_##name,
    MG_JS_REPLIES(X)
#undef X
};

void mg_js_reply_begin(struct mg_jw *w, struct mg_buf *out, enum mg_js_reply reply); // {"type":"..."
void mg_js_reply_end(struct mg_jw *w);

void mg_js_reply_error(struct mg_buf *out, enum mg_js_reply reply, const struct mg_js_error *e);
void mg_js_reply_success(struct mg_buf *out, enum mg_js_reply reply);
void mg_js_reply_plain(struct mg_buf *out, enum mg_js_reply reply); // the type alone: unpin
void mg_js_reply_purged(struct mg_buf *out, uint64_t purged);

// ---- pages --------------------------------------------------------------------------------------------------------

enum { MG_JS_NAMES_LIMIT = 1024, MG_JS_LIST_LIMIT = 256, MG_JS_SUBJECTS_LIMIT = 100000 };

struct mg_js_page {
    int64_t total, offset, limit;
};

// The page that a request for `offset` gets of `total` things: below 0 is 0, beyond the end is the end.
struct mg_js_page mg_js_page_at(int64_t total, int64_t offset, int64_t limit);
// How many things stand on it.
int64_t mg_js_page_count(struct mg_js_page page);
void mg_js_write_page(struct mg_jw *w, struct mg_js_page page);
// The names of the page, sorted. Streams without names are null, consumers [].
void mg_js_reply_names(struct mg_buf *out, enum mg_js_reply reply, struct mg_js_page page, const mg_slice *names);

// ---- members ------------------------------------------------------------------------------------------------------

// A time: nanoseconds since 1970, INT64_MIN is the zero time.
void mg_js_write_time(struct mg_jw *w, const char *key, int64_t ns);
void mg_js_write_slice(struct mg_jw *w, const char *key, mg_slice s);

// ---- acknowledgements of publishes --------------------------------------------------------------------------------

// Byte for byte as spec/jetstream-streams.md 12 has them. All acknowledgements of a stream begin alike: the owner of
// the stream keeps that beginning.
void mg_js_pub_ack_prefix(struct mg_buf *out, mg_slice stream, mg_slice domain); // domain may be empty

struct mg_js_pub_ack {
    mg_slice prefix;
    uint64_t seq;
    bool duplicate;
    mg_slice counter; // decimal digits; empty: none
    mg_slice batch;   // empty: none
    uint64_t batch_size;
};

void mg_js_pub_ack(struct mg_buf *out, const struct mg_js_pub_ack *ack);
// An error names the stream, sequence 0 and never the domain.
void mg_js_pub_error(struct mg_buf *out, mg_slice stream, const struct mg_js_error *e);

// ---- a stored message ---------------------------------------------------------------------------------------------

void mg_js_reply_message(struct mg_buf *out, const struct mg_message *m);

#endif
