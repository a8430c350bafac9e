// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/bench.h"

const cli_arg cli_bench_subject[] = {
    {.name = "subject", .help = "Subject to use for the benchmark", .required = true},
    {0},
};

static const cli_command *const commands[] = {
    &cli_command_bench_pub,     &cli_command_bench_sub,   &cli_command_bench_service,
    &cli_command_bench_request, &cli_command_bench_reply, &cli_command_bench_js,
    &cli_command_bench_kv,      NULL,
};

const cli_command cli_command_bench = {
    .name = "bench",
    .summary = "Benchmark utility",
    .text = "Measures how fast messages go through a server, with one connection and one thread per client.\n"
            "\n"
            "Start the subscribers before the publishers, and give both the same number of messages:\n"
            "\n"
            "    midge bench sub orders --clients 2 --msgs 1000000\n"
            "    midge bench pub orders --msgs 1000000 --size 64B\n"
            "\n"
            "Round trips need a server of the subject:\n"
            "\n"
            "    midge bench service serve echo\n"
            "    midge bench service request echo --clients 4 --msgs 100000\n"
            "\n"
            "The rate of a run is that of all clients together, from the first start to the last end. Publishers count "
            "until the server has the last message, subscribers from their first message on. The latency of a publish "
            "is the time that it takes in the client; that of a request the time to its reply.\n"
            "\n"
            "--json gives one object: benchmark (pub, sub, request, reply), run_id, subject, msg_size, disturbed (a "
            "client lost its connection), interrupted, total, client_msgs_per_sec (min, avg, max, stddev) and clients, "
            "an array. total and each client have msgs, bytes, duration_ns, msgs_per_sec, bytes_per_sec and, but for "
            "sub and reply, latency_ns (min, avg, max, stddev, p50, p90, p99, p99_9).",
    .commands = commands,
};
