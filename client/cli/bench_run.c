// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The run of a benchmark. The main thread connects and prepares the clients one after the other, so that an error is
// told once and before anything is measured; then each gets its thread. Threads wait for a common start. The main one
// sleeps until all are done, and wakes ten times a second to draw the bars and to see whether the user has had enough.
//
//      main    connect, setup of all -> threads -> start -> [bars] ... -> join -> report
//      client                           wait ------> work -----------> done
//
// What fails: a client writes its reason and sets `stop`, the others see that at their next turn, and the run ends with
// all reasons. What always holds: a connection is touched by one thread at a time; counts pass through `done`, which is
// atomic; all else is handed over by the creation and the joining of threads.
#include "client/cli/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client/cli/progress.h"
#include "client/cli/units.h"

#define WAKE_MS 100

bool cli_bench_stopped(cli_bench *b) {
    return atomic_load_explicit(&b->stop, memory_order_relaxed);
}

bool cli_bench_failed(cli_bench_client *client, const char *what, int err) {
    char reason[160] = "";
    midge_conn_error(client->conn, reason, sizeof(reason));
    bool lost = err == MIDGE_ECLOSED || err == MIDGE_EDISCONNECTED || err == MIDGE_ETIMEOUT;
    snprintf(client->err, sizeof(client->err), "%s: %s%s%s", what, midge_strerror(err), lost && *reason ? ": " : "",
             lost ? reason : "");
    return false;
}

void cli_bench_until(cli_bench_client *client, uint64_t until_ns) {
    uint64_t now;
    while ((now = cli_mono_ns()) < until_ns && !cli_bench_stopped(client->bench)) {
        uint64_t left_ms = (until_ns - now) / (uint64_t)CLI_MS;
        if (midge_poll(client->conn, (uint32_t)(left_ms < WAKE_MS ? left_ms : WAKE_MS)) < 0)
            return;
        if (left_ms == 0 && (now = cli_mono_ns()) < until_ns) { // shorter than a poll can wait
            struct timespec rest = {.tv_nsec = (long)(until_ns - now)};
            nanosleep(&rest, NULL);
        }
    }
}

void cli_bench_pace(cli_bench_client *client, uint64_t sent) {
    const cli_bench *b = client->bench;
    uint64_t until = 0;
    if (b->throughput)
        until = client->start_ns + (uint64_t)((double)sent * b->clients / (double)b->throughput * 1e9);
    if (b->sleep_ns && cli_mono_ns() + b->sleep_ns > until)
        until = cli_mono_ns() + b->sleep_ns;
    if (until)
        cli_bench_until(client, until);
}

// ---- clients --------------------------------------------------------------------------------------------------------

static void on_event(midge *m, const midge_event *event, void *user) {
    cli_bench_client *client = user;
    cli_bench *b = client->bench;
    (void)m;
    switch (event->type) {
    case MIDGE_EVENT_DISCONNECTED:
        cli_log(b->app, "[%u] Disconnected due to: %s, will attempt reconnect", client->number,
                midge_strerror(event->err));
        atomic_store(&b->disturbed, true);
        break;
    case MIDGE_EVENT_PERMISSION: // it would go on with every message
        snprintf(client->err, sizeof(client->err), "no permission to %s \"%.*s\"",
                 event->publish ? "publish to" : "subscribe to", (int)event->subject.n, event->subject.p);
        atomic_store(&b->stop, true);
        break;
    case MIDGE_EVENT_SLOW_CONSUMER:
    case MIDGE_EVENT_TOO_LARGE:
    case MIDGE_EVENT_ERROR:
        cli_log(b->app, "[%u] Connection error: %.*s", client->number, (int)event->text.n,
                event->text.n ? event->text.p : "");
        atomic_store(&b->disturbed, true);
        break;
    default: break;
    }
}

