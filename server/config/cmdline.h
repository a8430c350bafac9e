// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The command line of the server (spec/client-protocol.md B1): Go flag syntax, every flag of nats-server. Parsing gives
// what to do; nothing is printed and nothing read here.
//
// Flags override the config file. They are kept as a list and laid over options loaded from a file: at start, and again
// on every reload, all of them (B8: the reference forgets some).
#ifndef MG_CONFIG_CMDLINE_H
#define MG_CONFIG_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/buf.h"
#include "server/config/options.h"

enum mg_cmdline_mode {
    MG_CMDLINE_RUN,    // load config_file (if any), apply, check, start
    MG_CMDLINE_CHECK,  // -t: load config_file, report, exit
    MG_CMDLINE_CHECK_STORE,   // say what is wrong with the store in `store`, exit
    MG_CMDLINE_REBUILD_STORE, // write it anew from what can be read, exit
    MG_CMDLINE_SIGNAL, // send a signal to another server, then exit
    MG_CMDLINE_EXIT,   // print out to stdout and err to stderr, exit with exit_code: help, version, wrong usage
};

struct mg_cmdline_flag; // a row of the flag table

struct mg_cmdline_override {
    const struct mg_cmdline_flag *flag;
    char *value; // owned; checked text: "true"/"false" for booleans, decimal for integers
};

struct mg_cmdline {
    enum mg_cmdline_mode mode;
    char *config_file;              // NULL: none
    char *signal_cmd, *signal_pid;  // --signal cmd[=pid]; signal_pid is NULL without "="
    char *store;                    // --check-store, --rebuild-store: the directory
    struct mg_buf out, err;         // texts for MG_CMDLINE_EXIT
    int exit_code;
    struct mg_cmdline_override *v;  // in the order given
    size_t n;
};

// Parses argv[1..argc-1]. version is without "v" ("2.14.5"), for the version text. The result is complete in any case;
// free with mg_cmdline_fini.
void mg_cmdline_parse(int argc, char *const argv[], const char *version, struct mg_cmdline *out);
void mg_cmdline_fini(struct mg_cmdline *c);

// Lays the flags over o. 0, or MG_EINVAL and one line in err (a tls flag without certificate, routes without cluster).
int mg_cmdline_apply(const struct mg_cmdline *c, struct mg_options *o, char *err, size_t errlen);

// The arguments with secrets replaced by [REDACTED], for showing (B1, last paragraph). Appends argc strings to *out.
void mg_cmdline_redact(int argc, char *const argv[], struct mg_strlist *out);

// The help texts, static. usage.c.
const char *mg_cmdline_usage(void);
const char *mg_cmdline_tls_usage(void);

#endif
