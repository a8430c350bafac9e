// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/commands.h"

static const cli_command *const commands[] = {
    &cli_command_account,  &cli_command_bench,   &cli_command_completion, &cli_command_complete,
    &cli_command_consumer, &cli_command_context, &cli_command_help,       &cli_command_kv,
    &cli_command_latency,  &cli_command_object,  &cli_command_pub,        &cli_command_reply,
    &cli_command_request,  &cli_command_rtt,     &cli_command_server,     &cli_command_stream,
    &cli_command_sub,      NULL,
};

const cli_command cli_root = {
    .name = "midge",
    .summary = "Talk to midge-server and other NATS servers",
    .text = "Commands, flags, variables and contexts are those of the nats command.\n"
            "\n"
            "  midge sub 'orders.>'\n"
            "  midge pub orders.new 'Order {{Count}}' --count 3\n"
            "  midge request time.in.oslo '' --timeout 1s\n"
            "  midge context add local --server 127.0.0.1:4222 --select\n",
    .commands = commands,
};
