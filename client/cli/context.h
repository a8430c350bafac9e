// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Contexts: named sets of connection settings, in the files that natscli uses, so both programs share them
// (spec/monitoring-and-tools.md C3):
//
//      $XDG_CONFIG_HOME/nats/context/<name>.json      the settings       (default of the variable: ~/.config)
//      $XDG_CONFIG_HOME/nats/context.txt              the selected one
//      $XDG_CONFIG_HOME/nats/previous-context.txt     the one before
//
// Files are replaced by renaming, mode 0600. Members that this program does not know are kept.
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/cli/json.h"

// X(name, member of the file), in the order in which natscli writes them. `tls_first` stands before the last ones.
#define CLI_CONTEXT_TEXTS(X)                                                                                         \
    X(DESCRIPTION, "description")                                                                                    \
    X(URL, "url")                                                                                                    \
    X(SOCKS_PROXY, "socks_proxy")                                                                                    \
    X(TOKEN, "token")                                                                                                \
    X(USER, "user")                                                                                                  \
    X(PASSWORD, "password")                                                                                          \
    X(CREDS, "creds")                                                                                                \
    X(NKEY, "nkey")                                                                                                  \
    X(CERT, "cert")                                                                                                  \
    X(KEY, "key")                                                                                                    \
    X(CA, "ca")                                                                                                      \
    X(NSC, "nsc")                                                                                                    \
    X(JS_DOMAIN, "jetstream_domain")                                                                                 \
    X(JS_API_PREFIX, "jetstream_api_prefix")                                                                         \
    X(JS_EVENT_PREFIX, "jetstream_event_prefix")                                                                     \
    X(INBOX_PREFIX, "inbox_prefix")                                                                                  \
    X(USER_JWT, "user_jwt")                                                                                          \
    X(USER_SEED, "user_seed")                                                                                        \
    X(COLOR_SCHEME, "color_scheme")                                                                                  \
    X(WIN_STORE, "windows_cert_store")                                                                               \
    X(WIN_MATCH_BY, "windows_cert_match_by")                                                                         \
    X(WIN_MATCH, "windows_cert_match")

#define CLI_CONTEXT_ENUM(name, member) CLI_CONTEXT_##name,
enum cli_context_text { CLI_CONTEXT_TEXTS(CLI_CONTEXT_ENUM) CLI_CONTEXT_TEXTS_LEN };
#undef CLI_CONTEXT_ENUM

// All memory is the app's.
typedef struct cli_context {
    const char *name; // NULL: of no file
    const char *path; // of its file; NULL: none
    const char *text[CLI_CONTEXT_TEXTS_LEN]; // NULL: empty
    bool tls_first;
    const char *others; // members that are not known, as they stand in the file: `"a": 1, "b": []`; NULL: none
} cli_context;

struct cli;

// The member's name in the file.
const char *cli_context_member(enum cli_context_text which);

// Reads a file's text. 0, or -1 and a sentence in err.
int cli_context_parse(struct cli *app, const char *text, size_t n, cli_context *out, char *err, size_t err_size);
// Writes all members; the name first if with_name.
void cli_context_write(const cli_context *c, cli_json *j, bool with_name);

// Names may not be empty nor contain "..", '/' or '\'.
bool cli_context_name_valid(const char *name);

// The directory that has context.txt; NULL: no home.
const char *cli_context_root(struct cli *app);
const char *cli_context_path(struct cli *app, const char *name);

bool cli_context_known(struct cli *app, const char *name);
// 0, or -1 and a sentence in err. _file reads any path.
int cli_context_load(struct cli *app, const char *name, cli_context *out, char *err, size_t err_size);
int cli_context_load_file(struct cli *app, const char *path, cli_context *out, char *err, size_t err_size);
int cli_context_save(struct cli *app, cli_context *c, const char *name, char *err, size_t err_size);
int cli_context_remove(struct cli *app, const char *name, char *err, size_t err_size);

// Names in ascending order; *n of them.
const char **cli_context_list(struct cli *app, size_t *n);

const char *cli_context_selected(struct cli *app); // NULL: none
const char *cli_context_previous(struct cli *app); // NULL: none
// name NULL: selects none. The one selected before is remembered as the previous one.
int cli_context_select(struct cli *app, const char *name, char *err, size_t err_size);

// The whole file; NULL and errno: it cannot be read, or is larger than 1 MiB (EFBIG).
char *cli_read_file(struct cli *app, const char *path, size_t *n);
// Replaces the file by renaming, mode 0600; makes its directories. 0, or -1 and errno.
int cli_write_file(struct cli *app, const char *path, const char *text);

#endif
