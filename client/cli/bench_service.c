// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench service request and serve: round trips. A requester has one request open at a time; its latency is the time to
// the reply. A server is a service (ADR-32) that answers "ok" until it is interrupted.
//
// With --sleep a server works on one request at a time, each for so long. It may not sleep in the callback, where
// nothing is written: requests wait in a list, oldest first, each with the time when its answer is due.
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench.h"
#include "client/host/midge_host.h"

#define POLL_MS 100

// ---- request --------------------------------------------------------------------------------------------------------

// A reply that speaks of an error instead of the service's word: as the nats command judges.
static bool is_bad(midge_str data) {
    return data.n == 0 || data.p[0] == '-' || memmem(data.p, data.n, "error", 5) != NULL;
}

static bool request_once(cli_bench_client *client, midge_str subject, uint32_t timeout) {
    cli_bench *b = client->bench;
    const midge_msg *reply = NULL;
    uint64_t start = cli_mono_ns();
    int err = midge_request_wait(client->conn, subject, b->headers, b->payload, b->size, timeout, &reply);
    if (err)
        return cli_bench_failed(client, "requesting", err);
    cli_histogram_add(client->latencies, cli_mono_ns() - start);
    if (is_bad(reply->data)) {
        snprintf(client->err, sizeof(client->err), "the request did not receive a good reply: \"%.*s\"",
                 (int)(reply->data.n < 80 ? reply->data.n : 80), reply->data.n ? reply->data.p : "");
        return false;
    }
    return true;
}

static bool request_work(cli_bench_client *client) {
    cli_bench *b = client->bench;
    midge_str subject = midge_cstr(b->subject);
    uint32_t timeout = (uint32_t)cli_timeout(b->app);
    if (b->sleep_ns && client->number > 1) // not all at the same moments
        cli_bench_until(client, cli_mono_ns() + b->sleep_ns * (client->number - 1) / b->clients);
    client->start_ns = cli_mono_ns();
    for (uint64_t i = 0; i < client->msgs && !cli_bench_stopped(b); i++) {
        if (!request_once(client, subject, timeout))
            return false;
        atomic_store_explicit(&client->done, i + 1, memory_order_relaxed);
        client->bytes += b->size;
        if (cli_bench_paced(b))
            cli_bench_pace(client, i + 1);
    }
    client->end_ns = cli_mono_ns();
    return client->err[0] == '\0';
}

const cli_bench_kind cli_bench_requester = {
    .type = "request",
    .label = "Core NATS service requester",
    .doing = "requesting",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .work = request_work,
};

// ---- serve ----------------------------------------------------------------------------------------------------------

typedef struct pending {
    struct pending *next;
    uint64_t due_ns;
    midge_service_request *request;
} pending;

typedef struct server {
    cli_bench_client *client;
    midge_service *service;
    pending *first, **last;
    uint64_t free_ns; // when it has time for another one
} server;

static void answer(server *s, midge_service_request *request) {
    cli_bench_client *client = s->client;
    int err = midge_service_respond(request, MIDGE_NONE, "ok", 2);
    client->end_ns = cli_mono_ns();
    if (atomic_load_explicit(&client->done, memory_order_relaxed) == 0)
        client->start_ns = client->end_ns; // waiting for the first one does not count
    if (err) {
        cli_bench_failed(client, "replying to the request", err);
        return;
    }
    atomic_fetch_add_explicit(&client->done, 1, memory_order_relaxed);
    client->bytes += 2;
}

static void on_request(midge_service_request *request, void *user) {
    server *s = user;
    uint64_t sleep_ns = s->client->bench->sleep_ns;
    if (!sleep_ns) {
        answer(s, request);
        return;
    }
    pending *p = malloc(sizeof(*p));
    midge_service_request *deferred = p ? midge_service_defer(request) : NULL;
    if (!deferred) { // the requester's time will run out
        free(p);
        return;
    }
    uint64_t now = cli_mono_ns();
    s->free_ns = (s->free_ns > now ? s->free_ns : now) + sleep_ns;
    *p = (pending){.due_ns = s->free_ns, .request = deferred};
    *s->last = p;
    s->last = &p->next;
}

