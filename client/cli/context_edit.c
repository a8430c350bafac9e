// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge context edit: a copy of the file is edited and replaces the original only if it is a context still.
#include <unistd.h>

#include "client/cli/context_cmd.h"
#include "client/cli/editor.h"

int cli_context_run_edit(cli *app) {
    const char *name = cli_arg_of(app, "name"), *path;
    cli_context c, edited;
    char err[512];
    if (!cli_context_known(app, name)) return cli_fail(app, "unknown context \"%s\"", name);
    if (cli_context_load(app, name, &c, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    cli_json j = {.out = cli_editor_open(app, &path), .indent = 2};
    if (j.out == NULL) return CLI_FAILED;
    cli_context_write(&c, &j, false);
    int status = cli_editor_run(app, j.out, path, "the context is as it was");
    if (status == CLI_OK && (cli_context_load_file(app, path, &edited, err, sizeof err) != 0 ||
                             cli_context_save(app, &edited, name, err, sizeof err) != 0))
        status = cli_fail(app, "%s; the context is as it was", err);
    unlink(path);
    if (status == CLI_OK) cli_context_show(app, &edited, false);
    return status;
}
