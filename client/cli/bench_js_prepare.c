// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Before a benchmark on JetStream: the stream, consumer or bucket that it works on.
#include <string.h>

#include "client/cli/bench_js.h"
#include "client/cli/js.h"
#include "client/cli/units.h"

static int purge(cli_js *js, const char *stream) {
    if (!cli_get_bool(js->app, "purge")) return CLI_OK;
    cli_log(js->app, "Purging the stream");
    int err = cli_js_wait(js, &js->op, midge_stream_purge(js->m, &js->op, midge_cstr(stream), NULL));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not purge stream %s", stream);
}

static int look_for(cli_js *js, const char *stream) {
    int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, midge_cstr(stream), NULL));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not access stream %s", stream);
}

// ---- publishers -----------------------------------------------------------------------------------------------------

// Batches are allowed, so that all kinds of publishers can use the stream; asynchronous persistence excludes atomic
// ones.
static int create_stream(cli_js *js, const char *name) {
    cli *app = js->app;
    bool async = cli_get_bool(app, "persistasync"), multi = cli_get_bool(app, "multisubject");
    midge_str subject = midge_cstr(cli_printf(app, "%s%s", cli_arg_of(app, "subject"), multi ? ".*" : ""));
    const midge_stream_config c = {
        .name = midge_cstr(name),
        .subjects = &subject,
        .subjects_len = 1,
        .storage = cli_get_string(app, "storage")[0] == 'm' ? MIDGE_STORE_MEMORY : MIDGE_STORE_FILE,
        .discard = MIDGE_DISCARD_NEW,
        .max_msgs = -1,
        .max_msgs_per_subject = -1,
        .max_msg_size = -1,
        .max_consumers = -1,
        .max_bytes = (int64_t)cli_get_uint(app, "maxbytes"),
        .num_replicas = (int64_t)cli_get_uint(app, "replicas"),
        .duplicate_window = (int64_t)cli_get_duration(app, "dedupwindow"),
        .allow_direct = true,
        .allow_atomic = !async,
        .allow_batched = true,
        .persist_mode = async ? MIDGE_STR("async") : MIDGE_NONE,
    };
    int err = cli_js_wait(js, &js->op, midge_stream_create(js->m, &js->op, &c));
    if (err == 0) return CLI_OK;
    return cli_js_failed(js, &js->op, err, "could not create the stream; midge stream rm %s removes one that differs",
                         name);
}

static int prepare_pub(cli_js *js) {
    const char *stream = cli_get_string(js->app, "stream");
    if (cli_get_bool(js->app, "create") && create_stream(js, stream) != CLI_OK) return CLI_FAILED;
    if (look_for(js, stream) != CLI_OK) return CLI_FAILED;
    cli_log(js->app, "Using stream: %s", stream);
    return purge(js, stream);
}

int cli_bench_js_prepare_pub(cli_bench *b) { return cli_js_run(b->app, prepare_pub); }

// ---- consumers ------------------------------------------------------------------------------------------------------

static int prepare_read(cli_js *js) {
    const char *stream = cli_get_string(js->app, "stream");
    if (look_for(js, stream) != CLI_OK) return CLI_FAILED;
    return cli_has_flag(js->app, "purge") ? purge(js, stream) : CLI_OK;
}

int cli_bench_js_prepare_read(cli_bench *b) { return cli_js_run(b->app, prepare_read); }

// One of an earlier run, that nobody uses any more, is removed: it would not begin at the start.
static void forget_consumer(cli_js *js, midge_str stream, midge_str name) {
    int err = cli_js_wait(js, &js->op, midge_consumer_info(js->m, &js->op, stream, name));
    if (err == 0 && js->op.consumer.num_waiting == 0)
        cli_js_wait(js, &js->op, midge_consumer_delete(js->m, &js->op, stream, name));
}

