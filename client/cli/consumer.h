// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge consumer`.
#ifndef CLI_CONSUMER_H
#define CLI_CONSUMER_H

#include "client/cli/js.h"

// Loads the consumer that the arguments name into js->op.consumer, whose texts then have both names. False: it has been
// said why not.
bool cli_consumer_load(cli_js *js);
// "STREAM > CONSUMER" of js->op.consumer.
const char *cli_consumer_title(cli_js *js);
// Prints js->op.consumer: JSON with --json, else columns; the config only if with_config.
void cli_consumer_show(cli_js *js, bool with_config);

const char *cli_ack_name(enum midge_ack_policy p);
bool cli_consumer_is_pull(const midge_consumer_config *c);

// The flags of a config, for tables. What was given is laid over *c. CLI_FAILED: said why.
extern const cli_flag cli_consumer_config_flags[];
int cli_consumer_config_flags_apply(cli_js *js, midge_consumer_config *c);
// The config that a JSON text holds, in memory of js; CLI_FAILED: said why, also of MIDGE_NONE.
int cli_consumer_config_read(cli_js *js, midge_str text, midge_consumer_config *c);
// "1h30m" from now on, or "2026-01-02 15:04:05" in UTC. CLI_FAILED: said why.
int cli_consumer_until(cli *app, const char *text, int64_t *until);

extern const cli_arg cli_consumer_args[];
extern const cli_command cli_command_consumer_add, cli_command_consumer_edit, cli_command_consumer_copy;
extern const cli_command cli_command_consumer_ls, cli_command_consumer_report;
extern const cli_command cli_command_consumer_next, cli_command_consumer_sub;
extern const cli_command cli_command_consumer_pause, cli_command_consumer_resume;

#endif
