// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Commands that flags name: `reply --command`, `--translate`, and the helpers of credential URIs.
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "client/core/midge.h"

// Splits a command line as a shell does: blanks separate, '...' keeps all, "..." and \ as in sh. No variables, globs or
// pipes. Words are of malloc, ends with NULL; free with cli_words_free. NULL: a quote does not end, or no word.
const char **cli_words_split(const char *line);
void cli_words_free(const char **words);

// Runs words[0] of $PATH with the variables that `env` adds ("NAME=value", ends with NULL; NULL: none), gives it
// `input` and collects its output, of malloc, *len bytes. with_errors: stderr as well, else it goes where ours goes.
// The exit status, 128 + n after signal n, or -1: it could not be started (errno).
int cli_spawn(const char *const words[], const char *const env[], midge_str input, bool with_errors, char **output,
              size_t *len);

// Runs an editor or the like that talks to the terminal. As above.
int cli_spawn_interactive(const char *const words[]);

#endif
