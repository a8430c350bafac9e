// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// latency: how long messages take from one connection to another, which may be on different servers of a cluster. The
// main thread publishes at a steady rate: message i leaves at start + i / rate, whatever the ones before took, so a
// stall does not hide. Each message carries the time of its sending. A thread of its own receives and reads the clock
// at once. Both ends are this process, so the clock is one that never jumps.
//
// Messages shorter than a time are probes: they are sent until one arrives, when interest has reached the first server.
// The run fails when a connection is lost, and when messages have not arrived in --timeout after the last was sent.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/bench.h"
#include "client/cli/progress.h"
#include "client/cli/units.h"

#define STAMP       sizeof(uint64_t)
#define MESSAGES_MAX (100u * 1000 * 1000)
#define RULE        "=============================="

typedef struct test {
    cli *app;
    midge_conn *pub, *sub;
    char subject[MIDGE_INBOX_MAX];
    uint64_t size, rate, duration_ns, msgs;
    uint64_t pub_rtt_ns, sub_rtt_ns;
    uint64_t begin_ns, start_ns, sent_ns; // begin of the command; first and last message
    uint64_t sent;
    uint8_t *data;

    // Of the receiving thread, read by others when it has ended. The atomics are shared.
    cli_histogram *latencies;
    uint64_t *raw; // every latency, in the order of arrival; NULL: not kept
    uint64_t received_ns;
    atomic_uint_least64_t received;
    atomic_bool routed, stop;
    atomic_int err; // why receiving ended early
} test;

// ---- receiving ------------------------------------------------------------------------------------------------------

static void on_message(midge *m, const midge_msg *msg, void *user) {
    test *t = user;
    uint64_t now = cli_mono_ns(), stamp, n = atomic_load_explicit(&t->received, memory_order_relaxed);
    (void)m;
    if (msg->data.n < STAMP) {
        atomic_store(&t->routed, true);
        return;
    }
    if (n == t->msgs)
        return;
    memcpy(&stamp, msg->data.p, STAMP);
    cli_histogram_add(t->latencies, now - stamp);
    if (t->raw)
        t->raw[n] = now - stamp;
    t->received_ns = now;
    atomic_store_explicit(&t->received, n + 1, memory_order_release);
}

static void *receive(void *arg) {
    test *t = arg;
    while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
        int err = midge_poll(t->sub, 50);
        if (err) {
            atomic_store(&t->err, err);
            break;
        }
    }
    return NULL;
}

// ---- sending --------------------------------------------------------------------------------------------------------

static int sleep_until(test *t, uint64_t until_ns) {
    uint64_t now;
    while ((now = cli_mono_ns()) < until_ns && !cli_interrupted(t->app)) {
        uint64_t left_ms = (until_ns - now) / (uint64_t)CLI_MS;
        if (left_ms) {
            int err = midge_poll(t->pub, (uint32_t)left_ms);
            if (err)
                return err;
        } else { // a poll cannot wait so short
            struct timespec rest = {.tv_nsec = (long)(until_ns - now)};
            nanosleep(&rest, NULL);
        }
    }
    return 0;
}

static int send_one(test *t, size_t size) {
    int err = midge_publish_wait(t->pub, midge_cstr(t->subject), MIDGE_NONE, MIDGE_NONE, t->data, size,
                                 (uint32_t)cli_timeout(t->app));
    return err ? err : midge_poll(t->pub, 0);
}

// Interest may need its time to get to the server that we publish on.
static int wait_for_route(test *t) {
    uint64_t until = cli_mono_ns() + cli_timeout(t->app) * (uint64_t)CLI_MS;
    int err = 0;
    while (!err && !atomic_load(&t->routed) && !cli_interrupted(t->app)) {
        if (cli_mono_ns() > until)
            return MIDGE_ETIMEOUT;
        err = send_one(t, 0);
        if (!err)
            err = sleep_until(t, cli_mono_ns() + (uint64_t)CLI_MS);
    }
    return err;
}

static int send_all(test *t, cli_progress *progress) {
    t->start_ns = cli_mono_ns();
    for (t->sent = 0; t->sent < t->msgs && !cli_interrupted(t->app);) {
        uint64_t now = cli_mono_ns();
        memcpy(t->data, &now, STAMP);
        int err = send_one(t, t->size);
        if (err)
            return err;
        t->sent++;
        cli_progress_set(progress, 0, atomic_load_explicit(&t->received, memory_order_relaxed));
        cli_progress_draw(progress, now);
        err = sleep_until(t, t->start_ns + (uint64_t)((double)t->sent / (double)t->rate * 1e9));
        if (err)
            return err;
    }
    t->sent_ns = cli_mono_ns();
    return 0;
}

