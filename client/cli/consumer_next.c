// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge consumer next, sub: messages of a consumer. next pulls one after the other; sub shows what a push consumer
// delivers, answering its flow control, or pulls one message.
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "client/cli/consumer.h"
#include "client/cli/message.h"
#include "client/cli/template.h"
#include "client/cli/units.h"

typedef struct next {
    cli_js *js;
    bool ack, nak, term, raw;
    uint64_t wait; // nanoseconds, at most, before the acknowledgement
    midge_js_pull pull;
    bool done, got;
    int err;
    char text[128];
    char *reply; // where the acknowledgement goes
} next;

static void show(const next *n, const midge_msg *msg) {
    midge_js_meta meta;
    if (n->raw) {
        cli_js_print_body(msg->data);
        return;
    }
    if (midge_js_meta_parse(msg->reply, &meta) == 0) {
        char now[16];
        snprintf(now, sizeof now, "%.8s", cli_log_stamp().s);
        printf("[%s] subj: %.*s / tries: %" PRIu64 " / cons seq: %" PRIu64 " / str seq: %" PRIu64 " / pending: %s\n",
               now, (int)msg->subject.n, msg->subject.p, meta.delivered, meta.consumer_seq, meta.stream_seq,
               cli_count(meta.pending).s);
    } else {
        printf("--- subject: %.*s\n", (int)msg->subject.n, msg->subject.p);
    }
    if (msg->headers.n > 0) {
        puts("\nHeaders:\n");
        cli_print_headers(stdout, "  ", msg->headers);
        puts("\nData:\n");
    }
    putchar('\n');
    cli_js_print_body(msg->data);
}

// ---- pull -----------------------------------------------------------------------------------------------------------

static void on_pull(midge_js_pull *pull, const midge_msg *msg, int err, midge_str text, void *user) {
    next *n = user;
    (void)pull;
    if (msg == NULL) {
        n->err = err;
        snprintf(n->text, sizeof n->text, "%.*s", (int)text.n, text.n > 0 ? text.p : "");
        n->done = true;
        return;
    }
    n->got = true;
    show(n, msg);
    n->reply = cli_strndup(n->js->app, msg->reply.p, msg->reply.n);
}

static int acknowledge(next *n) {
    cli *app = n->js->app;
    const char *delay = "";
    if (n->wait > 0) {
        uint64_t seed = (uint64_t)cli_js_now(), ns = cli_random(&seed) % n->wait;
        if (!cli_idle(app, n->js->conn, ns)) return cli_interrupted(app) ? CLI_INTERRUPTED : CLI_FAILED;
        delay = cli_printf(app, " after %s delay", cli_duration_exact((int64_t)ns).s);
    }
    midge_str to = midge_cstr(n->reply);
    int err = n->term  ? midge_js_term(n->js->m, to, MIDGE_NONE)
              : n->nak ? midge_js_nak(n->js->m, to, 0)
              : n->ack ? midge_js_ack(n->js->m, to)
                       : 0;
    if (err == 0) err = midge_flush_wait(n->js->conn, (uint32_t)cli_timeout(app));
    if (err != 0) return cli_fail(app, "could not acknowledge the message: %s", midge_strerror(err));
    if (n->term) printf("\nTerminated message\n");
    else if (n->raw) return CLI_OK;
    else if (n->nak) printf("\nNegative Acknowledged message%s\n\n", delay);
    else if (n->ack) printf("\nAcknowledged message%s\n\n", delay);
    return CLI_OK;
}

static const char *why_nothing(cli_js *js, const next *n) {
    if (n->err == MIDGE_ENORESPONDERS) return "there is no such pull consumer";
    if (n->err == MIDGE_EINVAL) return "it is no pull consumer";
    if (n->err == MIDGE_EJETSTREAM && n->text[0] != '\0') return cli_strndup(js->app, n->text, strlen(n->text));
    return n->err != 0 ? midge_strerror(n->err) : "timeout";
}

static int pull_one(next *n, const char *stream, const char *consumer) {
    cli_js *js = n->js;
    n->pull = (midge_js_pull){.stream = midge_cstr(stream), .consumer = midge_cstr(consumer), .batch = 1,
                              .expires = (uint32_t)cli_timeout(js->app)};
    n->done = n->got = false;
    n->err = 0;
    int err = midge_js_fetch(&js->js, &n->pull, on_pull, n);
    if (err == 0) err = cli_js_until(js, &n->done);
    if (!n->done) midge_js_stop(&n->pull);
    if (err != 0) return cli_js_failed(js, NULL, err, "could not pull from %s > %s", stream, consumer);
    if (!n->got) return cli_fail(js->app, "no message received: %s", why_nothing(js, n));
    return acknowledge(n);
}

