// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How flags, arguments and commands are written in --help and in the manual.
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "client/cli/cli.h"

// "-H, --header=K:V ..."; shorts: leaves room for "-H, " where there is no short name.
void cli_describe_flag(const cli_flag *f, bool shorts, char *out, size_t size);
// The help, with choices and variable.
void cli_describe_help(const cli_flag *f, char *out, size_t size);
// "<subject>", "[<body>]", "[<subjects>...]"
void cli_describe_arg(const cli_arg *a, char *out, size_t size);
// "midge pub [<flags>] <subject> [<body>]"
void cli_describe_usage(const cli_command *const *path, size_t depth, char *out, size_t size);

#endif
