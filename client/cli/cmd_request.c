// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge request. Each request has an inbox of its own. How long to wait follows natscli: --timeout for the first reply;
// for one of several, the average round trip so far and --reply-timeout; with --replies 0, what is left of --timeout.
// No responders and no reply are told, and are no failure (natscli: exit status 0).
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/commands.h"
#include "client/cli/message.h"
#include "client/cli/payload.h"
#include "client/cli/progress.h"
#include "client/cli/units.h"

typedef struct request_run {
    cli *app;
    midge_conn *conn;
    cli_filler filler;
    cli_progress *progress;
    const char *subject, *translate;
    const char *const *headers;
    size_t headers_len;
    uint64_t count, sleep, sent;
    uint64_t replies; // wanted of each; 0: until the timeout
    uint64_t timeout, reply_timeout; // ns
    bool raw, json, log;

    // of the request that is open
    uint64_t began, until, got, rtt_sum;
    bool done, no_responders;
} request_run;

static void show(request_run *r, const midge_msg *msg, uint64_t rtt) {
    if (r->json) {
        cli_json j = {.out = stdout};
        cli_json_begin(&j, NULL, '{');
        cli_json_uint(&j, "request", r->sent);
        cli_json_uint(&j, "number", r->got);
        cli_json_now(&j, "time");
        cli_json_uint(&j, "rtt_ns", rtt);
        cli_json_message(&j, msg->subject, msg->reply, msg->headers, msg->data);
        cli_json_end(&j, '}');
        return;
    }
    char subject[4200];
    snprintf(subject, sizeof subject, "%.*s", (int)msg->subject.n, msg->subject.p);
    if (r->log) {
        cli_log(r->app, "Received with rtt %s", cli_duration_exact((int64_t)rtt).s);
        if (cli_print_headers(stderr, cli_log_stamp().s, msg->headers)) cli_log(r->app, "%s", "");
    }
    if (r->log || r->raw) cli_print_body(r->app, msg->data, r->translate, subject, false);
}

static void on_reply(midge *m, const midge_msg *msg, void *user) {
    request_run *r = user;
    (void)m;
    if (r->done) return;
    uint64_t now = cli_mono_ns(), rtt = now - r->began;
    if (msg->status == 503 && msg->data.n == 0) {
        r->no_responders = r->done = true;
        return;
    }
    r->got++;
    r->rtt_sum += rtt;
    show(r, msg, rtt);
    if (r->replies > 0 && (r->got == r->replies || msg->data.n == 0)) r->done = true;
    r->until = r->replies == 0 ? r->began + r->timeout : now + r->rtt_sum / r->got + r->reply_timeout;
}

static int wait_for_replies(request_run *r) {
    while (!r->done) {
        uint64_t now = cli_mono_ns();
        if (now >= r->until) break;
        uint64_t ms = (r->until - now + 999999) / 1000000;
        int err = midge_poll(r->conn, ms < 60000 ? (uint32_t)ms : 60000);
        if (fflush(stdout) != 0) return CLI_FAILED;
        if (cli_interrupted(r->app)) return CLI_INTERRUPTED;
        const char *complaint = cli_complaint(r->app);
        if (complaint != NULL) return cli_fail(r->app, "%s", complaint);
        if (err < 0) return cli_fail(r->app, "the connection is lost: %s", midge_strerror(err));
    }
    return CLI_OK;
}

static void tell_end(request_run *r) {
    if (r->json && (r->no_responders || r->got == 0)) {
        cli_json j = {.out = stdout};
        cli_json_begin(&j, NULL, '{');
        cli_json_uint(&j, "request", r->sent);
        cli_json_string(&j, "error", r->no_responders ? "no responders" : "timeout");
        cli_json_end(&j, '}');
    } else if (r->no_responders) {
        cli_log(r->app, "No responders are available");
    } else if (r->got == 0 && r->log) {
        cli_log(r->app, "No reply within %s", cli_duration_exact((int64_t)r->timeout).s);
    }
}

static int send_request(request_run *r, const cli_payload *p) {
    char inbox[MIDGE_INBOX_MAX + 1];
    midge *m = midge_engine(r->conn);
    int err = midge_inbox(m, inbox, sizeof inbox);
    int32_t sub = err < 0 ? err : midge_subscribe(m, midge_cstr(inbox), MIDGE_NONE, on_reply, r);
    if (sub < 0) return cli_fail(r->app, "cannot subscribe to an inbox: %s", midge_strerror(sub));
    r->began = cli_mono_ns();
    r->until = r->began + r->timeout;
    r->got = r->rtt_sum = 0;
    r->done = r->no_responders = false;
    err = midge_publish_wait(r->conn, p->subject, midge_cstr(inbox), p->headers, p->body.p, p->body.n,
                             (uint32_t)cli_timeout(r->app));
    int status = err == 0 ? wait_for_replies(r)
                          : cli_fail(r->app, "cannot send the request to \"%.*s\": %s", (int)p->subject.n, p->subject.p,
                                     midge_strerror(err));
    if (midge_sub_alive(m, sub)) midge_unsubscribe(m, sub, 0);
    if (status == CLI_OK) tell_end(r);
    return status;
}