static int next_messages(cli_js *js) {
    cli *app = js->app;
    next n = {.js = js, .ack = cli_get_bool(app, "ack"), .nak = cli_get_bool(app, "nak"),
              .term = cli_get_bool(app, "term"), .raw = cli_get_bool(app, "raw"),
              .wait = cli_get_duration(app, "wait")};
    if (n.nak && n.term) return cli_fail(app, "--nak and --term exclude each other");
    cli_catch_signals(app, js->conn);
    for (uint64_t i = 0; i < cli_get_uint(app, "count"); i++) {
        int status = pull_one(&n, cli_arg_of(app, "stream"), cli_arg_of(app, "consumer"));
        if (status != CLI_OK) return status;
        if (fflush(stdout) != 0) return CLI_FAILED;
    }
    return CLI_OK;
}

// ---- push -----------------------------------------------------------------------------------------------------------

// spec/jetstream-consumers.md: a status is answered if it asks for it, or names who waits.
static void on_control(midge *m, const midge_msg *msg) {
    midge_str stalled = midge_headers_get(msg->headers, MIDGE_STR("Nats-Consumer-Stalled"));
    if (stalled.n > 0) midge_publish(m, stalled, "", 0);
    else if (msg->reply.n > 0) midge_respond(m, msg, "", 0);
}

static void on_push(midge *m, const midge_msg *msg, void *user) {
    next *n = user;
    if (msg->status == 100) {
        on_control(m, msg);
        return;
    }
    show(n, msg);
    fflush(stdout);
    if (n->ack && msg->reply.n > 0) midge_js_ack(m, msg->reply);
}

static int subscribe(next *n, const midge_consumer_config *c) {
    cli *app = n->js->app;
    const char *group = cli_get_string(app, "deliver-group");
    midge_str subject = midge_cstr(cli_js_text(app, c->deliver_subject));
    midge_str queue = midge_cstr(group != NULL ? group : cli_js_text(app, c->deliver_group));
    if (!n->raw) {
        printf("Subscribing to topic %s auto acknowledgment: %s\n\nConsumer Info:\n  Ack Policy: %s\n", subject.p,
               n->ack ? "true" : "false", cli_ack_name(c->ack_policy));
        if (c->ack_policy != MIDGE_ACK_NONE) printf("    Ack Wait: %s\n", cli_duration_exact(c->ack_wait).s);
        putchar('\n');
    }
    cli_catch_signals(app, n->js->conn);
    int32_t sub = midge_subscribe(n->js->m, subject, queue, on_push, n);
    if (sub < 0) return cli_fail(app, "cannot subscribe to \"%s\": %s", subject.p, midge_strerror(sub));
    fflush(stdout);
    int err = cli_js_until(n->js, &n->done);
    const char *complaint = cli_complaint(app);
    if (complaint != NULL) return cli_fail(app, "%s", complaint);
    if (cli_interrupted(app)) return CLI_OK;
    return cli_fail(app, "the connection is lost: %s", midge_strerror(err));
}

static int sub(cli_js *js) {
    cli *app = js->app;
    next n = {.js = js, .ack = cli_get_bool(app, "ack"), .raw = cli_get_bool(app, "raw")};
    if (!cli_consumer_load(js)) return CLI_FAILED;
    const midge_consumer_result *c = &js->op.consumer;
    if (c->config.ack_policy == MIDGE_ACK_NONE) n.ack = false;
    if (!cli_consumer_is_pull(&c->config)) return subscribe(&n, &c->config);
    cli_catch_signals(app, js->conn);
    return pull_one(&n, cli_js_text(app, c->stream_name), cli_js_text(app, c->name));
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_next(cli *app) { return cli_js_run(app, next_messages); }
static int run_sub(cli *app) { return cli_js_run(app, sub); }

#define ACK_FLAG {.name = "ack", .type = CLI_BOOL, .value = "true", .help = "Acknowledge messages"}
#define RAW_FLAG {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Print nothing but the bodies"}

static const cli_flag next_flags[] = {
    ACK_FLAG,
    {.name = "nak", .type = CLI_SWITCH, .help = "Have messages delivered again"},
    {.name = "term", .type = CLI_SWITCH, .help = "Never have messages delivered again"},
    RAW_FLAG,
    {.name = "wait", .type = CLI_DURATION, .help = "Wait up to so long before a message is acknowledged"},
    {.name = "count", .type = CLI_UINT, .value = "1", .help = "Pull so many messages"},
    {0},
};
static const cli_flag sub_flags[] = {
    ACK_FLAG,
    RAW_FLAG,
    {.name = "deliver-group", .type = CLI_STRING, .help = "Subscribe in this group instead of the consumer's"},
    {0},
};
static const cli_arg next_args[] = {
    {.name = "stream", .help = "Name of the stream", .required = true},
    {.name = "consumer", .help = "Name of the consumer", .required = true},
    {0},
};

const cli_command cli_command_consumer_next = {
    .name = "next",
    .summary = "Pull messages from a consumer",
    .flags = next_flags,
    .args = next_args,
    .run = run_next,
};
const cli_command cli_command_consumer_sub = {
    .name = "sub",
    .summary = "Show what a push consumer delivers, or pull one message",
    .flags = sub_flags,
    .args = cli_consumer_args,
    .run = run_sub,
};
