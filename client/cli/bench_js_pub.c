// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench js pub: messages into a stream, each acknowledged.
//
//      sync    one at a time; a latency is the time to the acknowledgement
//      async   a batch, then all of its acknowledgements; a latency is that of a batch
//      atomic  a batch that is stored as a whole (ADR-50): the last message commits and is acknowledged; the same
//
// A message that is not stored ends the run: the figures would be of something else.
#include <stdlib.h>
#include <string.h>

#include "client/cli/bench_js.h"
#include "client/cli/bench_names.h"
#include "client/cli/units.h"

typedef struct publisher {
    cli_bench_js j;
    cli_bench_client *client;
    cli_bench_names subjects;
    midge_request_opts opts;
    char *headers;   // "NATS/1.0", those of --header, and room for ours
    size_t fixed;    // bytes of it that stay
    size_t size;
    uint64_t batches;
} publisher;

enum { OUR_HEADERS = 256 };

static bool setup(cli_bench_client *client) {
    cli_bench *b = client->bench;
    publisher *p = client->state = cli_alloc(b->app, sizeof *p);
    cli_bench_js_init(&p->j, client);
    p->client = client;
    p->opts.timeout = p->j.op.timeout;
    // The block of --header without its last empty line.
    p->fixed = b->headers.n > 2 ? b->headers.n - 2 : 10;
    p->size = p->fixed + OUR_HEADERS;
    p->headers = cli_alloc(b->app, p->size);
    memcpy(p->headers, b->headers.n > 2 ? b->headers.p : "NATS/1.0\r\n", p->fixed);
    if (midge_conn_reserve(client->conn, b->size + p->size + CLI_BENCH_SUBJECT_MAX) != 0)
        return cli_bench_failed(client, "sizing the buffer", MIDGE_ETOOLARGE);
    return cli_bench_names_init(&p->subjects, client) || cli_bench_failed(client, "publishing", MIDGE_ESUBJECT);
}

// The headers of message i; in an atomic batch it is number `at` of `n`.
static midge_str headers_of(publisher *p, uint64_t i, uint64_t at, uint64_t n) {
    const cli_bench *b = p->client->bench;
    if (!b->dedup && n == 0) return b->headers;
    char *out = p->headers + p->fixed;
    size_t room = p->size - p->fixed;
    int len = 0;
    if (b->dedup)
        len += snprintf(out, room, "Nats-Msg-Id: %s-%u-%llu\r\n", b->id, p->client->number, (unsigned long long)i);
    if (n > 0)
        len += snprintf(out + len, room - (size_t)len, "Nats-Batch-Id: %s-%u-%llu\r\nNats-Batch-Sequence: %llu\r\n%s",
                        b->id, p->client->number, (unsigned long long)p->batches, (unsigned long long)at,
                        at == n ? "Nats-Batch-Commit: 1\r\n" : "");
    len += snprintf(out + len, room - (size_t)len, "\r\n");
    return (midge_str){p->headers, p->fixed + (size_t)len};
}

static void on_ack(midge *m, int err, const midge_msg *msg, void *user) {
    publisher *p = user;
    midge_js_reply reply;
    (void)m;
    p->j.owed--;
    if (err == 0) err = midge_js_reply_parse(msg->data, &reply);
    if (err != 0 && p->client->err[0] == '\0')
        cli_bench_js_refused(p->client, "publishing", err, msg != NULL ? msg->data : MIDGE_NONE);
}

// Publishes and wants an acknowledgement. A full buffer is written, and then there is room.
static bool publish(publisher *p, uint64_t i, midge_str headers) {
    cli_bench_client *client = p->client;
    const cli_bench *b = client->bench;
    midge_str subject = cli_bench_name(&p->subjects, b->multisubject, client->offset + i);
    for (;;) {
        int32_t request = midge_request(p->j.js.m, subject, headers, b->payload, b->size, &p->opts, on_ack, p);
        if (request > 0) {
            p->j.owed++;
            return client->err[0] == '\0';
        }
        if (request != MIDGE_EFULL) return cli_bench_failed(client, "publishing", request);
        int err = midge_poll(client->conn, 100);
        if (err != 0) return cli_bench_failed(client, "publishing", err);
        if (cli_bench_stopped(client->bench)) return false;
    }
}

