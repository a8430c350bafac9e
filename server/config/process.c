// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading typed values out of a config tree, and the texts for those that do not fit. The texts follow the reference
// (spec/client-protocol.md B5), which reports a wrong type as a failed Go type assertion.
#include "server/config/process.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/timefmt.h"

// ---- reporting ---------------------------------------------------------------------------------------------------

static void add_place(struct mg_buf *b, const struct mg_conf_value *at) {
    mg_buf_addf(b, "%s:%d:%d: ", at->file ? at->file : "", at->line, at->col);
}

static void add_note(struct mg_conf_ctx *c, bool warning, struct mg_buf *text) {
    mg_buf_addc(text, '\0');
    mg_config_report_add(c->report, warning, "%s", text->p);
    mg_buf_fini(text);
}

void mg_conf_error(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *fmt, ...) {
    struct mg_buf b = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    add_place(&b, at);
    mg_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    add_note(c, false, &b);
}

void mg_conf_error_q(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *before, const char *s,
                     const char *after) {
    struct mg_buf b = MG_BUF_INIT;
    add_place(&b, at);
    mg_buf_adds(&b, before);
    mg_buf_add_quoted(&b, mg_cstr(s));
    mg_buf_adds(&b, after);
    add_note(c, false, &b);
}

void mg_conf_warn(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *fmt, ...) {
    struct mg_buf b = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    add_place(&b, at);
    mg_buf_adds(&b, "invalid use of field ");
    mg_buf_add_quoted(&b, mg_cstr(at->key));
    mg_buf_adds(&b, ": ");
    mg_buf_vaddf(&b, fmt, ap);
    va_end(ap);
    add_note(c, true, &b);
}

void mg_conf_unknown(struct mg_conf_ctx *c, const struct mg_conf_value *member) {
    if (!member->used) mg_conf_error_q(c, member, "unknown field ", member->key, "");
}

bool mg_conf_wrong_type(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *want) {
    mg_conf_error(c, v, "interface conversion: interface {} is %s, not %s", mg_conf_type_name(v), want);
    return false;
}

// ---- reading -----------------------------------------------------------------------------------------------------

bool mg_conf_key_is(const struct mg_conf_value *member, const char *names) {
    size_t n = strlen(member->key);
    for (const char *p = names; *p != '\0';) {
        size_t len = strcspn(p, " ");
        if (len == n && strncasecmp(p, member->key, n) == 0) return true;
        p += len + (p[len] == ' ');
    }
    return false;
}

bool mg_conf_get_bool(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool *out) {
    if (v->type != MG_CONF_BOOL) return mg_conf_wrong_type(c, v, "bool");
    *out = v->b;
    return true;
}

bool mg_conf_get_int(struct mg_conf_ctx *c, const struct mg_conf_value *v, int64_t *out) {
    if (v->type != MG_CONF_INT) return mg_conf_wrong_type(c, v, "int64");
    *out = v->i;
    return true;
}

bool mg_conf_get_str(struct mg_conf_ctx *c, const struct mg_conf_value *v, char **out) {
    if (v->type != MG_CONF_STRING) return mg_conf_wrong_type(c, v, "string");
    mg_str_set(out, v->str);
    return true;
}

bool mg_conf_parse_duration(const char *s, int64_t *ns, char *err, size_t errlen) {
    if (mg_parse_duration(s, ns) == MG_OK) return true;
    bool digits = *s != '\0' && s[strspn(s, "0123456789.")] == '\0';
    struct mg_buf q = MG_BUF_INIT;
    mg_buf_add_quoted(&q, mg_cstr(s));
    snprintf(err, errlen, "time: %s duration %.*s", digits ? "missing unit in" : "invalid", (int)q.len, q.p);
    mg_buf_fini(&q);
    return false;
}

bool mg_conf_get_duration(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *name, int64_t *ns) {
    char err[256];
    if (v->type == MG_CONF_STRING) {
        bool ok = mg_conf_parse_duration(v->str, ns, err, sizeof(err));
        if (!ok) mg_conf_error(c, v, "error parsing %s: %s", name, err);
        return ok;
    }
    if (v->key != NULL) mg_conf_warn(c, v, "%s should be converted to a duration", name);
    if (v->type != MG_CONF_INT) return mg_conf_wrong_type(c, v, "int64");
    if (!__builtin_mul_overflow(v->i, (int64_t)MG_SEC, ns)) return true;
    mg_conf_error(c, v, "%s value is too big", name);
    return false;
}

