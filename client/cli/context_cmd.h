// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge context`.
#ifndef CLI_CONTEXT_CMD_H
#define CLI_CONTEXT_CMD_H

#include "client/cli/cli.h"
#include "client/cli/context.h"

// Prints a context, and with `connect` whether one can connect.
void cli_context_show(cli *app, const cli_context *c, bool connect);

int cli_context_run_edit(cli *app);

extern const cli_command cli_command_context_info, cli_command_context_validate;

#endif
