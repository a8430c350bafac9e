// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The options of a client's CONNECT (spec/client-protocol.md A3).
#ifndef MG_PROTO_CONNECT_H
#define MG_PROTO_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

// Owned by the connection and kept as long as it lives: a reload authenticates again with what was sent. All
// strings lie in one block; they are never NULL, "" means absent.
struct mg_connect {
    bool verbose, pedantic, echo;
    bool tls_required, headers, no_responders;
    bool new_account;
    int64_t protocol;
    const char *name, *lang, *version;
    const char *user, *pass, *auth_token;
    const char *nkey, *sig, *jwt, *proxy_sig;
    const char *account, *remote_account;
    char *text; // the block; NULL: all strings are ""
};

// What holds before a CONNECT was read: verbose, pedantic and echo are true. Allocates nothing.
void mg_connect_init(struct mg_connect *c);
void mg_connect_fini(struct mg_connect *c);

// Merges the argument of a CONNECT into c, by Go's rules: keys match in any case, unknown ones are ignored, null
// leaves the value, the last duplicate wins, what is absent keeps its value. 0; or MG_ESYNTAX for malformed JSON or
// a value of the wrong type, then c is unchanged and the connection is to be closed without a word.
int mg_connect_decode(struct mg_connect *c, mg_slice json);

#endif