static void count(cli_bench_client *client, uint64_t done) {
    atomic_store_explicit(&client->done, done, memory_order_relaxed);
    client->bytes = done * client->bench->size;
}

// ---- sync -----------------------------------------------------------------------------------------------------------

static bool work_sync(cli_bench_client *client) {
    publisher *p = client->state;
    client->start_ns = cli_mono_ns();
    for (uint64_t i = 0; i < client->msgs && !cli_bench_stopped(client->bench); i++) {
        uint64_t began = cli_mono_ns();
        if (!publish(p, i, headers_of(p, client->offset + i, 0, 0)) || !cli_bench_js_settle(&p->j, client, 0)) break;
        cli_histogram_add(client->latencies, cli_mono_ns() - began);
        count(client, i + 1);
        if (cli_bench_paced(client->bench)) cli_bench_pace(client, i + 1);
    }
    client->end_ns = cli_mono_ns();
    return client->err[0] == '\0';
}

// ---- async and atomic -----------------------------------------------------------------------------------------------

// What pacing waits is no latency: the nanoseconds that it took.
static uint64_t pace(cli_bench_client *client, uint64_t sent) {
    if (!cli_bench_paced(client->bench)) return 0;
    uint64_t began = cli_mono_ns();
    cli_bench_pace(client, sent);
    return cli_mono_ns() - began;
}

static bool send_atomic(publisher *p, uint64_t first, uint64_t k, uint64_t n) {
    cli_bench_client *client = p->client;
    const cli_bench *b = client->bench;
    midge_str headers = headers_of(p, client->offset + first + k, k + 1, n);
    if (k + 1 == n) return publish(p, first + k, headers);
    midge_str subject = cli_bench_name(&p->subjects, b->multisubject, client->offset + first + k);
    int err = midge_publish_wait(client->conn, subject, MIDGE_NONE, headers, b->payload, b->size, p->opts.timeout);
    return err == 0 || cli_bench_failed(client, "publishing", err);
}

static bool send_batch(publisher *p, uint64_t first, uint64_t n, bool atomic) {
    cli_bench_client *client = p->client;
    uint64_t began = cli_mono_ns(), paced = 0;
    for (uint64_t k = 0; k < n; k++) {
        bool sent = atomic ? send_atomic(p, first, k, n)
                           : publish(p, first + k, headers_of(p, client->offset + first + k, 0, 0));
        if (!sent || (k % 64 == 0 && cli_bench_stopped(client->bench))) return false;
        paced += pace(client, first + k + 1);
    }
    if (!cli_bench_js_settle(&p->j, client, 0)) return false;
    cli_histogram_add(client->latencies, cli_mono_ns() - began - paced);
    p->batches++;
    return true;
}

static bool work_batches(cli_bench_client *client, bool atomic) {
    publisher *p = client->state;
    client->start_ns = cli_mono_ns();
    for (uint64_t i = 0; i < client->msgs;) {
        uint64_t left = client->msgs - i, n = left < client->bench->batch ? left : client->bench->batch;
        if (!send_batch(p, i, n, atomic)) break;
        i += n;
        count(client, i);
    }
    client->end_ns = cli_mono_ns();
    return client->err[0] == '\0';
}

static bool work_async(cli_bench_client *client) { return work_batches(client, false); }
static bool work_atomic(cli_bench_client *client) { return work_batches(client, true); }

const cli_bench_kind cli_bench_js_sync = {
    .type = "jssyncpub",
    .label = "JetStream synchronous publisher",
    .doing = "publishing",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .prepare = cli_bench_js_prepare_pub,
    .setup = setup,
    .work = work_sync,
};
const cli_bench_kind cli_bench_js_async = {
    .type = "jsasyncpub",
    .label = "JetStream asynchronous publisher",
    .doing = "publishing",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .prepare = cli_bench_js_prepare_pub,
    .setup = setup,
    .work = work_async,
};
const cli_bench_kind cli_bench_js_atomic = {
    .type = "jsbatchatomicpub",
    .label = "JetStream atomic batch publisher",
    .doing = "publishing",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .prepare = cli_bench_js_prepare_pub,
    .setup = setup,
    .work = work_atomic,
};
