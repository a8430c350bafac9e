// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subjects that publishers of a benchmark use: one, or with --multisubject "prefix.000042", made without a
// formatter in the way.
#ifndef CLI_BENCH_NAMES_H
#define CLI_BENCH_NAMES_H

#include "client/cli/bench.h"

typedef struct cli_bench_names {
    char text[CLI_BENCH_SUBJECT_MAX];
    size_t prefix, width;
    uint64_t max;
    bool random;
    uint64_t seed;
} cli_bench_names;

// False: the subject is too long.
bool cli_bench_names_init(cli_bench_names *n, const cli_bench_client *client);

// The subject of message `number`, valid until the next call. With a limit all are equally long, as the nats command
// has them.
midge_str cli_bench_name(cli_bench_names *n, bool multi, uint64_t number);

// The next of a series of pseudo-random numbers; *seed is not 0.
uint64_t cli_bench_random(uint64_t *seed);

#endif
