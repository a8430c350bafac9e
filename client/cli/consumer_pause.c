// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge consumer pause, resume.
#include "client/cli/consumer.h"
#include "client/cli/prompt.h"
#include "client/cli/units.h"

static int send(cli_js *js, int64_t until) {
    midge_consumer_result before = js->op.consumer;
    const char *stream = cli_js_text(js->app, before.stream_name), *name = cli_js_text(js->app, before.name);
    int err = cli_js_wait(js, &js->op,
                          midge_consumer_pause(js->m, &js->op, midge_cstr(stream), midge_cstr(name), until));
    if (err == 0) return CLI_OK;
    return cli_js_failed(js, &js->op, err, "could not %s consumer %s > %s", until != 0 ? "pause" : "resume", stream,
                         name);
}

static int pause_consumer(cli_js *js) {
    cli *app = js->app;
    int64_t until;
    int status;
    if (!cli_consumer_load(js)) return CLI_FAILED;
    const char *title = cli_consumer_title(js), *text = cli_arg_of(app, "until");
    if (text == NULL) text = cli_ask(app, "the argument <until>", "Pause until (a time or a duration)");
    if (text == NULL || cli_consumer_until(app, text, &until) != CLI_OK) return CLI_FAILED;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really pause consumer %s until %s", title,
                     cli_time(until).s))
        return status;
    if (send(js, until) != CLI_OK) return CLI_FAILED;
    if (!js->op.consumer.paused) return cli_fail(app, "it is not paused: is the time in the past?");
    int64_t seconds = (js->op.consumer.pause_remaining + CLI_SEC / 2) / CLI_SEC;
    printf("Paused %s until %s (%s)\n", title, cli_time(until).s, cli_duration_exact(seconds * CLI_SEC).s);
    return CLI_OK;
}

static int resume(cli_js *js) {
    int status;
    if (!cli_consumer_load(js)) return CLI_FAILED;
    const midge_consumer_result *c = &js->op.consumer;
    const char *title = cli_consumer_title(js);
    int64_t until = c->ts + c->pause_remaining;
    if (!c->paused) return cli_fail(js->app, "consumer %s is not paused", title);
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status, "Really resume consumer %s", title))
        return status;
    if (send(js, 0) != CLI_OK) return CLI_FAILED;
    printf("Consumer %s was resumed while previously paused until %s\n", title, cli_time(until).s);
    return CLI_OK;
}

static int run_pause(cli *app) { return cli_js_run(app, pause_consumer); }
static int run_resume(cli *app) { return cli_js_run(app, resume); }

static const cli_flag flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {0},
};
static const cli_arg args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "consumer", .help = "Name of the consumer"},
    {.name = "until", .help = "A duration like 1h30m, or a time like '2026-01-02 15:04:05' in UTC"},
    {0},
};

const cli_command cli_command_consumer_pause = {
    .name = "pause",
    .summary = "Deliver nothing until a time",
    .flags = flags,
    .args = args,
    .run = run_pause,
};
const cli_command cli_command_consumer_resume = {
    .name = "resume",
    .summary = "Deliver again",
    .flags = flags,
    .args = cli_consumer_args,
    .run = run_resume,
};