static int create_consumer(cli_js *js, const char *stream, const char *name) {
    cli *app = js->app;
    const char *acks = cli_get_string(app, "acks");
    size_t n;
    const midge_str *filters = cli_js_words(app, "filter", &n);
    const midge_consumer_config c = {
        .durable = midge_cstr(name),
        .name = midge_cstr(name),
        .ack_policy = acks[0] == 'n' ? MIDGE_ACK_NONE : acks[0] == 'a' ? MIDGE_ACK_ALL : MIDGE_ACK_EXPLICIT,
        .max_ack_pending = (int64_t)(cli_get_uint(app, "batch") * cli_get_uint(app, "clients")),
        .inactive_threshold = 10 * CLI_SEC,
        .max_deliver = -1,
        .filter_subjects = filters,
        .filter_subjects_len = n,
    };
    forget_consumer(js, midge_cstr(stream), c.name);
    int err = cli_js_wait(js, &js->op, midge_consumer_create(js->m, &js->op, midge_cstr(stream), &c,
                                                             MIDGE_CONSUMER_CREATE_OR_UPDATE));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not create consumer %s > %s", stream, name);
}

static int prepare_consumer(cli_js *js) {
    const char *stream = cli_get_string(js->app, "stream"), *name = cli_get_string(js->app, "consumer");
    if (prepare_read(js) != CLI_OK) return CLI_FAILED;
    if (strcmp(name, CLI_BENCH_CONSUMER) == 0) return create_consumer(js, stream, name);
    int err = cli_js_wait(js, &js->op, midge_consumer_info(js->m, &js->op, midge_cstr(stream), midge_cstr(name)));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not load consumer %s > %s", stream, name);
}

int cli_bench_js_prepare_consumer(cli_bench *b) { return cli_js_run(b->app, prepare_consumer); }

// ---- buckets --------------------------------------------------------------------------------------------------------

static int prepare_put(cli_js *js) {
    cli *app = js->app;
    const char *bucket = cli_get_string(app, "bucket");
    if (cli_get_bool(app, "purge")) {
        int err = cli_js_wait(js, &js->op, midge_bucket_delete(js->m, &js->op, midge_cstr(bucket)));
        if (err != 0 && err != MIDGE_ENOTFOUND)
            return cli_js_failed(js, &js->op, err, "could not delete bucket %s", bucket);
    }
    if (strcmp(bucket, CLI_BENCH_BUCKET) != 0) return CLI_OK;
    const midge_bucket_config c = {
        .bucket = midge_cstr(bucket),
        .description = MIDGE_STR("nats bench bucket"),
        .history = (int64_t)cli_get_uint(app, "history"),
        .storage = cli_get_string(app, "storage")[0] == 'm' ? MIDGE_STORE_MEMORY : MIDGE_STORE_FILE,
        .replicas = (int64_t)cli_get_uint(app, "replicas"),
        .max_bytes = (int64_t)cli_get_uint(app, "maxbytes"),
    };
    int err = cli_js_wait(js, &js->op, midge_bucket_create(js->m, &js->op, &c));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not create bucket %s", bucket);
}

int cli_bench_kv_prepare_put(cli_bench *b) { return cli_js_run(b->app, prepare_put); }

// ---- in the clients -------------------------------------------------------------------------------------------------

void cli_bench_js_init(cli_bench_js *j, cli_bench_client *client) {
    cli_js_prepare(client->bench->app, &j->op);
    j->js = (midge_js){.m = midge_engine(client->conn), .buf = j->buf, .size = sizeof j->buf, .domain = j->op.domain,
                       .prefix = j->op.prefix, .opts = {.timeout = j->op.timeout}};
}

bool cli_bench_js_refused(cli_bench_client *client, const char *what, int err, midge_str json) {
    midge_js_reply reply;
    if (json.n > 0 && midge_js_reply_parse(json, &reply) != 0 && reply.description.n > 0) {
        snprintf(client->err, sizeof client->err, "%s: %.*s (%u)", what, (int)reply.description.n, reply.description.p,
                 reply.err_code);
        return false;
    }
    return cli_bench_failed(client, what, err);
}

bool cli_bench_js_wait(cli_bench_js *j, cli_bench_client *client, int err, const char *what) {
    if (err == 0) err = midge_wait(client->conn, &j->op.done, MIDGE_FOREVER);
    if (err == 0) err = j->op.err;
    return err == 0 || cli_bench_js_refused(client, what, err, j->op.json);
}

bool cli_bench_js_settle(cli_bench_js *j, cli_bench_client *client, uint64_t most) {
    while (j->owed > most && client->err[0] == '\0') {
        if (cli_bench_stopped(client->bench)) return false;
        int err = midge_poll(client->conn, 100);
        if (err != 0) return cli_bench_failed(client, "waiting for answers", err);
    }
    return client->err[0] == '\0';
}
