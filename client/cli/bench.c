// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/bench.h"

const cli_arg cli_bench_subject[] = {
    {.name = "subject", .help = "Subject to use for the benchmark", .required = true},
    {0},
};

static const cli_command *const commands[] = {
    &cli_command_bench_pub,     &cli_command_bench_sub,   &cli_command_bench_service,
    &cli_command_bench_request, &cli_command_bench_reply, NULL,
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
            "    midge bench service request echo --clients 4 --msgs 100000",
    .commands = commands,
};
