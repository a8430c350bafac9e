// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JSON on top of cJSON. Writing is done by hand: cJSON would print 64-bit integers through a double.
//
// Reading is two passes over the text. The first, ours, checks the grammar: cJSON is lenient (leading zeros,
// control bytes in strings, a BOM), and what a peer sends must mean the same here as to any strict reader. The
// second is cJSON's and builds the tree. As cJSON keeps numbers as doubles only, their texts are then attached:
// valuestring, unused in a number, gets the text, found by walking tree and source side by side in document order.
// cJSON_Delete frees it.
//
// What always holds: a document that parses has passed mg_json_valid; struct mg_json is a cJSON node and nothing else.
#include "server/base/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/utf8.h"

enum { MAX_DEPTH = 64 };

// ---- writing ---------------------------------------------------------------------------------------------------

void mg_jw_init(struct mg_jw *w, struct mg_buf *out, int indent) {
    *w = (struct mg_jw){.out = out, .indent = indent, .first = true};
}

static void new_line(struct mg_jw *w) {
    if (w->indent == 0) return;
    mg_buf_addc(w->out, '\n');
    for (int i = 0; i < w->indent * w->depth; i++) mg_buf_addc(w->out, ' ');
}

// What stands before a key or an item.
static void lead_in(struct mg_jw *w) {
    if (!w->first) mg_buf_addc(w->out, ',');
    if (w->depth > 0) new_line(w);
    w->first = false;
}

static void before_value(struct mg_jw *w) {
    if (!w->after_key) lead_in(w);
    w->after_key = false;
}

static void open_container(struct mg_jw *w, char c) {
    before_value(w);
    mg_buf_addc(w->out, c);
    w->depth++;
    w->first = true;
}

static void close_container(struct mg_jw *w, char c) {
    mg_assert(w->depth > 0 && !w->after_key);
    w->depth--;
    if (!w->first) new_line(w);
    mg_buf_addc(w->out, c);
    w->first = false;
}

void mg_jw_obj(struct mg_jw *w) { open_container(w, '{'); }
void mg_jw_end_obj(struct mg_jw *w) { close_container(w, '}'); }
void mg_jw_arr(struct mg_jw *w) { open_container(w, '['); }
void mg_jw_end_arr(struct mg_jw *w) { close_container(w, ']'); }

// One character that cannot stand as it is.
static void add_escaped(struct mg_buf *out, unsigned char c) {
    static const char letters[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '"' || c == '\\') {
        mg_buf_addf(out, "\\%c", c);
    } else if (c < sizeof(letters) && letters[c] != 0) {
        mg_buf_addf(out, "\\%c", letters[c]);
    } else {
        mg_buf_addf(out, "\\u%04x", c);
    }
}

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

// spec/monitoring-and-tools.md 0.7
static void add_string(struct mg_buf *out, mg_slice s) {
    mg_buf_addc(out, '"');
    size_t i = 0;
    while (i < s.n) {
        size_t run = i;
        while (run < s.n && is_plain((unsigned char)s.p[run])) run++;
        mg_buf_add(out, s.p + i, run - i);
        i = run;
        if (i == s.n) break;
        size_t len = mg_utf8_len(s.p + i, s.n - i);
        if (len == 0) {
            mg_buf_adds(out, "\\ufffd");
            i++;
        } else if (len == 1) {
            add_escaped(out, (unsigned char)s.p[i++]);
        } else {
            bool line = len == 3 && memcmp(s.p + i, "\xe2\x80\xa8", 3) == 0; // U+2028, and U+2029 ends a paragraph
            bool paragraph = len == 3 && memcmp(s.p + i, "\xe2\x80\xa9", 3) == 0;
            if (line || paragraph) mg_buf_adds(out, line ? "\\u2028" : "\\u2029");
            else mg_buf_add(out, s.p + i, len);
            i += len;
        }
    }
    mg_buf_addc(out, '"');
}

void mg_jw_key(struct mg_jw *w, const char *key) { mg_jw_key_slice(w, mg_cstr(key)); }

void mg_jw_key_slice(struct mg_jw *w, mg_slice key) {
    mg_assert(w->depth > 0 && !w->after_key);
    lead_in(w);
    add_string(w->out, key);
    mg_buf_adds(w->out, w->indent ? ": " : ":");
    w->after_key = true;
}

void mg_jw_str(struct mg_jw *w, mg_slice s) {
    before_value(w);
    add_string(w->out, s);
}

void mg_jw_cstr(struct mg_jw *w, const char *s) { mg_jw_str(w, mg_cstr(s)); }

void mg_jw_int(struct mg_jw *w, int64_t v) {
    before_value(w);
    mg_buf_addf(w->out, "%" PRId64, v);
}

void mg_jw_uint(struct mg_jw *w, uint64_t v) {
    before_value(w);
    mg_buf_addf(w->out, "%" PRIu64, v);
}

