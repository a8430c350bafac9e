// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a benchmark has measured, and its report as text, CSV and JSON. Pure but for writing.
#ifndef CLI_BENCH_STATS_H
#define CLI_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/histogram.h"
#include "client/cli/json.h"

// What one client did.
typedef struct cli_bench_sample {
    uint64_t msgs, bytes;             // of the benchmark; bytes of payload
    uint64_t wire_msgs;               // all that went in and out of the connection
    uint64_t start_ns, end_ns;        // one clock for all samples
    const cli_histogram *latencies;   // NULL: not measured
} cli_bench_sample;

typedef struct cli_bench_report {
    const char *type;    // "pub": for programs
    const char *label;   // "Core NATS publisher": for people
    const char *subject; // may be NULL
    const char *run_id;  // unique to the run
    char prefix;         // of the clients in CSV: 'P' or 'S'
    uint64_t msg_size;   // as asked for
    bool disturbed;      // a client lost its connection or saw an error
    bool interrupted;    // by the user: the samples are what was done up to then
    const cli_bench_sample *samples;
    size_t len; // at least 1
} cli_bench_report;

// All samples as one: from the first start to the last end.
cli_bench_sample cli_bench_sum(const cli_bench_report *r);

double cli_bench_seconds(const cli_bench_sample *s);       // never 0
double cli_bench_msg_rate(const cli_bench_sample *s);      // a second
double cli_bench_byte_rate(const cli_bench_sample *s);     // a second

// The lines that the nats command prints.
void cli_bench_text(const cli_bench_report *r, FILE *out);
// The columns that the nats command writes: one line per client.
void cli_bench_csv(const cli_bench_report *r, FILE *out);
// One object; docs/CLI.md has the schema.
void cli_bench_json(const cli_bench_report *r, FILE *out);
// An object of nanoseconds: min, avg, max, stddev, p50, p90, p99, p99_9.
void cli_bench_json_latencies(cli_json *j, const char *name, const cli_histogram *h);

#endif
