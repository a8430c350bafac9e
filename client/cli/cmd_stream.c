// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge stream, and those of its commands that are one request.
#include <inttypes.h>

#include "client/cli/commands.h"
#include "client/cli/prompt.h"
#include "client/cli/stream.h"
#include "client/cli/units.h"

const char *cli_stream_load(cli_js *js) {
    const char *name = cli_js_stream(js);
    if (name == NULL) return NULL;
    int err = cli_js_wait(js, &js->op, midge_stream_info(js->m, &js->op, midge_cstr(name), NULL));
    if (err == 0) return name;
    cli_js_failed(js, &js->op, err, "could not load stream %s", name);
    return NULL;
}

static int info(cli_js *js) {
    if (cli_stream_load(js) == NULL) return CLI_FAILED;
    cli_stream_show(js, &js->op.stream, js->op.json, !cli_get_bool(js->app, "state"));
    if (!js->json) putchar('\n');
    return CLI_OK;
}

static int state(cli_js *js) {
    if (cli_stream_load(js) == NULL) return CLI_FAILED;
    cli_stream_show(js, &js->op.stream, js->op.json, false);
    if (!js->json) putchar('\n');
    return CLI_OK;
}

static int rm(cli_js *js) {
    int status;
    const char *name = cli_js_stream(js);
    if (name == NULL) return CLI_FAILED;
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status, "Really delete stream %s", name)) return status;
    int err = cli_js_wait(js, &js->op, midge_stream_delete(js->m, &js->op, midge_cstr(name)));
    return err != 0 ? cli_js_failed(js, &js->op, err, "could not delete stream %s", name) : CLI_OK;
}

static int purge(cli_js *js) {
    cli *app = js->app;
    int status;
    const midge_purge_opts opts = {.filter = midge_cstr(cli_get_string(app, "subject")),
                                   .seq = cli_get_uint(app, "seq"), .keep = cli_get_uint(app, "keep")};
    if (opts.seq > 0 && opts.keep > 0) return cli_fail(app, "--seq and --keep exclude each other");
    const char *name = cli_js_stream(js);
    if (name == NULL) return CLI_FAILED;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really purge stream %s", name)) return status;
    int err = cli_js_wait(js, &js->op, midge_stream_purge(js->m, &js->op, midge_cstr(name), &opts));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not purge stream %s", name);
    if (!js->json) printf("Purged %s messages from %s\n\n", cli_count(js->op.count).s, name);
    if (cli_stream_load(js) == NULL) return CLI_FAILED;
    cli_stream_show(js, &js->op.stream, js->op.json, false);
    return CLI_OK;
}

static int seal(cli_js *js) {
    int status;
    const char *name = cli_stream_load(js);
    if (name == NULL) return CLI_FAILED;
    midge_stream_config c = js->op.stream.config;
    c.sealed = true;
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status,
                     "Really seal stream %s; it can never be changed again", name))
        return status;
    int err = cli_js_wait(js, &js->op, midge_stream_update(js->m, &js->op, &c));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not seal stream %s", name);
    cli_stream_show(js, &js->op.stream, js->op.json, true);
    return CLI_OK;
}

static int run_info(cli *app) { return cli_js_run(app, info); }
static int run_state(cli *app) { return cli_js_run(app, state); }
static int run_rm(cli *app) { return cli_js_run(app, rm); }
static int run_purge(cli *app) { return cli_js_run(app, purge); }
static int run_seal(cli *app) { return cli_js_run(app, seal); }

// ---- tables ---------------------------------------------------------------------------------------------------------

#define JSON_FLAG {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"}
#define FORCE_FLAG {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"}
#define NO_SELECT_FLAG {.name = "no-select", .type = CLI_SWITCH, .help = "Do not offer a list", .hidden = true}

const cli_arg cli_stream_arg[] = {{.name = "stream", .help = "Name of the stream"}, {0}};

static const cli_flag info_flags[] = {
    JSON_FLAG,
    {.name = "state", .type = CLI_SWITCH, .help = "Only what it holds"},
    NO_SELECT_FLAG,
    {0},
};
static const cli_flag state_flags[] = {JSON_FLAG, NO_SELECT_FLAG, {0}};
static const cli_flag force_flags[] = {FORCE_FLAG, {0}};
static const cli_flag purge_flags[] = {
    JSON_FLAG,
    FORCE_FLAG,
    {.name = "subject", .type = CLI_STRING, .help = "Only messages of these subjects"},
    {.name = "seq", .type = CLI_UINT, .placeholder = "SEQUENCE", .help = "Only messages before this sequence"},
    {.name = "keep", .type = CLI_UINT, .placeholder = "MESSAGES", .help = "Leave so many"},
    {0},
};
static const cli_arg seal_args[] = {
    {.name = "stream", .help = "Name of the stream", .required = true},
    {0},
};
static const cli_flag group_flags[] = {
    {.name = "all", .short_name = 'a', .type = CLI_SWITCH, .help = "List streams of buckets and the like, too"},
    {0},
};

static const cli_command info_command = {.name = "info", .aliases = "nfo i", .summary = "Show a stream",
                                         .flags = info_flags, .args = cli_stream_arg, .run = run_info};
static const cli_command state_command = {.name = "state", .summary = "Show what a stream holds", .flags = state_flags,
                                          .args = cli_stream_arg, .run = run_state};
static const cli_command rm_command = {.name = "rm", .aliases = "delete del", .summary = "Remove a stream",
                                       .flags = force_flags, .args = cli_stream_arg, .run = run_rm};
static const cli_command purge_command = {.name = "purge", .summary = "Remove the messages of a stream",
                                          .flags = purge_flags, .args = cli_stream_arg, .run = run_purge};
static const cli_command seal_command = {.name = "seal", .summary = "Allow no further change to a stream",
                                         .flags = force_flags, .args = seal_args, .run = run_seal};

static const cli_command *const commands[] = {
    &cli_command_stream_add, &cli_command_stream_ls, &cli_command_stream_report, &info_command, &state_command,
    &cli_command_stream_subjects, &cli_command_stream_edit, &rm_command, &purge_command, &cli_command_stream_copy,
    &cli_command_stream_rmm, &cli_command_stream_view, &cli_command_stream_get, &seal_command, NULL,
};

const cli_command cli_command_stream = {
    .name = "stream",
    .aliases = "str st ms s",
    .summary = "Manage streams of JetStream",
    .text = "  midge stream add ORDERS --subjects 'orders.>' --max-age 30d\n"
            "  midge stream info ORDERS\n"
            "  midge stream view ORDERS\n",
    .flags = group_flags,
    .commands = commands,
};
