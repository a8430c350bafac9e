// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages with a time of their own, and markers for what has expired (spec/jetstream-streams.md 14). Streams without
// allow_msg_ttl have nothing of this: their max_age is the store's.
#ifndef MG_JETSTREAM_STREAM_EXPIRY_H
#define MG_JETSTREAM_STREAM_EXPIRY_H

#include "jetstream/stream/js_stream.h"

#define MG_JS_EXPIRY_KEY 9u

// Whenever the stream's configuration is new: at the start, too. It finds what is due by itself.
void mg_js_expiry_update(struct mg_js_stream *s);
void mg_js_expiry_free(struct mg_js_stream *s);
// The row that is written with a message that expires at `at` (ns since the epoch).
mg_slice mg_js_expiry_row(int64_t at, char out[MG_JS_EXPIRY_KEY]);
// A message was stored; at 0: it has no time of its own.
void mg_js_expiry_added(struct mg_js_stream *s, uint64_t seq, int64_t at);

#endif
