// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Facts about one thing, a line each: names to the right, values to the left of a colon, under titles. The forms are
// those of the nats command.
//
//      cli_facts *c = cli_facts_new(app, "Information for Stream %s", name);
//      cli_facts_title(c, "State");
//      cli_facts_row(c, "Messages", "%s", cli_count(n).s);
//      cli_facts_print(c);
//
// The memory is the app's. One thread at a time.
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include "client/cli/cli.h"

typedef struct cli_facts cli_facts;

cli_facts *cli_facts_new(cli *app, const char *heading, ...) __attribute__((format(printf, 2, 3)));

// A line of its own, and an empty line before and after it. The lines up to the next title begin with so many blanks.
void cli_facts_title(cli_facts *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_facts_indent(cli_facts *c, unsigned blanks);

// name "": a further value of the row before.
void cli_facts_row(cli_facts *c, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Not if the value is NULL or empty.
void cli_facts_text(cli_facts *c, const char *name, const char *value);
void cli_facts_flag(cli_facts *c, const char *name, bool value);

// A line as it is; "": an empty line.
void cli_facts_line(cli_facts *c, const char *text);

// Writes to stdout.
void cli_facts_print(const cli_facts *c);

#endif