bool mg_conf_get_seconds(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *block, double *s) {
    int64_t ns = 0;
    char err[256];
    switch (v->type) {
    case MG_CONF_INT: *s = (double)v->i; break;
    case MG_CONF_FLOAT: *s = v->f; break;
    case MG_CONF_STRING:
        if (!mg_conf_parse_duration(v->str, &ns, err, sizeof(err))) {
            mg_conf_error(c, v, "error parsing %s config, 'timeout' %s", block, err);
            return false;
        }
        *s = (double)ns / 1e9;
        break;
    default: mg_conf_error(c, v, "error parsing %s config, 'timeout' wrong type", block); return false;
    }
    if (*s >= 0 && *s <= 1e9) return true;
    mg_conf_error(c, v, "error parsing %s config, 'timeout' out of range", block);
    return false;
}

// "host:port" with an optional "[v6]" host, as Go's SplitHostPort takes it.
static bool split_host_port(const char *s, mg_slice *host, const char **port) {
    const char *colon = strrchr(s, ':');
    if (colon == NULL) return false;
    if (s[0] == '[') {
        const char *end = strchr(s, ']');
        if (end == NULL || end + 1 != colon) return false;
        *host = mg_slice_of(s + 1, (size_t)(end - s - 1));
    } else {
        *host = mg_slice_of(s, (size_t)(colon - s));
        if (memchr(s, ':', host->n) != NULL) return false; // a bare IPv6 address
    }
    for (size_t i = 0; i < host->n; i++)
        if (host->p[i] == '[' || host->p[i] == ']') return false;
    *port = colon + 1;
    return true;
}

static bool parse_port(const char *s, int *port) {
    char *end;
    size_t digits = strspn(s[0] == '-' || s[0] == '+' ? s + 1 : s, "0123456789");
    if (digits == 0 || digits > 9) return false;
    long v = strtol(s, &end, 10);
    if (*end != '\0' || v < -1 || v > 65535) return false;
    *port = (int)v;
    return true;
}

bool mg_conf_get_listen(struct mg_conf_ctx *c, const struct mg_conf_value *v, char **host, int *port) {
    mg_slice h = {NULL, 0};
    const char *p;
    if (v->type == MG_CONF_INT) {
        if (v->i < -1 || v->i > 65535) {
            mg_conf_error(c, v, "could not parse port \"%lld\"", (long long)v->i);
            return false;
        }
        *port = (int)v->i;
    } else if (v->type != MG_CONF_STRING) {
        mg_conf_error(c, v, "expected port or host:port, got %s", mg_conf_type_name(v));
        return false;
    } else if (!split_host_port(v->str, &h, &p)) {
        mg_conf_error_q(c, v, "could not parse address string ", v->str, "");
        return false;
    } else if (!parse_port(p, port)) {
        mg_conf_error_q(c, v, "could not parse port ", p, "");
        return false;
    }
    mg_free(*host);
    *host = h.n ? mg_slice_dup(h) : NULL;
    return true;
}

bool mg_conf_get_strings(struct mg_conf_ctx *c, const struct mg_conf_value *v, const char *what,
                         struct mg_strlist *out) {
    bool ok = true;
    if (v->type == MG_CONF_STRING) {
        mg_strlist_add(out, v->str);
    } else if (v->type != MG_CONF_ARRAY) {
        mg_conf_error(c, v, "error parsing %s: unsupported type %s", what, mg_conf_type_name(v));
        ok = false;
    } else {
        for (size_t i = 0; i < v->list.n; i++) {
            const struct mg_conf_value *item = &v->list.v[i];
            if (item->type == MG_CONF_STRING) {
                mg_strlist_add(out, item->str);
                continue;
            }
            mg_conf_error(c, item, "error parsing %s: unsupported type in array %s", what, mg_conf_type_name(item));
            ok = false;
        }
    }
    return ok;
}

bool mg_conf_subject_valid(const char *s, size_t n) {
    size_t token = 0;
    bool full = false; // a '>' token was seen: it must be the last
    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != '.') {
            if (strchr(" \t\n\f\r", s[i]) != NULL) return false;
            token++;
            continue;
        }
        if (token == 0 || full) return false;
        full = token == 1 && s[i - 1] == '>';
        token = 0;
    }
    return true;
}
