// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge stream`.
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "client/cli/js.h"

// Loads the stream that the argument names into js->op.stream; its name, or NULL: it has been said why not.
const char *cli_stream_load(cli_js *js);
// Prints what is known about a stream: `json` as it is with --json, else columns; the config only if with_config.
void cli_stream_show(cli_js *js, const midge_stream_result *s, midge_str json, bool with_config);
void cli_stream_show_replication(cli_facts *c, cli *app, const midge_stream_result *s);

// The flags of a config, for tables. What was given is laid over *c. CLI_FAILED: said why.
extern const cli_flag cli_stream_config_flags[];
int cli_stream_config_flags_apply(cli_js *js, midge_stream_config *c);
// The config that a JSON text holds, in memory of js; CLI_FAILED: said why, also of MIDGE_NONE.
int cli_stream_config_read(cli_js *js, midge_str text, midge_stream_config *c);

const char *cli_retention_name(enum midge_retention r);
const char *cli_storage_name(enum midge_storage s);

extern const cli_arg cli_stream_arg[];
extern const cli_command cli_command_stream_add, cli_command_stream_edit, cli_command_stream_copy;
extern const cli_command cli_command_stream_ls, cli_command_stream_report, cli_command_stream_subjects;
extern const cli_command cli_command_stream_get, cli_command_stream_rmm, cli_command_stream_view;

#endif
