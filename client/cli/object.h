// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge object`.
#ifndef CLI_OBJECT_H
#define CLI_OBJECT_H

#include "client/cli/js.h"

// Loads the bucket of the argument into js->op.stream; its name, or NULL: it has been said why not.
const char *cli_object_bucket(cli_js *js);
void cli_object_show_bucket(cli_js *js);
void cli_object_show(cli_js *js, const midge_object *o);
// Says what failed with an object, or with the bucket; returns CLI_FAILED or CLI_INTERRUPTED.
int cli_object_failed(cli_js *js, int err, const char *what, const char *bucket, const char *name);

extern const cli_arg cli_object_bucket_arg[];
extern const cli_command cli_command_object_add, cli_command_object_edit, cli_command_object_put;
extern const cli_command cli_command_object_get, cli_command_object_ls;

#endif
