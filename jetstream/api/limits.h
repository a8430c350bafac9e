// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the configuration of the server and of the account allows streams and consumers
// (spec/jetstream-streams.md 21). In all of them 0 or less is "no limit"; a zeroed struct limits nothing.
#ifndef MG_JETSTREAM_API_LIMITS_H
#define MG_JETSTREAM_API_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct mg_js_limits {
    // of the server: jetstream { limits { ... } }
    int64_t duplicate_window; // nanoseconds
    int64_t max_ack_pending;
    int64_t max_request_batch;
    // of the account
    int64_t account_max_ack_pending;
    int64_t account_max_streams;
    int64_t account_max_consumers; // of a stream
    int64_t memory_max_stream_bytes, storage_max_stream_bytes;
    bool max_bytes_required;
};

enum {
    MG_JS_MAX_NAME = 255,
    MG_JS_MAX_DESCRIPTION = 4096,
    MG_JS_MAX_METADATA = 128 * 1024, // bytes of all keys and values
    MG_JS_MAX_REPLICAS = 5,
    MG_JS_MAX_SUBJECT = 30000, // no client can publish or subscribe to a longer one
};

// Where a stream may begin, and a purge may move it: so much is left that its numbers never end.
#define MG_JS_MAX_FIRST (UINT64_C(1) << 63)

// Of the API, as the answers state it (spec/jetstream-streams.md 3, 16).
enum { MG_JS_API_LEVEL = 4 };

#endif
