// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge(1), from the tables of commands. Roff needs care in two places only: a line that begins with '.' or ''' is a
// request, and '\' and '-' have meanings.
#include "client/cli/app.h"

#include <string.h>

#include "client/cli/describe.h"

static void escaped(FILE *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if ((s[i] == '.' || s[i] == '\'') && (i == 0 || s[i - 1] == '\n')) fputs("\\&", out);
        if (s[i] == '\\') {
            fputs("\\e", out);
        } else if (s[i] == '-') {
            fputs("\\-", out);
        } else {
            putc(s[i], out);
        }
    }
}

static void line(FILE *out, const char *before, const char *s) {
    fputs(before, out);
    escaped(out, s, strlen(s));
    putc('\n', out);
}

// Paragraphs; lines that begin with blanks are examples.
static void text_of(FILE *out, const char *text) {
    bool example = false;
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        bool indented = *text == ' ';
        if (indented != example && n > 0) fputs(indented ? ".PP\n.nf\n.RS\n" : ".RE\n.fi\n.PP\n", out);
        if (n > 0) example = indented;
        if (n == 0 && !example) fputs(".PP\n", out);
        size_t skip = indented ? strspn(text, " ") : 0;
        if (n > 0 || example) {
            escaped(out, text + skip, n - skip);
            putc('\n', out);
        }
        text += n + (text[n] == '\n');
    }
    if (example) fputs(".RE\n.fi\n", out);
}

static void flags_of(FILE *out, const cli_flag *flags) {
    char name[160], text[512];
    for (const cli_flag *f = flags; f != NULL && f->name != NULL; f++) {
        if (f->hidden) continue;
        cli_describe_flag(f, false, name, sizeof name);
        cli_describe_help(f, text, sizeof text);
        line(out, ".TP\n.B ", name);
        line(out, "", text);
    }
}

static void command(FILE *out, const cli_command **path, size_t depth) {
    const cli_command *c = path[depth];
    char text[512];
    if (c->hidden) return;
    if (depth > 0) {
        cli_describe_usage(path, depth, text, sizeof text);
        line(out, ".SS ", text);
        line(out, "", c->summary);
        fputs(".PP\n", out);
        if (c->aliases != NULL) line(out, "Also called: ", c->aliases);
        if (c->text != NULL) {
            fputs(".PP\n", out);
            text_of(out, c->text);
        }
        for (const cli_arg *a = c->args; a != NULL && a->name != NULL; a++) {
            cli_describe_arg(a, text, sizeof text);
            line(out, ".TP\n", text);
            line(out, "", a->help);
        }
        flags_of(out, c->flags);
        flags_of(out, c->shared);
    }
    for (size_t i = 0; c->commands != NULL && c->commands[i] != NULL && depth < CLI_DEPTH; i++) {
        path[depth + 1] = c->commands[i];
        command(out, path, depth + 1);
    }
}

// Variables that no flag names.
static const char environment[] =
    ".TP\n.B NO_COLOR\nWhen set and not empty: no colours.\n"
    ".TP\n.B NATS_TABLE_FORMAT\nTables as md, csv or tsv.\n"
    ".TP\n.B XDG_CONFIG_HOME\nWhere contexts are; default is ~/.config.\n"
    ".TP\n.B EDITOR\nEditor of context edit.\n";

static const char ending[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nDone. Also when a request had no responders or no reply in time, as natscli has it.\n"
    ".TP\n1\nNot done, wrong usage included; the reason is on standard error.\n"
    ".TP\n130\nInterrupted before it was done.\n"
    ".PP\nCommands below server check have the status of monitoring plugins: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN;\n"
    "always 0 with \\-\\-format prometheus.\n"
    ".SH FILES\n"
    ".TP\n.I ~/.config/nats/context/*.json\nContexts, shared with natscli.\n"
    ".TP\n.I ~/.config/nats/context.txt\nThe name of the selected context.\n"
    ".TP\n.I ~/.config/nats/previous\\-context.txt\nThe one before.\n"
    ".SH SEE ALSO\n.BR midge\\-server (8)\n";

void cli_man(const cli_command *root, FILE *out) {
    const cli_command *path[CLI_DEPTH + 1] = {root};
    fputs(".TH MIDGE 1 \"\" \"midge " MIDGE_VERSION "\" \"User Commands\"\n.nh\n.ad l\n", out);
    line(out, ".SH NAME\n", "midge - talk to midge-server and other NATS servers");
    fputs(".SH SYNOPSIS\n.B midge\n[\\fIflags\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n.SH DESCRIPTION\n", out);
    text_of(out, root->text);
    fputs(".SH COMMANDS\n", out);
    command(out, path, 0);
    fputs(".SH GLOBAL FLAGS\n", out);
    flags_of(out, cli_global_flags);
    line(out, ".TP\n.B ", "-h, --help");
    line(out, "", "Show help for the command");
    line(out, ".TP\n.B ", "--version");
    line(out, "", "Show the version");
    fputs(".SH ENVIRONMENT\nFlags that name a variable take their value from it when they are not given.\n", out);
    fputs(environment, out);
    fputs(ending, out);
}
