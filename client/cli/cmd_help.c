// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/app.h"
#include "client/cli/commands.h"

static int run(cli *app) {
    size_t n;
    const char *const *words = cli_args_of(app, "command", &n);
    const cli_command *path[CLI_DEPTH + 1] = {&cli_root};
    size_t depth = 0;
    if (cli_get_bool(app, "man")) {
        cli_man(&cli_root, stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const cli_command *c = cli_find(path[depth], words[i]);
        if (c == NULL || depth == CLI_DEPTH) return cli_fail(app, "unknown command \"%s\"", words[i]);
        path[++depth] = c;
    }
    cli_help(path, depth, cli_columns(app), stdout);
    return CLI_OK;
}

static const cli_flag flags[] = {
    {.name = "man", .type = CLI_SWITCH, .help = "Write the manual midge(1) as roff"},
    {0},
};

static const cli_arg args[] = {
    {.name = "command", .help = "What to show the help of", .many = true},
    {0},
};

const cli_command cli_command_help = {
    .name = "help",
    .summary = "Show help for a command",
    .flags = flags,
    .args = args,
    .run = run,
};
