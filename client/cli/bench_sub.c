// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench sub: how fast messages come in. Each client subscribes to all messages. The time runs from the first message to
// the last one, so that waiting for a publisher does not count.
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench.h"

#define POLL_MS    100
#define LOOK_EVERY 64

typedef struct received {
    uint64_t msgs, bytes;
    cli_bench_client *client;
    char subject[CLI_BENCH_SUBJECT_MAX]; // the subscription's; kept by the engine
} received;

static void on_message(midge *m, const midge_msg *msg, void *user) {
    received *r = user;
    cli_bench_client *client = r->client;
    (void)m;
    if (r->msgs == client->msgs)
        return; // more than asked for
    if (r->msgs++ == 0)
        client->start_ns = cli_mono_ns();
    r->bytes += msg->data.n;
    if (r->msgs == client->msgs)
        client->end_ns = cli_mono_ns();
    if (r->msgs % LOOK_EVERY == 0)
        atomic_store_explicit(&client->done, r->msgs, memory_order_relaxed);
}

static bool setup(cli_bench_client *client) {
    cli_bench *b = client->bench;
    received *r = client->state = cli_alloc(b->app, sizeof(*r));
    r->client = client;
    int n = snprintf(r->subject, sizeof(r->subject), "%s%s", b->subject, b->multisubject ? ".*" : "");
    if (n < 0 || (size_t)n >= sizeof(r->subject))
        return cli_bench_failed(client, "subscribing", MIDGE_ESUBJECT);
    int32_t sub = midge_subscribe(midge_engine(client->conn), midge_cstr(r->subject), MIDGE_NONE, on_message, r);
    if (sub < 0)
        return cli_bench_failed(client, "subscribing", sub);
    int err = midge_flush_wait(client->conn, (uint32_t)cli_timeout(b->app));
    return err ? cli_bench_failed(client, "flushing", err) : client->err[0] == '\0';
}

static bool work(cli_bench_client *client) {
    cli_bench *b = client->bench;
    received *r = client->state;
    while (r->msgs < client->msgs && !cli_bench_stopped(b)) {
        int err = midge_poll(client->conn, POLL_MS);
        if (err)
            return cli_bench_failed(client, "receiving", err);
    }
    if (r->msgs < client->msgs)
        client->end_ns = r->msgs ? cli_mono_ns() : client->start_ns;
    atomic_store_explicit(&client->done, r->msgs, memory_order_relaxed);
    client->bytes = r->bytes;
    return client->err[0] == '\0';
}

const cli_bench_kind cli_bench_subscriber = {
    .type = "sub",
    .label = "Core NATS subscriber",
    .doing = "expecting",
    .prefix = 'S',
    .setup = setup,
    .work = work,
};

static int run(cli *app) {
    return cli_bench_run(app, &cli_bench_subscriber);
}

static const cli_flag flags[] = {
    {.name = "multisubject",
     .type = CLI_SWITCH,
     .help = "Multi-subject mode, each message is published on a subject that includes the publisher's message "
             "sequence number as a token"},
    CLI_BENCH_FLAGS,
    {0},
};

const cli_command cli_command_bench_sub = {
    .name = "sub",
    .summary = "Subscribe to Core NATS messages",
    .flags = flags,
    .args = cli_bench_subject,
    .run = run,
};