// Waits for what has been sent.
static void wait_all(test *t) {
    uint64_t until = cli_mono_ns() + cli_timeout(t->app) * (uint64_t)CLI_MS;
    while (atomic_load(&t->received) < t->sent && !atomic_load(&t->err) && cli_mono_ns() < until)
        if (midge_poll(t->pub, 1) != 0)
            return;
}

// ---- the report -----------------------------------------------------------------------------------------------------

// "8B", "16K": one letter, as this command has always had it in the nats command.
static cli_text short_bytes(uint64_t n) {
    cli_text text = cli_bytes(n);
    char *blank = strchr(text.s, ' ');
    blank[0] = blank[1];
    blank[1] = '\0';
    return text;
}

static cli_text short_time(uint64_t ns) {
    return cli_duration_exact((int64_t)(ns - ns % (uint64_t)CLI_US));
}

static const double percentiles[] = {10, 50, 75, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999, 100};
#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static uint64_t sent_rate(const test *t) {
    double seconds = (double)(t->sent_ns - t->start_ns) / 1e9;
    return seconds > 0 ? (uint64_t)((double)t->sent / seconds) : 0;
}

static void print_plan(const test *t) {
    cli_log(t->app, "Message Payload: %s", short_bytes(t->size).s);
    cli_log(t->app, "Target Duration: %s", cli_duration_exact((int64_t)t->duration_ns).s);
    cli_log(t->app, "Target Msgs/Sec: %llu", (unsigned long long)t->rate);
    cli_log(t->app, "Target Band/Sec: %s", short_bytes(t->rate * t->size * 2).s);
    cli_log(t->app, RULE);
}

static void print_results(const test *t) {
    const cli_histogram *h = t->latencies;
    uint64_t rate = sent_rate(t);
    cli_log(t->app, "HDR Percentiles:");
    for (size_t i = 0; i < PERCENTILES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%.8g:", percentiles[i]);
        cli_log(t->app, "%-9s %s", name, short_time(cli_histogram_at(h, percentiles[i])).s);
    }
    cli_log(t->app, RULE);
    cli_log(t->app, "Actual Msgs/Sec: %llu", (unsigned long long)rate);
    cli_log(t->app, "Actual Band/Sec: %s", short_bytes(rate * t->size * 2).s);
    cli_log(t->app, "Minimum Latency: %s", short_time(cli_histogram_min(h)).s);
    cli_log(t->app, "Median Latency : %s", short_time(cli_histogram_at(h, 50)).s);
    cli_log(t->app, "Maximum Latency: %s", short_time(cli_histogram_max(h)).s);
    cli_log(t->app, "1st Sent Wall Time : %s", short_time(t->start_ns - t->begin_ns).s);
    cli_log(t->app, "Last Sent Wall Time: %s", short_time(t->sent_ns - t->start_ns).s);
    cli_log(t->app, "Last Recv Wall Time: %s", short_time(t->received_ns - t->start_ns).s);
    printf("\n");
    cli_histogram_draw(h, cli_columns(t->app), cli_bar_colour(t->app), stdout);
}

static void print_json(const test *t) {
    cli_json j = {.out = stdout, .indent = 2};
    cli_json_begin(&j, NULL, '{');
    cli_json_uint(&j, "sent", t->sent);
    cli_json_uint(&j, "received", cli_histogram_count(t->latencies));
    cli_json_uint(&j, "msg_size", t->size);
    cli_json_uint(&j, "target_msgs_per_sec", t->rate);
    cli_json_uint(&j, "msgs_per_sec", sent_rate(t));
    cli_json_uint(&j, "duration_ns", t->sent_ns - t->start_ns);
    cli_json_uint(&j, "pub_rtt_ns", t->pub_rtt_ns);
    cli_json_uint(&j, "sub_rtt_ns", t->sub_rtt_ns);
    cli_bench_json_latencies(&j, "latency_ns", t->latencies);
    cli_json_begin(&j, "percentiles_ns", '{');
    for (size_t i = 0; i < PERCENTILES; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%.8g", percentiles[i]);
        cli_json_uint(&j, name, cli_histogram_at(t->latencies, percentiles[i]));
    }
    cli_json_end(&j, '}');
    cli_json_end(&j, '}');
}

