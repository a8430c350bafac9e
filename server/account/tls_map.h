// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// verify_and_map: which user a client certificate stands for. Facts: spec/accounts-security.md 19.
#ifndef MG_ACCOUNT_TLS_MAP_H
#define MG_ACCOUNT_TLS_MAP_H

#include "server/account/users.h"

struct mg_tls_peer;
struct mg_tls_map; // the user names that are distinguished names, parsed; immutable

struct mg_tls_map *mg_tls_map_new(const struct mg_users *users); // borrows users
void mg_tls_map_free(struct mg_tls_map *m);                      // NULL is fine

// The password user that this certificate names and that may use this type of connection; NULL: none.
const struct mg_auth_user *mg_tls_map_find(const struct mg_tls_map *m, const struct mg_tls_peer *peer,
                                           uint32_t conn_type);

#endif
