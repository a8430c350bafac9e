// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/query.h"

#include "server/base/errors.h"
#include "server/base/mem.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool mg_query_unescape(mg_slice s, bool plus, struct mg_buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0) return false;
            c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        mg_buf_addc(out, c);
    }
    return true;
}

// Splits the first "name=value" off *rest.
static mg_slice next_pair(mg_slice *rest) {
    const char *amp = memchr(rest->p, '&', rest->n);
    mg_slice pair = mg_slice_of(rest->p, amp ? (size_t)(amp - rest->p) : rest->n);
    size_t used = amp ? pair.n + 1 : pair.n;
    rest->p += used;
    rest->n -= used;
    return pair;
}

// A pair with a bad escape or a semicolon does not exist, as in the reference.
bool mg_query_get(mg_slice query, const char *name, struct mg_buf *out) {
    while (query.n != 0) {
        mg_slice key = next_pair(&query), value = {NULL, 0};
        if (key.n == 0 || memchr(key.p, ';', key.n) != NULL) continue;
        const char *eq = memchr(key.p, '=', key.n);
        if (eq != NULL) {
            value = mg_slice_of(eq + 1, key.n - (size_t)(eq - key.p) - 1);
            key.n = (size_t)(eq - key.p);
        }
        out->len = 0;
        if (!mg_query_unescape(key, true, out) || !mg_slice_eq(mg_buf_slice(out), mg_cstr(name))) continue;
        out->len = 0;
        if (!mg_query_unescape(value, true, out)) continue;
        mg_buf_addc(out, '\0');
        out->len--;
        return true;
    }
    out->len = 0;
    return false;
}

char *mg_query_dup(mg_slice query, const char *name) {
    struct mg_buf value = MG_BUF_INIT;
    char *s = mg_query_get(query, name, &value) && value.len != 0 ? mg_strndup(value.p, value.len) : NULL;
    mg_buf_fini(&value);
    return s;
}

static int bad(struct mg_buf *err, const char *kind, const char *name, const char *func, mg_slice value, int why) {
    err->len = 0;
    mg_buf_addf(err, "Error decoding %s for '%s': strconv.%s: parsing ", kind, name, func);
    mg_buf_add_quoted(err, value);
    mg_buf_adds(err, why == MG_ERANGE ? ": value out of range" : ": invalid syntax");
    return MG_EINVAL;
}

static int parse_bool(mg_slice s, bool *out) {
    static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        *out = mg_slice_eq(s, mg_cstr(yes[i]));
        if (*out || mg_slice_eq(s, mg_cstr(no[i]))) return MG_OK;
    }
    return MG_ESYNTAX;
}

static int parse_uint(mg_slice s, uint64_t max, uint64_t *out) {
    if (s.n == 0) return MG_ESYNTAX;
    uint64_t v = 0;
    bool overflow = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return MG_ESYNTAX;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (max - digit) / 10) overflow = true;
        v = v * 10 + digit;
    }
    *out = v;
    return overflow ? MG_ERANGE : MG_OK;
}

static int parse_int(mg_slice s, int64_t *out) {
    bool negative = s.n != 0 && s.p[0] == '-';
    if (negative || (s.n != 0 && s.p[0] == '+')) s = mg_slice_of(s.p + 1, s.n - 1);
    uint64_t v = 0;
    int rc = parse_uint(s, negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &v);
    if (rc == MG_OK) *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return rc;
}

int mg_query_bool(mg_slice query, const char *name, bool *out, struct mg_buf *err) {
    struct mg_buf value = MG_BUF_INIT;
    int rc = MG_OK;
    *out = false;
    if (mg_query_get(query, name, &value) && value.len != 0) {
        rc = parse_bool(mg_buf_slice(&value), out);
        if (rc != MG_OK) rc = bad(err, "boolean", name, "ParseBool", mg_buf_slice(&value), rc);
    }
    mg_buf_fini(&value);
    return rc;
}

int mg_query_int(mg_slice query, const char *name, int64_t *out, struct mg_buf *err) {
    struct mg_buf value = MG_BUF_INIT;
    int rc = MG_OK;
    *out = 0;
    if (mg_query_get(query, name, &value) && value.len != 0) {
        rc = parse_int(mg_buf_slice(&value), out);
        if (rc != MG_OK) rc = bad(err, "int", name, "Atoi", mg_buf_slice(&value), rc);
    }
    mg_buf_fini(&value);
    return rc;
}

int mg_query_uint(mg_slice query, const char *name, uint64_t *out, struct mg_buf *err) {
    struct mg_buf value = MG_BUF_INIT;
    int rc = MG_OK;
    *out = 0;
    if (mg_query_get(query, name, &value) && value.len != 0) {
        rc = parse_uint(mg_buf_slice(&value), UINT64_MAX, out);
        if (rc != MG_OK) rc = bad(err, "uint64", name, "ParseUint", mg_buf_slice(&value), rc);
    }
    mg_buf_fini(&value);
    return rc;
}
