// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The users of a snapshot: built once from the options, sorted, then only read.
#ifndef MG_ACCOUNT_USERS_H
#define MG_ACCOUNT_USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/account/auth.h"

struct mg_users {
    struct mg_auth_user *v; // sorted by kind, then by name; their strings are owned
    size_t n;
    size_t npass, nnkey; // how many of each kind
};

// Entries of `users` and, if configured, the single user or the token.
void mg_users_init(struct mg_users *u, const struct mg_options *o);
void mg_users_fini(struct mg_users *u);
// O(log n); NULL if there is none.
const struct mg_auth_user *mg_users_find(const struct mg_users *u, enum mg_auth_kind kind, mg_slice name);

// spec/accounts-security.md 6: none configured means all.
static inline bool mg_user_allows_type(const struct mg_auth_user *u, uint32_t conn_type) {
    return u->conn_types == 0 || (u->conn_types & conn_type) != 0;
}

#endif
