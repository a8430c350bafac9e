// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The authorization block: a single user, a token, or users (spec/accounts-security.md 3, 6).
//
// Default permissions reach the users of the same block only, and only those without own permissions, whatever the
// order of the keys. Users are unique by name or nkey. An entry that is in error is reported and left out.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/mem.h"
#include "server/config/check.h"
#include "server/config/nkey_text.h"
#include "server/config/process.h"

void mg_conf_auth_fini(struct mg_conf_auth *a) {
    mg_free(a->user);
    mg_free(a->password);
    mg_free(a->token);
    for (size_t i = 0; i < a->nusers; i++)
        mg_user_fini(&a->users[i]);
    mg_free(a->users);
    if (a->defaults) mg_permissions_fini(a->defaults);
    mg_free(a->defaults);
    *a = (struct mg_conf_auth){0};
}

static void got(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *expected) {
    struct mg_buf shown = MG_BUF_INIT;
    mg_conf_value_show(&shown, v);
    mg_conf_error(c, v, "%s, got %.*s", expected, (int)shown.len, shown.p);
    mg_buf_fini(&shown);
}

// 6: known names in any case; unknown ones are listed together.
static void parse_conn_types(struct mg_conf_ctx *c, const struct mg_conf_value *v, uint32_t *bits) {
    static const char *const names[] = {"STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS",
                                        "MQTT",     "MQTT_WS",   "IN_PROCESS"}; // in the order of enum mg_conn_type
    struct mg_strlist given = {0};
    struct mg_buf unknown = MG_BUF_INIT;
    mg_conf_get_strings(c, v, "allowed connection types", &given);
    for (size_t i = 0; i < given.n; i++) {
        size_t t = 0;
        for (char *p = given.v[i]; *p; p++)
            if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
        while (t < sizeof(names) / sizeof(names[0]) && strcmp(names[t], given.v[i]) != 0)
            t++;
        if (t < sizeof(names) / sizeof(names[0])) {
            *bits |= 1u << t;
            continue;
        }
        if (unknown.len) mg_buf_addc(&unknown, ' ');
        mg_buf_add_quoted(&unknown, mg_cstr(given.v[i]));
    }
    if (unknown.len) mg_conf_error(c, v, "invalid connection types [%.*s]", (int)unknown.len, unknown.p);
    mg_buf_fini(&unknown);
    mg_strlist_fini(&given);
}

static void set_perms(struct mg_permissions **dst, struct mg_permissions *p) {
    if (p == NULL) return;
    if (*dst) mg_permissions_fini(*dst);
    mg_free(*dst);
    *dst = p;
}

static void parse_user_field(struct mg_conf_ctx *c, const struct mg_conf_value *m, struct mg_user *u) {
    if (mg_conf_key_is(m, "user username")) mg_conf_get_str(c, m, &u->user);
    else if (mg_conf_key_is(m, "password pass")) mg_conf_get_str(c, m, &u->password);
    else if (mg_conf_key_is(m, "nkey")) mg_conf_get_str(c, m, &u->nkey);
    else if (mg_conf_key_is(m, "permissions permission authorization"))
        set_perms(&u->perms, mg_conf_parse_permissions(c, m));
    else if (mg_conf_key_is(m, "allowed_connection_types connection_types clients"))
        parse_conn_types(c, m, &u->conn_types);
    else if (mg_conf_key_is(m, "proxy_required")) mg_conf_get_bool(c, m, &u->proxy_required);
    else mg_conf_unknown(c, m);
}

// Whether the entry names somebody; reports what is wrong with it.
static bool user_ok(struct mg_conf_ctx *c, const struct mg_conf_value *at, const struct mg_user *u) {
    bool named = u->user != NULL && *u->user != '\0';
    bool nkey = u->nkey != NULL && *u->nkey != '\0';
    if (!named && !nkey) mg_conf_error(c, at, "User entry requires a user");
    else if (nkey && !mg_nkey_text_valid(mg_cstr(u->nkey), MG_NKEY_PREFIX_USER))
        mg_conf_error(c, at, "Not a valid public nkey for a user");
    else if (nkey && (named || (u->password != NULL && *u->password != '\0')))
        mg_conf_error(c, at, "Nkey users do not take usernames or passwords");
    else return true;
    return false;
}

