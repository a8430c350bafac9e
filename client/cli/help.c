// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// --help from the tables, laid out as natscli lays out its own: usage, text, arguments or commands, flags, aliases,
// global flags. Names stand in a column that is as wide as the widest of them, within reason; texts are broken at
// blanks to the width of the terminal.
#include "client/cli/app.h"

#include <string.h>

#include "client/cli/describe.h"

#define NAMES_MAX 28 // columns; a longer name has its text on the next line

// ---- the names of things, shared with man.c -------------------------------------------------------------------------

void cli_describe_flag(const cli_flag *f, bool shorts, char *out, size_t size) {
    char value[96] = "", letter[8] = "";
    if (f->placeholder != NULL) {
        snprintf(value, sizeof value, "=%s", f->placeholder);
    } else if (f->value != NULL) {
        snprintf(value, sizeof value, "=%s", f->value);
    } else {
        snprintf(value, sizeof value, "=%s", f->name);
        for (char *c = value; *c != '\0'; c++)
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    }
    if (f->type == CLI_SWITCH || f->type == CLI_BOOL) value[0] = '\0';
    if (f->short_name != 0) {
        snprintf(letter, sizeof letter, "-%c, ", f->short_name);
    } else if (shorts) {
        snprintf(letter, sizeof letter, "    ");
    }
    snprintf(out, size, "%s--%s%s%s%s", letter, f->type == CLI_BOOL ? "[no-]" : "", f->name, value,
             f->type == CLI_STRINGS ? " ..." : "");
}

void cli_describe_help(const cli_flag *f, char *out, size_t size) {
    char choices[160] = "", env[64] = "";
    for (const char *at = f->choices; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, " "), used = strlen(choices);
        snprintf(choices + used, sizeof choices - used, "%s%.*s%s", at == f->choices ? " (" : "", (int)n, at,
                 at[n] == ' ' ? ", " : ")");
        at += n + (at[n] == ' ');
    }
    if (f->env != NULL) snprintf(env, sizeof env, " ($%s)", f->env);
    snprintf(out, size, "%s%s%s", f->help, choices, env);
}

void cli_describe_arg(const cli_arg *a, char *out, size_t size) {
    snprintf(out, size, "%s<%s>%s%s", a->required ? "" : "[", a->name, a->many ? "..." : "", a->required ? "" : "]");
}

void cli_describe_usage(const cli_command *const *path, size_t depth, char *out, size_t size) {
    const cli_command *c = path[depth];
    size_t n = (size_t)snprintf(out, size, "midge");
    for (size_t i = 1; i <= depth && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, " %s", path[i]->name);
    if (c->commands != NULL) {
        if (n < size) snprintf(out + n, size - n, " [<flags>] <command> [<args> ...]");
        return;
    }
    if (c->flags != NULL && n < size) n += (size_t)snprintf(out + n, size - n, " [<flags>]");
    for (size_t i = 0; c->args != NULL && c->args[i].name != NULL && n < size; i++) {
        char arg[80];
        cli_describe_arg(&c->args[i], arg, sizeof arg);
        n += (size_t)snprintf(out + n, size - n, " %s", arg);
    }
}

// ---- layout ---------------------------------------------------------------------------------------------------------

// Prints text broken at blanks: the cursor is at column `at`; lines begin at `indent` and end before `columns`.
static void wrap(FILE *out, const char *text, unsigned at, unsigned indent, unsigned columns) {
    bool fresh = true;
    while (*text != '\0') {
        unsigned n = (unsigned)strcspn(text, " ");
        if (!fresh && at + 1 + n > columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            fresh = true;
        }
        fprintf(out, "%s%.*s", fresh ? "" : " ", (int)n, text);
        at += n + !fresh;
        fresh = false;
        text += n;
        while (*text == ' ')
            text++;
    }
    putc('\n', out);
}

// A name, and its text in the column `names`.
static void row(FILE *out, const char *name, const char *text, unsigned names, unsigned columns) {
    unsigned n = (unsigned)strlen(name), column = 2 + names + 2;
    fprintf(out, "  %s", name);
    if (n > names) {
        fprintf(out, "\n%*s", (int)column, "");
    } else {
        fprintf(out, "%*s", (int)(column - 2 - n), "");
    }
    wrap(out, text, column, column, columns);
}