// Shortest digits that read back as v, laid out as Go does: plain between 1e-6 and 1e21, else with an exponent.
void mg_jw_float(struct mg_jw *w, double v) {
    before_value(w);
    if (!isfinite(v) || v == 0) { // JSON has no NaN and no infinity
        mg_buf_addc(w->out, '0');
        return;
    }
    char text[32], digits[20];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(v));
        if (strtod(text, NULL) == fabs(v)) break;
    }
    size_t n = 0;
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.') digits[n++] = *p;
    int exp = atoi(strchr(text, 'e') + 1);
    digits[n] = '\0';
    if (v < 0) mg_buf_addc(w->out, '-');
    if (exp < -6 || exp >= 21) {
        mg_buf_addc(w->out, digits[0]);
        if (n > 1) mg_buf_addf(w->out, ".%s", digits + 1);
        mg_buf_addf(w->out, "e%c%d", exp < 0 ? '-' : '+', abs(exp));
        return;
    }
    for (int i = exp < 0 ? exp : 0; i <= exp || i < (int)n; i++) { // i: place of the digit, 0 is the first that counts
        if (i == exp + 1) mg_buf_addc(w->out, '.');
        mg_buf_addc(w->out, i >= 0 && i < (int)n ? digits[i] : '0');
    }
}

void mg_jw_bool(struct mg_jw *w, bool v) {
    before_value(w);
    mg_buf_adds(w->out, v ? "true" : "false");
}

void mg_jw_null(struct mg_jw *w) {
    before_value(w);
    mg_buf_adds(w->out, "null");
}

void mg_jw_raw(struct mg_jw *w, mg_slice json) {
    before_value(w);
    mg_buf_add_slice(w->out, json);
}

void mg_jw_kstr(struct mg_jw *w, const char *key, const char *v) {
    mg_jw_key(w, key);
    mg_jw_cstr(w, v);
}

void mg_jw_kint(struct mg_jw *w, const char *key, int64_t v) {
    mg_jw_key(w, key);
    mg_jw_int(w, v);
}

void mg_jw_kuint(struct mg_jw *w, const char *key, uint64_t v) {
    mg_jw_key(w, key);
    mg_jw_uint(w, v);
}

void mg_jw_kbool(struct mg_jw *w, const char *key, bool v) {
    mg_jw_key(w, key);
    mg_jw_bool(w, v);
}

// ---- checking --------------------------------------------------------------------------------------------------

struct scan {
    const char *p, *end;
};

static char peek(const struct scan *s) { return s->p < s->end ? *s->p : '\0'; }

static bool eat(struct scan *s, char c) {
    if (peek(s) != c) return false;
    s->p++;
    return true;
}

static void skip_blanks(struct scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool scan_digits(struct scan *s) {
    const char *start = s->p;
    while (is_digit(peek(s))) s->p++;
    return s->p > start;
}

static bool scan_number(struct scan *s) {
    eat(s, '-');
    if (!eat(s, '0') && !scan_digits(s)) return false;
    if (eat(s, '.') && !scan_digits(s)) return false;
    if (eat(s, 'e') || eat(s, 'E')) {
        if (!eat(s, '+')) eat(s, '-');
        return scan_digits(s);
    }
    return true;
}

static bool scan_hex4(struct scan *s) {
    if (s->end - s->p < 4 || memcmp(s->p, "0000", 4) == 0) return false;
    for (int i = 0; i < 4; i++, s->p++) {
        char c = (char)(*s->p | 0x20);
        if (!is_digit(*s->p) && !(c >= 'a' && c <= 'f')) return false;
    }
    return true;
}

static bool scan_string(struct scan *s) {
    if (!eat(s, '"')) return false;
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        char e = peek(s);
        if (e == '\0' || !strchr("\"\\/bfnrtu", e)) return false;
        s->p++;
        if (e == 'u' && !scan_hex4(s)) return false;
    }
    return false;
}

static bool scan_word(struct scan *s, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n;
    return true;
}

static bool scan_value(struct scan *s, int depth);

// The inside of { } or [ ]; the opening bracket is consumed.
static bool scan_container(struct scan *s, char close, int depth) {
    skip_blanks(s);
    if (eat(s, close)) return true;
    for (;;) {
        if (close == '}') {
            skip_blanks(s);
            if (!scan_string(s)) return false;
            skip_blanks(s);
            if (!eat(s, ':')) return false;
        }
        if (!scan_value(s, depth)) return false;
        if (eat(s, close)) return true;
        if (!eat(s, ',')) return false;
    }
}

// A value and the blanks around it.
static bool scan_value(struct scan *s, int depth) {
    bool ok;
    skip_blanks(s);
    switch (peek(s)) {
    case '{':
    case '[':
        if (depth == MAX_DEPTH) return false;
        ok = scan_container(s, *s->p++ == '{' ? '}' : ']', depth + 1);
        break;
    case '"': ok = scan_string(s); break;
    case 't': ok = scan_word(s, "true"); break;
    case 'f': ok = scan_word(s, "false"); break;
    case 'n': ok = scan_word(s, "null"); break;
    default: ok = scan_number(s); break;
    }
    skip_blanks(s);
    return ok;
}

bool mg_json_valid(mg_slice text) {
    struct scan s = {text.p, text.p + text.n};
    return text.n > 0 && scan_value(&s, 0) && s.p == s.end;
}

