// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The scanner. A token a call, no recursion, no memory: the kinds of the open levels are bits of one word.
//
//      expect VALUE --value--> AFTER --','--> a value or a key
//             VALUE --'['----> FIRST (a value or ']')
//             VALUE --'{'----> FIRST_KEY (a key or '}'); a key takes its colon along and leads to VALUE
//
// A bad byte ends it: MGC_JSON_ERROR for ever. What always holds: at <= end, text lies in the input, and a token that
// was given is well formed by itself (mgc_json_unescape relies on it).
#include "client/host/json.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE, FIRST, FIRST_KEY, AFTER, DONE, BAD };

void mgc_json_init(mgc_json *j, midge_str text) {
    const char *p = text.n ? text.p : "";
    *j = (mgc_json){.at = p, .end = p + text.n, .expect = VALUE};
}

static enum mgc_json_type bad(mgc_json *j) {
    j->expect = BAD;
    j->text = MIDGE_NONE;
    return j->type = MGC_JSON_ERROR;
}

static void skip_blanks(mgc_json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\r' || *j->at == '\n')) j->at++;
}

// A value has ended: what may follow depends on the level it stands in.
static enum mgc_json_type ended(mgc_json *j, enum mgc_json_type type, const char *from) {
    j->text = (midge_str){from, (size_t)(j->at - from)};
    j->expect = j->depth ? AFTER : DONE;
    return j->type = type;
}

static bool in_object(const mgc_json *j) {
    return j->depth && (j->objects >> (j->depth - 1) & 1);
}

static enum mgc_json_type open_level(mgc_json *j, bool object) {
    if (j->depth == MGC_JSON_DEPTH) return bad(j);
    uint64_t bit = (uint64_t)1 << j->depth++;
    j->objects = object ? j->objects | bit : j->objects & ~bit;
    j->text = (midge_str){j->at++, 1};
    j->expect = object ? FIRST_KEY : FIRST;
    return j->type = object ? MGC_JSON_OBJECT : MGC_JSON_ARRAY;
}

