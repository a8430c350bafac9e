// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge reply. Requests are queued by the callback and answered one after the other outside of it, because --sleep and
// --command take time, in which the connection has to live on. The queue is bounded: who asks faster than we answer
// gets no answer, and that is told once.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/commands.h"
#include "client/cli/message.h"
#include "client/cli/payload.h"
#include "client/cli/child.h"
#include "client/cli/template.h"

#define QUEUE_MAX 8192 // requests

typedef struct reply_run {
    cli *app;
    midge_conn *conn;
    cli_filler filler;
    const char *subject, *queue, *body, *command;
    const char *const *headers;
    size_t headers_len;
    bool echo, json, overflow;
    uint64_t sleep, limit, received, answered;
    int32_t sub;
    midge_msg *waiting[QUEUE_MAX]; // a ring
    size_t first, len;
} reply_run;

static void on_request(midge *m, const midge_msg *msg, void *user) {
    reply_run *r = user;
    midge_msg *copy = r->len < QUEUE_MAX ? cli_message_dup(msg) : NULL;
    if (copy == NULL) {
        if (!r->overflow) cli_log(r->app, "Requests come faster than they are answered; some get no answer");
        r->overflow = true;
        return;
    }
    r->waiting[(r->first + r->len++) % QUEUE_MAX] = copy;
    r->received++;
    if (r->limit > 0 && r->received == r->limit) midge_unsubscribe(m, r->sub, 0);
}

// ---- answers --------------------------------------------------------------------------------------------------------

static char *replaced(cli *app, const char *text, const char *what, const char *with, size_t with_len) {
    char *out = cli_strndup(app, "", 0);
    for (const char *at; (at = strstr(text, what)) != NULL; text = at + strlen(what))
        out = cli_printf(app, "%s%.*s%.*s", out, (int)(at - text), text, (int)with_len, with);
    return cli_printf(app, "%s%s", out, text);
}

