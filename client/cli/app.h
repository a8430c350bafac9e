// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of the frame share: the run of the program. Commands see cli.h only.
#ifndef CLI_APP_H
#define CLI_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/cli/cli.h"
#include "client/cli/context.h"

#define CLI_DEPTH 4 // of nested commands: "server check connection"

typedef struct cli_value {
    const cli_flag *flag;
    bool given;         // on the command line, or by the environment
    const char *text;   // NULL: no value
    union {
        bool on;        // CLI_SWITCH, CLI_BOOL
        int64_t i;      // CLI_INT
        uint64_t u;     // CLI_UINT, CLI_DURATION, CLI_SIZE
    };
    const char **list;  // CLI_STRINGS
    size_t list_len;
} cli_value;

struct cli_block; // of memory

struct cli {
    const cli_command *path[CLI_DEPTH + 1]; // the root, groups, the command
    size_t depth;                           // of the command in path; 0: the root
    cli_value *values;                      // of all flags of path and of the globals
    size_t values_len;
    const char **args;                      // positional
    size_t args_len;

    bool out_terminal, err_terminal, colours;
    struct cli_block *blocks;

    cli_context context;                    // loaded by cli_options
    midge_options *options;                 // NULL: not put together yet
    char complaint[256];                    // of the server; "": none

    pthread_t waiter;                       // waits for signals
    bool waiting;
    _Atomic int signals;                    // caught so far
    _Atomic(midge_conn *) to_wake;
};

void cli_init(cli *app);
void cli_fini(cli *app);

enum cli_parsed { CLI_PARSED_RUN, CLI_PARSED_HELP, CLI_PARSED_VERSION, CLI_PARSED_WRONG };

// Parses argv[1..argc-1]. err gets a sentence for CLI_PARSED_WRONG; path is as far as it came. parse.c.
enum cli_parsed cli_parse(cli *app, const cli_command *root, int argc, char *const argv[], char *err, size_t err_size);

// The command of a group that has this name or alias; NULL: none.
const cli_command *cli_find(const cli_command *group, const char *name);

// The flags of one level: of path[level], or the globals for level == depth + 1, or those that the command shares for
// level == depth + 2. Never NULL.
const cli_flag *cli_level_flags(const cli_command *const *path, size_t depth, size_t level);

// Writes --help of the command at the end of the path, lines of at most `columns`. help.c.
void cli_help(const cli_command *const *path, size_t depth, unsigned columns, FILE *out);
// Writes midge(1). man.c.
void cli_man(const cli_command *root, FILE *out);
// Writes what may follow words[1..n-2] in place of the beginning words[n-1]: lines "word<TAB>description". complete.c.
void cli_complete(cli *app, const cli_command *root, char *const words[], size_t n, FILE *out);

// Colours and terminals as flags and environment say; after parsing.
void cli_settle_colours(cli *app);

#endif
