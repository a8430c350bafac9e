// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench js ordered, consume, fetch: messages out of a stream.
//
//      ordered   every client gets all messages through an ephemeral consumer of its own that acknowledges nothing;
//                one that is missing ends the run
//      consume   the clients share a durable consumer; requests overlap, so messages never stop
//      fetch     the same, a batch at a time; a latency is the time of a batch
//
// The time runs from the first message to the last one. A client that shares a consumer never has more on the way than
// it still needs, or others would wait for what it does not take.
#include <string.h>

#include "client/cli/bench_js.h"
#include "client/cli/js.h"
#include "client/cli/units.h"

#define LOOK_EVERY 64
#define IDLE_NS    (2 * CLI_SEC) // without a message: ask anew

typedef struct consumer {
    cli_bench_js j;
    cli_bench_client *client;
    midge_js_pull pull;
    bool ordered, acks, fetching, ended;
    uint64_t msgs, bytes, seen_ns;
    midge_str stream, name;
    char own[64]; // of an ordered consumer; "": none
} consumer;

// ---- messages -------------------------------------------------------------------------------------------------------

static void on_acked(midge *m, int err, const midge_msg *msg, void *user) {
    consumer *c = user;
    (void)m, (void)msg;
    c->j.owed--;
    if (err != 0 && c->client->err[0] == '\0') cli_bench_failed(c->client, "acknowledging", err);
}

static void acknowledge(consumer *c, midge_str reply) {
    int32_t err;
    if (c->client->bench->double_ack) {
        err = midge_js_ack_sync(&c->j.js, reply, on_acked, c);
        if (err > 0) c->j.owed++;
    } else {
        err = midge_js_ack(c->j.js.m, reply);
    }
    if (err < 0 && c->client->err[0] == '\0') cli_bench_failed(c->client, "acknowledging", err);
}

static void on_message(consumer *c, const midge_msg *msg) {
    cli_bench_client *client = c->client;
    midge_js_meta meta;
    if (c->msgs == client->msgs) return; // more than asked for
    if (c->msgs++ == 0) client->start_ns = cli_mono_ns();
    if (c->ordered && (midge_js_meta_parse(msg->reply, &meta) != 0 || meta.consumer_seq != c->msgs)) {
        snprintf(client->err, sizeof client->err, "a message is missing: number %llu",
                 (unsigned long long)c->msgs);
        return;
    }
    c->bytes += msg->data.n;
    if (c->acks) acknowledge(c, msg->reply);
    if (c->msgs == client->msgs) client->end_ns = cli_mono_ns();
    if (c->msgs % LOOK_EVERY == 0) {
        atomic_store_explicit(&client->done, c->msgs, memory_order_relaxed);
        c->seen_ns = cli_mono_ns();
    }
    // What is asked for with the next message comes after that, so one less is needed.
    uint64_t left = client->msgs - c->msgs;
    if (!c->fetching && left <= c->pull.batch) c->pull.batch = left > 0 ? (uint32_t)left - 1 : 0;
}

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    consumer *c = user;
    if (msg != NULL) {
        on_message(c, msg);
        return;
    }
    if (pull->active) return; // a notice; it goes on by itself
    c->ended = true;
    if (err != 0 && err != MIDGE_ETIMEOUT && c->client->err[0] == '\0')
        snprintf(c->client->err, sizeof c->client->err, "consuming: %s%s%.*s", midge_strerror(err),
                 text.n > 0 ? ": " : "", (int)text.n, text.n > 0 ? text.p : "");
}

// ---- setup ----------------------------------------------------------------------------------------------------------

static consumer *begin(cli_bench_client *client) {
    cli_bench *b = client->bench;
    consumer *c = client->state = cli_alloc(b->app, sizeof *c);
    cli_bench_js_init(&c->j, client);
    c->client = client;
    c->stream = midge_cstr(b->stream);
    c->name = midge_cstr(b->consumer);
    c->acks = b->acks != NULL && b->acks[0] != 'n';
    return c;
}

static bool setup(cli_bench_client *client) { return begin(client) != NULL; }

static bool setup_ordered(cli_bench_client *client) {
    consumer *c = begin(client);
    size_t n;
    const midge_str *filters = cli_js_words(client->bench->app, "filter", &n);
    c->ordered = true;
    const midge_consumer_config config = {.ack_policy = MIDGE_ACK_NONE, .mem_storage = true, .num_replicas = 1,
                                          .max_deliver = 1, .inactive_threshold = 10 * CLI_SEC,
                                          .filter_subjects = filters, .filter_subjects_len = n};
    int err = midge_consumer_create(c->j.js.m, &c->j.op, c->stream, &config, MIDGE_CONSUMER_CREATE);
    if (!cli_bench_js_wait(&c->j, client, err, "creating the consumer")) return false;
    snprintf(c->own, sizeof c->own, "%.*s", (int)c->j.op.consumer.name.n, c->j.op.consumer.name.p);
    c->name = midge_cstr(c->own);
    return true;
}

