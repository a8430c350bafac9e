// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge context edit: a copy of the file is edited and replaces the original only if it is a context still.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/context_cmd.h"
#include "client/cli/child.h"

static int edit_copy(cli *app, const cli_context *c, char *path) {
    const char *editor = getenv("EDITOR");
    if (editor == NULL || *editor == '\0') return cli_fail(app, "set the EDITOR environment variable to your editor");
    int fd = mkstemps(path, 5); // 5: ".json"
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) return cli_fail(app, "cannot make a copy to edit: %s", strerror(errno));
    cli_json j = {.out = file, .indent = 2};
    cli_context_write(c, &j, false);
    int status = fclose(file) == 0 ? CLI_OK : cli_fail(app, "cannot write %s: %s", path, strerror(errno));
    const char **words = cli_words_split(cli_printf(app, "%s %s", editor, path));
    int ended = status == CLI_OK && words != NULL ? cli_spawn_interactive(words) : 0;
    cli_words_free(words);
    return ended == 0 ? status : cli_fail(app, "the editor \"%s\" failed; the context is as it was", editor);
}

int cli_context_run_edit(cli *app) {
    const char *name = cli_arg_of(app, "name");
    cli_context c, edited;
    char err[512], path[] = "/tmp/midge-context-XXXXXX.json";
    if (!cli_context_known(app, name)) return cli_fail(app, "unknown context \"%s\"", name);
    if (cli_context_load(app, name, &c, err, sizeof err) != 0) return cli_fail(app, "%s", err);
    int status = edit_copy(app, &c, path);
    if (status == CLI_OK && (cli_context_load_file(app, path, &edited, err, sizeof err) != 0 ||
                             cli_context_save(app, &edited, name, err, sizeof err) != 0))
        status = cli_fail(app, "%s; the context is as it was", err);
    unlink(path);
    if (status == CLI_OK) cli_context_show(app, &edited, false);
    return status;
}
