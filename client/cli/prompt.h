// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Questions. They are asked only if stdin and stdout are a terminal; elsewhere a command fails and says what to give.
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include "client/cli/cli.h"

bool cli_can_ask(const cli *app);

// True: yes. False: *status is CLI_OK after a no, or CLI_FAILED where nobody can be asked. `force` is a yes.
bool cli_confirm(cli *app, bool force, int *status, const char *question, ...) __attribute__((format(printf, 4, 5)));

// A line of text; NULL: there is none, and it has been said that `what` is missing.
const char *cli_ask(cli *app, const char *what, const char *question);

// One of the names, by its number or as it is; NULL as above.
const char *cli_pick(cli *app, const char *what, const midge_str *names, size_t n);

#endif
