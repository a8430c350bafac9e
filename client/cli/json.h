// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JSON for the command line: a writer of what --json prints, and a reader of small files. Numbers are never doubles.
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/core/midge.h"

// ---- writing --------------------------------------------------------------------------------------------------------

#define CLI_JSON_DEPTH 16

// Zeroed but for out, and indent (blanks a level; 0: all on one line).
typedef struct cli_json {
    FILE *out;
    unsigned indent;
    unsigned depth;
    bool filled[CLI_JSON_DEPTH]; // the object or array of this depth has a member
} cli_json;

// name is NULL in arrays and for the outermost value, which ends with a line break.
void cli_json_begin(cli_json *j, const char *name, char bracket); // '{' or '['
void cli_json_end(cli_json *j, char bracket);                     // '}' or ']'
void cli_json_string(cli_json *j, const char *name, const char *s); // NULL writes ""
void cli_json_bytes(cli_json *j, const char *name, midge_str s);    // as text; what is no UTF-8 becomes U+FFFD
void cli_json_uint(cli_json *j, const char *name, uint64_t v);
void cli_json_int(cli_json *j, const char *name, int64_t v);
void cli_json_bool(cli_json *j, const char *name, bool v);
void cli_json_raw(cli_json *j, const char *name, const char *text); // text is JSON
// A duration as seconds with its nanoseconds, the shortest form: 0.000893973.
void cli_json_seconds(cli_json *j, const char *name, uint64_t ns);

// The escaped and quoted text alone.
void cli_json_quote(FILE *out, midge_str s);
bool cli_utf8_valid(midge_str s);

// Standard alphabet with padding.
void cli_base64_write(FILE *out, midge_str s);
// Decodes into out (at least n / 4 * 3 + 3 bytes); the length, or SIZE_MAX: not base64. Line breaks are skipped.
size_t cli_base64_read(const char *s, size_t n, char *out);

// ---- reading --------------------------------------------------------------------------------------------------------

typedef struct cli_json_reader {
    const char *at, *end;
    char closing; // '}' or ']'
    bool first, bad;
} cli_json_reader;

// Enters an object or array. False: it is none.
bool cli_json_enter(cli_json_reader *r, midge_str text, char bracket);
// The next member: its name (of arrays MIDGE_NONE) as it stands in the text, and its value, quotes included. False: at
// the end, or `bad`: the text is no JSON.
bool cli_json_next(cli_json_reader *r, midge_str *name, midge_str *value);
// Only blanks follow the object: to be asked of the outermost when cli_json_next has said false.
bool cli_json_done(const cli_json_reader *r);
// The text of a string value (with its quotes): unescaped into out (at least value.n bytes), terminated; its length.
// SIZE_MAX: it is no string.
size_t cli_json_unquote(midge_str value, char *out);

#endif
