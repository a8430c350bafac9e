// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Who may connect: the decision of spec/accounts-security.md 1.5 for one account (no JWT, no callout), pure.
//
//   mg_auth_begin(snapshot, request, &result)
//     MG_AUTH_OK      result.user says who it is (NULL where nobody has to log in)
//     MG_AUTH_DENIED  result.who says who tried, for the log
//     MG_AUTH_BCRYPT  compare result.password with result.hash (mg_bcrypt_verify, on a worker thread, or cred_cache.h),
//                     then mg_auth_finish(&result, matched), which leaves MG_AUTH_OK or MG_AUTH_DENIED
//
// A struct mg_auth is one immutable snapshot of the configuration, shared by all shards, built at start and at reload.
// Its reference count is atomic. Users live as long as their snapshot: a connection that keeps a user keeps a
// reference. On CONNECT no earlier verdict matters: a second CONNECT simply begins again.
#ifndef MG_ACCOUNT_AUTH_H
#define MG_ACCOUNT_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/account/perms.h"
#include "server/base/buf.h"
#include "server/base/slice.h"

struct mg_options;
struct mg_tls_peer;
struct mg_auth;

// One configured identity. Read-only; owned by the snapshot.
struct mg_auth_user {
    enum mg_auth_kind {
        MG_AUTH_USER,   // entry of `users` with a password
        MG_AUTH_NKEY,   // entry of `users` with an nkey
        MG_AUTH_SINGLE, // authorization.user and password
        MG_AUTH_TOKEN,  // authorization.token
    } kind;
    mg_slice name;          // user name or nkey text; empty for a token
    mg_slice secret;        // password or token, plaintext or bcrypt; empty for an nkey
    bool bcrypt;            // secret is a hash
    bool proxy_required;    // refused here: trusted proxies are not supported
    uint32_t conn_types;    // bits of enum mg_conn_type; 0: all
    struct mg_perms *perms; // NULL: no restrictions
};

// What is known about the connection. Empty slices mean "not sent", as for the reference.
struct mg_auth_request {
    mg_slice user, pass, token, nkey, sig; // of CONNECT
    mg_slice nonce;                        // as sent in INFO
    const struct mg_tls_peer *peer;        // NULL: no TLS
    uint32_t conn_type;                    // one bit of enum mg_conn_type
};

enum mg_auth_verdict { MG_AUTH_OK, MG_AUTH_DENIED, MG_AUTH_BCRYPT };

// What a connection is called in logs and in connz.
enum mg_auth_id { MG_AUTH_ID_NONE, MG_AUTH_ID_USER, MG_AUTH_ID_NKEY, MG_AUTH_ID_TOKEN };
struct mg_auth_who {
    enum mg_auth_id id;
    mg_slice name; // user name or nkey; points into the request or the snapshot
};

struct mg_auth_result {
    enum mg_auth_verdict verdict;
    const struct mg_auth_user *user; // NULL unless OK or BCRYPT; NULL with OK: no authentication was required
    struct mg_auth_who who;
    bool proxy_required;     // DENIED because of it: close reason "Proxy Required" instead of "Authentication Failure"
    bool user_replaced;      // verify_and_map overruled the user of CONNECT: worth a warning (section 19)
    mg_slice hash, password; // BCRYPT: into the snapshot, and into the request (or the snapshot)
};

// Copies what it needs of o. The caller holds the first reference.
struct mg_auth *mg_auth_new(const struct mg_options *o);
struct mg_auth *mg_auth_ref(struct mg_auth *a);
void mg_auth_unref(struct mg_auth *a); // NULL is fine

// Must a client log in before anything else? Then the auth timer is armed (mg_auth_timeout_ns), unless it is let in
// without CONNECT by mg_auth_without_connect. Section 1.2.
bool mg_auth_required(const struct mg_auth *a);
bool mg_auth_info_required(const struct mg_auth *a);  // `auth_required` of INFO: not with a no_auth_user (1.1)
bool mg_auth_nonce_required(const struct mg_auth *a); // INFO carries a nonce
uint64_t mg_auth_timeout_ns(const struct mg_auth *a);
// Plaintext secrets are configured: log MG_LOG_PLAINTEXT_PASSWORDS of errtext.h.
bool mg_auth_has_plaintext(const struct mg_auth *a);
// Auth is required and the first operation is not CONNECT: true if an empty CONNECT may stand in for it (run
// mg_auth_begin with an empty request, then process the operation). Section 1.3.
bool mg_auth_without_connect(const struct mg_auth *a, uint32_t conn_type);

void mg_auth_begin(const struct mg_auth *a, const struct mg_auth_request *req, struct mg_auth_result *res);
void mg_auth_finish(struct mg_auth_result *res, bool matched); // only after MG_AUTH_BCRYPT

// Reload. The user of `fresh` that admits exactly whom `old` admitted (same kind, name, secret, connection types), or
// NULL: then the connection must authenticate again or go. Permissions may differ: compare with mg_perms_equal.
const struct mg_auth_user *mg_auth_same_user(const struct mg_auth *fresh, const struct mg_auth_user *old);
bool mg_user_same(const struct mg_auth_user *a, const struct mg_auth_user *b);

// Is there a user or nkey of that name, whatever its password? who: MG_AUTH_ID_USER or MG_AUTH_ID_NKEY.
bool mg_auth_knows(const struct mg_auth *a, const struct mg_auth_who *who);

// Who a client says it is: what CONNECT carries, the first of them that is not empty.
void mg_auth_who_says(mg_slice nkey, mg_slice user, mg_slice token, struct mg_auth_who *who);
// "user:x", "nkey:U...", "token" for the log prefix; nothing for MG_AUTH_ID_NONE.
void mg_auth_label(struct mg_buf *b, const struct mg_auth_who *who);
// authorized_user of connz and user of USER.INFO: name, nkey or "[REDACTED]"; nothing for MG_AUTH_ID_NONE.
void mg_auth_name(struct mg_buf *b, const struct mg_auth_who *who);

#endif
