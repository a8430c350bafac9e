// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The frame of the `midge` command line: how a command describes itself, and what the frame gives to it.
//
// A command is a constant `cli_command` in a file of its own; commands.c lists the top ones. It names its flags and
// arguments in tables. From these come parsing, `--help`, the man page and shell completion, so a flag is described
// once. The frame parses the command line, then calls run(), whose result is the exit status of the program.
//
//      static const cli_flag flags[] = {
//          {.name = "count", .type = CLI_UINT, .value = "1", .help = "Publish multiple messages"},
//          {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Show the raw data received"},
//          {0},
//      };
//      static int run(cli *app) {
//          uint64_t count = cli_get_uint(app, "count");
//          midge_conn *conn = cli_connect(app);
//          if (conn == NULL) return CLI_FAILED; // cli_connect has said why
//          ...
//      }
//      const cli_command cli_command_pub = {.name = "pub", .aliases = "publish", .flags = flags, .run = run, ...};
//
// Everything here belongs to the thread that called cli_main, except where it says otherwise.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/core/midge.h"
#include "client/port/midge_posix.h"

typedef struct cli cli;

// Exit status of every command, except those under `server check` (0 to 3, see check.h). docs/CLI.md lists them.
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,       // the command could not do what was asked, wrong usage included: as natscli
    CLI_INTERRUPTED = 130 // SIGINT, where that is not the usual end
};

// ---- tables ---------------------------------------------------------------------------------------------------------

enum cli_type {
    CLI_SWITCH,   // --raw: true when present
    CLI_BOOL,     // --templates, --no-templates
    CLI_STRING,   // --reply=SUBJECT
    CLI_STRINGS,  // -H K:V -H K:V: every use adds one
    CLI_INT,      // int64_t
    CLI_UINT,     // uint64_t
    CLI_DURATION, // as cli_parse_duration of units.h, not negative: nanoseconds as uint64_t
    CLI_SIZE,     // as cli_parse_bytes of units.h: bytes as uint64_t
    CLI_ENUM,     // one of .choices
    CLI_FILE      // a string; completion offers files. Not checked here.
};

typedef struct cli_flag {
    const char *name;        // without dashes; NULL ends the table
    char short_name;         // 0: none
    enum cli_type type;
    const char *value;       // default, as on the command line; NULL: none
    const char *env;         // variable that gives the default when set and not empty
    const char *placeholder; // for help; NULL: the default, or the name in capitals
    const char *choices;     // CLI_ENUM: "eof newline"
    const char *help;        // one sentence, no period
    bool required, hidden;
} cli_flag;

typedef struct cli_arg {
    const char *name; // NULL ends the table
    const char *help;
    const char *value; // default; NULL: none
    bool required;
    bool many;        // takes all that are left (only the last of a table)
    const char *list; // completion: "context" for the names of contexts, ":files", else words to offer; NULL: nothing
} cli_arg;

typedef struct cli_command {
    const char *name;
    const char *aliases; // separated by blanks; NULL: none
    const char *summary; // one line, no period
    const char *text;    // paragraphs for --help and the man page; lines that start with blanks stay as they are
    const cli_flag *flags;
    const cli_flag *shared; // further ones, which several commands have; not for groups
    const cli_arg *args;
    const struct cli_command *const *commands; // of a group, ends with NULL; then run is NULL
    int (*run)(cli *app);
    bool hidden;
} cli_command;

extern const cli_command cli_root;      // commands.c: all commands
extern const cli_flag cli_global_flags[]; // globals.c: flags of every command

// ---- what was given -------------------------------------------------------------------------------------------------
// A name that is neither in the tables of the command, of its groups nor of the globals is a mistake of the program:
// assertion. Texts live as long as the app.

bool cli_get_bool(const cli *app, const char *flag);          // CLI_SWITCH, CLI_BOOL
const char *cli_get_string(const cli *app, const char *flag);
    // CLI_STRING, CLI_ENUM, CLI_FILE; NULL: not given, no default
