// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/users.h"

#include <sodium.h>
#include <stdlib.h>

#include "server/account/password.h"
#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/config/options.h"

static mg_slice own(const char *s) { return mg_cstr(mg_strdup(s ? s : "")); }

static bool is_set(const char *s) { return s && s[0]; }

static int compare(const struct mg_auth_user *u, enum mg_auth_kind kind, mg_slice name) {
    if (u->kind != kind) return u->kind < kind ? -1 : 1;
    size_t n = u->name.n < name.n ? u->name.n : name.n;
    int c = n ? memcmp(u->name.p, name.p, n) : 0;
    if (c != 0) return c;
    return u->name.n < name.n ? -1 : u->name.n > name.n;
}

static int compare_users(const void *a, const void *b) {
    const struct mg_auth_user *y = b;
    return compare(a, y->kind, y->name);
}

static void add(struct mg_users *u, enum mg_auth_kind kind, const char *name, const char *secret,
                const struct mg_user *from) {
    struct mg_auth_user *e = &u->v[u->n++];
    *e = (struct mg_auth_user){.kind = kind, .name = own(name), .secret = own(secret)};
    e->bcrypt = mg_password_is_bcrypt(e->secret);
    if (from) {
        e->proxy_required = from->proxy_required;
        e->conn_types = from->conn_types;
        e->perms = mg_perms_new(from->perms);
    }
}

void mg_users_init(struct mg_users *u, const struct mg_options *o) {
    *u = (struct mg_users){.v = mg_alloc((o->nusers + 1) * sizeof u->v[0])};
    for (size_t i = 0; i < o->nusers; i++) {
        const struct mg_user *from = &o->users[i];
        if (from->nkey) {
            add(u, MG_AUTH_NKEY, from->nkey, NULL, from);
            u->nnkey++;
        } else {
            add(u, MG_AUTH_USER, from->user, from->password, from);
            u->npass++;
        }
    }
    // spec/accounts-security.md 1.5, step 8: the token comes first. The configuration refuses both, and either with
    // users.
    if (is_set(o->token)) {
        add(u, MG_AUTH_TOKEN, NULL, o->token, NULL);
    } else if (is_set(o->user)) {
        add(u, MG_AUTH_SINGLE, o->user, o->password, NULL);
    }
    if (u->n > o->nusers) u->v[u->n - 1].proxy_required = o->proxy_required;
    qsort(u->v, u->n, sizeof u->v[0], compare_users);
}

static void wipe(mg_slice s) {
    sodium_memzero((char *)(uintptr_t)s.p, s.n);
    mg_free((char *)(uintptr_t)s.p);
}

void mg_users_fini(struct mg_users *u) {
    for (size_t i = 0; i < u->n; i++) {
        wipe(u->v[i].name);
        wipe(u->v[i].secret);
        mg_perms_free(u->v[i].perms);
    }
    mg_free(u->v);
    *u = (struct mg_users){0};
}

const struct mg_auth_user *mg_users_find(const struct mg_users *u, enum mg_auth_kind kind, mg_slice name) {
    size_t lo = 0, hi = u->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare(&u->v[mid], kind, name);
        if (c == 0) return &u->v[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}
