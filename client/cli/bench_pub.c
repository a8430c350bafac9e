// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench pub: how fast messages go out. A message counts when the server has it: after the last one the connection is
// flushed, and the time of that is part of the run.
//
// A latency is the time that a publish takes in the client. Most are a copy into the send buffer, and reading the clock
// takes as long as that, so only one in SAMPLE of these is timed and stands for the others. Those that find the buffer
// full and have to wait are all timed.
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench_names.h"

#define LOOK_EVERY 64 // messages between two looks at the bars and at stopping
#define SAMPLE     16

typedef struct publisher {
    cli_bench_client *client;
    cli_bench_names subjects;
    uint32_t timeout;
    bool paced;       // every publish is timed
    uint64_t untimed; // that the next timed one stands for
    uint64_t last_ns; // what the last timed one took
} publisher;

static int publish_one(publisher *p, uint64_t i) {
    cli_bench_client *client = p->client;
    const cli_bench *b = client->bench;
    midge_str subject = cli_bench_name(&p->subjects, b->multisubject, client->offset + i);
    bool timed = p->paced || i % SAMPLE == 0;
    uint64_t start = timed ? cli_mono_ns() : 0;
    int err = midge_publish_full(midge_engine(client->conn), subject, MIDGE_NONE, b->headers, b->payload, b->size);
    if (err == 0 && !timed) {
        p->untimed++;
    } else if (err == 0) {
        p->last_ns = cli_mono_ns() - start;
        cli_histogram_add_n(client->latencies, p->last_ns, p->untimed + 1);
        p->untimed = 0;
    } else {
        start = timed ? start : cli_mono_ns();
        err = midge_publish_wait(client->conn, subject, MIDGE_NONE, b->headers, b->payload, b->size, p->timeout);
        if (err == 0)
            cli_histogram_add(client->latencies, cli_mono_ns() - start);
    }
    return err;
}

static bool publish_all(publisher *p) {
    cli_bench_client *client = p->client;
    for (uint64_t i = 0; i < client->msgs; i++) {
        int err = publish_one(p, i);
        if (err)
            return cli_bench_failed(client, "publishing", err);
        if (p->paced || i % LOOK_EVERY == 0) {
            atomic_store_explicit(&client->done, i + 1, memory_order_relaxed);
            if (cli_bench_stopped(client->bench))
                break;
        }
        if (p->paced)
            cli_bench_pace(client, i + 1);
        if (i + 1 == client->msgs)
            atomic_store_explicit(&client->done, i + 1, memory_order_relaxed);
    }
    cli_histogram_add_n(client->latencies, p->last_ns, p->untimed);
    return true;
}

static bool work(cli_bench_client *client) {
    cli_bench *b = client->bench;
    publisher p = {.client = client, .timeout = (uint32_t)cli_timeout(b->app), .paced = cli_bench_paced(b)};
    if (!cli_bench_names_init(&p.subjects, client))
        return cli_bench_failed(client, "publishing", MIDGE_ESUBJECT);
    // With pauses the publishers would all send at the same moments.
    if (b->sleep_ns && client->number > 1)
        cli_bench_until(client, cli_mono_ns() + cli_bench_random(&p.subjects.seed) % b->sleep_ns);
    client->start_ns = cli_mono_ns();
    if (!publish_all(&p))
        return false;
    int err = midge_flush_wait(client->conn, p.timeout);
    client->end_ns = cli_mono_ns();
    client->bytes = atomic_load(&client->done) * b->size;
    if (err)
        return cli_bench_failed(client, "flushing", err);
    return client->err[0] == '\0';
}

const cli_bench_kind cli_bench_publisher = {
    .type = "pub",
    .label = "Core NATS publisher",
    .doing = "publishing",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .work = work,
};

static int run(cli *app) {
    return cli_bench_run(app, &cli_bench_publisher);
}

static const cli_flag flags[] = {
    CLI_BENCH_SLEEP_FLAG("Sleep for the specified interval between publications"),
    CLI_BENCH_FLAGS,
    CLI_BENCH_MULTISUBJECT_FLAGS,
    CLI_BENCH_PAYLOAD_FLAGS,
    {0},
};

const cli_command cli_command_bench_pub = {
    .name = "pub",
    .summary = "Publish Core NATS messages",
    .flags = flags,
    .args = cli_bench_subject,
    .run = run,
};
