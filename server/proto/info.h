// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The INFO line that a server sends to its clients (spec/client-protocol.md A2).
#ifndef MG_PROTO_INFO_H
#define MG_PROTO_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"

// Clients choose features by the version, so it is the one whose behaviour this server has.
#define MG_NATS_VERSION "2.14.5"
// The key `go` must exist; what it says is ours.
#define MG_RUNTIME_VERSION "midge0.1.0"
#define MG_API_LEVEL 4

// All strings are borrowed. NULL or "" is left out where the sheet says "omit", else written as "".
struct mg_info {
    const char *server_id, *server_name;
    const char *git_commit; // 7 hex digits; NULL: unknown
    const char *host;
    int port;
    bool headers;
    bool auth_required, tls_required, tls_verify, tls_available;
    int32_t max_payload; // for this connection; -1: unlimited
    bool jetstream;
    uint64_t client_id;
    const char *client_ip;
    const char *nonce; // first INFO only
    const char *cluster, *domain;
    const char *const *connect_urls; // host:port, or the ws listener's for a ws client; NULL if there are none
    size_t nconnect_urls;
    bool ldm;
    bool connect_info; // the INFO behind the first PONG, with the two below
    const char *remote_account;
    bool acc_is_sys;
    const char *xkey;
};

// Appends "INFO {...} " CR LF.
void mg_info_write(const struct mg_info *info, struct mg_buf *out);

#endif
