// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/prompt.h"

#include <string.h>
#include <unistd.h>

#include "client/cli/units.h"

bool cli_can_ask(const cli *app) { return isatty(STDIN_FILENO) == 1 && cli_out_is_terminal(app); }

bool cli_confirm(cli *app, bool force, int *status, const char *question, ...) {
    char line[16] = "";
    *status = CLI_OK;
    if (force) return true;
    if (!cli_can_ask(app)) {
        *status = cli_fail(app, "cannot ask for confirmation without a terminal; --force does it without asking");
        return false;
    }
    va_list args;
    va_start(args, question);
    vprintf(question, args);
    va_end(args);
    printf("? (y/N) ");
    fflush(stdout);
    return fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

const char *cli_ask(cli *app, const char *what, const char *question) {
    char line[1024];
    if (!cli_can_ask(app)) {
        cli_fail(app, "%s is missing, and there is no terminal to ask for it", what);
        return NULL;
    }
    printf("%s: ", question);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) line[0] = '\0';
    const char *text = line + strspn(line, " \t");
    size_t n = strcspn(text, "\r\n");
    if (n > 0) return cli_strndup(app, text, n);
    cli_fail(app, "%s is missing", what);
    return NULL;
}

const char *cli_pick(cli *app, const char *what, const midge_str *names, size_t n) {
    int64_t number;
    if (cli_can_ask(app))
        for (size_t i = 0; i < n; i++)
            printf("%4zu  %.*s\n", i + 1, (int)names[i].n, names[i].p);
    const char *text = cli_ask(app, what, "Number or name");
    if (text == NULL || cli_parse_int(text, 1, (int64_t)n, &number) != 0) return text;
    return cli_strndup(app, names[number - 1].p, names[number - 1].n);
}
