// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One immutable snapshot of everything that a reload can change, as the shards see it. Shard 0 builds it, every shard
// holds a reference; connections read it through their shard. The reference count is atomic, nothing else changes.
#ifndef MG_CONN_SETTINGS_H
#define MG_CONN_SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/account/auth.h"
#include "server/config/options.h"
#include "server/proto/mapper.h"
#include "server/shard/tls.h"

struct mg_settings {
    _Atomic uint32_t refs;
    uint64_t epoch;
    struct mg_options *opts; // owned
    struct mg_auth *auth;
    struct mg_tls_ctx *tls;    // NULL: no TLS
    struct mg_tls_ctx *monitor_tls; // for https monitoring: the same certificate, no client certificates
    struct mg_mapper *mapper;  // NULL: no mappings
    char host[256];            // as INFO shows it: client_advertise, or where the server listens
    int port;
};

// Takes ownership of opts, but only on success. On failure NULL and one line in err.
struct mg_settings *mg_settings_new(struct mg_options *opts, uint64_t epoch, char *err, size_t errlen);
// Sets host and port, given the client listener's real port. Before the settings are shared.
void mg_settings_advertise(struct mg_settings *s, int listen_port);
struct mg_settings *mg_settings_ref(struct mg_settings *s);
void mg_settings_unref(struct mg_settings *s); // NULL is fine

#endif
