// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// bench js get sync, get batch, bench kv put, kv get: single messages and keys. get batch reads directly from the
// stream in batches: each is one request with many answers, the last of which says so (spec/jetstream-streams.md 9).
#include <string.h>

#include "client/cli/bench_js.h"
#include "client/cli/bench_names.h"
#include "client/cli/js.h"
#include "client/cli/units.h"

typedef struct getter {
    cli_bench_js j;
    cli_bench_client *client;
    midge_kv kv;
    uint64_t first, next, seed, got;
    uint64_t bytes;
    bool done, end;
    int32_t sub;
    const char *filter;
    char inbox[MIDGE_INBOX_MAX], subject[CLI_BENCH_SUBJECT_MAX];
    union { // the one that runs
        midge_js_get get;
        midge_kv_get_op value;
        midge_kv_write put;
    } call;
} getter;

static getter *begin(cli_bench_client *client) {
    getter *g = client->state = cli_alloc(client->bench->app, sizeof *g);
    cli_bench_js_init(&g->j, client);
    g->client = client;
    g->seed = 88172645463325252u + client->number;
    g->kv = (midge_kv){.js = &g->j.js, .bucket = midge_cstr(client->bench->bucket)};
    return g;
}

static void fini(cli_bench_client *client) {
    getter *g = client->state;
    if (g != NULL) midge_op_free(&g->j.op);
}

// Runs until the operation is done; false: failed or stopped.
static bool until_done(getter *g) {
    int err = 0;
    while (!g->done && err == 0 && !cli_bench_stopped(g->client->bench))
        err = midge_poll(g->client->conn, 100);
    if (err != 0 && !g->done) return cli_bench_failed(g->client, "waiting for the answer", err);
    return g->done && g->client->err[0] == '\0';
}

// One operation after the other, each with its latency.
static bool work_each(cli_bench_client *client, int (*once)(getter *g, uint64_t i), const char *what) {
    getter *g = client->state;
    client->start_ns = cli_mono_ns();
    for (uint64_t i = 0; i < client->msgs && !cli_bench_stopped(client->bench); i++) {
        uint64_t began = cli_mono_ns();
        g->done = false;
        int err = once(g, i);
        if (err != 0) {
            cli_bench_failed(client, what, err);
            break;
        }
        if (!until_done(g)) break;
        cli_histogram_add(client->latencies, cli_mono_ns() - began);
        atomic_store_explicit(&client->done, i + 1, memory_order_relaxed);
        if (cli_bench_paced(client->bench)) cli_bench_pace(client, i + 1);
    }
    client->end_ns = cli_mono_ns();
    client->bytes = g->bytes;
    return client->err[0] == '\0';
}

// ---- get sync -------------------------------------------------------------------------------------------------------

static bool setup_get(cli_bench_client *client) {
    getter *g = begin(client);
    int err = midge_stream_info(g->j.js.m, &g->j.op, midge_cstr(client->bench->stream), NULL);
    if (!cli_bench_js_wait(&g->j, client, err, "looking for the stream")) return false;
    g->first = g->next = g->j.op.stream.state.first_seq;
    return true;
}

static void on_got(midge_js_get *op, int err, const midge_js_stored *msg, void *user) {
    getter *g = user;
    g->done = true;
    if (err == 0) g->bytes += msg->data.n;
    else if (g->client->err[0] == '\0')
        snprintf(g->client->err, sizeof g->client->err, "getting message %llu: %s", (unsigned long long)op->seq,
                 midge_strerror(err));
}

static int get_once(getter *g, uint64_t i) {
    g->call.get = (midge_js_get){.stream = midge_cstr(g->client->bench->stream), .seq = g->first + i};
    return midge_js_get_msg(&g->j.js, &g->call.get, on_got, g);
}

static bool work_get(cli_bench_client *client) { return work_each(client, get_once, "getting"); }

// ---- get batch ------------------------------------------------------------------------------------------------------

static void on_direct(midge *m, const midge_msg *msg, void *user) {
    getter *g = user;
    uint64_t seq = 0;
    (void)m;
    if (msg->status == 204 || msg->status == 404) {
        g->end = msg->status == 404;
        g->done = true;
        return;
    }
    if (msg->status != 0) {
        midge_str why = midge_headers_description(msg->headers);
        if (msg->status == 503) cli_bench_failed(g->client, "getting", MIDGE_ENORESPONDERS); // no direct access
        else snprintf(g->client->err, sizeof g->client->err, "getting: %u %.*s", msg->status, (int)why.n,
                      why.n > 0 ? why.p : "");
        g->done = true;
        return;
    }
    midge_str text = midge_headers_get(msg->headers, MIDGE_STR("Nats-Sequence"));
    for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        seq = seq * 10 + (uint64_t)(text.p[i] - '0');
    g->next = seq + 1;
    g->got++;
    g->bytes += msg->data.n;
}

static bool setup_batch(cli_bench_client *client) {
    if (!setup_get(client)) return false;
    getter *g = client->state;
    midge *m = g->j.js.m;
    const char *domain = cli_js_domain(client->bench->app);
    g->filter = cli_get_string(client->bench->app, "filter");
    if (g->j.op.prefix.n > 0)
        snprintf(g->subject, sizeof g->subject, "%.*s.DIRECT.GET.%s", (int)g->j.op.prefix.n, g->j.op.prefix.p,
                 client->bench->stream);
    else snprintf(g->subject, sizeof g->subject, "$JS.%s%sAPI.DIRECT.GET.%s", domain != NULL ? domain : "",
                  domain != NULL ? "." : "", client->bench->stream);
    int err = midge_inbox(m, g->inbox, sizeof g->inbox);
    if (err > 0) err = g->sub = midge_subscribe(m, midge_cstr(g->inbox), MIDGE_NONE, on_direct, g);
    return err > 0 || cli_bench_failed(client, "subscribing", err);
}