// {{0}}, {{1}} ... are the tokens of the subject.
static const char *with_tokens(cli *app, const char *text, midge_str subject) {
    const char *at = subject.p, *end = subject.p + subject.n;
    for (unsigned i = 0; at <= end && strstr(text, "{{") != NULL; i++) {
        const char *dot = at < end ? memchr(at, '.', (size_t)(end - at)) : NULL;
        const char *stop = dot != NULL ? dot : end;
        char name[16];
        snprintf(name, sizeof name, "{{%u}}", i);
        if (strstr(text, name) != NULL) text = replaced(app, text, name, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return text;
}

static char *run_command(reply_run *r, const midge_msg *msg, size_t *len) {
    cli *app = r->app;
    const char *line = with_tokens(app, r->command, msg->subject);
    cli_payload p;
    char *output = NULL;
    *len = 0;
    if (cli_payload_make(app, &r->filler, r->answered, "", midge_cstr(line), msg->data, NULL, 0, &p) != 0) return NULL;
    char *text = cli_strndup(app, p.body.n > 0 ? p.body.p : "", p.body.n);
    cli_payload_drop(&p);
    const char **words = cli_words_split(text);
    if (words == NULL) {
        cli_log(app, "Could not parse command: %s", text);
        return NULL;
    }
    if (cli_get_bool(app, "trace")) cli_log(app, "Executing: %s", text);
    const char *const env[] = {
        cli_printf(app, "NATS_REQUEST_SUBJECT=%.*s", (int)msg->subject.n, msg->subject.p),
        cli_printf(app, "NATS_REQUEST_BODY=%.*s", (int)msg->data.n, msg->data.n > 0 ? msg->data.p : ""), NULL};
    int status = cli_spawn(words, env, MIDGE_NONE, true, &output, len);
    if (status < 0) cli_log(app, "Command \"%s\" failed to run: %s", text, strerror(errno));
    if (status > 0) cli_log(app, "Command \"%s\" failed to run: exit status %d", text, status);
    cli_words_free(words);
    return output;
}

// The header block of an echo: what came, what --header adds, and the counter. Of malloc.
static char *echo_headers(reply_run *r, midge_str came, midge_str added, midge_str *block) {
    size_t room = came.n + added.n + 128, pos = 0;
    char *buf = malloc(room), counter[24];
    midge_headers h;
    midge_str name, value;
    if (buf == NULL) abort();
    midge_headers_begin(&h, buf, room);
    while (midge_headers_next(added, &pos, &name, &value))
        midge_headers_add(&h, name, value);
    for (pos = 0; midge_headers_next(came, &pos, &name, &value);)
        midge_headers_add(&h, name, value);
    snprintf(counter, sizeof counter, "%" PRIu64, r->answered);
    midge_headers_add(&h, MIDGE_STR("NATS-Reply-Counter"), midge_cstr(counter));
    if (midge_headers_end(&h, block) != 0) *block = MIDGE_NONE;
    return buf;
}

static int send_answer(reply_run *r, const midge_msg *msg, midge_str headers, midge_str data) {
    int err = msg->reply.n == 0 ? MIDGE_EINVAL
                                : midge_publish_wait(r->conn, msg->reply, MIDGE_NONE, headers, data.p, data.n,
                                                     (uint32_t)cli_timeout(r->app));
    if (err == 0) {
        r->answered++;
    } else {
        cli_log(r->app, "Could not publish reply: %s",
                msg->reply.n == 0 ? "message does not have a reply" : midge_strerror(err));
    }
    return err;
}

static void show_request(reply_run *r, const midge_msg *msg) {
    if (r->json) {
        cli_json j = {.out = stdout};
        cli_json_begin(&j, NULL, '{');
        cli_json_uint(&j, "number", r->answered);
        cli_json_now(&j, "time");
        cli_json_message(&j, msg->subject, msg->reply, msg->headers, msg->data);
        cli_json_end(&j, '}');
        fflush(stdout);
        return;
    }
    cli_log(r->app, "[#%" PRIu64 "] Received on subject \"%.*s\":", r->answered, (int)msg->subject.n, msg->subject.p);
    cli_print_headers(stderr, "", msg->headers);
    putchar('\n');
    if (msg->data.n > 0) fwrite(msg->data.p, 1, msg->data.n, stdout);
    putchar('\n');
    fflush(stdout);
}

static void answer(reply_run *r, const midge_msg *msg) {
    cli_payload p;
    char *made = NULL, *block = NULL;
    show_request(r, msg);
    if (r->sleep > 0 && !cli_idle(r->app, r->conn, cli_random(&r->filler.random) % r->sleep)) return;
    midge_str body = r->echo || r->command != NULL ? MIDGE_NONE : midge_cstr(r->body);
    if (cli_payload_make(r->app, &r->filler, r->answered, "", body, msg->data, r->headers, r->headers_len, &p) != 0)
        return;
    if (r->echo) {
        p.body = msg->data;
        block = echo_headers(r, msg->headers, p.headers, &p.headers);
    } else if (r->command != NULL) {
        size_t n;
        const void *mark = cli_mark(r->app);
        made = run_command(r, msg, &n);
        cli_release(r->app, mark);
        p.body = (midge_str){made, n};
    }
    send_answer(r, msg, p.headers, p.body);
    free(made);
    free(block);
    cli_payload_drop(&p);
}

static int serve(reply_run *r) {
    while (!cli_interrupted(r->app)) {
        if (r->len > 0) {
            midge_msg *msg = r->waiting[r->first];
            r->first = (r->first + 1) % QUEUE_MAX;
            r->len--;
            answer(r, msg);
            free(msg);
        } else if (r->limit > 0 && r->received >= r->limit) {
            return CLI_OK;
        }
        int err = midge_poll(r->conn, r->len > 0 || (r->limit > 0 && r->received >= r->limit) ? 0 : MIDGE_FOREVER);
        if (err < 0) return cli_fail(r->app, "the connection is lost: %s", midge_strerror(err));
        const char *complaint = cli_complaint(r->app);
        if (complaint != NULL) return cli_fail(r->app, "%s", complaint);
    }
    return CLI_OK; // the usual end of a service
}

static int listen_and_serve(reply_run *r) {
    r->sub = midge_subscribe(midge_engine(r->conn), midge_cstr(r->subject), midge_cstr(r->queue), on_request, r);
    if (r->sub < 0) return cli_fail(r->app, "cannot subscribe to \"%s\": %s", r->subject, midge_strerror(r->sub));
    int err = midge_flush_wait(r->conn, (uint32_t)cli_timeout(r->app));
    const char *complaint = cli_complaint(r->app);
    if (complaint != NULL) return cli_fail(r->app, "%s", complaint);
    if (err != 0 && !cli_interrupted(r->app))
        return cli_fail(r->app, "the server did not confirm: %s", midge_strerror(err));
    if (!r->json) cli_log(r->app, "Listening on \"%s\" in group \"%s\"", r->subject, r->queue);
    int status = serve(r);
    if (status != CLI_OK) return status;
    if (!r->json) cli_log(r->app, "Draining...");
    err = midge_drain_wait(r->conn, (uint32_t)cli_timeout(r->app));
    return err == 0 ? CLI_OK : cli_fail(r->app, "not all answers could be sent: %s", midge_strerror(err));
}

static int run(cli *app) {
    reply_run *r = cli_alloc(app, sizeof *r);
    r->app = app;
    r->subject = cli_arg_of(app, "subject");
    r->body = cli_arg_of(app, "body");
    r->queue = cli_get_string(app, "queue");
    r->command = cli_get_string(app, "command");
    r->echo = cli_get_bool(app, "echo");
    r->sleep = cli_get_duration(app, "sleep");
    r->limit = cli_get_uint(app, "count");
    r->json = cli_get_bool(app, "json");
    r->headers = cli_get_strings(app, "header", &r->headers_len);
    cli_filler_init(&r->filler, true);
    r->conn = cli_connect(app);
    if (r->conn == NULL) return CLI_FAILED;
    if ((r->body == NULL || *r->body == '\0') && r->command == NULL && !r->echo) {
        if (!r->json) cli_log(app, "No body or command supplied, enabling echo mode");
        r->echo = true;
    }
    cli_catch_signals(app, r->conn);
    int status = listen_and_serve(r);
    for (; r->len > 0; r->len--, r->first = (r->first + 1) % QUEUE_MAX)
        free(r->waiting[r->first]);
    cli_release_signals(app);
    midge_conn_free(r->conn);
    return status;
}

static const cli_flag flags[] = {
    {.name = "echo", .type = CLI_SWITCH, .help = "Send back what was received"},
    {.name = "command", .type = CLI_STRING, .help = "Run a command and send its output"},
    {.name = "queue", .short_name = 'q', .type = CLI_STRING, .value = "NATS-RPLY-22",
     .help = "Name of the queue group"},
    {.name = "sleep", .type = CLI_DURATION, .placeholder = "MAX",
     .help = "Wait at random, at most so long, before answers"},
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds a header"},
    {.name = "count", .type = CLI_UINT, .help = "Quit after so many requests"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print each request as a line of JSON"},
    {0},
};

static const cli_arg args[] = {
    {.name = "subject", .help = "Subject to answer on", .required = true},
    {.name = "body", .help = "Body of the answers"},
    {0},
};

const cli_command cli_command_reply = {
    .name = "reply",
    .summary = "Answer requests",
    .text = "In a command, {{0}}, {{1}} and so on are the tokens of the subject, and {{.Request}} is the body:\n"
            "\n"
            "  midge reply 'weather.>' --command \"curl -s wttr.in/{{1}}?format=3\"\n"
            "\n"
            "The command runs without a shell. It has the variables NATS_REQUEST_SUBJECT and NATS_REQUEST_BODY.\n"
            "Body and values of headers may contain the templates of midge pub, and {{.Request}}:\n"
            "\n"
            "  midge reply greet \"Hello {{.Request}}, you are number {{Count}}\"\n",
    .flags = flags,
    .args = args,
    .run = run,
};
