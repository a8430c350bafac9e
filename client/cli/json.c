// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JSON. The writer keeps one bit a level, whether a comma is due; it cannot fail but by misuse. The reader walks the
// members of one object or array and gives slices; nesting inside a value is skipped by a scanner that knows strings
// and brackets, so depth costs no stack.
#include "client/cli/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

// ---- UTF-8 ----------------------------------------------------------------------------------------------------------

// The length of the valid sequence at s, 0: invalid. No overlong forms, surrogates, or above U+10FFFF.
static size_t utf8_len(const unsigned char *s, size_t n) {
    if (s[0] < 0x80) return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n) return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return len;
}

bool cli_utf8_valid(midge_str s) {
    for (size_t at = 0; at < s.n;) {
        size_t len = utf8_len((const unsigned char *)s.p + at, s.n - at);
        if (len == 0) return false;
        at += len;
    }
    return true;
}

static size_t utf8_put(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xf0u) | c);
    return len;
}

// ---- writing --------------------------------------------------------------------------------------------------------

void cli_json_quote(FILE *out, midge_str s) {
    static const char short_names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    putc('"', out);
    for (size_t at = 0; at < s.n;) {
        const unsigned char c = (unsigned char)s.p[at];
        size_t len = utf8_len((const unsigned char *)s.p + at, s.n - at);
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < sizeof short_names && short_names[c] != 0) {
            fprintf(out, "\\%c", short_names[c]);
        } else if (c < 0x20 || c == 0x7f) {
            fprintf(out, "\\u%04x", c);
        } else if (len == 0) {
            fputs("\\ufffd", out);
        } else {
            fwrite(s.p + at, 1, len, out);
        }
        at += len != 0 ? len : 1;
    }
    putc('"', out);
}

static void line_break(cli_json *j) {
    if (j->indent == 0) return;
    fprintf(j->out, "\n%*s", (int)(j->indent * j->depth), "");
}

static void before(cli_json *j, const char *name) {
    if (j->depth > 0) {
        if (j->filled[j->depth]) putc(',', j->out);
        j->filled[j->depth] = true;
        line_break(j);
    }
    if (name == NULL) return;
    cli_json_quote(j->out, midge_cstr(name));
    fputs(j->indent > 0 ? ": " : ":", j->out);
}

static void after(cli_json *j) {
    if (j->depth == 0) putc('\n', j->out);
}

void cli_json_begin(cli_json *j, const char *name, char bracket) {
    assert(j->depth + 1 < CLI_JSON_DEPTH);
    before(j, name);
    putc(bracket, j->out);
    j->filled[++j->depth] = false;
}

void cli_json_end(cli_json *j, char bracket) {
    assert(j->depth > 0);
    bool filled = j->filled[j->depth--];
    if (filled) line_break(j);
    putc(bracket, j->out);
    after(j);
}

void cli_json_bytes(cli_json *j, const char *name, midge_str s) {
    before(j, name);
    cli_json_quote(j->out, s);
    after(j);
}

void cli_json_string(cli_json *j, const char *name, const char *s) { cli_json_bytes(j, name, midge_cstr(s)); }

void cli_json_raw(cli_json *j, const char *name, const char *text) {
    before(j, name);
    fputs(text, j->out);
    after(j);
}

void cli_json_bool(cli_json *j, const char *name, bool v) { cli_json_raw(j, name, v ? "true" : "false"); }

void cli_json_uint(cli_json *j, const char *name, uint64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    cli_json_raw(j, name, text);
}

void cli_json_int(cli_json *j, const char *name, int64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, v);
    cli_json_raw(j, name, text);
}

void cli_json_seconds(cli_json *j, const char *name, uint64_t ns) {
    char text[40];
    int n = snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64, ns / 1000000000u, ns % 1000000000u);
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.') n--;
    text[n] = '\0';
    cli_json_raw(j, name, text);
}

// ---- base64 ---------------------------------------------------------------------------------------------------------

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_base64_write(FILE *out, midge_str s) {
    for (size_t at = 0; at < s.n; at += 3) {
        size_t n = s.n - at < 3 ? s.n - at : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < n ? (unsigned char)s.p[at + i] : 0);
        for (size_t i = 0; i < 4; i++)
            putc(i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=', out);
    }
}

