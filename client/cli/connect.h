// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// From flags and context to a connection: what `context` needs besides cli.h.
#ifndef CLI_CONNECT_H
#define CLI_CONNECT_H

#include "client/cli/cli.h"
#include "client/cli/context.h"

// Lays flags and their variables over a context.
void cli_context_override(cli *app, cli_context *c);

// The options that a context means. 0, or -1 and a sentence in err.
int cli_context_options(cli *app, const cli_context *c, midge_options *o, char *err, size_t err_size);

// A path with "~" and variables filled in.
const char *cli_context_expand(cli *app, const char *path);

// The text that a reference means: a URI, a path, or, if literal, itself. NULL and a sentence in err.
const char *cli_resolve(cli *app, const char *ref, bool literal, char *err, size_t err_size);

// What to do about a failed connect: begins with "; ", or "".
const char *cli_connect_hint(const char *reason);

#endif
