// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Cross-option checks. Texts are those of the reference's start-up validation; the order is its order, since the first
// failure is the one that is shown.
#include "server/config/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"

static int refuse(char *err, size_t errlen, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(char *err, size_t errlen, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err, errlen, fmt, ap);
    va_end(ap);
    return MG_EINVAL;
}

static const char *id_of(const struct mg_user *u) { return u->user ? u->user : u->nkey ? u->nkey : ""; }

// By id; equal ids by position.
static int by_id(const void *a, const void *b) {
    const struct mg_user *x = *(const struct mg_user *const *)a, *y = *(const struct mg_user *const *)b;
    int c = strcmp(id_of(x), id_of(y));
    return c != 0 ? c : (x > y) - (x < y);
}

const struct mg_user *mg_users_duplicate(const struct mg_user *users, size_t n) {
    const struct mg_user **sorted = mg_alloc((n + 1) * sizeof(const struct mg_user *));
    const struct mg_user *found = NULL;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &users[i];
    qsort(sorted, n, sizeof(const struct mg_user *), by_id);
    for (size_t i = 1; i < n; i++)
        if (strcmp(id_of(sorted[i - 1]), id_of(sorted[i])) == 0 && (found == NULL || sorted[i] < found))
            found = sorted[i];
    mg_free(sorted);
    return found;
}

static int check_limits(const struct mg_options *o, char *err, size_t n) {
    char grace[40], duration[40];
    if (o->lame_duck_grace_ns >= o->lame_duck_duration_ns)
        return refuse(err, n, "lame duck grace period (%s) should be strictly lower than lame duck duration (%s)",
                      mg_fmt_duration(grace, (int64_t)o->lame_duck_grace_ns),
                      mg_fmt_duration(duration, (int64_t)o->lame_duck_duration_ns));
    if (o->max_payload > o->max_pending)
        return refuse(err, n, "max_payload (%" PRId64 ") cannot be higher than max_pending (%" PRId64 ")",
                      o->max_payload, o->max_pending);
    if (o->server_name && strchr(o->server_name, ' '))
        return refuse(err, n, "server name cannot contain spaces");
    return MG_OK;
}

static int check_users(const struct mg_options *o, char *err, size_t n) {
    const struct mg_user *twice = mg_users_duplicate(o->users, o->nusers);
    if (twice != NULL)
        return refuse(err, n, "Duplicate %s \"%s\" detected", twice->user ? "user" : "nkey", id_of(twice));
    // A system account other than the built-in one has to come from accounts, and those are refused below.
    if (o->system_account && strcmp(o->system_account, "$SYS") != 0 && !mg_options_inactive(o, "accounts"))
        return refuse(err, n, "error resolving system account: account missing");
    if (o->no_auth_user == NULL) return MG_OK;
    if (mg_options_inactive(o, "operator")) return refuse(err, n, "no_auth_user not compatible with Trusted Operator");
    if (o->nusers == 0)
        return refuse(err, n, "no_auth_user: \"%s\" present, but users/nkeys are not defined", o->no_auth_user);
    for (size_t i = 0; i < o->nusers; i++)
        if (strcmp(id_of(&o->users[i]), o->no_auth_user) == 0) return MG_OK;
    return refuse(err, n,
                  "no_auth_user: \"%s\" not present as user or nkey in authorization block or account configuration",
                  o->no_auth_user);
}

static int check_monitoring(const struct mg_options *o, char *err, size_t n) {
    if (o->http_port != 0 && o->https_port != 0)
        return refuse(err, n, "can't specify both HTTP (%d) and HTTPs (%d) ports", o->http_port, o->https_port);
    if (o->https_port != 0 && !o->tls) return refuse(err, n, "TLS cert and key required for HTTPS");
    return MG_OK;
}

int mg_options_check(const struct mg_options *o, char *err, size_t errlen) {
    // Blocks that carry security come first: the other texts would send their owner looking in the wrong place.
    for (size_t i = 0; i < o->ninactive; i++) {
        if (!o->inactive[i].refuse) continue;
        refuse(err, errlen, "\"%s\" is not supported yet, and starting without it would weaken security",
               o->inactive[i].name);
        return MG_EUNSUPPORTED;
    }
    int rc = check_limits(o, err, errlen);
    if (rc == MG_OK) rc = check_users(o, err, errlen);
    if (rc == MG_OK) rc = check_monitoring(o, err, errlen);
    return rc;
}

// spec/accounts-security.md 4: what makes a configured secret a bcrypt hash.
static bool plaintext(const char *secret) {
    if (secret == NULL || *secret == '\0') return false;
    bool bcrypt = strlen(secret) >= 7 && secret[0] == '$' && secret[1] == '2' && strchr("abxy", secret[2]) &&
                  secret[3] == '$' && strspn(secret + 4, "0123456789") >= 2 && secret[6] == '$';
    return !bcrypt;
}

void mg_options_warnings(const struct mg_options *o, struct mg_config_report *out) {
    bool plain = plaintext(o->password) || plaintext(o->token);
    for (size_t i = 0; i < o->nusers; i++)
        plain |= plaintext(o->users[i].password);
    if (plain) mg_config_report_add(out, true, "Plaintext passwords detected, use nkeys or bcrypt");
    if (o->max_payload > (8 << 20))
        mg_config_report_add(out, true, "Maximum payloads over 8.00 MB are generally discouraged and could lead to "
                                        "poor performance");
    for (size_t i = 0; i < o->ninactive; i++)
        mg_config_report_add(out, true, "\"%s\" is configured but not supported yet: it has no effect",
                             o->inactive[i].name);
}
