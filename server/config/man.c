// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Writes midge-server(8) from the text of --help, when the server is built. A line of that text is one of
//
//      Server                                  a group: begins at the margin
//          -p, --port <port>      text         a flag; its text begins after two blanks or more
//                                 more text    goes on with the text
//
// What stands before the first group (the usage line) and after the last flag is said in our own words below.
#include <stdio.h>
#include <string.h>

#include "server/config/cmdline.h"

static const char beginning[] =
    ".nh\n.ad l\n"
    ".SH NAME\nmidge\\-server \\- message broker that speaks the NATS protocol\n"
    ".SH SYNOPSIS\n.B midge\\-server\n[\\fIflags\\fR]\n"
    ".SH DESCRIPTION\n"
    ".B midge\\-server\naccepts clients of NATS and passes messages between them. It runs in the foreground and\n"
    "logs to standard error. Its flags are those of nats\\-server and override what the configuration file says, also\n"
    "when that file is loaded again.\n"
    ".PP\nA flag may have one or two dashes, and its value after a blank or after '='; a boolean only after '='.\n"
    ".SH OPTIONS\n";

static const char ending[] =
    ".SH SIGNALS\n"
    ".TP\nSIGINT, SIGTERM\nEnd. SIGTERM is ignored in lame duck mode.\n"
    ".TP\nSIGHUP\nLoad the configuration file again.\n"
    ".TP\nSIGUSR1\nOpen the log file again, after it was moved away.\n"
    ".TP\nSIGUSR2\nLame duck mode: accept no more clients, let those that are there move, then end.\n"
    ".PP\nThe flag \\-\\-signal sends them.\n"
    ".SH EXIT STATUS\n"
    ".TP\n0\nEnded by a signal, or what was asked for is done.\n"
    ".TP\n1\nThe flags or the configuration are wrong, or an address cannot be listened on.\n"
    ".SH SEE ALSO\n.BR midge (1)\n";

static void escaped(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '-' || s[i] == '\\') putchar('\\');
        putchar(s[i] == '\\' ? 'e' : s[i]);
    }
}

// The end of a flag's names: where two blanks stand.
static size_t names_len(const char *line, size_t n) {
    const char *end = memmem(line, n, "  ", 2);
    return end != NULL ? (size_t)(end - line) : n;
}

static void flag_line(const char *line, size_t n) {
    size_t names = names_len(line, n), text = names;
    while (text < n && line[text] == ' ')
        text++;
    fputs(".TP\n.B ", stdout);
    escaped(line, names);
    putchar('\n');
    escaped(line + text, n - text);
    putchar('\n');
}

static void usage_line(const char *line, size_t n) {
    size_t blanks = strspn(line, " ");
    if (blanks >= n) return;
    if (blanks == 0) {
        fputs(".SS ", stdout);
        escaped(line, n);
        putchar('\n');
    } else if (line[blanks] == '-') {
        flag_line(line + blanks, n - blanks);
    } else {
        escaped(line + blanks, n - blanks);
        putchar('\n');
    }
}

int main(void) {
    static const char heading[] = "Usage:", closing[] = "A flag may have";
    fputs(".TH MIDGE\\-SERVER 8 \"\" \"midge " MG_MAN_VERSION "\" \"System Administration\"\n", stdout);
    fputs(beginning, stdout);
    for (const char *line = mg_cmdline_usage(); *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (strncmp(line, closing, sizeof closing - 1) == 0) break;
        if (strncmp(line, heading, sizeof heading - 1) != 0) usage_line(line, n);
        line += n + (line[n] == '\n');
    }
    fputs(ending, stdout);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
