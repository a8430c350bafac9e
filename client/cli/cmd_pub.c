// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge pub. Up to 20 messages are told one by one, each after the server has seen it; more have a progress bar and are
// flushed now and then. A complaint of the server (permissions) ends the command, as does the first message that
// cannot be sent.
#include <inttypes.h>

#include "client/cli/cli.h"
#include "client/cli/commands.h"
#include "client/cli/json.h"
#include "client/cli/payload.h"
#include "client/cli/progress.h"
#include "client/cli/units.h"

#define ONE_BY_ONE  20  // more than these have a progress bar
#define FLUSH_EVERY 512 // messages, where nobody waits for each

typedef struct pub_run {
    cli *app;
    midge_conn *conn;
    cli_filler filler;
    cli_progress *progress;
    const char *subject, *reply;
    const char *const *headers;
    size_t headers_len;
    uint64_t count, sleep, sent, bytes;
    bool quiet, one_by_one, stream;
} pub_run;

static int flush(pub_run *r) {
    int err = midge_flush_wait(r->conn, (uint32_t)cli_timeout(r->app));
    if (cli_interrupted(r->app)) return CLI_INTERRUPTED;
    const char *complaint = cli_complaint(r->app);
    if (complaint != NULL) return cli_fail(r->app, "%s", complaint);
    return err == 0 ? CLI_OK : cli_fail(r->app, "the server did not confirm: %s", midge_strerror(err));
}

static int explain(pub_run *r, int err, const cli_payload *p) {
    int64_t max = midge_info_of(midge_engine(r->conn))->max_payload;
    if (err == MIDGE_ESUBJECT)
        return cli_fail(r->app, "invalid subject \"%.*s\"", (int)p->subject.n, p->subject.p);
    if (err == MIDGE_ETOOLARGE)
        return cli_fail(r->app, "the message has %zu bytes, the server takes at most %" PRId64,
                        p->body.n + p->headers.n, max);
    return cli_fail(r->app, "cannot publish: %s", midge_strerror(err));
}

// Publishes and waits until a stream has stored it.
static int store(pub_run *r, const cli_payload *p) {
    const midge_msg *reply;
    midge_js_reply ack;
    int err = midge_request_wait(r->conn, p->subject, p->headers, p->body.p, p->body.n, (uint32_t)cli_timeout(r->app),
                                 &reply);
    if (err == MIDGE_ENORESPONDERS) return cli_fail(r->app, "no stream has this subject, or there is no JetStream");
    if (err != 0) return explain(r, err, p);
    err = midge_js_reply_parse(reply->data, &ack);
    if (err != 0 && ack.description.n > 0)
        return cli_fail(r->app, "not stored: %.*s (%u)", (int)ack.description.n, ack.description.p, ack.err_code);
    if (err != 0) return cli_fail(r->app, "not stored: the answer is not that of a stream");
    if (!r->one_by_one || r->quiet) return CLI_OK;
    cli_log(r->app, "Published %zu bytes to \"%.*s\"", p->body.n, (int)p->subject.n, p->subject.p);
    cli_log(r->app, "Stored in Stream: %.*s%s%.*s Sequence: %s%s", (int)ack.stream.n, ack.stream.p,
            ack.domain.n > 0 ? " Domain: " : "", (int)ack.domain.n, ack.domain.n > 0 ? ack.domain.p : "",
            cli_count(ack.seq).s, ack.duplicate ? " Duplicate: true" : "");
    return CLI_OK;
}

static int publish_plain(pub_run *r, const cli_payload *p) {
    int err = midge_publish_wait(r->conn, p->subject, midge_cstr(r->reply), p->headers, p->body.p, p->body.n,
                                 (uint32_t)cli_timeout(r->app));
    if (err != 0) return explain(r, err, p);
    int status = r->one_by_one || r->sleep > 0 || r->sent % FLUSH_EVERY == FLUSH_EVERY - 1 ? flush(r) : CLI_OK;
    if (status == CLI_OK && r->one_by_one && !r->quiet)
        cli_log(r->app, "Published %zu bytes to \"%.*s\"", p->body.n, (int)p->subject.n, p->subject.p);
    return status;
}

static int publish_one(pub_run *r, uint64_t number, midge_str body) {
    cli_payload p;
    if (cli_payload_make(r->app, &r->filler, number, r->subject, body, MIDGE_NONE, r->headers, r->headers_len, &p) != 0)
        return CLI_FAILED;
    int status = r->stream ? store(r, &p) : publish_plain(r, &p);
    if (status == CLI_OK) {
        r->sent++;
        r->bytes += p.body.n;
    }
    cli_payload_drop(&p);
    return status;
}

static int publish_body(pub_run *r, midge_str body) {
    for (uint64_t i = 1; i <= r->count; i++) {
        int status = publish_one(r, i, body);
        if (status != CLI_OK) return status;
        if (cli_interrupted(r->app)) return CLI_INTERRUPTED;
        if (r->progress != NULL) {
            cli_progress_set(r->progress, 0, r->sent);
            cli_progress_draw(r->progress, cli_mono_ns());
        }
        if (r->count > 1 && r->sleep > 0 && !cli_idle(r->app, r->conn, r->sleep))
            return cli_interrupted(r->app) ? CLI_INTERRUPTED : cli_fail(r->app, "the connection is lost");
    }
    return CLI_OK;
}

