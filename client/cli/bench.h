// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The frame of the benchmarks. A benchmark is a cli_bench_kind; cli_bench_run makes one connection and one thread per
// client, prepares them one after the other, starts all at the same moment, shows progress and prints the report.
// bench_pub.c, bench_sub.c and bench_service.c are kinds; those on streams and buckets fit in the same way.
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/cli/bench_stats.h"
#include "client/cli/cli.h"

typedef struct cli_bench cli_bench;

#define CLI_BENCH_SUBJECT_MAX 512

// One connection and its thread. Everything but `done` belongs to the thread while it runs, and else to the main one.
typedef struct cli_bench_client {
    cli_bench *bench;
    unsigned number;        // from 1
    uint64_t msgs;          // that it has to do
    uint64_t offset;        // messages of the clients before it
    atomic_uint_least64_t done;
    midge_conn *conn;
    cli_histogram *latencies; // NULL: the kind does not measure them
    uint64_t start_ns, end_ns, bytes;
    char err[256]; // "": none
    void *state;   // the kind's
    pthread_t thread;
} cli_bench_client;

typedef struct cli_bench_kind {
    const char *type;       // "pub"
    const char *label;      // "Core NATS publisher"
    const char *doing;      // "publishing": in the line that says that a client starts
    char prefix;            // see cli_bench_report
    bool split;             // the messages are shared out; else each client does all of them
    bool latencies;
    bool endless;           // until interrupted, which is then its usual end
    // Once, before clients connect; CLI_FAILED: said why. NULL: nothing to do.
    int (*prepare)(cli_bench *b);
    // Before the common start; false: client->err says why. NULL: nothing to do.
    bool (*setup)(cli_bench_client *client);
    // In the thread. Sets start_ns, end_ns and bytes, counts in `done`, and returns when that is `msgs` or
    // cli_bench_stopped. False: client->err says why.
    bool (*work)(cli_bench_client *client);
    // After the thread; frees `state`. NULL: nothing to do.
    void (*fini)(cli_bench_client *client);
} cli_bench_kind;

// The flags; those that a kind lacks are 0.
struct cli_bench {
    cli *app;
    const cli_bench_kind *kind;
    const char *subject;
    unsigned clients;
    uint64_t msgs;
    uint64_t size; // bytes of a message
    uint64_t sleep_ns, duration_ns, throughput;
    bool multisubject, multisubject_random;
    uint64_t multisubject_max;
    const void *payload; // `size` bytes
    midge_str headers;
    const char *stream, *bucket, *consumer, *acks;
    uint64_t batch, randomize;
    bool dedup, double_ack;
    char id[17]; // that no other run has

    pthread_mutex_t mutex; // guards what follows
    pthread_cond_t changed;
    unsigned running;
    bool started;
    atomic_bool stop, disturbed;
};

// The common run of `bench ...` commands. Returns the exit status.
int cli_bench_run(cli *app, const cli_bench_kind *kind);

// bench_flags.c: fills in the first part from the flags; CLI_FAILED: it has been said why. And the first line of a run.
int cli_bench_read(cli_bench *b);
void cli_bench_banner(const cli_bench *b);

// An error, or the user, has stopped the run. From any thread.
bool cli_bench_stopped(cli_bench *b);

// Writes "what: text of err" into client->err; returns false.
bool cli_bench_failed(cli_bench_client *client, const char *what, int err);

// Keeps the connection alive until then (cli_mono_ns). Ends early when stopped.
void cli_bench_until(cli_bench_client *client, uint64_t until_ns);

// Waits after `sent` messages as --sleep and --throughput ask for.
void cli_bench_pace(cli_bench_client *client, uint64_t sent);
static inline bool cli_bench_paced(const cli_bench *b) {
    return b->sleep_ns || b->throughput;
}

// What bars are drawn with: the colour of --colors or the context, or "".
static inline const char *cli_bar_colour(const cli *app) {
    enum cli_colour scheme = cli_scheme(app);
    return scheme == CLI_PLAIN ? "" : cli_colour(app, scheme);
}

// The common flags of the tables of a kind's command.
#define CLI_BENCH_FLAGS                                                                                              \
    {.name = "clients", .type = CLI_UINT, .value = "1", .help = "Number of concurrent clients"},                     \
    {.name = "msgs", .type = CLI_UINT, .value = "100000", .help = "Number of messages to publish or subscribe to"},  \
    {.name = "progress", .type = CLI_BOOL, .value = "true", .help = "Enable or disable the progress bar"},           \
    {.name = "csv", .type = CLI_FILE, .help = "Save benchmark data to CSV file"},                                    \
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Report in JSON"},                               \
    {.name = "size", .type = CLI_SIZE, .value = "128B", .help = "Size of the test messages"}

#define CLI_BENCH_PAYLOAD_FLAGS                                                                                      \
    {.name = "payload", .type = CLI_FILE, .help = "File containing a message payload to send"},                      \
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS,                                                       \
     .help = "Adds headers to the message using K:V format"},                                                        \
    {.name = "throughput", .type = CLI_UINT, .value = "0", .placeholder = "THROUGHPUT",                              \
     .help = "If set > 0, throttle aggregate message send throughput to approximately THROUGHPUT messages/second "   \
             "across all clients. If --sleep is set, the achieved rate may be lower"},                               \
    {.name = "duration", .type = CLI_DURATION, .value = "0s", .placeholder = "DURATION",                             \
     .help = "Run for approximately this long instead of a fixed message count, deriving the number of messages "    \
             "from --throughput and taking precedence over --msgs (requires --throughput)"}

#define CLI_BENCH_SLEEP_FLAG(text)                                                                                   \
    {.name = "sleep", .type = CLI_DURATION, .value = "0s", .placeholder = "DURATION", .help = text}

#define CLI_BENCH_MULTISUBJECT_FLAGS                                                                                 \
    {.name = "multisubject", .type = CLI_SWITCH,                                                                     \
     .help = "Multi-subject mode, each message is published on a subject that includes the publisher's message "     \
             "sequence number as a token"},                                                                          \
    {.name = "multisubjectmax", .type = CLI_UINT, .value = "100000",                                                 \
     .help = "The maximum number of subjects to use in multi-subject mode (0 means no max)"},                        \
    {.name = "multisubjectrandomize", .type = CLI_SWITCH,                                                            \
     .help = "Randomize which subjects are being used when in multisubject mode"}

extern const cli_arg cli_bench_subject[]; // the one argument of most

// The benchmarks.
extern const cli_bench_kind cli_bench_publisher, cli_bench_subscriber, cli_bench_requester, cli_bench_server;

extern const cli_bench_kind cli_bench_js_sync, cli_bench_js_async, cli_bench_js_atomic;
extern const cli_bench_kind cli_bench_js_ordered, cli_bench_js_consume, cli_bench_js_fetch;
extern const cli_bench_kind cli_bench_js_get, cli_bench_js_get_batch, cli_bench_kv_put, cli_bench_kv_get;

extern const cli_command cli_command_bench, cli_command_latency, cli_command_bench_js, cli_command_bench_kv;
extern const cli_command cli_command_bench_pub, cli_command_bench_sub, cli_command_bench_service,
    cli_command_bench_request, cli_command_bench_reply;

#endif
