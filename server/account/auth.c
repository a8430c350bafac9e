// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The decision of spec/accounts-security.md 1.5. mg_auth_begin goes through the steps in their order:
//
//     nobody has to log in        -> OK
//     nkey sent                   -> that nkey user or nobody; its signature decides
//     users, verify_and_map       -> the user that the certificate names, or nobody; then the password decides
//     users, a user name          -> that user or nobody; the password decides
//     nothing sent, no_auth_user  -> that user
//     else                        -> the token, or the single user and password
//
// A step that applies and fails ends in DENIED: nothing falls through to an easier way in. A secret that is a bcrypt
// hash ends in BCRYPT, because comparing takes 100 ms; the caller does that elsewhere and calls mg_auth_finish.
//
// What always holds: OK with a user means that this user was allowed this type of connection and proved who it is, or
// is the no_auth_user.
#include "server/account/auth.h"

#include <stdatomic.h>

#include "server/account/nkey.h"
#include "server/account/password.h"
#include "server/account/tls_map.h"
#include "server/account/users.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/config/options.h"

struct mg_auth {
    atomic_uint refs;
    struct mg_users users;
    const struct mg_auth_user *simple;       // the token or the single user; NULL: none
    const struct mg_auth_user *no_auth_user; // NULL: none
    struct mg_tls_map *tls_map;              // NULL: certificates do not name users
    uint64_t timeout_ns;
};

// ---- the snapshot ------------------------------------------------------------------------------------------------

// spec/accounts-security.md 1.2
static uint64_t timeout_of(const struct mg_options *o) {
    if (o->auth_timeout_s > 0) return (uint64_t)(o->auth_timeout_s * (double)MG_SEC);
    return o->tls ? o->tls_opts.timeout_ns + MG_SEC : 2 * MG_SEC;
}

struct mg_auth *mg_auth_new(const struct mg_options *o) {
    struct mg_auth *a = mg_zalloc(sizeof *a);
    atomic_init(&a->refs, 1);
    mg_users_init(&a->users, o);
    a->timeout_ns = timeout_of(o);
    for (size_t i = 0; i < a->users.n; i++) {
        const struct mg_auth_user *u = &a->users.v[i];
        if (u->kind == MG_AUTH_SINGLE || u->kind == MG_AUTH_TOKEN) a->simple = u;
    }
    mg_slice name = mg_cstr(o->no_auth_user);
    if (name.n > 0) {
        a->no_auth_user = mg_users_find(&a->users, MG_AUTH_USER, name);
        if (a->no_auth_user == NULL) a->no_auth_user = mg_users_find(&a->users, MG_AUTH_NKEY, name);
    }
    if (o->tls && o->tls_opts.verify_and_map) a->tls_map = mg_tls_map_new(&a->users);
    return a;
}

struct mg_auth *mg_auth_ref(struct mg_auth *a) {
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void mg_auth_unref(struct mg_auth *a) {
    if (a == NULL) return;
    unsigned before = atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel);
    mg_assert(before > 0);
    if (before > 1) return;
    mg_tls_map_free(a->tls_map);
    mg_users_fini(&a->users);
    mg_free(a);
}

bool mg_auth_required(const struct mg_auth *a) { return a->users.n > 0; }

bool mg_auth_info_required(const struct mg_auth *a) { return mg_auth_required(a) && a->no_auth_user == NULL; }

bool mg_auth_nonce_required(const struct mg_auth *a) { return a->users.nnkey > 0; }

uint64_t mg_auth_timeout_ns(const struct mg_auth *a) { return a->timeout_ns; }

// A user without a password whom verify_and_map can select has a certificate as its identity (1.5, step 7).
static bool is_certificate_identity(const struct mg_auth *a, const struct mg_auth_user *u) {
    return a->tls_map && u->secret.n == 0 && mg_user_allows_type(u, MG_CONN_STANDARD);
}

bool mg_auth_has_plaintext(const struct mg_auth *a) {
    for (size_t i = 0; i < a->users.n; i++) {
        const struct mg_auth_user *u = &a->users.v[i];
        if (u->kind == MG_AUTH_USER && !u->bcrypt && !is_certificate_identity(a, u)) return true;
        if (u->kind == MG_AUTH_SINGLE && !u->bcrypt && u->secret.n > 0) return true; // the reference spares tokens
    }
    return false;
}