static int publish_stdin(pub_run *r, bool lines) {
    cli_stdin in = {0};
    midge_str body;
    int got, status = CLI_OK;
    if (!r->quiet) cli_log(r->app, "Reading payload from STDIN");
    while (status == CLI_OK) {
        got = lines ? cli_stdin_line(r->app, r->conn, &in, &body) : cli_stdin_all(r->app, r->conn, &in, &body);
        if (got < 0) status = cli_interrupted(r->app) ? CLI_INTERRUPTED : CLI_FAILED;
        if (got <= 0) break;
        status = publish_body(r, body);
    }
    cli_stdin_fini(&in);
    return status;
}

static void print_json(const pub_run *r, uint64_t ns) {
    cli_json j = {.out = stdout};
    cli_json_begin(&j, NULL, '{');
    cli_json_string(&j, "subject", r->subject);
    cli_json_uint(&j, "messages", r->sent);
    cli_json_uint(&j, "bytes", r->bytes);
    cli_json_uint(&j, "duration_ns", ns);
    cli_json_end(&j, '}');
}

static int run(cli *app) {
    const char *body = cli_arg_of(app, "body");
    bool json = cli_get_bool(app, "json");
    pub_run r = {
        .app = app,
        .subject = cli_arg_of(app, "subject"),
        .reply = cli_get_string(app, "reply"),
        .count = cli_get_uint(app, "count") > 0 ? cli_get_uint(app, "count") : 1,
        .sleep = cli_get_duration(app, "sleep"),
        .quiet = cli_get_bool(app, "quiet") || json,
        .stream = cli_get_bool(app, "jetstream"),
    };
    if (r.stream && r.reply != NULL) return cli_fail(app, "--jetstream excludes --reply: the stream answers");
    r.headers = cli_get_strings(app, "header", &r.headers_len);
    r.one_by_one = r.count <= ONE_BY_ONE;
    cli_filler_init(&r.filler, cli_get_bool(app, "templates"));
    r.conn = cli_connect(app);
    if (r.conn == NULL) return CLI_FAILED;
    cli_catch_signals(app, r.conn);
    uint64_t began = cli_mono_ns();
    if (!r.one_by_one && !r.quiet) {
        r.progress = cli_progress_new(stderr, true, began);
        cli_progress_add(r.progress, "", r.count, 0);
    }
    bool lines = cli_get_string(app, "send-on")[0] == 'n';
    bool from_stdin = cli_stdin_wanted(app, body != NULL, cli_get_bool(app, "force-stdin"));
    int status = from_stdin ? publish_stdin(&r, lines) : publish_body(&r, midge_cstr(body));
    if (status == CLI_OK && !r.one_by_one) status = flush(&r);
    if (r.progress != NULL) cli_progress_finish(r.progress, cli_mono_ns());
    cli_progress_free(r.progress);
    // Where no bar is drawn, the end is told at least.
    if (!r.one_by_one && !r.quiet && status == CLI_OK && !cli_err_is_terminal(app))
        cli_log(app, "Published %s messages, %s", cli_count(r.sent).s, cli_bytes(r.bytes).s);
    if (json && status == CLI_OK) print_json(&r, cli_mono_ns() - began);
    cli_release_signals(app);
    midge_conn_free(r.conn);
    return status;
}

static const cli_flag flags[] = {
    {.name = "reply", .type = CLI_STRING, .placeholder = "SUBJECT", .help = "Subject for answers"},
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds a header"},
    {.name = "count", .type = CLI_UINT, .value = "1", .help = "Publish so many messages"},
    {.name = "force-stdin", .type = CLI_SWITCH, .help = "Read the body from stdin in any case"},
    {.name = "quiet", .short_name = 'q', .type = CLI_SWITCH, .help = "Tell nothing but errors"},
    {.name = "send-on", .type = CLI_ENUM, .value = "eof", .choices = "newline eof",
     .help = "What ends a body on stdin: its end, or each line"},
    {.name = "sleep", .type = CLI_DURATION, .help = "Wait so long after each of several messages"},
    {.name = "templates", .type = CLI_BOOL, .value = "true", .help = "Fill in templates in body and subject"},
    {.name = "jetstream", .short_name = 'J', .type = CLI_SWITCH, .help = "Wait until a stream has stored each message"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print a summary as JSON"},
    {0},
};

static const cli_arg args[] = {
    {.name = "subject", .help = "Subject to publish to", .required = true},
    {.name = "body", .help = "Message body; without it stdin is read"},
    {0},
};

const cli_command cli_command_pub = {
    .name = "pub",
    .aliases = "publish",
    .summary = "Publish messages",
    .text = "Body, subject and values of headers may contain templates:\n"
            "\n"
            "  midge pub test --count 10 \"Message {{Count}} @ {{Time}}\"\n"
            "  midge pub test --count 10 \"Message {{Count}}: {{ Random 10 100 }}\"\n"
            "\n"
            "  Count            the number of the message\n"
            "  TimeStamp        the time as RFC 3339\n"
            "  Unix             seconds since 1970 in UTC\n"
            "  UnixNano         nanoseconds since 1970 in UTC\n"
            "  Time             the time of day\n"
            "  ID               a unique id\n"
            "  Random MIN MAX   random letters and digits, at least MIN, at most MAX\n",
    .flags = flags,
    .args = args,
    .run = run,
};
