// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/app.h"

#include <errno.h>
#include <string.h>

// What was asked for and cannot be done: where to look is said, the whole help is not poured over the message.
static int usage_error(cli *app, const char *why) {
    const char *path = cli_path(app);
    cli_fail(app, "%s", why);
    fprintf(stderr, "midge%s%s --help shows what there is\n", *path != '\0' ? " " : "", path);
    return CLI_FAILED;
}

// A full disk or a closed pipe must not look like success.
static int flush_output(cli *app, int status) {
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return status;
    if (status != CLI_OK) return status;
    return cli_fail(app, "cannot write the output: %s", strerror(errno));
}

int cli_main(int argc, char *argv[]) {
    cli app;
    char err[512];
    int status = CLI_OK;
    cli_init(&app);
    switch (cli_parse(&app, &cli_root, argc, argv, err, sizeof err)) {
    case CLI_PARSED_RUN:
        cli_settle_colours(&app);
        status = app.path[app.depth]->run(&app);
        break;
    case CLI_PARSED_HELP: cli_help(app.path, app.depth, cli_columns(&app), stdout); break;
    case CLI_PARSED_VERSION: printf("%s\n", MIDGE_VERSION); break;
    case CLI_PARSED_WRONG:
        // The bare program, or the bare name of a group, asks what there is.
        if (app.path[app.depth]->commands != NULL && strcmp(err, "a command is missing") == 0)
            cli_help(app.path, app.depth, cli_columns(&app), stdout);
        status = usage_error(&app, err);
        break;
    }
    status = flush_output(&app, status);
    cli_fini(&app);
    return status;
}
