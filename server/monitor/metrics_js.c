// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream in /metrics (spec/monitoring-and-tools.md D3): the account's use, streams, and how the store fares. The
// journal's histograms have a bucket for each power of two.
#include <stdio.h>

#include "server/monitor/js.h"
#include "server/monitor/metrics.h"

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const no_labels[] = {NULL};

static void gauge(struct mg_metrics *m, const char *name, const char *help, uint64_t v) {
    mg_metrics_family(m, name, "gauge", help);
    mg_metrics_uint(m, no_labels, v);
}

static void counter(struct mg_metrics *m, const char *name, const char *help, uint64_t v) {
    mg_metrics_family(m, name, "counter", help);
    mg_metrics_uint(m, no_labels, v);
}

// v[i] counts values below 2^(i+1) and not below 2^i, in units of 1/scale. The sum is that of the buckets' lower
// bounds: a little too small, and never by half.
static void histogram(struct mg_metrics *m, const char *name, const char *help, const uint64_t v[MG_JS_HISTOGRAM],
                      double scale, unsigned from, unsigned to) {
    uint64_t count = 0;
    double sum = 0;
    char le[40];
    mg_metrics_family(m, name, "histogram", help);
    m->suffix = "_bucket";
    for (unsigned i = 0; i < MG_JS_HISTOGRAM; i++) {
        count += v[i];
        sum += (double)v[i] * (double)(UINT64_C(1) << i) / scale;
        if (i < from || i > to) continue;
        snprintf(le, sizeof(le), "%.9g", (double)(UINT64_C(2) << i) / scale);
        mg_metrics_uint(m, LABELS("le", le), count);
    }
    mg_metrics_uint(m, LABELS("le", "+Inf"), count);
    m->suffix = "_sum";
    mg_metrics_float(m, no_labels, sum);
    m->suffix = "_count";
    mg_metrics_uint(m, no_labels, count);
}

static void put_use(struct mg_metrics *m, const struct mg_js_facts *js) {
    gauge(m, "nats_jetstream_memory_used_bytes", "Bytes stored in memory streams.", js->memory);
    gauge(m, "nats_jetstream_memory_reserved_bytes", "Bytes promised to memory streams.", js->reserved_memory);
    gauge(m, "nats_jetstream_memory_limit_bytes", "Bytes that memory streams may have.", (uint64_t)js->max_memory);
    gauge(m, "nats_jetstream_storage_used_bytes", "Bytes stored in file streams.", js->storage);
    gauge(m, "nats_jetstream_storage_reserved_bytes", "Bytes promised to file streams.", js->reserved_storage);
    gauge(m, "nats_jetstream_storage_limit_bytes", "Bytes that file streams may have.", (uint64_t)js->max_store);
    gauge(m, "nats_jetstream_streams", "Streams.", js->streams);
    gauge(m, "nats_jetstream_consumers", "Consumers.", js->consumers);
    counter(m, "nats_jetstream_api_requests", "Requests of the API that were answered.", js->api_total);
    counter(m, "nats_jetstream_api_errors", "Requests of the API that were answered with an error.", js->api_errors);
    gauge(m, "nats_jetstream_api_inflight", "Requests of the API under way.", js->api_inflight);
}

static void put_store(struct mg_metrics *m, const struct mg_js_facts *js) {
    gauge(m, "nats_jetstream_store_failed", "1: a write or sync has failed, nothing is stored any more.", js->poisoned);
    gauge(m, "nats_jetstream_store_full", "1: the disk is full, publishes are refused.", js->full);
    gauge(m, "nats_jetstream_store_lost_messages", "Messages found damaged.", js->lost);
    gauge(m, "nats_jetstream_store_damaged_pages", "Pages of the journal found damaged at the start.",
          js->damaged_pages);
    gauge(m, "nats_jetstream_store_damaged_files", "Files found damaged.", js->damaged_files);
    counter(m, "nats_jetstream_store_commits", "Commits of the journal: one write for all streams.", js->commits);
    counter(m, "nats_jetstream_store_syncs", "Syncs of the journal.", js->syncs);
    counter(m, "nats_jetstream_store_checkpoints", "Checkpoints.", js->checkpoints);
    counter(m, "nats_jetstream_store_compactions", "Compactions.", js->compactions);
    mg_metrics_family(m, "nats_jetstream_store_checkpoint_seconds", "counter", "Time spent in checkpoints.");
    mg_metrics_float(m, no_labels, (double)js->checkpoint_ns / 1e9);
    histogram(m, "nats_jetstream_commit_seconds", "How long commits take until they are durable.", js->commit_ns, 1e9,
              13, 33);
    histogram(m, "nats_jetstream_commit_bytes", "Bytes of commits.", js->commit_bytes, 1, 8, 26);
}