// After user_ok: one of user and nkey is set, the other NULL; users have a password, if only "".
static void normalize(struct mg_user *u) {
    bool nkey = u->nkey != NULL && *u->nkey != '\0';
    if (nkey) mg_str_set(&u->user, NULL);
    else mg_str_set(&u->nkey, NULL);
    if (nkey) mg_str_set(&u->password, NULL);
    else if (u->password == NULL) mg_str_set(&u->password, "");
}

void mg_conf_parse_users(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_user **users, size_t *n) {
    if (v->type != MG_CONF_ARRAY) {
        got(c, v, "Expected users field to be an array");
        return;
    }
    *users = mg_realloc(*users, (*n + v->list.n + 1) * sizeof(**users));
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *entry = &v->list.v[i];
        struct mg_user u = {0};
        if (entry->type != MG_CONF_MAP) {
            got(c, entry, "Expected user entry to be a map/struct");
            continue;
        }
        for (size_t k = 0; k < entry->list.n; k++)
            parse_user_field(c, &entry->list.v[k], &u);
        if (user_ok(c, entry, &u)) {
            normalize(&u);
            (*users)[(*n)++] = u;
        } else {
            mg_user_fini(&u);
        }
    }
}

static void parse_auth_callout(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    bool issuer = false, users = false;
    struct mg_strlist list = {0};
    char *s = NULL;
    if (v->type != MG_CONF_MAP) {
        got(c, v, "Expected authorization callout to be a map/struct");
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (mg_conf_key_is(m, "issuer")) {
            issuer = mg_conf_get_str(c, m, &s);
            if (issuer && !mg_nkey_text_valid(mg_cstr(s), MG_NKEY_PREFIX_ACCOUNT))
                mg_conf_error_q(c, m, "Expected callout user to be a valid public account nkey, got ", s, "");
        } else if (mg_conf_key_is(m, "xkey key")) {
            if (mg_conf_get_str(c, m, &s) && !mg_nkey_text_valid(mg_cstr(s), MG_NKEY_PREFIX_CURVE))
                mg_conf_error_q(c, m, "Expected callout xkey to be a valid public xkey, got ", s, "");
        } else if (mg_conf_key_is(m, "account acc")) {
            mg_conf_get_str(c, m, &s);
        } else if (mg_conf_key_is(m, "auth_users users")) {
            users = mg_conf_get_strings(c, m, "auth_users", &list);
        } else if (mg_conf_key_is(m, "allowed_accounts")) {
            mg_conf_get_strings(c, m, "allowed accounts", &list);
        } else if (!m->used) {
            mg_conf_error_q(c, m, "Unknown field ", m->key, " parsing authorization callout");
        }
    }
    if (!issuer) mg_conf_error(c, v, "Authorization callouts require an issuer to be specified");
    else if (!users) mg_conf_error(c, v, "Authorization callouts require authorized users to be specified");
    mg_strlist_fini(&list);
    mg_free(s);
}

static void parse_timeout(struct mg_conf_ctx *c, const struct mg_conf_value *m, double *s) {
    if (!mg_conf_get_seconds(c, m, "authorization", s) || *s <= 60) return;
    struct mg_buf shown = MG_BUF_INIT;
    mg_conf_value_show(&shown, m);
    mg_conf_warn(c, m, "timeout of %.*s (%f seconds) is high, consider keeping it under 60 seconds. possibly caused by "
                       "unquoted duration; use '1m' instead of 1m, for example", (int)shown.len, shown.p, *s);
    mg_buf_fini(&shown);
}