int64_t cli_get_int(const cli *app, const char *flag);        // 0 when not given and no default
uint64_t cli_get_uint(const cli *app, const char *flag);      // CLI_UINT, CLI_SIZE; 0 when not given and no default
uint64_t cli_get_duration(const cli *app, const char *flag);  // nanoseconds; 0 when not given and no default
const char *const *cli_get_strings(const cli *app, const char *flag, size_t *n);
bool cli_has_flag(const cli *app, const char *flag);      // it is in the tables
bool cli_given(const cli *app, const char *flag);         // on the command line or by its variable

const char *cli_arg_of(const cli *app, const char *arg); // NULL: not given and no default
const char *const *cli_args_of(const cli *app, const char *arg, size_t *n); // of a `many` argument
const cli_command *cli_command_of(const cli *app);
const char *cli_path(cli *app); // "server check connection"

// ---- text for people ------------------------------------------------------------------------------------------------
// Results go to stdout, and everything else to stderr, as natscli does.

// Prints "midge: error: ..." to stderr; returns CLI_FAILED. May be called from any thread.
int cli_fail(cli *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "HH:MM:SS ", as log lines begin.
typedef struct cli_stamp {
    char s[16];
} cli_stamp;
cli_stamp cli_log_stamp(void);
// Prints "HH:MM:SS ..." and a line break to stderr.
void cli_log(cli *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool cli_out_is_terminal(const cli *app); // stdout
bool cli_err_is_terminal(const cli *app); // stderr: where progress bars are drawn
unsigned cli_columns(const cli *app);     // width of the terminal; 80 where there is none

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_BLUE, CLI_MAGENTA, CLI_CYAN };
// The escape sequence, or "" where stdout is no terminal, NO_COLOR is set, TERM is dumb or --colors is none. CLI_PLAIN
// ends a colour.
const char *cli_colour(const cli *app, enum cli_colour colour);
enum cli_colour cli_scheme(const cli *app); // of --colors or the context: for borders and bars

// ---- memory ---------------------------------------------------------------------------------------------------------
// What these give lives until the program ends and is freed then. For the few texts of a run, not for each message.

void *cli_alloc(cli *app, size_t size); // zeroed; never NULL
char *cli_strndup(cli *app, const char *s, size_t n);
// Frees what was allocated since the mark was taken: for what is done again and again.
const void *cli_mark(const cli *app);
void cli_release(cli *app, const void *mark);
char *cli_printf(cli *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- connections ----------------------------------------------------------------------------------------------------

// Servers, credentials and so on from flags, environment and context. NULL: it could not be put together, and why has
// been printed. A command may copy and change it, and connect as often as it likes, in any thread, with midge_connect.
const midge_options *cli_options(cli *app);

// Connects once; NULL: failed, and why and what to do has been printed. Free with midge_conn_free.
midge_conn *cli_connect(cli *app);

// The domain of JetStream and the prefix of its API that were asked for, NULL: none. After cli_options.
const char *cli_js_domain(const cli *app);
const char *cli_js_prefix(const cli *app);

// Prints what a failed connect to `options` means and what to do about it; returns CLI_FAILED. `reason` is what
// midge_connect wrote.
int cli_connect_failed(cli *app, const midge_options *options, const char *reason);

// --timeout in ms, at least 1.
uint64_t cli_timeout(const cli *app);

// What the server complained of since the last call (permissions, mostly), NULL: nothing. From conns of cli_connect.
const char *cli_complaint(cli *app);

// ---- interruption ---------------------------------------------------------------------------------------------------

// From here on SIGINT, SIGTERM and SIGQUIT do not kill: they set a mark and wake the conn (NULL: none), whose
// midge_poll then returns. A second signal kills. Call once, before other threads are started.
void cli_catch_signals(cli *app, midge_conn *conn);
// What is said to a conn that is freed is lost, so before it is freed:
void cli_release_signals(cli *app);
bool cli_interrupted(const cli *app); // from any thread

// Runs the connection for so many nanoseconds, or until interrupted or closed. False: not the whole time.
bool cli_idle(cli *app, midge_conn *conn, uint64_t ns);

// ---- time -----------------------------------------------------------------------------------------------------------

uint64_t cli_mono_ns(void); // a clock that only goes forward

// ---- the program ----------------------------------------------------------------------------------------------------

int cli_main(int argc, char *argv[]);

#endif