static void *client_main(void *arg) {
    cli_bench_client *client = arg;
    cli_bench *b = client->bench;
    pthread_mutex_lock(&b->mutex);
    while (!b->started)
        pthread_cond_wait(&b->changed, &b->mutex);
    pthread_mutex_unlock(&b->mutex);

    client->start_ns = client->end_ns = cli_mono_ns();
    if (!b->kind->work(client))
        atomic_store(&b->stop, true);

    pthread_mutex_lock(&b->mutex);
    b->running--;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

static bool prepare_client(cli_bench *b, cli_bench_client *client, unsigned index) {
    char reason[256];
    midge_options options = *cli_options(b->app);
    uint64_t share = b->msgs / b->clients, extra = b->msgs % b->clients;
    client->bench = b;
    client->number = index + 1;
    client->msgs = b->kind->split ? share + (index < extra) : b->msgs;
    client->offset = share * index + (index < extra ? index : extra);
    options.on_event = on_event;
    options.user_data = client;
    client->conn = midge_connect(&options, reason, sizeof(reason));
    if (!client->conn) {
        cli_connect_failed(b->app, &options, reason);
        return false;
    }
    if (b->kind->latencies)
        client->latencies = cli_histogram_new();
    if (b->kind->setup && !b->kind->setup(client)) {
        cli_fail(b->app, "client %u: %s", client->number, client->err);
        return false;
    }
    // Said when it is ready, so that a script may wait for the line before it starts the other end.
    if (b->kind->endless)
        cli_log(b->app, "[%u] Starting %s, hit control-c to stop", client->number, b->kind->label);
    else
        cli_log(b->app, "[%u] Starting %s, %s %s messages", client->number, b->kind->label, b->kind->doing,
                cli_count(client->msgs).s);
    return true;
}

static void free_clients(cli_bench *b, cli_bench_client *clients) {
    for (unsigned i = 0; i < b->clients; i++) {
        if (clients[i].conn && b->kind->fini)
            b->kind->fini(&clients[i]);
        midge_conn_free(clients[i].conn);
        cli_histogram_free(clients[i].latencies);
    }
    free(clients);
}

// ---- the run --------------------------------------------------------------------------------------------------------

// Waits until all are done, at most WAKE_MS. True: they are.
static bool wait_done(cli_bench *b) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAKE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&b->mutex);
    if (b->running)
        pthread_cond_timedwait(&b->changed, &b->mutex, &until);
    bool done = b->running == 0;
    pthread_mutex_unlock(&b->mutex);
    return done;
}

static void watch(cli_bench *b, cli_bench_client *clients) {
    bool enabled = cli_get_bool(b->app, "progress") && !b->kind->endless && cli_err_is_terminal(b->app);
    cli_progress *progress = cli_progress_new(stderr, enabled, cli_mono_ns());
    cli_progress_colour(progress, cli_bar_colour(b->app));
    for (unsigned i = 0; i < b->clients; i++) {
        char label[16];
        snprintf(label, sizeof(label), "[%u]", clients[i].number);
        cli_progress_add(progress, label, clients[i].msgs, b->size);
    }
    bool done = false;
    while (!done) {
        done = wait_done(b);
        if (cli_interrupted(b->app))
            atomic_store(&b->stop, true);
        for (unsigned i = 0; i < b->clients; i++)
            cli_progress_set(progress, i, atomic_load_explicit(&clients[i].done, memory_order_relaxed));
        if (!done)
            cli_progress_draw(progress, cli_mono_ns());
    }
    cli_progress_finish(progress, cli_mono_ns());
    cli_progress_free(progress);
}

static int start_threads(cli_bench *b, cli_bench_client *clients, unsigned *started) {
    pthread_attr_t attr;
    int err = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    for (*started = 0; *started < b->clients && !err; *started += !err)
        err = pthread_create(&clients[*started].thread, &attr, client_main, &clients[*started]);
    pthread_attr_destroy(&attr);
    if (err) {
        atomic_store(&b->stop, true);
        return cli_fail(b->app, "cannot start a thread for client %u: %s; use fewer --clients", *started + 1,
                        strerror(err));
    }
    return CLI_OK;
}

