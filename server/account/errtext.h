// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The texts of this domain: what stands between the quotes of -ERR '...' and what the log says. Clients parse the
// former with regular expressions and operators grep the latter, so every character counts. The functions append the
// bare text, without "-ERR " and without a line end. Facts: spec/accounts-security.md 2, spec/client-protocol.md A5.
#ifndef MG_ACCOUNT_ERRTEXT_H
#define MG_ACCOUNT_ERRTEXT_H

#include "server/account/auth.h"
#include "server/base/buf.h"
#include "server/base/slice.h"

#define MG_ERR_AUTH_VIOLATION "Authorization Violation"
#define MG_ERR_AUTH_TIMEOUT "Authentication Timeout"
#define MG_ERR_TLS_REQUIRED "Secure Connection - TLS Required"
#define MG_ERR_THROTTLED "Connection throttling is active. Please try again later."
#define MG_ERR_MAX_CONNECTIONS "maximum connections exceeded"
#define MG_ERR_MAX_SUBS "maximum subscriptions exceeded"
#define MG_ERR_MAX_PAYLOAD "Maximum Payload Violation"


#define MG_LOG_PLAINTEXT_PASSWORDS "Plaintext passwords detected, use nkeys or bcrypt"

// ---- -ERR ------------------------------------------------------------------------------------------------------
void mg_err_pub(struct mg_buf *b, mg_slice subject);
void mg_err_pub_reply(struct mg_buf *b, mg_slice reply);
void mg_err_sub(struct mg_buf *b, mg_slice subject, mg_slice queue); // queue {NULL, 0}: plain
void mg_err_sub_tokens(struct mg_buf *b, mg_slice subject);
// An existing subscription that a reload took away.
void mg_err_sub_removed(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid);

// ---- log -------------------------------------------------------------------------------------------------------
void mg_log_auth(struct mg_buf *b, const struct mg_auth_who *who); // "authentication error - User \"x\""
void mg_log_pub(struct mg_buf *b, mg_slice subject);
void mg_log_pub_reply(struct mg_buf *b, mg_slice reply);
void mg_log_sub(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid);
void mg_log_sub_tokens(struct mg_buf *b, mg_slice subject, mg_slice sid);
// "Removed sub \"x\" (sid \"1\") for User \"u\" - not authorized"
void mg_log_sub_removed(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid,
                        const struct mg_auth_who *who);

#endif
