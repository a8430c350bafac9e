// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The run of the program: its memory, what was given on the command line, and texts for people.
//
// Memory of the app is a chain of blocks that is freed at the end. Values are looked up by name: a table has few
// flags, and a name that no table has is a mistake of the program, which ends it at once.
#include "client/cli/app.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct cli_block {
    struct cli_block *next;
    max_align_t data[];
};

void cli_init(cli *app) {
    memset(app, 0, sizeof *app);
    app->out_terminal = isatty(STDOUT_FILENO) == 1;
    app->err_terminal = isatty(STDERR_FILENO) == 1;
}

void cli_fini(cli *app) {
    cli_release_signals(app);
    cli_release(app, NULL);
}

// ---- memory ---------------------------------------------------------------------------------------------------------

void *cli_alloc(cli *app, size_t size) {
    struct cli_block *block = size < SIZE_MAX / 2 ? calloc(1, sizeof *block + size) : NULL;
    if (block == NULL) {
        fputs("midge: error: out of memory\n", stderr);
        abort();
    }
    block->next = app->blocks;
    app->blocks = block;
    return block->data;
}

const void *cli_mark(const cli *app) { return app->blocks; }

void cli_release(cli *app, const void *mark) {
    while (app->blocks != mark) {
        struct cli_block *block = app->blocks;
        app->blocks = block->next;
        free(block);
    }
}

char *cli_strndup(cli *app, const char *s, size_t n) {
    char *copy = cli_alloc(app, n + 1);
    memcpy(copy, s, n);
    return copy;
}

char *cli_printf(cli *app, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    char *text = cli_alloc(app, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

// ---- what was given -------------------------------------------------------------------------------------------------

static const cli_value *value_of(const cli *app, const char *name) {
    for (size_t i = app->values_len; i-- > 0;)
        if (strcmp(app->values[i].flag->name, name) == 0) return &app->values[i];
    fprintf(stderr, "midge: no flag --%s in the tables of \"%s\"\n", name, app->path[app->depth]->name);
    abort();
}

bool cli_has_flag(const cli *app, const char *name) {
    for (size_t i = 0; i < app->values_len; i++)
        if (strcmp(app->values[i].flag->name, name) == 0) return true;
    return false;
}

bool cli_get_bool(const cli *app, const char *flag) { return value_of(app, flag)->on; }
const char *cli_get_string(const cli *app, const char *flag) { return value_of(app, flag)->text; }
int64_t cli_get_int(const cli *app, const char *flag) { return value_of(app, flag)->i; }
uint64_t cli_get_uint(const cli *app, const char *flag) { return value_of(app, flag)->u; }
uint64_t cli_get_duration(const cli *app, const char *flag) { return value_of(app, flag)->u; }
bool cli_given(const cli *app, const char *flag) { return value_of(app, flag)->given; }

const char *const *cli_get_strings(const cli *app, const char *flag, size_t *n) {
    const cli_value *v = value_of(app, flag);
    *n = v->list_len;
    return v->list;
}

static size_t index_of(const cli *app, const char *name) {
    const cli_arg *args = app->path[app->depth]->args;
    for (size_t i = 0; args != NULL && args[i].name != NULL; i++)
        if (strcmp(args[i].name, name) == 0) return i;
    fprintf(stderr, "midge: no argument <%s> in the table of \"%s\"\n", name, app->path[app->depth]->name);
    abort();
}

const char *cli_arg_of(const cli *app, const char *arg) {
    size_t i = index_of(app, arg);
    return i < app->args_len ? app->args[i] : app->path[app->depth]->args[i].value;
}

const char *const *cli_args_of(const cli *app, const char *arg, size_t *n) {
    size_t i = index_of(app, arg);
    *n = i < app->args_len ? app->args_len - i : 0;
    return app->args + i;
}

const cli_command *cli_command_of(const cli *app) { return app->path[app->depth]; }

const char *cli_path(cli *app) {
    const char *text = "";
    for (size_t i = 1; i <= app->depth; i++)
        text = cli_printf(app, "%s%s%s", text, i > 1 ? " " : "", app->path[i]->name);
    return text;
}

uint64_t cli_timeout(const cli *app) {
    uint64_t ms = cli_get_duration(app, "timeout") / 1000000;
    if (ms == 0) ms = 1;
    return ms < INT32_MAX ? ms : INT32_MAX;
}

// ---- text for people ------------------------------------------------------------------------------------------------

int cli_fail(cli *app, const char *format, ...) {
    (void)app;
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "midge: error: %s\n", text);
    return CLI_FAILED;
}

cli_stamp cli_log_stamp(void) {
    cli_stamp stamp;
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    strftime(stamp.s, sizeof stamp.s, "%H:%M:%S ", &local);
    return stamp;
}

void cli_log(cli *app, const char *format, ...) {
    (void)app;
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fflush(stdout); // what was printed before stands before, where both go to one place
    fprintf(stderr, "%s%s\n", cli_log_stamp().s, text);
}

bool cli_out_is_terminal(const cli *app) { return app->out_terminal; }
bool cli_err_is_terminal(const cli *app) { return app->err_terminal; }

unsigned cli_columns(const cli *app) {
    struct winsize size;
    if (app->out_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    return 80;
}

void cli_settle_colours(cli *app) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    const char *scheme = cli_get_string(app, "colors");
    app->colours = app->out_terminal && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0) &&
                   (scheme == NULL || strcmp(scheme, "none") != 0);
}

const char *cli_colour(const cli *app, enum cli_colour colour) {
    static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[31m", "\033[32m",
                                        "\033[33m", "\033[34m", "\033[35m", "\033[36m"};
    return app->colours ? codes[colour] : "";
}

enum cli_colour cli_scheme(const cli *app) {
    static const struct {
        const char *name;
        enum cli_colour colour;
    } schemes[] = {{"red", CLI_RED},   {"green", CLI_GREEN},     {"yellow", CLI_YELLOW},
                   {"blue", CLI_BLUE}, {"magenta", CLI_MAGENTA}, {"cyan", CLI_CYAN}};
    const char *name = cli_get_string(app, "colors");
    if (name == NULL) name = app->context.text[CLI_CONTEXT_COLOR_SCHEME];
    for (size_t i = 0; name != NULL && i < sizeof schemes / sizeof schemes[0]; i++)
        if (strcmp(schemes[i].name, name) == 0) return schemes[i].colour;
    return CLI_PLAIN;
}

// ---- time -----------------------------------------------------------------------------------------------------------

uint64_t cli_mono_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
