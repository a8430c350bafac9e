// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What changes between two options objects, and whether a running server can take it (spec/client-protocol.md B8).
#ifndef MG_CONFIG_RELOAD_H
#define MG_CONFIG_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/config/options.h"

struct mg_reload_change {
    const char *keys; // the option's names as in the table ("tls", "host net"), see mg_reload_changed; static
    char *line;       // what to log once it is applied: "Reloaded: max_payload = 1024"; owned
};

struct mg_reload_diff {
    struct mg_reload_change *changes;
    size_t n;
    char *unsupported; // the first difference that rejects the reload, as one line; NULL if there is none. Owned.
};

// Compares. MG_OK: *out lists every change. MG_EUNSUPPORTED: nothing must be applied, out->unsupported says why.
// Accounts and users are listed on every reload, as the reference does, because they are always evaluated anew.
// A random port (-1) in new_ keeps the port chosen at start and is no change. Free *out with mg_reload_diff_fini.
int mg_options_diff(const struct mg_options *old, const struct mg_options *new_, struct mg_reload_diff *out);
void mg_reload_diff_fini(struct mg_reload_diff *d);
// Whether the option with this main name ("max_payload", "tls", "authorization") is among the changes.
bool mg_reload_changed(const struct mg_reload_diff *d, const char *key);

#endif
