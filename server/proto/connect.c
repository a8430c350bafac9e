// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading CONNECT. The members of the document are looked up in one table (name, kind, where it goes); strings are
// first collected as pointers into the old block and the document, then copied together into one new block. So a
// connection has one small allocation for all that it was told, and an error half way leaves nothing changed.
#include "server/proto/connect.h"

#include <stddef.h>
#include <strings.h>

#include "server/base/errors.h"
#include "server/base/json.h"
#include "server/base/mem.h"

enum kind { BOOL, INT, STRING, OBJECT };

static const struct field {
    const char *key;
    enum kind kind;
    size_t offset; // in struct mg_connect; OBJECT is checked only
} fields[] = {
    {"verbose", BOOL, offsetof(struct mg_connect, verbose)},
    {"pedantic", BOOL, offsetof(struct mg_connect, pedantic)},
    {"echo", BOOL, offsetof(struct mg_connect, echo)},
    {"tls_required", BOOL, offsetof(struct mg_connect, tls_required)},
    {"headers", BOOL, offsetof(struct mg_connect, headers)},
    {"no_responders", BOOL, offsetof(struct mg_connect, no_responders)},
    {"new_account", BOOL, offsetof(struct mg_connect, new_account)},
    {"protocol", INT, offsetof(struct mg_connect, protocol)},
    {"name", STRING, offsetof(struct mg_connect, name)},
    {"lang", STRING, offsetof(struct mg_connect, lang)},
    {"version", STRING, offsetof(struct mg_connect, version)},
    {"user", STRING, offsetof(struct mg_connect, user)},
    {"pass", STRING, offsetof(struct mg_connect, pass)},
    {"auth_token", STRING, offsetof(struct mg_connect, auth_token)},
    {"nkey", STRING, offsetof(struct mg_connect, nkey)},
    {"sig", STRING, offsetof(struct mg_connect, sig)},
    {"jwt", STRING, offsetof(struct mg_connect, jwt)},
    {"proxy_sig", STRING, offsetof(struct mg_connect, proxy_sig)},
    {"account", STRING, offsetof(struct mg_connect, account)},
    {"remote_account", STRING, offsetof(struct mg_connect, remote_account)},
    {"import", OBJECT, 0},
    {"export", OBJECT, 0},
};

enum { NFIELDS = sizeof(fields) / sizeof(fields[0]) };

static void *at(struct mg_connect *c, const struct field *f) { return (char *)c + f->offset; }

void mg_connect_init(struct mg_connect *c) {
    *c = (struct mg_connect){.verbose = true, .pedantic = true, .echo = true};
    for (size_t i = 0; i < NFIELDS; i++)
        if (fields[i].kind == STRING) *(const char **)at(c, &fields[i]) = "";
}

void mg_connect_fini(struct mg_connect *c) {
    mg_free(c->text);
    mg_connect_init(c);
}

// Sets one member; strings point into the document afterwards.
static bool set(struct mg_connect *c, const struct field *f, const struct mg_json *v) {
    if (mg_json_type(v) == MG_JSON_NULL) return true;
    switch (f->kind) {
    case BOOL: return mg_json_bool(v, at(c, f));
    case INT: return mg_json_int(v, at(c, f)) == 0;
    case OBJECT: return mg_json_type(v) == MG_JSON_OBJECT;
    case STRING: *(const char **)at(c, f) = mg_json_str(v); return mg_json_str(v) != NULL;
    }
    return false;
}

static bool set_all(struct mg_connect *c, const struct mg_json *doc) {
    if (mg_json_type(doc) == MG_JSON_NULL) return true;
    if (mg_json_type(doc) != MG_JSON_OBJECT) return false;
    for (const struct mg_json *v = mg_json_first(doc); v != NULL; v = mg_json_next(v))
        for (size_t i = 0; i < NFIELDS; i++)
            if (strcasecmp(fields[i].key, mg_json_key(v)) == 0 && !set(c, &fields[i], v)) return false;
    return true;
}

// Moves all strings of c into a block of its own.
static void own_strings(struct mg_connect *c) {
    size_t len = 0;
    for (size_t i = 0; i < NFIELDS; i++) {
        if (fields[i].kind != STRING) continue;
        size_t n = strlen(*(const char **)at(c, &fields[i]));
        if (n > 0) len += n + 1;
    }
    char *p = c->text = len ? mg_alloc(len) : NULL;
    for (size_t i = 0; i < NFIELDS; i++) {
        if (fields[i].kind != STRING) continue;
        const char **s = at(c, &fields[i]);
        size_t n = strlen(*s);
        *s = n ? memcpy(p, *s, n + 1) : "";
        if (n > 0) p += n + 1;
    }
}

int mg_connect_decode(struct mg_connect *c, mg_slice json) {
    struct mg_json *doc = mg_json_parse(json);
    if (doc == NULL) return MG_ESYNTAX;
    struct mg_connect next = *c;
    bool ok = set_all(&next, doc);
    if (ok) {
        own_strings(&next);
        mg_free(c->text);
        *c = next;
    }
    mg_json_free(doc);
    return ok ? 0 : MG_ESYNTAX;
}