size_t cli_base64_read(const char *s, size_t n, char *out) {
    size_t len = 0, pad = 0, have = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\r' || s[i] == '\n') continue;
        const char *digit = s[i] != '\0' ? strchr(alphabet, s[i]) : NULL;
        if (s[i] == '=') {
            pad++;
        } else if (digit == NULL || pad > 0) {
            return SIZE_MAX;
        }
        bits = bits << 6 | (digit != NULL ? (uint32_t)(digit - alphabet) : 0);
        if (++have % 4 != 0) continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out[len++] = (char)(bits >> shift & 0xff);
    }
    return have % 4 == 0 && pad <= 2 ? len - pad : SIZE_MAX;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static void skip_blanks(cli_json_reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

// Past a string whose opening quote is at `at`. False: it does not end, or has control characters.
static bool skip_string(cli_json_reader *r) {
    for (r->at++; r->at < r->end && *r->at != '"' && (unsigned char)*r->at >= 0x20; r->at++)
        if (*r->at == '\\' && r->at + 1 < r->end && (unsigned char)r->at[1] >= 0x20) r->at++;
    if (r->at >= r->end || *r->at != '"') return false;
    r->at++;
    return true;
}

static bool skip_value(cli_json_reader *r) {
    size_t depth = 0;
    do {
        skip_blanks(r);
        if (r->at >= r->end) return false;
        char c = *r->at;
        if (c == '"') {
            if (!skip_string(r)) return false;
        } else if (c == '{' || c == '[') {
            depth++;
            r->at++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0) return false;
            r->at++;
        } else if (c == ',' || c == ':') {
            if (depth == 0) return false;
            r->at++;
        } else {
            const char *from = r->at;
            while (r->at < r->end && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *r->at) != NULL && *r->at != 0)
                r->at++;
            if (r->at == from) return false;
        }
    } while (depth > 0);
    return true;
}

bool cli_json_enter(cli_json_reader *r, midge_str text, char bracket) {
    *r = (cli_json_reader){
        .at = text.p, .end = text.p + text.n, .closing = bracket == '{' ? '}' : ']', .first = true};
    skip_blanks(r);
    r->bad = r->at >= r->end || *r->at != bracket;
    if (r->bad) return false;
    r->at++;
    return true;
}

static bool bad(cli_json_reader *r) {
    r->bad = true;
    return false;
}

bool cli_json_next(cli_json_reader *r, midge_str *name, midge_str *value) {
    if (r->bad) return false;
    skip_blanks(r);
    if (r->at >= r->end) return bad(r);
    if (*r->at == r->closing) {
        r->at++;
        return false;
    }
    if (!r->first) {
        if (*r->at != ',') return bad(r);
        r->at++;
        skip_blanks(r);
    }
    r->first = false;
    const char *from = r->at;
    if (!skip_value(r)) return bad(r);
    *name = MIDGE_NONE;
    *value = (midge_str){from, (size_t)(r->at - from)};
    if (r->closing == ']') return true;
    skip_blanks(r);
    if (r->at >= r->end || *r->at != ':' || *value->p != '"') return bad(r);
    r->at++;
    skip_blanks(r);
    *name = (midge_str){value->p + 1, value->n - 2};
    from = r->at;
    if (!skip_value(r)) return bad(r);
    *value = (midge_str){from, (size_t)(r->at - from)};
    return true;
}

bool cli_json_done(const cli_json_reader *r) {
    cli_json_reader rest = *r;
    skip_blanks(&rest);
    return !r->bad && rest.at == rest.end;
}

// The four hexadecimal digits at s; false: there are none.
static bool hex4(const char *s, const char *end, uint32_t *c) {
    if (end - s < 4) return false;
    *c = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = s[i] != '\0' ? strchr(digits, s[i] | (s[i] >= 'A' ? 0x20 : 0)) : NULL;
        if (digit == NULL) return false;
        *c = *c << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

// One escape whose backslash is at *s; moves *s past it. The bytes written, 0: wrong.
static size_t unescape(const char **s, const char *end, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = *s + 1;
    if (at >= end || *at == '\0') return 0;
    const char *simple = strchr(from, *at);
    if (simple != NULL) {
        *s = at + 1;
        *out = to[simple - from];
        return 1;
    }
    uint32_t c, low;
    if (*at != 'u' || !hex4(at + 1, end, &c)) return 0;
    at += 5;
    if (c >= 0xd800 && c < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' && hex4(at + 2, end, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *s = at;
    if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
    return utf8_put(out, c);
}

size_t cli_json_unquote(midge_str value, char *out) {
    if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"') return SIZE_MAX;
    const char *s = value.p + 1, *end = value.p + value.n - 1;
    size_t n = 0;
    while (s < end) {
        if (*s != '\\') {
            out[n++] = *s++;
            continue;
        }
        size_t len = unescape(&s, end, out + n);
        if (len == 0) return SIZE_MAX;
        n += len;
    }
    out[n] = '\0';
    return n;
}
