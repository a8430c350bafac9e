// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The characters of a config file: blanks, comments, keys, include paths and scalars (spec/client-protocol.md B5).
// Structure (maps, arrays, variables) is the parser's. The lexer reads a slice that it does not own.
#ifndef MG_CONFIG_LEX_H
#define MG_CONFIG_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

#define MG_LEX_EOF (-1)

enum mg_lex_kind {
    MG_LEX_STRING,
    MG_LEX_INT,
    MG_LEX_FLOAT,
    MG_LEX_BOOL,
    MG_LEX_DATETIME,
    MG_LEX_VARIABLE, // text is the name without the '$'
};

struct mg_lex {
    mg_slice in;
    size_t pos;
    int line;          // of pos, from 1
    size_t line_start; // offset of that line's first byte
    struct mg_buf err; // text of the failure; the owner frees it
};

struct mg_lex_scalar {
    enum mg_lex_kind kind;
    struct mg_buf text; // STRING, DATETIME, VARIABLE: the value; else what was written. Owned by the caller.
    int64_t i;
    double f;
    bool b;
};

void mg_lex_init(struct mg_lex *l, mg_slice in);
void mg_lex_fini(struct mg_lex *l);

int mg_lex_peek(const struct mg_lex *l);             // the byte at pos, or MG_LEX_EOF
int mg_lex_peek_at(const struct mg_lex *l, size_t k); // the byte k after pos, or MG_LEX_EOF
void mg_lex_next(struct mg_lex *l);                  // steps over one byte; must not be at the end
int mg_lex_col(const struct mg_lex *l);              // column of pos, in bytes from 1

void mg_lex_skip_blanks(struct mg_lex *l);  // spaces and tabs
void mg_lex_skip_space(struct mg_lex *l);   // and line ends
bool mg_lex_skip_comment(struct mg_lex *l); // at '#' or "//": up to the line end; false if there is none
bool mg_lex_is_nl(int c);
bool mg_lex_is_space(int c);

// Reads a key into out (cleared first). *bare: it was written without quotes.
int mg_lex_key(struct mg_lex *l, struct mg_buf *out, bool *bare);
// Reads the path after the word include.
int mg_lex_include_path(struct mg_lex *l, struct mg_buf *out);
// Reads any value that is no array and no map. Blanks before it are already skipped.
int mg_lex_scalar(struct mg_lex *l, struct mg_lex_scalar *s);

// Sets the error text "Parse error on line N: '...'" and returns MG_ESYNTAX.
int mg_lex_fail(struct mg_lex *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The character at pos as error texts show it: the whole UTF-8 sequence, "\\n" for a line end, "EOF". Returns buf.
const char *mg_lex_show(const struct mg_lex *l, char buf[8]);

#endif
