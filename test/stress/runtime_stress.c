// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The real runtime over libuv with real threads, running the toy application of test/sim: once with little credit, so
// that everybody waits for it all the time, once with plenty. It shuts down by itself when all is done; a lost wake-up
// is a hang, which the alarm ends.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/sim/toy.h"

_Noreturn void toy_fail(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "runtime_stress: FAILED: ");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

static void run(const struct toy_params *params) {
    struct toy *toy = toy_new(params);
    toy_run(toy);
    toy_check_end(toy);
    struct mg_shard_counters c = toy_counters(toy);
    printf("credit %llu: %llu records in %llu batches, %llu doorbells, %llu waits for credit, %llu turns\n",
           (unsigned long long)params->credit, (unsigned long long)c.records_sent, (unsigned long long)c.batches_sent,
           (unsigned long long)c.doorbells, (unsigned long long)c.credit_waits, (unsigned long long)c.turns);
    toy_free(toy);
}

int main(int argc, char **argv) {
    struct toy_params params = {
        .shards = 4,
        .sources = 16,
        .acts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000,
        .burst = 8,
        .interest = 60,
        .body = 500,
        .react = 100,
        .announce = 40,
        .give_up = 8,
        .pause_ns = 1000000,
        .stop_by_itself = true,
    };
    static const uint64_t credits[] = {2000, 60000, 0};
    alarm(100);
    for (unsigned i = 0; i < sizeof(credits) / sizeof(credits[0]); i++) {
        params.credit = credits[i];
        run(&params);
    }
    return 0;
}
