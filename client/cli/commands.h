// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// All commands of the first level, each in its cmd_*.c (or bench.c, latency.c).
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "client/cli/bench.h"
#include "client/cli/cli.h"

extern const cli_command cli_command_account;
extern const cli_command cli_command_completion;
extern const cli_command cli_command_complete; // hidden: asked by the shells
extern const cli_command cli_command_consumer;
extern const cli_command cli_command_context;
extern const cli_command cli_command_help;
extern const cli_command cli_command_kv;
extern const cli_command cli_command_object;
extern const cli_command cli_command_pub;
extern const cli_command cli_command_reply;
extern const cli_command cli_command_request;
extern const cli_command cli_command_rtt;
extern const cli_command cli_command_server;
extern const cli_command cli_command_stream;
extern const cli_command cli_command_sub;

#endif