static FILE *open_result(test *t, const char *base, const char *suffix) {
    char *path = cli_printf(t->app, "%s%s", base, suffix);
    FILE *f = fopen(path, "w");
    if (!f)
        cli_fail(t->app, "writing file %s: %s", path, strerror(errno));
    return f;
}

static int close_result(test *t, FILE *f) {
    return fclose(f) == 0 ? CLI_OK : cli_fail(t->app, "writing the histogram: %s", strerror(errno));
}

// FILE.raw has each latency in milliseconds, FILE.histogram the percentiles that plotting tools read.
static int write_files(test *t, const char *base) {
    FILE *raw = open_result(t, base, ".raw");
    if (!raw)
        return CLI_FAILED;
    for (uint64_t i = 0; i < cli_histogram_count(t->latencies); i++)
        fprintf(raw, "%f\n", (double)t->raw[i] / 1e6);
    if (close_result(t, raw) != CLI_OK)
        return CLI_FAILED;
    FILE *table = open_result(t, base, ".histogram");
    if (!table)
        return CLI_FAILED;
    cli_histogram_write(t->latencies, table);
    return close_result(t, table);
}

// ---- the run --------------------------------------------------------------------------------------------------------

static midge_conn *connect_to(test *t, const char *servers) {
    char reason[256];
    midge_options options = *cli_options(t->app);
    if (servers)
        options.servers = servers;
    midge_conn *conn = midge_connect(&options, reason, sizeof(reason));
    if (!conn)
        cli_connect_failed(t->app, &options, reason);
    return conn;
}

static int failed(test *t, const char *what, int err) {
    return cli_fail(t->app, "%s: %s", what, midge_strerror(err));
}

static int round_trip(test *t, midge_conn *conn, const char *which, uint64_t *rtt_ns) {
    uint64_t start = cli_mono_ns();
    int err = midge_flush_wait(conn, (uint32_t)cli_timeout(t->app));
    if (err)
        return failed(t, "could not determine the RTT", err);
    *rtt_ns = cli_mono_ns() - start;
    cli_log(t->app, "%s Server RTT : %s", which, short_time(*rtt_ns).s);
    return CLI_OK;
}

static int read_flags(test *t) {
    t->size = cli_get_uint(t->app, "size");
    t->rate = cli_get_uint(t->app, "rate");
    t->duration_ns = cli_get_duration(t->app, "duration");
    double msgs = (double)t->rate * (double)t->duration_ns / 1e9;
    if (t->size < STAMP || t->size > (64u << 20))
        return cli_fail(t->app, "--size must be at least %zu bytes and at most 64 MiB", STAMP);
    if (t->rate == 0 || t->rate > 10u * 1000 * 1000)
        return cli_fail(t->app, "--rate must be 1 to 10,000,000 messages a second");
    if (msgs < 1 || msgs > MESSAGES_MAX)
        return cli_fail(t->app, "--rate and --duration must make 1 to %s messages", cli_count(MESSAGES_MAX).s);
    t->msgs = (uint64_t)(msgs + 0.5);
    return CLI_OK;
}

static int prepare(test *t) {
    t->pub = connect_to(t, NULL);
    t->sub = t->pub ? connect_to(t, cli_get_string(t->app, "server-b")) : NULL;
    if (!t->sub)
        return CLI_FAILED;
    cli_log(t->app, RULE);
    if (round_trip(t, t->pub, "Pub", &t->pub_rtt_ns) || round_trip(t, t->sub, "Sub", &t->sub_rtt_ns))
        return CLI_FAILED;
    midge_inbox(midge_engine(t->sub), t->subject, sizeof(t->subject));
    int32_t sub = midge_subscribe(midge_engine(t->sub), midge_cstr(t->subject), MIDGE_NONE, on_message, t);
    if (sub < 0)
        return failed(t, "subscribing on the second connection", sub);
    int err = midge_flush_wait(t->sub, (uint32_t)cli_timeout(t->app));
    return err ? failed(t, "subscribing on the second connection", err) : CLI_OK;
}

