// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages as they are shown. The plain forms are those of natscli, byte for byte; docs/CLI.md has the JSON schemas.
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "client/cli/cli.h"
#include "client/cli/json.h"

// Lines "Name: value", with `prefix` before each; a status line gives Status and Description. True: there were any.
bool cli_print_headers(FILE *out, const char *prefix, midge_str headers);

// The body, or what the command `translate` (NULL: none) makes of it; and, unless compact, the empty lines that natscli
// leaves after it.
void cli_print_body(cli *app, midge_str data, const char *translate, const char *subject, bool compact);

// What the command makes of data, of malloc, *len bytes; NULL: err has why and output what it printed (of malloc).
char *cli_translate(const char *command, midge_str data, const char *subject, size_t *len, char **output, char *err,
                    size_t err_size);

// Members subject, reply?, headers?, status?, bytes, and data or data_base64 (for what is no UTF-8).
void cli_json_message(cli_json *j, midge_str subject, midge_str reply, midge_str headers, midge_str data);
// Of these the last two.
void cli_json_data(cli_json *j, midge_str data);
void cli_json_headers(cli_json *j, const char *name, midge_str headers);
// Now, RFC 3339 with nanoseconds, UTC; 31 bytes.
void cli_time_text(char *out, size_t size);
void cli_json_now(cli_json *j, const char *name);

// One line of the JSON that natscli's --dump writes, without a line break.
void cli_dump_message(FILE *out, midge_str subject, midge_str reply, midge_str headers, midge_str data);

// A copy that lives until free(): one block of malloc; NULL: out of memory.
midge_msg *cli_message_dup(const midge_msg *msg);

// Wildcards on both sides: do the two share a subject?
bool cli_subjects_collide(const char *a, const char *b);

#endif
