// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Configured secrets: plaintext or bcrypt. Facts: spec/accounts-security.md 4.
#ifndef MG_ACCOUNT_PASSWORD_H
#define MG_ACCOUNT_PASSWORD_H

#include <stdbool.h>

#include "server/base/slice.h"

// True if a configured secret is a bcrypt hash: $2a$, $2b$, $2x$ or $2y$, two digits, $.
bool mg_password_is_bcrypt(mg_slice secret);

// Compares a plaintext secret with what a client sent. The time depends on the lengths only. Empty equals empty.
bool mg_password_equal(mg_slice secret, mg_slice sent);

// True if the bcrypt hash was made of this password; only its first 72 bytes count. Takes about 100 ms (cost 11), so
// call it on a worker thread: it is reentrant and touches nothing but its arguments. The hash is an operator's and its
// cost (4 to 31) is trusted. False for a malformed hash and for a password with a NUL byte in it.
bool mg_bcrypt_verify(mg_slice hash, mg_slice password);

#endif