void mg_metrics_js(struct mg_metrics *m, const struct mg_js_facts *js) {
    gauge(m, "nats_jetstream_ready", "0: the store is still being opened.", js->ready);
    if (!js->ready) return;
    put_use(m, js);
    put_store(m, js);
}

// ---- series of streams and consumers --------------------------------------------------------------------------------

struct column {
    const char *name, *help;
    size_t at; // of the value in a row
};
#define STREAM(field) offsetof(struct mg_js_stream_row, field)
static const struct column of_streams[] = {
    {"nats_jetstream_stream_messages", "Messages in a stream.", STREAM(messages)},
    {"nats_jetstream_stream_bytes", "Bytes of a stream.", STREAM(bytes)},
    {"nats_jetstream_stream_first_sequence", "Number of the first message.", STREAM(first_seq)},
    {"nats_jetstream_stream_last_sequence", "Number of the last message.", STREAM(last_seq)},
    {"nats_jetstream_stream_subjects", "Subjects with messages.", STREAM(subjects)},
    {"nats_jetstream_stream_consumers", "Consumers of a stream.", STREAM(consumers)},
};
#define CONSUMER(field) offsetof(struct mg_js_consumer_row, field)
static const struct column of_consumers[] = {
    {"nats_jetstream_consumer_pending", "Messages that are not delivered yet.", CONSUMER(pending)},
    {"nats_jetstream_consumer_ack_pending", "Messages that are not acknowledged yet.", CONSUMER(ack_pending)},
    {"nats_jetstream_consumer_redelivered", "Of these, delivered more than once.", CONSUMER(redelivered)},
    {"nats_jetstream_consumer_waiting", "Requests that wait for messages.", CONSUMER(waiting)},
    {"nats_jetstream_consumer_delivered_sequence", "Number of the last message delivered.", CONSUMER(delivered)},
    {"nats_jetstream_consumer_ack_floor_sequence", "All messages up to this number are acknowledged.", CONSUMER(acked)},
};

static uint64_t value_of(const void *row, const struct column *c) {
    uint64_t v;
    memcpy(&v, (const char *)row + c->at, sizeof(v));
    return v;
}

static const char *text_of(mg_slice name, char text[256]) {
    snprintf(text, 256, "%.*s", (int)name.n, name.p);
    return text;
}

void mg_metrics_js_rows(struct mg_metrics *m, const struct mg_js_rows *rows) {
    char stream[256], name[256];
    for (size_t c = 0; rows->n > 0 && c < sizeof(of_streams) / sizeof(of_streams[0]); c++) {
        mg_metrics_family(m, of_streams[c].name, "gauge", of_streams[c].help);
        for (size_t i = 0; i < rows->n; i++)
            mg_metrics_uint(m, LABELS("account", "$G", "stream", text_of(rows->v[i].name, stream)),
                            value_of(&rows->v[i], &of_streams[c]));
    }
    for (size_t c = 0; rows->nconsumers > 0 && c < sizeof(of_consumers) / sizeof(of_consumers[0]); c++) {
        mg_metrics_family(m, of_consumers[c].name, "gauge", of_consumers[c].help);
        for (size_t i = 0; i < rows->nconsumers; i++) {
            const struct mg_js_consumer_row *r = &rows->consumers[i];
            mg_metrics_uint(m, LABELS("account", "$G", "stream", text_of(r->stream, stream), "consumer",
                                      text_of(r->name, name)), value_of(r, &of_consumers[c]));
        }
    }
}