static enum mgc_json_type close_level(mgc_json *j) {
    bool object = in_object(j);
    if (*j->at != (object ? '}' : ']')) return bad(j);
    const char *from = j->at++;
    j->depth--;
    return ended(j, object ? MGC_JSON_OBJECT_END : MGC_JSON_ARRAY_END, from);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// At a quote: moves behind the closing one and sets text; false: bad.
static bool scan_string(mgc_json *j) {
    const char *p = j->at + 1, *from = p;
    j->escaped = false;
    for (; p < j->end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return false;
        if (*p != '\\') continue;
        j->escaped = true;
        if (++p == j->end) return false;
        if (*p == 'u') {
            if (j->end - p < 5) return false;
            for (int i = 1; i <= 4; i++)
                if (hex_digit(p[i]) < 0) return false;
            p += 4;
        } else if (*p == '\0' || !strchr("\"\\/bfnrt", *p)) {
            return false;
        }
    }
    if (p == j->end) return false;
    j->text = (midge_str){from, (size_t)(p - from)};
    j->at = p + 1;
    return true;
}

static bool scan_digits(mgc_json *j) {
    const char *from = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
    return j->at > from;
}

static bool scan_number(mgc_json *j) {
    if (*j->at == '-') j->at++;
    if (j->at < j->end && *j->at == '0') j->at++; // no digits after a leading 0
    else if (!scan_digits(j)) return false;
    if (j->at < j->end && *j->at == '.') {
        j->at++;
        if (!scan_digits(j)) return false;
    }
    if (j->at < j->end && (*j->at == 'e' || *j->at == 'E')) {
        j->at++;
        if (j->at < j->end && (*j->at == '+' || *j->at == '-')) j->at++;
        if (!scan_digits(j)) return false;
    }
    return true;
}

static enum mgc_json_type scan_word(mgc_json *j, const char *word, enum mgc_json_type type) {
    size_t n = strlen(word);
    const char *from = j->at;
    if ((size_t)(j->end - from) < n || memcmp(from, word, n) != 0) return bad(j);
    j->at += n;
    return ended(j, type, from);
}

static enum mgc_json_type scan_value(mgc_json *j) {
    const char *from = j->at;
    switch (*from) {
    case '{': return open_level(j, true);
    case '[': return open_level(j, false);
    case 't': return scan_word(j, "true", MGC_JSON_TRUE);
    case 'f': return scan_word(j, "false", MGC_JSON_FALSE);
    case 'n': return scan_word(j, "null", MGC_JSON_NULL);
    case '"':
        if (!scan_string(j)) return bad(j);
        j->expect = j->depth ? AFTER : DONE;
        return j->type = MGC_JSON_STRING;
    default:
        if (!scan_number(j)) return bad(j);
        return ended(j, MGC_JSON_NUMBER, from);
    }
}

static enum mgc_json_type scan_key(mgc_json *j) {
    if (*j->at != '"' || !scan_string(j)) return bad(j);
    midge_str key = j->text;
    skip_blanks(j);
    if (j->at == j->end || *j->at != ':') return bad(j);
    j->at++;
    j->text = key;
    j->expect = VALUE;
    return j->type = MGC_JSON_KEY;
}

enum mgc_json_type mgc_json_next(mgc_json *j) {
    if (j->expect == BAD) return j->type;
    skip_blanks(j);
    if (j->expect == DONE) {
        if (j->at != j->end) return bad(j);
        j->text = MIDGE_NONE;
        return j->type = MGC_JSON_END;
    }
    if (j->at == j->end) return bad(j);
    switch (j->expect) {
    case AFTER:
        if (*j->at != ',') return close_level(j);
        j->at++;
        skip_blanks(j);
        if (j->at == j->end) return bad(j);
        return in_object(j) ? scan_key(j) : scan_value(j);
    case FIRST: return *j->at == ']' ? close_level(j) : scan_value(j);
    case FIRST_KEY: return *j->at == '}' ? close_level(j) : scan_key(j);
    default: return scan_value(j);
    }
}

bool mgc_json_skip(mgc_json *j) {
    if (j->type == MGC_JSON_KEY) mgc_json_next(j);
    if (j->type == MGC_JSON_OBJECT || j->type == MGC_JSON_ARRAY)
        for (unsigned outer = j->depth - 1; j->depth > outer && j->type != MGC_JSON_ERROR;) mgc_json_next(j);
    return j->type != MGC_JSON_ERROR;
}

midge_str mgc_json_raw(mgc_json *j) {
    if (j->type == MGC_JSON_KEY) mgc_json_next(j);
    if (j->type == MGC_JSON_ERROR || j->type == MGC_JSON_END) return MIDGE_NONE; // no value: no text either
    const char *from = j->text.p - (j->type == MGC_JSON_STRING);
    if (!mgc_json_skip(j)) return MIDGE_NONE;
    return (midge_str){from, (size_t)(j->at - from)};
}

bool mgc_json_valid(midge_str text) {
    mgc_json j;
    mgc_json_init(&j, text);
    do mgc_json_next(&j);
    while (j.type != MGC_JSON_ERROR && j.type != MGC_JSON_END);
    return j.type == MGC_JSON_END;
}

// ---- text -----------------------------------------------------------------------------------------------------------

static uint32_t hex4(const char *p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v << 4 | (uint32_t)hex_digit(p[i]);
    return v;
}

static size_t put_utf8(uint32_t c, char *out) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

// p is behind "\u". Takes a second escape along if both are a pair; *used counts the bytes from p.
static uint32_t code_point(const char *p, const char *end, size_t *used) {
    uint32_t c = hex4(p);
    *used = 4;
    if (c < 0xd800 || c > 0xdfff) return c;
    if (c < 0xdc00 && end - p >= 10 && p[4] == '\\' && p[5] == 'u') {
        uint32_t low = hex4(p + 6);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *used = 10;
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

static char simple_escape(char c) {
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
    }
}

size_t mgc_json_unescape(midge_str s, char *out) {
    const char *p = s.p, *end = s.p + s.n;
    size_t n = 0;
    while (p < end) {
        if (*p != '\\') {
            out[n++] = *p++;
            continue;
        }
        char c = p[1];
        p += 2;
        if (c != 'u') {
            out[n++] = simple_escape(c);
            continue;
        }
        size_t used;
        uint32_t code = code_point(p, end, &used);
        p += used;
        n += put_utf8(code, out + n); // at most 3 bytes for 6, 4 for 12: never ahead of p
    }
    return n;
}

bool mgc_json_is(const mgc_json *j, const char *text) {
    if (j->type != MGC_JSON_KEY && j->type != MGC_JSON_STRING) return false;
    size_t n = strlen(text);
    if (!j->escaped) return j->text.n == n && memcmp(j->text.p, text, n) == 0;
    // An escape is at most 6 bytes for one: longer texts cannot be equal, which bounds the copy.
    char plain[512];
    if (n > sizeof plain / 6 || j->text.n > sizeof plain) return false;
    return mgc_json_unescape(j->text, plain) == n && memcmp(plain, text, n) == 0;
}

// ---- values ---------------------------------------------------------------------------------------------------------

static bool digits(midge_str s, uint64_t *v) {
    uint64_t sum = 0;
    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    *v = sum;
    return true;
}

bool mgc_json_uint(const mgc_json *j, uint64_t *v) {
    return j->type == MGC_JSON_NUMBER && digits(j->text, v);
}

bool mgc_json_int(const mgc_json *j, int64_t *v) {
    if (j->type != MGC_JSON_NUMBER) return false;
    bool negative = j->text.p[0] == '-';
    uint64_t u;
    if (!digits((midge_str){j->text.p + negative, j->text.n - negative}, &u)) return false;
    if (u > (uint64_t)INT64_MAX + negative) return false;
    *v = negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

bool mgc_json_double(const mgc_json *j, double *v) {
    char text[64];
    if (j->type != MGC_JSON_NUMBER || j->text.n >= sizeof text) return false;
    memcpy(text, j->text.p, j->text.n);
    text[j->text.n] = '\0';
    char *point = strchr(text, '.');
    if (point) *point = *localeconv()->decimal_point;
    *v = strtod(text, NULL);
    return true;
}

bool mgc_json_bool(const mgc_json *j, bool *v) {
    if (j->type != MGC_JSON_TRUE && j->type != MGC_JSON_FALSE) return false;
    *v = j->type == MGC_JSON_TRUE;
    return true;
}

// At an object: stops at the value of the key.
static bool enter(mgc_json *j, const char *key, size_t n) {
    char name[128];
    if (j->type != MGC_JSON_OBJECT || n >= sizeof name) return false;
    memcpy(name, key, n);
    name[n] = '\0';
    while (mgc_json_next(j) == MGC_JSON_KEY) {
        if (mgc_json_is(j, name)) return mgc_json_next(j) != MGC_JSON_ERROR;
        if (!mgc_json_skip(j)) return false;
    }
    return false;
}

bool mgc_json_find(midge_str text, const char *path, mgc_json *j) {
    mgc_json_init(j, text);
    mgc_json_next(j);
    for (size_t n; *path; path += n + (path[n] == '.')) {
        n = strcspn(path, ".");
        if (!enter(j, path, n)) return false;
    }
    return j->type != MGC_JSON_ERROR;
}