// ---- work -----------------------------------------------------------------------------------------------------------

static bool start(consumer *c) {
    uint64_t left = c->client->msgs - c->msgs, batch = c->client->bench->batch;
    c->pull = (midge_js_pull){.stream = c->stream, .consumer = c->name,
                              .batch = (uint32_t)(left < batch ? left : batch)};
    c->ended = false;
    c->seen_ns = cli_mono_ns();
    int err = c->fetching ? midge_js_fetch(&c->j.js, &c->pull, on_pull, c)
                          : midge_js_consume(&c->j.js, &c->pull, on_pull, c);
    if (!c->fetching && left <= batch) c->pull.batch = (uint32_t)left - 1; // as after each message
    return err == 0 || cli_bench_failed(c->client, "pulling", err);
}

static bool poll_once(consumer *c) {
    int err = midge_poll(c->client->conn, 100);
    return err == 0 || cli_bench_failed(c->client, "receiving", err);
}

static bool finish(consumer *c) {
    cli_bench_client *client = c->client;
    midge_js_stop(&c->pull);
    bool settled = cli_bench_js_settle(&c->j, client, 0);
    if (c->msgs < client->msgs || c->client->bench->double_ack) client->end_ns = cli_mono_ns();
    if (c->msgs == 0) client->end_ns = client->start_ns;
    atomic_store_explicit(&client->done, c->msgs, memory_order_relaxed);
    client->bytes = c->bytes;
    // Acknowledgements that are not written would be lost.
    if (settled && c->acks) midge_flush_wait(client->conn, c->j.op.timeout);
    return client->err[0] == '\0';
}

static bool work_consume(cli_bench_client *client) {
    consumer *c = client->state;
    if (!start(c)) return false;
    uint64_t before = 0;
    while (c->msgs < client->msgs && client->err[0] == '\0' && !cli_bench_stopped(client->bench)) {
        if (!poll_once(c)) break;
        if (c->msgs > before) c->seen_ns = cli_mono_ns();
        before = c->msgs;
        // The batch has become as small as what was left; if that did not come, it must be asked for again.
        if (!c->ordered && cli_mono_ns() - c->seen_ns > (uint64_t)IDLE_NS) {
            midge_js_stop(&c->pull);
            if (!start(c)) break;
        }
    }
    return finish(c);
}

static bool work_fetch(cli_bench_client *client) {
    consumer *c = client->state;
    c->fetching = true;
    while (c->msgs < client->msgs && client->err[0] == '\0' && !cli_bench_stopped(client->bench)) {
        uint64_t began = cli_mono_ns(), before = c->msgs;
        if (!start(c)) break;
        while (!c->ended && client->err[0] == '\0' && !cli_bench_stopped(client->bench))
            if (!poll_once(c)) break;
        if (c->msgs > before) cli_histogram_add(client->latencies, cli_mono_ns() - began);
        if (client->bench->sleep_ns) cli_bench_pace(client, c->msgs);
    }
    return finish(c);
}

static void fini(cli_bench_client *client) {
    consumer *c = client->state;
    if (c == NULL) return;
    midge_js_stop(&c->pull);
    if (c->own[0] != '\0' && midge_consumer_delete(c->j.js.m, &c->j.op, c->stream, c->name) == 0)
        midge_wait(client->conn, &c->j.op.done, 1000);
    midge_op_free(&c->j.op);
}

const cli_bench_kind cli_bench_js_ordered = {
    .type = "jsordered",
    .label = "JetStream ordered ephemeral consumer",
    .doing = "expecting",
    .prefix = 'S',
    .prepare = cli_bench_js_prepare_read,
    .setup = setup_ordered,
    .work = work_consume,
    .fini = fini,
};
const cli_bench_kind cli_bench_js_consume = {
    .type = "jsconsume",
    .label = "JetStream durable consumer (callback)",
    .doing = "expecting",
    .prefix = 'S',
    .split = true,
    .prepare = cli_bench_js_prepare_consumer,
    .setup = setup,
    .work = work_consume,
    .fini = fini,
};
const cli_bench_kind cli_bench_js_fetch = {
    .type = "jsfetch",
    .label = "JetStream durable consumer (fetch)",
    .doing = "expecting",
    .prefix = 'S',
    .split = true,
    .latencies = true,
    .prepare = cli_bench_js_prepare_consumer,
    .setup = setup,
    .work = work_fetch,
    .fini = fini,
};
