// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge consumer, and those of its commands that are one request.
#include "client/cli/commands.h"
#include "client/cli/consumer.h"
#include "client/cli/prompt.h"

bool cli_consumer_load(cli_js *js) {
    const char *stream = cli_js_stream(js), *name = stream != NULL ? cli_js_consumer(js, stream) : NULL;
    if (name == NULL) return false;
    int err = cli_js_wait(js, &js->op, midge_consumer_info(js->m, &js->op, midge_cstr(stream), midge_cstr(name)));
    if (err != 0) cli_js_failed(js, &js->op, err, "could not load consumer %s > %s", stream, name);
    return err == 0;
}

static int show(cli_js *js, bool with_config) {
    if (!cli_consumer_load(js)) return CLI_FAILED;
    cli_consumer_show(js, with_config);
    return CLI_OK;
}

static int info(cli_js *js) { return show(js, true); }
static int state(cli_js *js) { return show(js, false); }

static int rm(cli_js *js) {
    int status;
    const char *stream = cli_js_stream(js), *name = stream != NULL ? cli_js_consumer(js, stream) : NULL;
    if (name == NULL) return CLI_FAILED;
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status, "Really delete consumer %s > %s", stream, name))
        return status;
    int err = cli_js_wait(js, &js->op, midge_consumer_delete(js->m, &js->op, midge_cstr(stream), midge_cstr(name)));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not delete consumer %s > %s", stream, name);
}

// Asks for another client to be pinned.
static int unpin(cli_js *js) {
    cli *app = js->app;
    int status;
    if (!cli_consumer_load(js)) return CLI_FAILED;
    const midge_consumer_result *c = &js->op.consumer;
    const char *title = cli_consumer_title(js), *group = cli_arg_of(app, "group");
    if (group == NULL && c->config.priority_groups_len == 1) group = cli_js_text(app, c->config.priority_groups[0]);
    if (group == NULL)
        group = cli_pick(app, "the argument <group>", c->config.priority_groups, c->config.priority_groups_len);
    if (group == NULL) return CLI_FAILED;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really unpin the client of %s > %s", title, group))
        return status;
    const char *verb = cli_printf(app, "CONSUMER.UNPIN.%s.%s", cli_js_text(app, c->stream_name),
                                  cli_js_text(app, c->name));
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_cstr(&o, "group", group);
    mgc_json_close(&o);
    midge_str body = cli_js_written(app, &o);
    int err = cli_js_wait(js, &js->op, midge_api_request(js->m, &js->op, midge_cstr(verb), body));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not unpin %s > %s", title, group);
    printf("Unpinned client from Priority Group %s > %s\n", title, group);
    return CLI_OK;
}

static int run_info(cli *app) { return cli_js_run(app, info); }
static int run_state(cli *app) { return cli_js_run(app, state); }
static int run_rm(cli *app) { return cli_js_run(app, rm); }
static int run_unpin(cli *app) { return cli_js_run(app, unpin); }

// ---- tables ---------------------------------------------------------------------------------------------------------

const cli_arg cli_consumer_args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "consumer", .help = "Name of the consumer"},
    {0},
};
static const cli_arg unpin_args[] = {
    {.name = "stream", .help = "Name of the stream"},
    {.name = "consumer", .help = "Name of the consumer"},
    {.name = "group", .help = "Its priority group"},
    {0},
};
static const cli_flag info_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {.name = "no-select", .type = CLI_SWITCH, .help = "Do not offer a list", .hidden = true},
    {0},
};
static const cli_flag force_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {0},
};
static const cli_flag group_flags[] = {
    {.name = "all", .short_name = 'a', .type = CLI_SWITCH, .help = "Offer streams of buckets, too", .hidden = true},
    {0},
};

static const cli_command info_command = {.name = "info", .aliases = "nfo", .summary = "Show a consumer",
                                         .flags = info_flags, .args = cli_consumer_args, .run = run_info};
static const cli_command state_command = {.name = "state", .summary = "Show where a consumer stands",
                                          .flags = info_flags, .args = cli_consumer_args, .run = run_state};
static const cli_command rm_command = {.name = "rm", .aliases = "delete del", .summary = "Remove a consumer",
                                       .flags = force_flags, .args = cli_consumer_args, .run = run_rm};
static const cli_command unpin_command = {.name = "unpin", .summary = "Take its place from a pinned client",
                                          .flags = force_flags, .args = unpin_args, .run = run_unpin};

static const cli_command *const commands[] = {
    &cli_command_consumer_add,
    &cli_command_consumer_edit,
    &cli_command_consumer_ls,
    &info_command,
    &state_command,
    &rm_command,
    &cli_command_consumer_copy,
    &cli_command_consumer_next,
    &cli_command_consumer_sub,
    &cli_command_consumer_pause,
    &unpin_command,
    &cli_command_consumer_resume,
    &cli_command_consumer_report,
    NULL,
};

const cli_command cli_command_consumer = {
    .name = "consumer",
    .aliases = "con obs c",
    .summary = "Manage consumers of JetStream",
    .text = "  midge consumer add ORDERS WORKER --filter orders.new\n"
            "  midge consumer next ORDERS WORKER --count 10\n",
    .flags = group_flags,
    .commands = commands,
};
