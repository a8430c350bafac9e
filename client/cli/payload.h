// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What pub, request and reply send: templates filled in, headers built, bodies read from stdin.
#ifndef CLI_PAYLOAD_H
#define CLI_PAYLOAD_H

#include "client/cli/cli.h"

// One message that is ready. Texts are of the caller's arguments or of malloc; cli_payload_drop frees the latter.
typedef struct cli_payload {
    midge_str subject, body, headers;
    char *owned[3];
} cli_payload;

typedef struct cli_filler {
    bool templates;
    uint64_t random; // state
} cli_filler;

// templates: fill in subject and body. Header values are always filled in, as natscli does.
void cli_filler_init(cli_filler *f, bool templates);

// A template that cannot be filled in is told and sent as it is. 0, or -1 after a sentence about a header.
int cli_payload_make(cli *app, cli_filler *f, uint64_t count, const char *subject, midge_str body, midge_str request,
                     const char *const *headers, size_t headers_len, cli_payload *out);
void cli_payload_drop(cli_payload *p);

// ---- stdin ----------------------------------------------------------------------------------------------------------

#define CLI_STDIN_MAX (64u << 20) // bytes of one body

// Zeroed memory is a good start.
typedef struct cli_stdin {
    char *buf;
    size_t from, to, room; // what is read and not taken
    bool eof;
} cli_stdin;

// The connection lives on while stdin is slow. 1: there is a body (valid until the next call); 0: the end; -1: failed
// or interrupted, and why has been printed. A line has no line break; all of stdin is one body once, even if empty.
int cli_stdin_line(cli *app, midge_conn *conn, cli_stdin *s, midge_str *body);
int cli_stdin_all(cli *app, midge_conn *conn, cli_stdin *s, midge_str *body);
void cli_stdin_fini(cli_stdin *s);

// Is the body to be read from stdin? Yes when none was given and stdin is a pipe or a file, or all is a terminal.
bool cli_stdin_wanted(const cli *app, bool body_given, bool forced);

#endif