static int run_threads(cli_bench *b, cli_bench_client *clients) {
    unsigned started = 0;
    int status = start_threads(b, clients, &started);
    pthread_mutex_lock(&b->mutex);
    b->running = started;
    b->started = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->mutex);
    watch(b, clients);
    for (unsigned i = 0; i < started; i++)
        pthread_join(clients[i].thread, NULL);
    for (unsigned i = 0; i < started; i++)
        if (clients[i].err[0])
            status = cli_fail(b->app, "client %u: %s", clients[i].number, clients[i].err);
    return status;
}

// ---- the report -----------------------------------------------------------------------------------------------------

static void make_run_id(char out[23]) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint8_t random[22] = {0};
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        memset(random, 0, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        out[i] = digits[random[i] % 62];
    out[22] = '\0';
}

static int write_csv(cli_bench *b, const cli_bench_report *r) {
    const char *path = cli_get_string(b->app, "csv");
    if (!path)
        return CLI_OK;
    FILE *f = fopen(path, "w");
    if (f)
        cli_bench_csv(r, f);
    if (!f || fclose(f) != 0)
        return cli_fail(b->app, "writing file %s: %s", path, strerror(errno));
    fprintf(cli_get_bool(b->app, "json") ? stderr : stdout, "Saved metric data in csv file %s\n", path);
    return CLI_OK;
}

static int report(cli_bench *b, cli_bench_client *clients) {
    char run_id[23];
    cli_bench_sample *samples = cli_alloc(b->app, b->clients * sizeof(*samples));
    for (unsigned i = 0; i < b->clients; i++) {
        cli_bench_client *c = &clients[i];
        midge_stats stats = midge_stats_of(midge_engine(c->conn));
        samples[i] = (cli_bench_sample){.msgs = atomic_load(&c->done),
                                        .bytes = c->bytes,
                                        .wire_msgs = stats.in_msgs + stats.out_msgs,
                                        .start_ns = c->start_ns,
                                        .end_ns = c->end_ns,
                                        .latencies = c->latencies};
    }
    make_run_id(run_id);
    cli_bench_report r = {.type = b->kind->type,
                          .label = b->kind->label,
                          .subject = b->subject,
                          .run_id = run_id,
                          .prefix = b->kind->prefix,
                          .msg_size = b->size,
                          .disturbed = atomic_load(&b->disturbed),
                          .interrupted = cli_interrupted(b->app) && !b->kind->endless,
                          .samples = samples,
                          .len = b->clients};
    if (r.disturbed)
        cli_log(b->app, "WARNING: at least one of the clients disconnected or experienced an error during the "
                        "benchmark. These results are not optimal!");
    if (r.interrupted)
        cli_log(b->app, "WARNING: interrupted. These results are of what was done until then!");
    if (cli_get_bool(b->app, "json"))
        cli_bench_json(&r, stdout);
    else
        cli_bench_text(&r, stdout);
    int status = write_csv(b, &r);
    return status == CLI_OK && r.interrupted ? CLI_INTERRUPTED : status;
}

int cli_bench_run(cli *app, const cli_bench_kind *kind) {
    cli_bench b = {.app = app, .kind = kind, .mutex = PTHREAD_MUTEX_INITIALIZER};
    int status = cli_bench_read(&b);
    if (status != CLI_OK || !cli_options(app))
        return CLI_FAILED;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b.changed, &attr);
    pthread_condattr_destroy(&attr);

    cli_bench_banner(&b);
    if (kind->prepare && kind->prepare(&b) != CLI_OK)
        return CLI_FAILED;
    cli_bench_client *clients = calloc(b.clients, sizeof(*clients));
    if (!clients)
        return cli_fail(app, "out of memory");
    cli_catch_signals(app, NULL);
    for (unsigned i = 0; i < b.clients && status == CLI_OK; i++)
        status = cli_interrupted(app) ? CLI_INTERRUPTED : prepare_client(&b, &clients[i], i) ? CLI_OK : CLI_FAILED;
    if (status == CLI_OK)
        status = run_threads(&b, clients);
    if (status == CLI_OK)
        status = report(&b, clients);
    free_clients(&b, clients);
    pthread_cond_destroy(&b.changed);
    return status;
}
