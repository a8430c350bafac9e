// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Lines are collected first, because the widest name decides where the colons stand. A title has an empty line before
// it unless one is there already, or it follows another title.
#include "client/cli/facts.h"

#include <assert.h>
#include <string.h>

#include "client/cli/table.h"

enum kind { ROW, TITLE, LINE, INDENT };

typedef struct line {
    struct line *next;
    enum kind kind;
    unsigned indent;
    const char *name, *value;
} line;

struct cli_facts {
    cli *app;
    const char *heading;
    line *first, **last;
};

static line *add(cli_facts *c, enum kind kind, const char *name, const char *value) {
    line *l = cli_alloc(c->app, sizeof *l);
    *l = (line){.kind = kind, .name = name, .value = value};
    *c->last = l;
    c->last = &l->next;
    return l;
}

static char *format_text(cli *app, const char *format, va_list args) {
    assert(format != NULL);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    assert(n >= 0);
    char *text = cli_alloc(app, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

#define FORMAT(text, c)                                                                                              \
    va_list args;                                                                                                    \
    va_start(args, format);                                                                                          \
    const char *text = format_text((c)->app, format, args);                                                          \
    va_end(args)

cli_facts *cli_facts_new(cli *app, const char *format, ...) {
    cli_facts *c = cli_alloc(app, sizeof *c);
    c->app = app;
    c->last = &c->first;
    FORMAT(heading, c);
    c->heading = heading;
    return c;
}

void cli_facts_title(cli_facts *c, const char *format, ...) {
    FORMAT(text, c);
    add(c, TITLE, text, "");
}

void cli_facts_indent(cli_facts *c, unsigned blanks) {
    add(c, INDENT, "", "")->indent = blanks;
}

void cli_facts_row(cli_facts *c, const char *name, const char *format, ...) {
    FORMAT(text, c);
    add(c, ROW, cli_strndup(c->app, name, strlen(name)), text);
}

void cli_facts_text(cli_facts *c, const char *name, const char *value) {
    if (value != NULL && *value != '\0') cli_facts_row(c, name, "%s", value);
}

void cli_facts_flag(cli_facts *c, const char *name, bool value) {
    cli_facts_row(c, name, "%s", value ? "true" : "false");
}

void cli_facts_line(cli_facts *c, const char *text) { add(c, LINE, text, ""); }

// An empty line stands before a title, unless there is one.
static bool needs_gap(const line *before) {
    if (before == NULL || before->kind == TITLE) return false;
    return before->kind != LINE || *before->name != '\0';
}

void cli_facts_print(const cli_facts *c) {
    size_t widest = 0;
    unsigned indent = 0;
    const line *before = NULL;
    const char *colour = cli_colour(c->app, cli_scheme(c->app)), *plain = *colour ? cli_colour(c->app, CLI_PLAIN) : "";
    for (const line *l = c->first; l != NULL; l = l->next) {
        size_t width = l->kind == ROW ? cli_text_width(l->name) : 0;
        if (width > widest) widest = width;
    }
    printf("%s\n\n", c->heading);
    for (const line *l = c->first; l != NULL; l = l->next) {
        if (l->kind == INDENT) {
            indent = l->indent;
            continue;
        }
        int pad = (int)(indent + widest - cli_text_width(l->kind == ROW ? l->name : "") + 2);
        if (l->kind == LINE) printf("%s\n", l->name);
        if (l->kind == TITLE) printf("%s%*s%s:\n\n", needs_gap(before) ? "\n" : "", (int)indent, "", l->name);
        if (l->kind == ROW && *l->name == '\0') printf("%*s %s\n", pad + 1, "", l->value);
        if (l->kind == ROW && *l->name != '\0') printf("%*s%s%s:%s %s\n", pad, "", l->name, colour, plain, l->value);
        before = l;
    }
}
