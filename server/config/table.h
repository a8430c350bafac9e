// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The one table of top-level options: how each is called, read, defaulted and reloaded (spec/client-protocol.md B6).
// The config file, the defaults and the reload difference all work from it, and so can documentation.
#ifndef MG_CONFIG_TABLE_H
#define MG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/config/options.h"

struct mg_conf_ctx;
struct mg_conf_value;

enum mg_conf_kind {        // the field at `offset`
    MG_CONF_KIND_NONE,     // no field: a block, or a key that sets others
    MG_CONF_KIND_BOOL,     // bool
    MG_CONF_KIND_STR,      // char *, owned, may be NULL; "" in a config means the default
    MG_CONF_KIND_INT,      // int64_t
    MG_CONF_KIND_PORT,     // int
    MG_CONF_KIND_DURATION, // uint64_t, ns; a bare integer means seconds and earns a warning
    MG_CONF_KIND_LIST,     // struct mg_strlist
};

enum mg_conf_reload {
    MG_CONF_RELOAD_NO, // a change rejects the whole reload
    MG_CONF_RELOAD_YES,
    MG_CONF_RELOAD_CUSTOM, // reload.c knows
};

struct mg_conf_option {
    const char *keys; // name and aliases, separated by blanks; NULL ends the table
    enum mg_conf_kind kind;
    enum mg_conf_reload reload;
    size_t offset; // into struct mg_options
    int64_t def;   // default of BOOL, INT, PORT; of durations in ns. Except for BOOL a configured 0 means the default.
    const char *def_str;
    int64_t min, max;    // of INT, PORT, durations; both 0: any
    const char *go_name; // how a refused reload calls it
    const char *label;   // how an applied reload calls it instead of "key = value"
    void (*parse)(struct mg_conf_ctx *c, const struct mg_conf_value *v); // NULL: by kind
};

extern const struct mg_conf_option mg_conf_table[];

const struct mg_conf_option *mg_conf_option_find(const char *key); // any case; NULL: unknown
void mg_conf_option_default(const struct mg_conf_option *opt, struct mg_options *o);
void mg_conf_option_clear(const struct mg_conf_option *opt, struct mg_options *o); // frees what it owns
// Sets the field from a config value; reports what does not fit.
void mg_conf_option_set(struct mg_conf_ctx *c, const struct mg_conf_option *opt, const struct mg_conf_value *v);
bool mg_conf_option_eq(const struct mg_conf_option *opt, const struct mg_options *a, const struct mg_options *b);
// Appends the value as Go prints it; nothing for a missing string.
void mg_conf_option_show(const struct mg_conf_option *opt, const struct mg_options *o, struct mg_buf *out);

#endif
