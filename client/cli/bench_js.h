// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the benchmarks on JetStream share.
#ifndef CLI_BENCH_JS_H
#define CLI_BENCH_JS_H

#include "client/cli/bench.h"
#include "client/host/midge_host.h"

#define CLI_BENCH_STREAM   "benchstream"
#define CLI_BENCH_BUCKET   "benchbucket"
#define CLI_BENCH_CONSUMER "nats-bench"

// A client's JetStream: first member of the state of a kind.
typedef struct cli_bench_js {
    midge_js js;
    midge_op op;
    uint64_t owed; // answers that are on their way
    char buf[1024];
} cli_bench_js;

void cli_bench_js_init(cli_bench_js *j, cli_bench_client *client);
// Waits for an operation; false: client->err says why.
bool cli_bench_js_wait(cli_bench_js *j, cli_bench_client *client, int err, const char *what);
// Polls until no more than `most` answers are owed. False: failed or stopped; client->err says why if it failed.
bool cli_bench_js_settle(cli_bench_js *j, cli_bench_client *client, uint64_t most);
// Writes into client->err what an answer of the server says; false.
bool cli_bench_js_refused(cli_bench_client *client, const char *what, int err, midge_str json);

// Preparations of kinds: streams, consumers and buckets from the flags.
int cli_bench_js_prepare_pub(cli_bench *b);
int cli_bench_js_prepare_read(cli_bench *b); // of what reads a stream
int cli_bench_js_prepare_consumer(cli_bench *b);
int cli_bench_kv_prepare_put(cli_bench *b);

#endif