bool mg_auth_without_connect(const struct mg_auth *a, uint32_t conn_type) {
    const struct mg_auth_user *u = a->no_auth_user;
    return u && u->kind == MG_AUTH_USER && !u->proxy_required && mg_user_allows_type(u, conn_type);
}

// ---- the decision ------------------------------------------------------------------------------------------------

void mg_auth_who_says(mg_slice nkey, mg_slice user, mg_slice token, struct mg_auth_who *who) {
    *who = (struct mg_auth_who){MG_AUTH_ID_NONE, {NULL, 0}};
    if (nkey.n > 0) *who = (struct mg_auth_who){MG_AUTH_ID_NKEY, nkey};
    else if (user.n > 0) *who = (struct mg_auth_who){MG_AUTH_ID_USER, user};
    else if (token.n > 0) who->id = MG_AUTH_ID_TOKEN;
}

static void accept(struct mg_auth_result *res, const struct mg_auth_user *u) {
    res->verdict = MG_AUTH_OK;
    res->user = u;
}

// Trusted proxies are not supported, so whoever needs one stays outside.
static bool stopped_by_proxy(struct mg_auth_result *res, const struct mg_auth_user *u) {
    res->proxy_required = u->proxy_required;
    return u->proxy_required;
}

static void compare_secret(struct mg_auth_result *res, const struct mg_auth_user *u, mg_slice sent) {
    if (u->bcrypt) {
        res->verdict = MG_AUTH_BCRYPT;
        res->user = u;
        res->hash = u->secret;
        res->password = sent;
    } else if (mg_password_equal(u->secret, sent)) {
        accept(res, u);
    }
}

static void decide_nkey(const struct mg_auth *a, const struct mg_auth_request *req, const struct mg_auth_user *u,
                        struct mg_auth_result *res) {
    res->who = (struct mg_auth_who){MG_AUTH_ID_NKEY, u->name};
    if (!mg_user_allows_type(u, req->conn_type) || stopped_by_proxy(res, u)) return;
    if (u == a->no_auth_user || mg_nkey_verify(u->name, req->nonce, req->sig)) accept(res, u);
}

// The no_auth_user in place of a CONNECT without credentials. Its password is not asked for; one that is a hash lets
// nobody in, because the reference then sends the hash through its own comparison, which fails.
static void decide_no_auth_user(const struct mg_auth *a, const struct mg_auth_request *req,
                                struct mg_auth_result *res) {
    const struct mg_auth_user *u = a->no_auth_user;
    res->who = (struct mg_auth_who){MG_AUTH_ID_USER, u->name};
    if (!mg_user_allows_type(u, req->conn_type) || stopped_by_proxy(res, u) || u->bcrypt) return;
    accept(res, u);
}

static void decide_user(const struct mg_auth *a, const struct mg_auth_request *req, const struct mg_auth_user *u,
                        bool mapped, struct mg_auth_result *res) {
    if (!mg_user_allows_type(u, req->conn_type) || stopped_by_proxy(res, u)) return;
    if (!mapped && u != a->no_auth_user && is_certificate_identity(a, u)) return;
    compare_secret(res, u, req->pass);
}

// Steps 5 and 7. False: no password user is meant, the next step applies.
static bool try_users(const struct mg_auth *a, const struct mg_auth_request *req, struct mg_auth_result *res) {
    // The flag belongs to the listener of plain clients; a connection within the process has no certificate and fails.
    if (a->tls_map && (req->conn_type & (MG_CONN_STANDARD | MG_CONN_IN_PROCESS))) {
        const struct mg_auth_user *u = mg_tls_map_find(a->tls_map, req->peer, req->conn_type);
        if (u == NULL) return true;
        res->user_replaced = req->user.n > 0;
        if (req->nkey.n == 0) res->who = (struct mg_auth_who){MG_AUTH_ID_USER, u->name};
        decide_user(a, req, u, true, res);
        return true;
    }
    if (req->user.n == 0) {
        if (req->pass.n > 0 || req->token.n > 0) return false;
        if (a->no_auth_user == NULL || a->no_auth_user->kind != MG_AUTH_USER) return false;
        decide_no_auth_user(a, req, res);
        return true;
    }
    const struct mg_auth_user *u = mg_users_find(&a->users, MG_AUTH_USER, req->user);
    if (u) decide_user(a, req, u, false, res);
    return true;
}

