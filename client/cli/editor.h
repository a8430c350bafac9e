// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Texts that the user changes in $EDITOR.
#ifndef CLI_EDITOR_H
#define CLI_EDITOR_H

#include "client/cli/cli.h"

// A new .json file in $TMPDIR, or /tmp, that nobody else may read; *path is its name, to be unlinked. NULL: it has been
// said why there is none.
FILE *cli_editor_open(cli *app, const char **path);

// Closes what has been written, and runs $EDITOR on it. Returns the exit status; a failure has been said with what is
// kept then: "nothing is changed".
int cli_editor_run(cli *app, FILE *file, const char *path, const char *kept);

#endif
