// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/commands.h"
#include "client/cli/kv.h"

static const cli_command *const commands[] = {
    &cli_command_kv_add,   &cli_command_kv_edit,  &cli_command_kv_put,     &cli_command_kv_get,
    &cli_command_kv_create, &cli_command_kv_update, &cli_command_kv_del,   &cli_command_kv_purge,
    &cli_command_kv_history, &cli_command_kv_revert, &cli_command_kv_info, &cli_command_kv_watch,
    &cli_command_kv_ls,    &cli_command_kv_compact, NULL,
};

const cli_command cli_command_kv = {
    .name = "kv",
    .summary = "Keys and values in buckets of JetStream",
    .text = "  midge kv add CONFIG --history 5\n"
            "  midge kv put CONFIG db.host db1\n"
            "  midge kv watch CONFIG\n",
    .commands = commands,
};
