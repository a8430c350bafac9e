// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Configs that are changed: what is different, and editing them as JSON.
#ifndef CLI_JS_EDIT_H
#define CLI_JS_EDIT_H

#include "client/cli/js.h"

// Prints what changes between two configs, without blanks. False: nothing more is to be done, and *status says how it
// ends: nothing changes, or --dry-run.
bool cli_js_agreed(cli_js *js, midge_str old, midge_str new, int *status);

// The text after $EDITOR; MIDGE_NONE: it has been said why there is none.
midge_str cli_js_edited(cli_js *js, midge_str text);

// Writes a config to a file. Returns the exit status.
int cli_js_save(cli *app, const char *path, midge_str text);

#endif
