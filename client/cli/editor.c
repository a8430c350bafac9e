// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/editor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/child.h"

FILE *cli_editor_open(cli *app, const char **path) {
    const char *editor = getenv("EDITOR"), *folder = getenv("TMPDIR");
    if (editor == NULL || *editor == '\0') {
        cli_fail(app, "set the EDITOR environment variable to your editor");
        return NULL;
    }
    char *name = cli_printf(app, "%s/midge-XXXXXX.json", folder != NULL && *folder != '\0' ? folder : "/tmp");
    int fd = mkstemps(name, 5); // 5: ".json"
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) cli_fail(app, "cannot make the copy to edit %s: %s", name, strerror(errno));
    *path = name;
    return file;
}

int cli_editor_run(cli *app, FILE *file, const char *path, const char *kept) {
    const char *editor = getenv("EDITOR");
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) return cli_fail(app, "cannot write %s: %s", path, strerror(errno));
    const char **words = cli_words_split(cli_printf(app, "%s %s", editor, path));
    int ended = words != NULL ? cli_spawn_interactive(words) : -1;
    cli_words_free(words);
    return ended == 0 ? CLI_OK : cli_fail(app, "the editor \"%s\" failed; %s", editor, kept);
}
