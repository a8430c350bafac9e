// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tables: a title, headers, rows with separators between groups, a footer. Columns are as wide as their widest cell, in
// columns of the terminal, not in bytes (UTF-8).
//
//      cli_table *t = cli_table_new("Contexts");
//      CLI_TABLE_HEADERS(t, "Name", "Server");
//      CLI_TABLE_ROW(t, name, url);
//      CLI_TABLE_ROW(t, "sum", cli_bytes(n).s);         // cells are copied at once
//      cli_table_print(t, stdout);
//      cli_table_free(t);
//
// One thread at a time.
#ifndef MIDGE_CLI_TABLE_H
#define MIDGE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct cli_table cli_table;

enum cli_table_kind { CLI_TABLE_KIND_HEADERS, CLI_TABLE_KIND_ROW, CLI_TABLE_KIND_FOOTER };

// title: copied, NULL for none.
cli_table *cli_table_new(const char *title);
void cli_table_free(cli_table *t);

// Cells are copied; NULL is an empty cell. Rows may have different numbers of cells. Line breaks make a cell taller.
void cli_table_add(cli_table *t, enum cli_table_kind kind, const char *const *cells, size_t n);

#define CLI_TABLE_ADD(t, kind, ...)                                                                                  \
    cli_table_add((t), (kind), (const char *const[]){__VA_ARGS__},                                                   \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define CLI_TABLE_HEADERS(t, ...) CLI_TABLE_ADD(t, CLI_TABLE_KIND_HEADERS, __VA_ARGS__)
#define CLI_TABLE_ROW(t, ...)     CLI_TABLE_ADD(t, CLI_TABLE_KIND_ROW, __VA_ARGS__)
#define CLI_TABLE_FOOTER(t, ...)  CLI_TABLE_ADD(t, CLI_TABLE_KIND_FOOTER, __VA_ARGS__)

// A line between the rows before and those after.
void cli_table_separator(cli_table *t);

// Numbers read better at the right; columns are counted from 0.
void cli_table_align_right(cli_table *t, size_t column);

size_t cli_table_rows(const cli_table *t); // without headers and footer

enum cli_table_format { CLI_TABLE_ROUNDED, CLI_TABLE_MARKDOWN, CLI_TABLE_CSV, CLI_TABLE_TSV };

typedef struct cli_table_style {
    enum cli_table_format format;
    const char *color; // of the borders: yellow, blue, cyan, green, magenta, red; NULL or another word: none
    size_t width;      // lines are cut to it; 0: not
} cli_table_style;

// The format that a value of NATS_TABLE_FORMAT means: md or markdown, csv, tsv; else rounded. NULL is fine.
enum cli_table_format cli_table_format_of(const char *word);

void cli_table_write(const cli_table *t, const cli_table_style *style, FILE *out);

// The usual way: format from the environment (NATS_TABLE_FORMAT, LLMFORMAT=1 is md), cut to the terminal's width if
// out is one, without colour of its own.
void cli_table_print(const cli_table *t, FILE *out);

// How many columns a terminal gives to text: UTF-8, wide characters count 2, combining ones 0.
size_t cli_text_width(const char *s);

#endif
