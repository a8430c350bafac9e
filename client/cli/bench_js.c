// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The commands `bench js ...` and `bench kv ...`: their flags and arguments. The work is in bench_js_*.c.
#include "client/cli/bench_js.h"

// ---- flags ----------------------------------------------------------------------------------------------------------

static const cli_flag js_flags[] = {
    CLI_BENCH_FLAGS,
    CLI_BENCH_SLEEP_FLAG("Sleep for the specified interval between publications"),
    {.name = "stream", .type = CLI_STRING, .value = CLI_BENCH_STREAM,
     .help = "The name of the stream to create or use"},
    {0},
};
static const cli_flag kv_flags[] = {
    CLI_BENCH_FLAGS,
    CLI_BENCH_SLEEP_FLAG("Sleep for the specified interval after each operation"),
    {.name = "bucket", .type = CLI_STRING, .value = CLI_BENCH_BUCKET, .help = "The bucket to use for the benchmark"},
    {0},
};

#define STORE_FLAGS                                                                                                  \
    {.name = "storage", .type = CLI_ENUM, .value = "file", .choices = "memory file",                                 \
     .help = "Where messages are kept"},                                                                             \
    {.name = "replicas", .type = CLI_UINT, .value = "1", .help = "Number of replicas"},                              \
    {.name = "maxbytes", .type = CLI_SIZE, .value = "1GB", .help = "The maximum size of the stream or bucket"}
#define PURGE_FLAG {.name = "purge", .type = CLI_SWITCH, .help = "Purge the stream before running"}
#define BATCH_FLAG(text) {.name = "batch", .type = CLI_UINT, .value = "500", .help = text}
#define FILTER_FLAG                                                                                                  \
    {.name = "filter", .type = CLI_STRINGS, .placeholder = "SUBJECTS", .help = "Only messages of these subjects"}

#define PUB_FLAGS                                                                                                    \
    CLI_BENCH_MULTISUBJECT_FLAGS,                                                                                    \
    CLI_BENCH_PAYLOAD_FLAGS,                                                                                         \
    {.name = "create", .type = CLI_SWITCH, .help = "Create the stream first"},                                       \
    STORE_FLAGS,                                                                                                     \
    {.name = "dedup", .type = CLI_SWITCH, .help = "Give each message an id, so that the stream stores it once"},     \
    {.name = "dedupwindow", .type = CLI_DURATION, .value = "2m", .help = "How long the stream remembers ids"},       \
    {.name = "persistasync", .type = CLI_SWITCH, .help = "Have the stream acknowledge before it has stored"},        \
    PURGE_FLAG

#define CONSUMER_FLAGS                                                                                               \
    {.name = "consumer", .type = CLI_STRING, .value = CLI_BENCH_CONSUMER,                                            \
     .help = "The durable consumer to use; the default one is created"},                                             \
    BATCH_FLAG("Messages that are asked for at a time"),                                                             \
    {.name = "acks", .type = CLI_ENUM, .value = "explicit", .choices = "explicit none all",                          \
     .help = "Acknowledgement mode of the consumer"},                                                                \
    {.name = "doubleack", .type = CLI_BOOL, .help = "Wait until the server has each acknowledgement"},               \
    FILTER_FLAG,                                                                                                     \
    PURGE_FLAG

static const cli_flag sync_flags[] = {PUB_FLAGS, {0}};
static const cli_flag batch_flags[] = {BATCH_FLAG("Messages of a batch"), PUB_FLAGS, {0}};
static const cli_flag ordered_flags[] = {
    BATCH_FLAG("Messages that are asked for at a time"),
    PURGE_FLAG,
    FILTER_FLAG,
    {0},
};
static const cli_flag consumer_flags[] = {CONSUMER_FLAGS, {0}};
static const cli_flag get_batch_flags[] = {
    BATCH_FLAG("Messages that are asked for at a time"),
    {.name = "filter", .type = CLI_STRING, .value = ">", .placeholder = "SUBJECT",
     .help = "Only messages of these subjects"},
    {0},
};
static const cli_flag kv_put_flags[] = {
    STORE_FLAGS,
    {.name = "history", .type = CLI_UINT, .value = "1", .help = "Revisions to keep of each key"},
    {.name = "purge", .type = CLI_SWITCH, .help = "Delete the bucket before running"},
    {.name = "randomize", .type = CLI_UINT, .value = "0", .placeholder = "KEYS",
     .help = "Put so many keys in random order; 0: each once"},
    CLI_BENCH_PAYLOAD_FLAGS,
    {0},
};
static const cli_flag kv_get_flags[] = {
    {.name = "randomize", .type = CLI_UINT, .value = "0", .placeholder = "KEYS",
     .help = "Get so many keys in random order; 0: each once"},
    {0},
};