static void drop_first(server *s) {
    pending *p = s->first;
    s->first = p->next;
    if (!s->first)
        s->last = &s->first;
    midge_service_finish(p->request);
    free(p);
}

// Answers what is due; the milliseconds until the next is, at most POLL_MS.
static uint32_t answer_due(server *s) {
    uint64_t now = cli_mono_ns();
    while (s->first && s->first->due_ns <= now) {
        answer(s, s->first->request);
        drop_first(s);
    }
    uint64_t left = s->first ? (s->first->due_ns - now) / 1000000 + 1 : POLL_MS;
    return (uint32_t)(left < POLL_MS ? left : POLL_MS);
}

static bool serve_setup(cli_bench_client *client) {
    cli_bench *b = client->bench;
    server *s = client->state = cli_alloc(b->app, sizeof(*s));
    s->client = client;
    s->last = &s->first;
    // The names under which the nats command's service is found.
    midge_service_config config = {.name = MIDGE_STR("nats-bench-service"), .version = MIDGE_STR("1.0.0")};
    midge_endpoint_config endpoint = {
        .name = MIDGE_STR("default"), .subject = midge_cstr(b->subject), .fn = on_request, .user = s};
    int err = 0;
    s->service = midge_service_new(midge_engine(client->conn), &config, &err);
    if (!s->service || !midge_service_add(s->service, &endpoint, &err))
        return cli_bench_failed(client, "adding the service", err);
    err = midge_flush_wait(client->conn, (uint32_t)cli_timeout(b->app));
    return err ? cli_bench_failed(client, "flushing", err) : client->err[0] == '\0';
}

static bool serve_work(cli_bench_client *client) {
    server *s = client->state;
    while (!cli_bench_stopped(client->bench)) {
        int err = midge_poll(client->conn, answer_due(s));
        if (err)
            return cli_bench_failed(client, "serving", err);
    }
    return client->err[0] == '\0';
}

static void serve_fini(cli_bench_client *client) {
    server *s = client->state;
    while (s && s->first)
        drop_first(s);
    if (s)
        midge_service_free(s->service);
}

const cli_bench_kind cli_bench_server = {
    .type = "reply",
    .label = "Core NATS service server",
    .doing = "serving",
    .prefix = 'R',
    .endless = true,
    .setup = serve_setup,
    .work = serve_work,
    .fini = serve_fini,
};

// ---- commands -------------------------------------------------------------------------------------------------------

static int run_request(cli *app) {
    return cli_bench_run(app, &cli_bench_requester);
}

static int run_serve(cli *app) {
    return cli_bench_run(app, &cli_bench_server);
}

static const cli_flag request_flags[] = {
    CLI_BENCH_PAYLOAD_FLAGS,
    CLI_BENCH_SLEEP_FLAG("Sleep for the specified interval between requests"),
    CLI_BENCH_FLAGS,
    {0},
};

static const cli_flag serve_flags[] = {
    CLI_BENCH_SLEEP_FLAG("Sleep for the specified interval before replying to the request"),
    CLI_BENCH_FLAGS,
    {0},
};

#define REQUEST .summary = "Send a request and wait for a reply", .flags = request_flags, .args = cli_bench_subject, \
                .run = run_request
#define SERVE .summary = "Service requests", .flags = serve_flags, .args = cli_bench_subject, .run = run_serve

static const cli_command service_request = {.name = "request", REQUEST};
static const cli_command service_serve = {.name = "serve", SERVE};
static const cli_command *const service_commands[] = {&service_request, &service_serve, NULL};

const cli_command cli_command_bench_service = {
    .name = "service",
    .summary = "Micro-service mode",
    .commands = service_commands,
};

// Short forms.
const cli_command cli_command_bench_request = {.name = "request", REQUEST};
const cli_command cli_command_bench_reply = {.name = "reply", SERVE};
