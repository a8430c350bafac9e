// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The body of a pull request; see request.h. One table says which member goes where. Keys match without regard to case,
// unknown ones are ignored, null leaves a member as it is, a number must be a plain integer: what Go's decoder does
// with the reference's struct (spec 1, 10.1).
#include "jetstream/consumer/request.h"

#include <stddef.h>
#include <strings.h>

#include "jetstream/api/syntax.h"
#include "server/base/errors.h"
#include "server/base/json.h"

enum kind { INTEGER, BOOLEAN, TEXT };

static const struct member {
    const char *key;
    enum kind kind;
    size_t at;
    const char *go_type; // in Go's complaint
} members[] = {
    {"batch", INTEGER, offsetof(struct mg_js_request, batch), "int"},
    {"expires", INTEGER, offsetof(struct mg_js_request, expires), "time.Duration"},
    {"max_bytes", INTEGER, offsetof(struct mg_js_request, max_bytes), "int"},
    {"idle_heartbeat", INTEGER, offsetof(struct mg_js_request, heartbeat), "time.Duration"},
    {"no_wait", BOOLEAN, offsetof(struct mg_js_request, no_wait), "bool"},
    {"min_pending", INTEGER, offsetof(struct mg_js_request, min_pending), "int64"},
    {"min_ack_pending", INTEGER, offsetof(struct mg_js_request, min_ack_pending), "int64"},
    {"priority", INTEGER, offsetof(struct mg_js_request, priority), "int"},
    {"group", TEXT, offsetof(struct mg_js_request, group), "string"},
    {"id", TEXT, offsetof(struct mg_js_request, id), "string"},
};

static mg_slice trim(mg_slice s) {
    while (s.n > 0 && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r'))) s = mg_slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || (s.p[s.n - 1] >= '\t' && s.p[s.n - 1] <= '\r'))) s.n--;
    return s;
}

// As Go's Atoi: an optional sign and digits, in range. False: anything else.
static bool whole_number(mg_slice s, int64_t *out) {
    bool negative = s.p[0] == '-';
    int64_t v = 0;
    if (negative || s.p[0] == '+') s = mg_slice_of(s.p + 1, s.n - 1);
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v)) return false;
    }
    if (!negative && v == INT64_MIN) return false;
    *out = negative ? v : -v;
    return true;
}

static const char *type_word(const struct mg_json *v) {
    switch (mg_json_type(v)) {
    case MG_JSON_BOOL: return "bool";
    case MG_JSON_NUMBER: return "number";
    case MG_JSON_STRING: return "string";
    case MG_JSON_ARRAY: return "array";
    case MG_JSON_OBJECT: return "object";
    case MG_JSON_NULL: break;
    }
    return "null";
}

static bool take(struct mg_js_request *r, const struct member *m, const struct mg_json *v, size_t body) {
    void *to = (char *)r + m->at;
    switch (m->kind) {
    case INTEGER: return mg_json_int(v, to) == 0;
    case BOOLEAN: return mg_json_bool(v, to);
    case TEXT: break;
    }
    const char *s = mg_json_str(v);
    if (s == NULL) return false;
    // Strings are slices of the buffer, so it must not move: an unescaped body is at most three times as long.
    if (r->strings.cap == 0) mg_buf_reserve(&r->strings, 3 * body);
    if (r->strings.cap - r->strings.len < strlen(s)) return false;
    *(mg_slice *)to = mg_slice_of(r->strings.p + r->strings.len, strlen(s));
    mg_buf_adds(&r->strings, s);
    return true;
}

static void complain(struct mg_buf *err, const struct member *m, const struct mg_json *v) {
    mg_buf_adds(err, "json: cannot unmarshal ");
    mg_buf_adds(err, type_word(v));
    if (m->kind == INTEGER && mg_json_type(v) == MG_JSON_NUMBER) {
        mg_buf_addc(err, ' ');
        mg_buf_adds(err, mg_json_number(v));
    }
    mg_buf_addf(err, " into Go struct field JSApiConsumerGetNextRequest.%s of type %s", m->key, m->go_type);
}

static void say_syntax(mg_slice body, struct mg_buf *err) {
    mg_slice value;
    if (mg_syntax_whole(body, &value, err)) mg_buf_adds(err, "invalid JSON"); // U+0000
}

static int read_object(mg_slice body, struct mg_js_request *r, struct mg_buf *err) {
    struct mg_json *doc = mg_json_parse(body);
    if (doc == NULL || mg_json_type(doc) != MG_JSON_OBJECT) {
        if (doc != NULL) mg_json_free(doc);
        say_syntax(body, err);
        return MG_ESYNTAX;
    }
    int rc = 0;
    for (const struct mg_json *v = mg_json_first(doc); v != NULL && rc == 0; v = mg_json_next(v)) {
        if (mg_json_type(v) == MG_JSON_NULL) continue;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            if (strcasecmp(mg_json_key(v), members[i].key) != 0) continue;
            if (!take(r, &members[i], v, body.n)) {
                complain(err, &members[i], v);
                rc = MG_ESYNTAX;
            }
            break;
        }
    }
    mg_json_free(doc);
    return rc;
}

int mg_js_request_read(mg_slice body, struct mg_js_request *out, struct mg_buf *err) {
    *out = (struct mg_js_request){.batch = 1};
    body = trim(body);
    if (body.n == 0) return 0;
    if (body.p[0] != '{') {
        int64_t n;
        if (whole_number(body, &n)) out->batch = n;
        return 0; // any other text asks for one message
    }
    out->batch = 0;
    out->json = true;
    int rc = read_object(body, out, err);
    if (rc != 0) return rc;
    if (out->max_bytes < 0) out->max_bytes = 0;
    if (out->heartbeat < 0) out->heartbeat = 0;
    // Also when nothing was said about expiry (10.1).
    if (out->heartbeat > 0 && out->heartbeat > out->expires / 2) {
        mg_buf_adds(err, "heartbeat value too large");
        return MG_ESYNTAX;
    }
    return 0;
}

void mg_js_request_fini(struct mg_js_request *r) {
    mg_buf_fini(&r->strings);
    *r = (struct mg_js_request){0};
}