static int request_body(request_run *r, midge_str body) {
    for (uint64_t i = 1; i <= r->count; i++) {
        cli_payload p;
        if (cli_payload_make(r->app, &r->filler, i, r->subject, body, MIDGE_NONE, r->headers, r->headers_len, &p) != 0)
            return CLI_FAILED;
        if (r->log) cli_log(r->app, "Sending request on \"%.*s\"", (int)p.subject.n, p.subject.p);
        r->sent++;
        int status = send_request(r, &p);
        cli_payload_drop(&p);
        if (status != CLI_OK || r->no_responders) return status;
        if (r->progress != NULL) {
            cli_progress_set(r->progress, 0, r->sent);
            cli_progress_draw(r->progress, cli_mono_ns());
        }
        uint64_t past = cli_mono_ns() - r->began;
        if (r->count > 1 && r->sleep > past && !cli_idle(r->app, r->conn, r->sleep - past))
            return cli_interrupted(r->app) ? CLI_INTERRUPTED : cli_fail(r->app, "the connection is lost");
    }
    return CLI_OK;
}

static int request_stdin(request_run *r, bool lines) {
    cli_stdin in = {0};
    midge_str body;
    int got, status = CLI_OK;
    if (!r->json) cli_log(r->app, "Reading payload from STDIN");
    while (status == CLI_OK) {
        got = lines ? cli_stdin_line(r->app, r->conn, &in, &body) : cli_stdin_all(r->app, r->conn, &in, &body);
        if (got < 0) status = cli_interrupted(r->app) ? CLI_INTERRUPTED : CLI_FAILED;
        if (got <= 0) break;
        status = request_body(r, body);
    }
    cli_stdin_fini(&in);
    return status;
}

static int run(cli *app) {
    const char *body = cli_arg_of(app, "body");
    request_run r = {
        .app = app,
        .subject = cli_arg_of(app, "subject"),
        .translate = cli_get_string(app, "translate"),
        .count = cli_get_uint(app, "count") > 0 ? cli_get_uint(app, "count") : INT16_MAX,
        .sleep = cli_get_duration(app, "sleep"),
        .replies = cli_get_bool(app, "wait-for-empty") ? INT16_MAX : cli_get_uint(app, "replies"),
        .timeout = cli_timeout(app) * 1000000,
        .reply_timeout = cli_get_duration(app, "reply-timeout"),
        .raw = cli_get_bool(app, "raw"),
        .json = cli_get_bool(app, "json"),
    };
    bool many = r.count > 20 && !r.raw && !r.json;
    r.log = !r.raw && !r.json && !many;
    r.headers = cli_get_strings(app, "header", &r.headers_len);
    cli_filler_init(&r.filler, cli_get_bool(app, "templates"));
    r.conn = cli_connect(app);
    if (r.conn == NULL) return CLI_FAILED;
    cli_catch_signals(app, r.conn);
    if (many) {
        r.progress = cli_progress_new(stderr, true, cli_mono_ns());
        cli_progress_add(r.progress, "", r.count, 0);
    }
    bool lines = cli_get_string(app, "send-on")[0] == 'n';
    bool from_stdin = cli_stdin_wanted(app, body != NULL, cli_get_bool(app, "force-stdin"));
    int status = from_stdin ? request_stdin(&r, lines) : request_body(&r, midge_cstr(body));
    if (r.progress != NULL) cli_progress_finish(r.progress, cli_mono_ns());
    cli_progress_free(r.progress);
    cli_release_signals(app);
    midge_conn_free(r.conn);
    return status;
}

static const cli_flag flags[] = {
    {.name = "wait", .short_name = 'w', .type = CLI_BOOL, .value = "true", .help = "Accepted", .hidden = true},
    {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Print nothing but the bodies of replies"},
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds a header"},
    {.name = "count", .type = CLI_UINT, .value = "1", .help = "Send so many requests"},
    {.name = "sleep", .type = CLI_DURATION, .help = "Start one of several requests so long after the one before"},
    {.name = "replies", .type = CLI_UINT, .value = "1", .help = "Wait for so many replies; 0: until the timeout"},
    {.name = "reply-timeout", .type = CLI_DURATION, .value = "300ms",
     .help = "Longest time between replies when several are wanted"},
    {.name = "wait-for-empty", .type = CLI_SWITCH, .help = "Wait for replies until an empty one comes"},
    {.name = "translate", .type = CLI_STRING, .placeholder = "COMMAND",
     .help = "Print what the command makes of each body"},
    {.name = "force-stdin", .type = CLI_SWITCH, .help = "Read the body from stdin in any case"},
    {.name = "send-on", .type = CLI_ENUM, .value = "eof", .choices = "newline eof",
     .help = "What ends a body on stdin: its end, or each line"},
    {.name = "templates", .type = CLI_BOOL, .value = "true", .help = "Fill in templates in body and subject"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print each reply as a line of JSON"},
    {0},
};

static const cli_arg args[] = {
    {.name = "subject", .help = "Subject to send the request to", .required = true},
    {.name = "body", .help = "Body of the request; without it stdin is read"},
    {0},
};

const cli_command cli_command_request = {
    .name = "request",
    .aliases = "req",
    .summary = "Send requests and show the replies",
    .text = "Body, subject and values of headers may contain the templates of midge pub.\n"
            "\n"
            "  midge request time.in.oslo '' --raw\n"
            "  midge request who '' --replies 0 --timeout 1s\n",
    .flags = flags,
    .args = args,
    .run = run,
};