// ---- commands -------------------------------------------------------------------------------------------------------

static int run_sync(cli *app) { return cli_bench_run(app, &cli_bench_js_sync); }
static int run_async(cli *app) { return cli_bench_run(app, &cli_bench_js_async); }
static int run_atomic(cli *app) { return cli_bench_run(app, &cli_bench_js_atomic); }
static int run_ordered(cli *app) { return cli_bench_run(app, &cli_bench_js_ordered); }
static int run_consume(cli *app) { return cli_bench_run(app, &cli_bench_js_consume); }
static int run_fetch(cli *app) { return cli_bench_run(app, &cli_bench_js_fetch); }
static int run_get(cli *app) { return cli_bench_run(app, &cli_bench_js_get); }
static int run_get_batch(cli *app) { return cli_bench_run(app, &cli_bench_js_get_batch); }
static int run_kv_put(cli *app) { return cli_bench_run(app, &cli_bench_kv_put); }
static int run_kv_get(cli *app) { return cli_bench_run(app, &cli_bench_kv_get); }

static const cli_command sync_command = {.name = "sync",
                                         .summary = "Publish one message at a time", .flags = sync_flags,
                                         .shared = js_flags, .args = cli_bench_subject, .run = run_sync};
static const cli_command async_command = {.name = "async",
                                          .summary = "Publish many, then wait for what acknowledges them",
                                          .flags = batch_flags, .shared = js_flags, .args = cli_bench_subject,
                                          .run = run_async};
static const cli_command atomic_command = {.name = "atomic", .aliases = "batch",
                                           .summary = "Publish batches that are stored as a whole",
                                           .flags = batch_flags, .shared = js_flags, .args = cli_bench_subject,
                                           .run = run_atomic};
static const cli_command *const pub_commands[] = {&sync_command, &async_command, &atomic_command, NULL};
static const cli_command pub_command = {.name = "pub", .summary = "Publish to a stream", .commands = pub_commands};

static const cli_command ordered_command = {.name = "ordered", .summary = "Consume with an ephemeral ordered consumer",
                                            .flags = ordered_flags, .shared = js_flags, .run = run_ordered};
static const cli_command consume_command = {.name = "consume", .summary = "Consume from a durable consumer",
                                            .flags = consumer_flags, .shared = js_flags, .run = run_consume};
static const cli_command fetch_command = {.name = "fetch", .summary = "Fetch batches from a durable consumer",
                                          .flags = consumer_flags, .shared = js_flags, .run = run_fetch};

static const cli_command get_sync_command = {.name = "sync",
                                             .summary = "Read one message at a time", .shared = js_flags,
                                             .run = run_get};
static const cli_command get_batch_command = {.name = "batch", .summary = "Read messages in batches",
                                              .flags = get_batch_flags, .shared = js_flags, .run = run_get_batch};
static const cli_command *const get_commands[] = {&get_sync_command, &get_batch_command, NULL};
static const cli_command get_command = {.name = "get", .summary = "Read from a stream", .commands = get_commands};

static const cli_command *const js_commands[] = {&pub_command, &ordered_command, &consume_command, &fetch_command,
                                                 &get_command, NULL};
const cli_command cli_command_bench_js = {
    .name = "js",
    .summary = "Streams and consumers of JetStream",
    .text = "  midge bench js pub async orders --create --msgs 100000\n"
            "  midge bench js ordered --msgs 100000\n"
            "  midge bench js consume --msgs 100000 --clients 4\n",
    .commands = js_commands,
};

static const cli_command put_command = {.name = "put", .summary = "Put keys into a bucket", .flags = kv_put_flags,
                                        .shared = kv_flags, .run = run_kv_put};
static const cli_command value_command = {.name = "get", .summary = "Get keys from a bucket", .flags = kv_get_flags,
                                          .shared = kv_flags, .run = run_kv_get};
static const cli_command *const kv_commands[] = {&put_command, &value_command, NULL};
const cli_command cli_command_bench_kv = {
    .name = "kv",
    .summary = "Keys and values of JetStream",
    .text = "  midge bench kv put --msgs 10000\n"
            "  midge bench kv get --msgs 10000\n",
    .commands = kv_commands,
};