static bool ask_batch(getter *g, uint64_t n) {
    char body[CLI_BENCH_SUBJECT_MAX + 96];
    int len = snprintf(body, sizeof body, "{\"batch\":%llu,\"seq\":%llu,\"next_by_subj\":\"%s\"}",
                       (unsigned long long)n, (unsigned long long)g->next, g->filter);
    if (len < 0 || (size_t)len >= sizeof body) return cli_bench_failed(g->client, "getting", MIDGE_ESUBJECT);
    int err = midge_publish_wait(g->client->conn, midge_cstr(g->subject), midge_cstr(g->inbox), MIDGE_NONE, body,
                                 (size_t)len, g->j.op.timeout);
    return err == 0 || cli_bench_failed(g->client, "getting", err);
}

static bool work_batch(cli_bench_client *client) {
    getter *g = client->state;
    client->start_ns = cli_mono_ns();
    while (g->got < client->msgs && !g->end && !cli_bench_stopped(client->bench)) {
        uint64_t left = client->msgs - g->got, n = left < client->bench->batch ? left : client->bench->batch;
        uint64_t began = cli_mono_ns(), before = g->got;
        g->done = false;
        if (!ask_batch(g, n) || !until_done(g)) break;
        cli_histogram_add(client->latencies, cli_mono_ns() - began);
        if (g->got - before < n)
            cli_log(client->bench->app, "[%u] Warning: Got %llu (expected %llu) messages in this batch",
                    client->number, (unsigned long long)(g->got - before), (unsigned long long)n);
        if (g->got == before) break; // there are no more
        atomic_store_explicit(&client->done, g->got, memory_order_relaxed);
        if (cli_bench_paced(client->bench)) cli_bench_pace(client, g->got);
    }
    client->end_ns = cli_mono_ns();
    client->bytes = g->bytes;
    return client->err[0] == '\0';
}

// ---- buckets --------------------------------------------------------------------------------------------------------

static bool setup_kv(cli_bench_client *client) {
    getter *g = begin(client);
    int err = midge_bucket_info(g->j.js.m, &g->j.op, g->kv.bucket);
    return cli_bench_js_wait(&g->j, client, err, "looking for the bucket");
}

// The key of operation i.
static midge_str key_of(getter *g, uint64_t i) {
    uint64_t most = g->client->bench->randomize;
    uint64_t key = most > 0 ? cli_bench_random(&g->seed) % most : g->client->offset + i;
    int n = snprintf(g->subject, sizeof g->subject, "%llu", (unsigned long long)key);
    return (midge_str){g->subject, (size_t)n};
}

static void on_put(const midge_kv *kv, int err, uint64_t revision, void *user) {
    getter *g = user;
    (void)kv, (void)revision;
    g->done = true;
    if (err == 0) g->bytes += g->client->bench->size;
    else cli_bench_failed(g->client, "putting", err);
}

static int put_once(getter *g, uint64_t i) {
    const cli_bench *b = g->client->bench;
    g->call.put = (midge_kv_write){.key = key_of(g, i), .value = b->payload, .len = b->size};
    return midge_kv_put(&g->kv, &g->call.put, on_put, g);
}

static void on_value(const midge_kv *kv, int err, const midge_kv_entry *entry, void *user) {
    getter *g = user;
    (void)kv;
    g->done = true;
    if (err == 0) g->bytes += entry->value.n;
    else if (g->client->err[0] == '\0')
        snprintf(g->client->err, sizeof g->client->err, "getting key %.200s: %s", g->subject, midge_strerror(err));
}

static int value_once(getter *g, uint64_t i) {
    g->call.value = (midge_kv_get_op){.key = key_of(g, i)};
    return midge_kv_get(&g->kv, &g->call.value, on_value, g);
}

static bool work_put(cli_bench_client *client) { return work_each(client, put_once, "putting"); }
static bool work_value(cli_bench_client *client) { return work_each(client, value_once, "getting"); }

const cli_bench_kind cli_bench_js_get = {
    .type = "jsgetdirectsync",
    .label = "JetStream synchronous getter",
    .doing = "expecting",
    .prefix = 'S',
    .latencies = true,
    .prepare = cli_bench_js_prepare_read,
    .setup = setup_get,
    .work = work_get,
    .fini = fini,
};
const cli_bench_kind cli_bench_js_get_batch = {
    .type = "jsgetdirectbatch",
    .label = "JetStream batched direct getter",
    .doing = "expecting",
    .prefix = 'S',
    .latencies = true,
    .prepare = cli_bench_js_prepare_read,
    .setup = setup_batch,
    .work = work_batch,
    .fini = fini,
};
const cli_bench_kind cli_bench_kv_put = {
    .type = "kvput",
    .label = "JetStream KV putter",
    .doing = "publishing",
    .prefix = 'P',
    .split = true,
    .latencies = true,
    .prepare = cli_bench_kv_prepare_put,
    .setup = setup_kv,
    .work = work_put,
    .fini = fini,
};
const cli_bench_kind cli_bench_kv_get = {
    .type = "kvget",
    .label = "JetStream KV getter",
    .doing = "trying to get",
    .prefix = 'S',
    .split = true,
    .latencies = true,
    .setup = setup_kv,
    .work = work_value,
    .fini = fini,
};
