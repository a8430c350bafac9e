// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the API tells of an account, a stream and a consumer (spec/jetstream-streams.md 3, 7;
// spec/jetstream-consumers.md 13), from plain structs. Everything in them is borrowed. Times are nanoseconds since
// 1970, INT64_MIN is the zero time.
#ifndef MG_JETSTREAM_API_INFO_H
#define MG_JETSTREAM_API_INFO_H

#include "jetstream/api/consumer_config.h"
#include "jetstream/api/reply.h"

struct mg_js_stream_state {
    uint64_t messages, bytes, first_seq, last_seq;
    int64_t first_time, last_time;
    uint64_t num_subjects, num_deleted;
    // The object of subjects and the array of deleted numbers may be megabytes: they are written elsewhere. It is noted
    // how many bytes of the answer stand in front of them. NULL: they were not asked for, or there are none.
    size_t *subjects_at, *deleted_at;
    uint64_t lost; // messages found damaged; which: lost_range gives the i-th range, false behind the last
    bool (*lost_range)(const void *arg, unsigned i, uint64_t *first, uint64_t *last);
    const void *lost_arg;
    uint64_t consumers;
};

// How a mirror or a source fares.
struct mg_js_source_info {
    const struct mg_js_source *source;
    uint64_t lag;
    int64_t active;                  // ns since the last contact; -1: never
    const struct mg_js_error *error; // NULL: none
};

struct mg_js_stream_info {
    const struct mg_js_stream_config *config;
    const char *version; // of the server, for the config's metadata; NULL: as stored (LIST)
    int64_t created;
    struct mg_js_stream_state state;
    mg_slice domain, leader; // empty: left out. leader: name of the server, in INFO
    const struct mg_js_source_info *mirror; // NULL: none
    const struct mg_js_source_info *sources;
    size_t nsources;
    int64_t now;
};

void mg_js_write_stream_state(struct mg_jw *w, const struct mg_js_stream_state *s); // with its key
// The members of the info, without braces.
void mg_js_write_stream_info(struct mg_jw *w, const struct mg_js_stream_info *info);

struct mg_js_sequence_info {
    uint64_t consumer_seq, stream_seq;
    int64_t last_active; // INT64_MIN: never, left out
};

struct mg_js_consumer_info {
    mg_slice stream, name;
    int64_t created;
    const struct mg_js_consumer_config *config;
    const char *version; // as for streams
    bool hide_config;
    struct mg_js_sequence_info delivered, ack_floor;
    uint64_t num_ack_pending, num_redelivered, num_waiting, num_pending;
    bool push_bound, paused;
    int64_t pause_remaining; // 0: left out
    int64_t now;
    mg_slice pinned_client; // of the first priority group; empty: none
    int64_t pinned_time;
};

void mg_js_write_consumer_info(struct mg_jw *w, const struct mg_js_consumer_info *info);

struct mg_js_pause {
    bool paused;
    struct mg_js_time until; // unset: the zero time
    int64_t remaining;
};

void mg_js_reply_pause(struct mg_buf *out, const struct mg_js_pause *p);

// In limits -1 is "no limit".
struct mg_js_account_info {
    uint64_t memory, storage, reserved_memory, reserved_storage;
    uint64_t streams, consumers;
    int64_t max_memory, max_storage, max_streams, max_consumers, max_ack_pending;
    int64_t memory_max_stream_bytes, storage_max_stream_bytes;
    bool max_bytes_required;
    mg_slice domain;
    uint64_t api_total, api_errors, api_inflight;
};

void mg_js_reply_account(struct mg_buf *out, const struct mg_js_account_info *a);

#endif
