// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream for those who watch it: numbers of one moment, streams one by one. Nothing here waits for the disk, so it
// works on a full or failed one, too; what is shown may be ahead of what is durable.
#ifndef MG_JETSTREAM_MONITOR_H
#define MG_JETSTREAM_MONITOR_H

#include "jetstream/stream/member.h"
#include "server/base/json.h"

// The streams whose names follow `after` (empty: from the first), at most `max`; returns how many.
size_t mg_js_streams_behind(const struct mg_js *js, mg_slice after, struct mg_js_stream **out, size_t max);

// A StreamDetail of /jsz (spec/monitoring-and-tools.md A11) but for its consumers; the object stays open.
void mg_js_write_stream_detail(struct mg_jw *w, struct mg_js_stream *s, bool config);
// An element of its consumer_detail.
void mg_js_write_consumer_detail(struct mg_jw *w, struct mg_js_member *m, bool config);

struct mg_js_stream_figures {
    mg_slice name;
    uint64_t messages, bytes, first_seq, last_seq, subjects, consumers;
};
struct mg_js_stream_figures mg_js_stream_figures(struct mg_js_stream *s);

struct mg_js_consumer_figures {
    mg_slice stream, name;
    uint64_t pending, ack_pending, redelivered, waiting, delivered, acked;
};
// Of consumers that are awake (sleep.c), at most `max`, in no order, and how many. Counts may be about to change.
size_t mg_js_consumers_awake(const struct mg_js_stream *s, struct mg_js_consumer_figures *out, size_t max);
bool mg_js_has(const struct mg_js *js, mg_slice stream, mg_slice consumer); // consumer empty: not asked for

#endif