void mg_conf_parse_auth(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_conf_auth *out) {
    *out = (struct mg_conf_auth){0};
    if (v->type != MG_CONF_MAP) {
        mg_conf_wrong_type(c, v, "map[string]interface {}");
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (mg_conf_key_is(m, "user username")) mg_conf_get_str(c, m, &out->user);
        else if (mg_conf_key_is(m, "password pass")) mg_conf_get_str(c, m, &out->password);
        else if (mg_conf_key_is(m, "token")) mg_conf_get_str(c, m, &out->token);
        else if (mg_conf_key_is(m, "timeout")) parse_timeout(c, m, &out->timeout_s);
        else if (mg_conf_key_is(m, "users")) {
            out->users_given = true;
            mg_conf_parse_users(c, m, &out->users, &out->nusers);
        } else if (mg_conf_key_is(m, "default_permissions default_permission permissions"))
            set_perms(&out->defaults, mg_conf_parse_permissions(c, m));
        else if (mg_conf_key_is(m, "auth_callout auth_hook")) {
            out->callout = true;
            parse_auth_callout(c, m);
        } else if (mg_conf_key_is(m, "proxy_required")) mg_conf_get_bool(c, m, &out->proxy_required);
        else mg_conf_unknown(c, m);
    }
    for (size_t i = 0; i < out->nusers; i++)
        if (out->users[i].perms == NULL) out->users[i].perms = mg_permissions_dup(out->defaults);
}

static bool given(const char *s) { return s != NULL && *s != '\0'; }

// Users are unique over authorization and all accounts; a single user or a token does not go with users anywhere.
void mg_conf_settle_account_users(struct mg_conf_ctx *c) {
    const struct mg_options *o = c->o;
    size_t n = o->nusers + c->naccount_users;
    struct mg_user *all = mg_alloc((n + 1) * sizeof(*all));
    if (o->nusers) memcpy(all, o->users, o->nusers * sizeof(*all));
    if (c->naccount_users) memcpy(all + o->nusers, c->account_users, c->naccount_users * sizeof(*all));
    const struct mg_user *twice = mg_users_duplicate(all, n);
    if (c->naccount_users > 0 && o->user != NULL)
        mg_conf_error(c, c->account_users_at, "Can not have a single user/pass and accounts");
    else if (c->naccount_users > 0 && o->token != NULL)
        mg_conf_error(c, c->account_users_at, "Can not have a token and accounts");
    else if (c->naccount_users > 0 && twice != NULL)
        mg_conf_error_q(c, c->account_users_at, twice->user ? "Duplicate user " : "Duplicate nkey ",
                        twice->user ? twice->user : twice->nkey, " detected");
    mg_free(all);
    for (size_t i = 0; i < c->naccount_users; i++) mg_user_fini(&c->account_users[i]);
    mg_free(c->account_users);
    c->account_users = NULL;
    c->naccount_users = 0;
}

void mg_conf_block_authorization(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    struct mg_conf_auth a;
    struct mg_options *o = c->o;
    mg_conf_parse_auth(c, v, &a);
    o->auth_block = true;
    if (a.callout) mg_options_add_inactive(o, "auth_callout", true);
    if ((given(a.user) || given(a.password)) && given(a.token))
        mg_conf_error(c, v, "Cannot have a user/pass and token");
    else if (a.users_given && given(a.user))
        mg_conf_error(c, v, "Can not have a single user/pass and a users array");
    else if (a.users_given && given(a.token)) mg_conf_error(c, v, "Can not have a token and a users array");

    const struct mg_user *twice = mg_users_duplicate(a.users, a.nusers);
    if (twice != NULL)
        mg_conf_error_q(c, v, twice->user ? "Duplicate user " : "Duplicate nkey ",
                        twice->user ? twice->user : twice->nkey, " detected");

    mg_str_set(&o->user, given(a.user) ? a.user : NULL);
    mg_str_set(&o->password, given(a.password) ? a.password : NULL);
    mg_str_set(&o->token, given(a.token) ? a.token : NULL);
    o->auth_timeout_s = a.timeout_s;
    o->proxy_required = a.proxy_required;
    for (size_t i = 0; i < o->nusers; i++)
        mg_user_fini(&o->users[i]);
    mg_free(o->users);
    o->users = a.users;
    o->nusers = a.nusers;
    a.users = NULL;
    a.nusers = 0;
    mg_conf_auth_fini(&a);
}