// Runs with the receiving thread there.
static int measure(test *t) {
    int err = wait_for_route(t);
    if (err)
        return failed(t, "no message came through from the first server to the second", err);
    if (cli_interrupted(t->app))
        return CLI_INTERRUPTED;
    print_plan(t);
    cli_progress *progress = cli_progress_new(stderr, cli_get_bool(t->app, "progress"), cli_mono_ns());
    cli_progress_colour(progress, cli_bar_colour(t->app));
    cli_progress_add(progress, "", t->msgs, 0);
    err = send_all(t, progress);
    if (!err)
        wait_all(t);
    cli_progress_set(progress, 0, atomic_load(&t->received));
    cli_progress_finish(progress, cli_mono_ns());
    cli_progress_free(progress);
    return err ? failed(t, "publishing", err) : CLI_OK;
}

static int report(test *t) {
    uint64_t received = cli_histogram_count(t->latencies);
    const char *base = cli_get_string(t->app, "histogram");
    if (atomic_load(&t->err))
        return failed(t, "receiving", atomic_load(&t->err));
    if (received == 0)
        return CLI_INTERRUPTED;
    if (received < t->sent)
        return cli_fail(t->app, "only %s of %s messages arrived; is --rate too high?", cli_count(received).s,
                        cli_count(t->sent).s);
    if (cli_get_bool(t->app, "json"))
        print_json(t);
    else
        print_results(t);
    int status = base ? write_files(t, base) : CLI_OK;
    return status == CLI_OK && t->sent < t->msgs ? CLI_INTERRUPTED : status;
}

static int run_test(test *t) {
    pthread_t thread;
    cli_catch_signals(t->app, NULL);
    int status = prepare(t);
    if (status != CLI_OK)
        return status;
    if (pthread_create(&thread, NULL, receive, t) != 0)
        return cli_fail(t->app, "cannot start a thread");
    status = measure(t);
    atomic_store(&t->stop, true);
    midge_wakeup(t->sub);
    pthread_join(thread, NULL);
    return status == CLI_OK ? report(t) : status;
}

static int run(cli *app) {
    test t = {.app = app, .begin_ns = cli_mono_ns()};
    int status = read_flags(&t);
    if (status != CLI_OK || !cli_options(app))
        return CLI_FAILED;
    t.data = cli_alloc(app, t.size);
    t.latencies = cli_histogram_new();
    if (cli_get_string(app, "histogram"))
        t.raw = cli_alloc(app, t.msgs * sizeof(*t.raw));
    status = run_test(&t);
    midge_conn_free(t.pub);
    midge_conn_free(t.sub);
    cli_histogram_free(t.latencies);
    return status;
}

static const cli_flag flags[] = {
    {.name = "server-b", .type = CLI_STRING, .help = "The second server to subscribe on (default: that of --server)"},
    {.name = "size", .type = CLI_SIZE, .value = "8", .help = "Message size"},
    {.name = "rate", .type = CLI_UINT, .value = "1000", .help = "Rate of messages per second"},
    {.name = "duration", .type = CLI_DURATION, .value = "5s", .help = "Test duration"},
    {.name = "histogram", .type = CLI_FILE, .help = "Output file to store the histogram in (.raw and .histogram)"},
    {.name = "progress", .type = CLI_BOOL, .value = "true", .help = "Enable or disable the progress bar"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Report in JSON"},
    {0},
};

const cli_command cli_command_latency = {
    .name = "latency",
    .aliases = "lat",
    .summary = "Perform latency tests between two NATS servers",
    .text = "Publishes at a steady rate on one connection, receives on another, and shows how long the messages took.\n"
            "\n"
            "    midge latency -s srv1 --server-b srv2 --rate 5000 --duration 10s\n"
            "    midge latency --histogram run1     writes run1.raw and run1.histogram\n"
            "\n"
            "The .raw file has every latency in milliseconds, in the order of arrival; the .histogram file the table "
            "of percentiles that HdrHistogram's plotting page reads.\n"
            "\n"
            "--json gives one object: sent, received, msg_size, target_msgs_per_sec, msgs_per_sec, duration_ns, "
            "pub_rtt_ns, sub_rtt_ns, latency_ns (min, avg, max, stddev, p50, p90, p99, p99_9) and percentiles_ns (10 "
            "to 99.99999, and 100).",
    .flags = flags,
    .run = run,
};
