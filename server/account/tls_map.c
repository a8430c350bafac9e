// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The candidates are tried in the order of spec/accounts-security.md 19; the first that names a user who may use this
// type of connection wins: every e-mail, DNS and URI name of the certificate, then its subject as a distinguished name,
// then two texts of the subject. Texts are equal or they are not; nothing is trimmed and case counts.
#include "server/account/tls_map.h"

#include "server/account/dn.h"
#include "server/base/buf.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/tls.h"

struct named {
    const struct mg_auth_user *user;
    struct mg_dn dn;
};

struct mg_tls_map {
    const struct mg_users *users;
    struct named *dns; // users whose name is a distinguished name
    size_t ndns;
};

struct mg_tls_map *mg_tls_map_new(const struct mg_users *users) {
    struct mg_tls_map *m = mg_zalloc(sizeof *m);
    m->users = users;
    m->dns = mg_alloc((users->npass + 1) * sizeof m->dns[0]);
    for (size_t i = 0; i < users->n; i++) {
        struct named *d = &m->dns[m->ndns];
        d->user = &users->v[i];
        if (d->user->kind == MG_AUTH_USER && mg_dn_parse(&d->dn, d->user->name) == MG_OK) m->ndns++;
    }
    return m;
}

void mg_tls_map_free(struct mg_tls_map *m) {
    if (m == NULL) return;
    for (size_t i = 0; i < m->ndns; i++) mg_dn_fini(&m->dns[i].dn);
    mg_free(m->dns);
    mg_free(m);
}

static const struct mg_auth_user *by_name(const struct mg_tls_map *m, mg_slice name, uint32_t conn_type) {
    if (name.n == 0) return NULL;
    const struct mg_auth_user *u = mg_users_find(m->users, MG_AUTH_USER, name);
    return u && mg_user_allows_type(u, conn_type) ? u : NULL;
}

static const struct mg_auth_user *by_any(const struct mg_tls_map *m, const struct mg_strlist *names,
                                         uint32_t conn_type) {
    const struct mg_auth_user *u = NULL;
    for (size_t i = 0; i < names->n && u == NULL; i++) u = by_name(m, mg_cstr(names->v[i]), conn_type);
    return u;
}

static const struct mg_auth_user *search_dns(const struct mg_tls_map *m, const struct mg_dn *dn, uint32_t conn_type,
                                             bool (*same)(const struct mg_dn *, const struct mg_dn *)) {
    for (size_t i = 0; i < m->ndns; i++)
        if (mg_user_allows_type(m->dns[i].user, conn_type) && same(&m->dns[i].dn, dn)) return m->dns[i].user;
    return NULL;
}

// The order of RDNs as it stands first, then any order.
static const struct mg_auth_user *by_dn(const struct mg_tls_map *m, const char *text, uint32_t conn_type) {
    struct mg_dn dn;
    if (text == NULL || mg_dn_parse(&dn, mg_cstr(text)) != MG_OK) return NULL;
    const struct mg_auth_user *u = search_dns(m, &dn, conn_type, mg_dn_equal);
    if (u == NULL) u = search_dns(m, &dn, conn_type, mg_dn_match);
    mg_dn_fini(&dn);
    return u;
}

static const struct mg_auth_user *by_subject_and_dc(const struct mg_tls_map *m, const struct mg_tls_peer *peer,
                                                    uint32_t conn_type) {
    if (peer->subject_dc == NULL) return NULL;
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_addf(&b, "%s,%s", peer->subject_rdn ? peer->subject_rdn : "", peer->subject_dc);
    const struct mg_auth_user *u = by_name(m, mg_buf_slice(&b), conn_type);
    mg_buf_fini(&b);
    return u;
}

const struct mg_auth_user *mg_tls_map_find(const struct mg_tls_map *m, const struct mg_tls_peer *peer,
                                           uint32_t conn_type) {
    const struct mg_auth_user *u;
    if (peer == NULL || !peer->present) return NULL;
    if ((u = by_any(m, &peer->emails, conn_type))) return u;
    if ((u = by_any(m, &peer->dns, conn_type))) return u;
    if ((u = by_any(m, &peer->uris, conn_type))) return u;
    if ((u = by_dn(m, peer->subject_dn, conn_type))) return u;
    if ((u = by_subject_and_dc(m, peer, conn_type))) return u;
    return by_name(m, mg_cstr(peer->subject_rdn), conn_type);
}