// Step 4. False: no nkey is meant.
static bool try_nkeys(const struct mg_auth *a, const struct mg_auth_request *req, struct mg_auth_result *res) {
    if (req->nkey.n > 0) {
        const struct mg_auth_user *u = mg_users_find(&a->users, MG_AUTH_NKEY, req->nkey);
        if (u) decide_nkey(a, req, u, res);
        return true;
    }
    bool silent = req->user.n == 0 && req->pass.n == 0 && req->token.n == 0;
    if (!silent || a->no_auth_user == NULL || a->no_auth_user->kind != MG_AUTH_NKEY) return false;
    decide_nkey(a, req, a->no_auth_user, res);
    return true;
}

// Step 8.
static void try_simple(const struct mg_auth *a, const struct mg_auth_request *req, struct mg_auth_result *res) {
    const struct mg_auth_user *u = a->simple;
    if (u == NULL || stopped_by_proxy(res, u)) return;
    if (u->kind == MG_AUTH_TOKEN) {
        compare_secret(res, u, req->token);
    } else if (mg_slice_eq(u->name, req->user)) {
        compare_secret(res, u, req->pass);
    }
}

void mg_auth_begin(const struct mg_auth *a, const struct mg_auth_request *req, struct mg_auth_result *res) {
    *res = (struct mg_auth_result){.verdict = MG_AUTH_DENIED};
    mg_auth_who_says(req->nkey, req->user, req->token, &res->who);
    if (!mg_auth_required(a)) {
        accept(res, NULL); // credentials that were sent are ignored
        return;
    }
    if (a->users.nnkey > 0 && try_nkeys(a, req, res)) return;
    if (a->users.npass > 0 && try_users(a, req, res)) return;
    try_simple(a, req, res);
}

void mg_auth_finish(struct mg_auth_result *res, bool matched) {
    mg_assert(res->verdict == MG_AUTH_BCRYPT && res->user);
    res->verdict = matched ? MG_AUTH_OK : MG_AUTH_DENIED;
    if (!matched) res->user = NULL;
    res->hash = res->password = (mg_slice){NULL, 0};
}

// ---- reload and names --------------------------------------------------------------------------------------------

bool mg_user_same(const struct mg_auth_user *a, const struct mg_auth_user *b) {
    if (a == NULL || b == NULL) return a == b;
    return a->kind == b->kind && a->conn_types == b->conn_types && a->proxy_required == b->proxy_required &&
           mg_slice_eq(a->name, b->name) && mg_slice_eq(a->secret, b->secret);
}

const struct mg_auth_user *mg_auth_same_user(const struct mg_auth *fresh, const struct mg_auth_user *old) {
    if (old == NULL) return NULL;
    const struct mg_auth_user *u = mg_users_find(&fresh->users, old->kind, old->name);
    return mg_user_same(u, old) ? u : NULL;
}

bool mg_auth_knows(const struct mg_auth *a, const struct mg_auth_who *who) {
    if (who->id == MG_AUTH_ID_NKEY) return mg_users_find(&a->users, MG_AUTH_NKEY, who->name) != NULL;
    return mg_users_find(&a->users, MG_AUTH_USER, who->name) || mg_users_find(&a->users, MG_AUTH_SINGLE, who->name);
}

void mg_auth_label(struct mg_buf *b, const struct mg_auth_who *who) {
    switch (who->id) {
    case MG_AUTH_ID_NONE: return;
    case MG_AUTH_ID_TOKEN: mg_buf_adds(b, "token"); return;
    case MG_AUTH_ID_USER: mg_buf_adds(b, "user:"); break;
    case MG_AUTH_ID_NKEY: mg_buf_adds(b, "nkey:"); break;
    }
    mg_buf_add_slice(b, who->name);
}

void mg_auth_name(struct mg_buf *b, const struct mg_auth_who *who) {
    if (who->id == MG_AUTH_ID_TOKEN) mg_buf_adds(b, "[REDACTED]");
    else mg_buf_add_slice(b, who->name);
}