// ---- reading ---------------------------------------------------------------------------------------------------

// The text of the next number in a valid document; s is moved behind it.
static mg_slice next_number(struct scan *s) {
    while (s->p < s->end && *s->p != '-' && !is_digit(*s->p)) {
        if (*s->p == '"') scan_string(s);
        else s->p++;
    }
    const char *start = s->p;
    scan_number(s);
    return mg_slice_of(start, (size_t)(s->p - start));
}

static bool attach_numbers(cJSON *node, struct scan *s) {
    for (; node != NULL; node = node->next) {
        if (cJSON_IsNumber(node)) {
            mg_slice text = next_number(s);
            node->valuestring = cJSON_malloc(text.n + 1);
            if (node->valuestring == NULL) return false;
            memcpy(node->valuestring, text.p, text.n);
            node->valuestring[text.n] = '\0';
        } else if (node->child != NULL && !attach_numbers(node->child, s)) {
            return false;
        }
    }
    return true;
}

// The code unit of an escape \uXXXX at p; -1: there is none.
static long code_unit(const char *p, const char *end) {
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    struct scan s = {p + 2, end};
    if (!scan_hex4(&s)) return -1;
    const char hex[5] = {p[2], p[3], p[4], p[5], '\0'};
    return strtol(hex, NULL, 16);
}

// Makes half a surrogate pair in a valid document U+FFFD, as Go does; cJSON would refuse the document.
static void mend_surrogates(char *p, const char *end) {
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        long unit = code_unit(p, end);
        if (unit < 0xd800 || unit > 0xdfff) {
            p += 2;
            continue;
        }
        long low = unit < 0xdc00 ? code_unit(p + 6, end) : -1;
        bool pair = low >= 0xdc00 && low <= 0xdfff;
        if (!pair) memcpy(p + 2, "fffd", 4);
        p += pair ? 12 : 6;
    }
}

struct mg_json *mg_json_parse(mg_slice text) {
    if (!mg_json_valid(text)) return NULL;
    char *mended = mg_strndup(text.p, text.n);
    mend_surrogates(mended, mended + text.n);
    cJSON *root = cJSON_ParseWithLength(mended, text.n);
    mg_free(mended);
    struct scan s = {text.p, text.p + text.n};
    if (root != NULL && !attach_numbers(root, &s)) {
        cJSON_Delete(root);
        return NULL;
    }
    return (struct mg_json *)root;
}

void mg_json_free(struct mg_json *doc) { cJSON_Delete((cJSON *)doc); }

static const cJSON *node_of(const struct mg_json *v) { return (const cJSON *)(const void *)v; }
static const struct mg_json *json_of(const cJSON *n) { return (const struct mg_json *)(const void *)n; }

enum mg_json_type mg_json_type(const struct mg_json *v) {
    switch (node_of(v)->type & 0xff) {
    case cJSON_False:
    case cJSON_True: return MG_JSON_BOOL;
    case cJSON_Number: return MG_JSON_NUMBER;
    case cJSON_String: return MG_JSON_STRING;
    case cJSON_Array: return MG_JSON_ARRAY;
    case cJSON_Object: return MG_JSON_OBJECT;
    default: return MG_JSON_NULL;
    }
}

const struct mg_json *mg_json_first(const struct mg_json *v) { return json_of(node_of(v)->child); }
const struct mg_json *mg_json_next(const struct mg_json *v) { return json_of(node_of(v)->next); }

const char *mg_json_key(const struct mg_json *v) {
    const char *key = node_of(v)->string;
    return key ? key : "";
}

const char *mg_json_str(const struct mg_json *v) {
    return mg_json_type(v) == MG_JSON_STRING ? node_of(v)->valuestring : NULL;
}

bool mg_json_bool(const struct mg_json *v, bool *out) {
    if (mg_json_type(v) != MG_JSON_BOOL) return false;
    *out = cJSON_IsTrue(node_of(v));
    return true;
}

// The text of an integer; NULL if v is none.
static const char *integer_text(const struct mg_json *v, bool *neg) {
    if (mg_json_type(v) != MG_JSON_NUMBER) return NULL;
    const char *t = node_of(v)->valuestring;
    if (t[strspn(t, "-0123456789")] != '\0') return NULL;
    *neg = t[0] == '-';
    return t;
}

const char *mg_json_number(const struct mg_json *v) {
    return mg_json_type(v) == MG_JSON_NUMBER ? node_of(v)->valuestring : NULL;
}

int mg_json_int(const struct mg_json *v, int64_t *out) {
    bool neg;
    const char *t = integer_text(v, &neg);
    if (t == NULL) return MG_ERANGE;
    errno = 0;
    long long n = strtoll(t, NULL, 10);
    if (errno != 0) return MG_ERANGE;
    *out = n;
    return 0;
}

int mg_json_uint(const struct mg_json *v, uint64_t *out) {
    bool neg;
    const char *t = integer_text(v, &neg);
    if (t == NULL || neg) return MG_ERANGE;
    errno = 0;
    unsigned long long n = strtoull(t, NULL, 10);
    if (errno != 0) return MG_ERANGE;
    *out = n;
    return 0;
}