static unsigned wider(unsigned names, const char *name) {
    unsigned n = (unsigned)strlen(name);
    return n > names && n <= NAMES_MAX ? n : names;
}

// Paragraphs are wrapped, lines that begin with a blank are kept.
static void paragraphs(FILE *out, const char *text, unsigned columns) {
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        char line[1024];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        if (line[0] == ' ' || line[0] == '\0') {
            fprintf(out, "%s\n", line);
        } else {
            wrap(out, line, 0, 0, columns);
        }
        text += n + (text[n] == '\n');
    }
    putc('\n', out);
}

static void flags_of(FILE *out, const char *title, const cli_flag *flags, bool standard, unsigned columns) {
    char name[160], text[512];
    bool shorts = standard, any = standard;
    unsigned names = 0;
    for (const cli_flag *f = flags; f->name != NULL; f++) {
        if (f->short_name != 0) shorts = true;
        if (!f->hidden) any = true;
    }
    if (!any) return;
    for (const cli_flag *f = flags; f->name != NULL; f++) {
        cli_describe_flag(f, shorts, name, sizeof name);
        if (!f->hidden) names = wider(names, name);
    }
    fprintf(out, "%s:\n", title);
    if (standard) {
        row(out, "-h, --help", "Show this text", names, columns);
        row(out, "    --version", "Show the version", names, columns);
    }
    for (const cli_flag *f = flags; f->name != NULL; f++) {
        if (f->hidden) continue;
        cli_describe_flag(f, shorts, name, sizeof name);
        cli_describe_help(f, text, sizeof text);
        row(out, name, text, names, columns);
    }
    putc('\n', out);
}

static void commands_of(FILE *out, const cli_command *group, unsigned columns) {
    unsigned names = 0;
    for (size_t i = 0; group->commands[i] != NULL; i++)
        if (!group->commands[i]->hidden) names = wider(names, group->commands[i]->name);
    fputs("Commands:\n", out);
    for (size_t i = 0; group->commands[i] != NULL; i++)
        if (!group->commands[i]->hidden)
            row(out, group->commands[i]->name, group->commands[i]->summary, names, columns);
    putc('\n', out);
}

static void args_of(FILE *out, const cli_arg *args, unsigned columns) {
    char name[80];
    unsigned names = 0;
    for (const cli_arg *a = args; a->name != NULL; a++) {
        cli_describe_arg(a, name, sizeof name);
        names = wider(names, name);
    }
    fputs("Args:\n", out);
    for (const cli_arg *a = args; a->name != NULL; a++) {
        cli_describe_arg(a, name, sizeof name);
        row(out, name, a->help, names, columns);
    }
    putc('\n', out);
}

void cli_help(const cli_command *const *path, size_t depth, unsigned columns, FILE *out) {
    const cli_command *c = path[depth];
    char usage[512];
    if (columns > 120) columns = 120; // longer lines are hard to read
    cli_describe_usage(path, depth, usage, sizeof usage);
    fprintf(out, "usage: %s\n\n%s\n\n", usage, c->summary);
    if (c->text != NULL) paragraphs(out, c->text, columns);
    if (c->args != NULL) args_of(out, c->args, columns);
    if (c->commands != NULL) commands_of(out, c, columns);
    if (c->flags != NULL) flags_of(out, "Flags", c->flags, false, columns);
    if (c->shared != NULL) flags_of(out, "More flags", c->shared, false, columns);
    if (c->aliases != NULL) {
        fputs("Aliases: ", out);
        for (const char *at = c->aliases; *at != '\0'; at++)
            fputs(*at == ' ' ? ", " : (const char[]){*at, '\0'}, out);
        fputs("\n\n", out);
    }
    flags_of(out, "Global flags", cli_global_flags, true, columns);
    for (size_t level = depth; level-- > 1;)
        if (path[level]->flags != NULL) {
            char title[64];
            snprintf(title, sizeof title, "Flags of %s", path[level]->name);
            flags_of(out, title, path[level]->flags, false, columns);
        }
}
