// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream as monitoring sees it (spec/monitoring-and-tools.md A3, A11, A12, D3): numbers of one moment, and the parts
// of answers that are made of them. Streams themselves are written by whoever has them.
#ifndef MG_MONITOR_JS_H
#define MG_MONITOR_JS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "server/monitor/answers.h"
#include "server/monitor/snapshot.h"

#define MG_JS_HISTOGRAM 40u // buckets: [i] counts values v with 2^i <= v < 2^(i+1), [0] also 0

// Borrowed for the duration of a rendering call, as all facts.
struct mg_js_facts {
    bool ready; // false: its store is still being opened
    uint64_t restored, to_restore; // bytes of its journal, meanwhile; 0: it has not come to that
    const char *store_dir, *domain, *unique_tag; // NULL: none
    int64_t max_memory, max_store;
    uint64_t sync_interval; // 0: always
    bool strict;
    int64_t max_ack_pending, max_request_batch, duplicate_window; // <= 0: none
    int api_level;
    uint64_t memory, storage, reserved_memory, reserved_storage;
    uint64_t streams, consumers, messages, bytes;
    uint64_t api_total, api_errors, api_inflight;
    bool has_stream, has_consumer; // that a health check asks for
    // the store
    bool poisoned, full;
    uint64_t lost, damaged_pages, damaged_files;
    uint64_t commits, syncs, commit_ns[MG_JS_HISTOGRAM], commit_bytes[MG_JS_HISTOGRAM];
    uint64_t checkpoints, compactions, checkpoint_ns;
};

// What has series of its own: a stream, a consumer.
struct mg_js_stream_row {
    mg_slice name;
    uint64_t messages, bytes, first_seq, last_seq, subjects, consumers;
};
struct mg_js_consumer_row {
    mg_slice stream, name;
    uint64_t pending, ack_pending, redelivered, waiting; // messages; waiting: requests
    uint64_t delivered, acked; // numbers of the stream: of the last delivery, and up to where all is acknowledged
};

struct mg_js_rows {
    struct mg_js_stream_row *v; // by name
    size_t n;
    struct mg_js_consumer_row *consumers; // by stream and name
    size_t nconsumers;
    struct mg_arena arena; // of the names
};

// ---- /varz ----
struct mg_jw;
void mg_varz_put_js(struct mg_jw *w, const struct mg_js_facts *js);

// ---- /jsz ----
struct mg_jsz_query {
    char *account; // owned; NULL: none
    bool accounts, streams, consumers, config, leader_only;
    int64_t offset, limit;
};
// As mg_connz_parse.
int mg_jsz_parse(mg_slice query, struct mg_jsz_query *q, struct mg_buf *err);
void mg_jsz_query_fini(struct mg_jsz_query *q);
// Does the answer list streams? Then it goes: begin, the streams as array elements, end.
bool mg_jsz_wants_streams(const struct mg_jsz_query *q, const struct mg_js_facts *js);
// begin returns whether there are any.
bool mg_jsz_begin(struct mg_jw *w, struct mg_buf *out, const struct mg_server_facts *f);
void mg_jsz_end(struct mg_jw *w, bool streams);
// The whole answer without streams.
struct mg_answer mg_jsz_render(const struct mg_server_facts *f, const struct mg_jsz_query *q, struct mg_buf *out);

// ---- /metrics ----
struct mg_metrics;
void mg_metrics_js(struct mg_metrics *m, const struct mg_js_facts *js);
void mg_metrics_js_rows(struct mg_metrics *m, const struct mg_js_rows *rows);

#endif
