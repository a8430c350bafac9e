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

#include "client/cli/bench.h"

#define LOOK_EVERY 64 // messages between two looks at the bars and at stopping
#define SAMPLE     16

// "prefix.000042" without a formatter in the way.
typedef struct names {
    char text[CLI_BENCH_SUBJECT_MAX];
    size_t prefix, width;
    uint64_t max;
    bool random;
    uint64_t seed;
} names;

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t digits_of(uint64_t n) {
    size_t digits = 1;
    while (n /= 10)
        digits++;
    return digits;
}

static bool names_init(names *n, const cli_bench_client *client) {
    const cli_bench *b = client->bench;
    size_t len = strlen(b->subject);
    if (len + 24 > sizeof(n->text))
        return false;
    memcpy(n->text, b->subject, len);
    n->text[len] = '.';
    n->prefix = b->multisubject ? len + 1 : len;
    n->max = b->multisubject_max;
    n->width = n->max ? digits_of(n->max) : 1;
    n->random = b->multisubject_random;
    n->seed = 88172645463325252u + client->number;
    return true;
}

// The subject of message `number`: with a limit all names are equally long, as the nats command has them.
static midge_str name_of(names *n, bool multi, uint64_t number) {
    if (!multi)
        return (midge_str){n->text, n->prefix};
    if (n->max)
        number = n->random ? next_random(&n->seed) % n->max : number % n->max;
    size_t digits = digits_of(number);
    size_t width = digits > n->width ? digits : n->width;
    for (size_t i = width; i; i--, number /= 10)
        n->text[n->prefix + i - 1] = (char)('0' + number % 10);
    return (midge_str){n->text, n->prefix + width};
}

typedef struct publisher {
    cli_bench_client *client;
    names subjects;
    uint32_t timeout;
    bool paced;       // every publish is timed
    uint64_t untimed; // that the next timed one stands for
    uint64_t last_ns; // what the last timed one took
} publisher;

static int publish_one(publisher *p, uint64_t i) {
    cli_bench_client *client = p->client;
    const cli_bench *b = client->bench;
    midge_str subject = name_of(&p->subjects, b->multisubject, client->offset + i);
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
    if (!names_init(&p.subjects, client))
        return cli_bench_failed(client, "publishing", MIDGE_ESUBJECT);
    // With pauses the publishers would all send at the same moments.
    if (b->sleep_ns && client->number > 1)
        cli_bench_until(client, cli_mono_ns() + next_random(&p.subjects.seed) % b->sleep_ns);
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
    {.name = "multisubject",
     .type = CLI_SWITCH,
     .help = "Multi-subject mode, each message is published on a subject that includes the publisher's message "
             "sequence number as a token"},
    {.name = "multisubjectmax",
     .type = CLI_UINT,
     .value = "100000",
     .help = "The maximum number of subjects to use in multi-subject mode (0 means no max)"},
    {.name = "multisubjectrandomize",
     .type = CLI_SWITCH,
     .help = "Randomize which subjects are being used when in multisubject mode"},
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
