// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The writer. Every put goes through `begin`, which writes the comma, the line break and the key, and through `append`,
// which makes room or remembers the error: after one nothing is written any more and mgc_json_out_end says it.
// Always n < size where anything was written, so that the terminating NUL fits.
#include "client/host/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mgc_json_out_init(mgc_json_out *o, char *buf, size_t size) {
    *o = (mgc_json_out){.buf = buf, .size = buf ? size : 0, .heap = !buf};
}

void mgc_json_out_fini(mgc_json_out *o) {
    if (o->heap) free(o->buf);
    *o = (mgc_json_out){0};
}

static bool room(mgc_json_out *o, size_t n) {
    if (o->err) return false;
    if (o->size - o->n > n) return true;
    if (!o->heap) {
        o->err = MIDGE_ETOOLARGE;
        return false;
    }
    size_t size = o->size ? o->size : 256;
    while (size - o->n <= n) {
        if (size > SIZE_MAX / 2) {
            o->err = MIDGE_ENOMEM;
            return false;
        }
        size *= 2;
    }
    char *buf = realloc(o->buf, size);
    if (!buf) {
        o->err = MIDGE_ENOMEM;
        return false;
    }
    o->buf = buf;
    o->size = size;
    return true;
}

static void append(mgc_json_out *o, const char *p, size_t n) {
    if (!n || !room(o, n)) return;
    memcpy(o->buf + o->n, p, n);
    o->n += n;
}

static void new_line(mgc_json_out *o) {
    if (!o->indent) return;
    append(o, "\n", 1);
    for (unsigned i = 0; i < o->depth * o->indent; i++) append(o, " ", 1);
}

static const char *short_escape(unsigned char c) {
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

static void quote(mgc_json_out *o, midge_str s) {
    append(o, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        append(o, s.p + from, i - from);
        from = i + 1;
        char code[8];
        const char *escape = short_escape(c);
        if (!escape) {
            snprintf(code, sizeof code, "\\u%04x", c);
            escape = code;
        }
        append(o, escape, strlen(escape));
    }
    if (s.n > from) append(o, s.p + from, s.n - from);
    append(o, "\"", 1);
}

// `comma`: a value stands before this one on the same level. A key is written once, by mgc_json_key or by begin.
static void separate(mgc_json_out *o) {
    if (o->comma) append(o, ",", 1);
    if (o->depth) new_line(o);
    o->comma = true;
}

void mgc_json_key(mgc_json_out *o, midge_str key) {
    separate(o);
    quote(o, key);
    append(o, ": ", o->indent ? 2 : 1);
    o->comma = false; // its value follows without one
    o->keyed = true;
}

static void begin(mgc_json_out *o, const char *key) {
    if (key) mgc_json_key(o, (midge_str){key, strlen(key)});
    if (!o->keyed) separate(o);
    o->keyed = false;
    o->comma = true;
}

void mgc_json_open(mgc_json_out *o, const char *key, char bracket) {
    begin(o, key);
    if (o->depth == MGC_JSON_DEPTH) {
        if (!o->err) o->err = MIDGE_EINVAL;
        return;
    }
    append(o, &bracket, 1);
    uint64_t bit = (uint64_t)1 << o->depth++;
    o->objects = bracket == '{' ? o->objects | bit : o->objects & ~bit;
    o->comma = false;
}

void mgc_json_close(mgc_json_out *o) {
    if (!o->depth) {
        if (!o->err) o->err = MIDGE_EINVAL;
        return;
    }
    o->depth--;
    if (o->comma) new_line(o);
    append(o, o->objects >> o->depth & 1 ? "}" : "]", 1);
    o->comma = true;
}

int mgc_json_out_end(mgc_json_out *o, midge_str *text) {
    if (!o->err && (o->depth || !room(o, 0)) && !o->err) o->err = MIDGE_EINVAL;
    if (o->err) return o->err;
    o->buf[o->n] = '\0';
    *text = (midge_str){o->buf, o->n};
    return 0;
}

// ---- values ---------------------------------------------------------------------------------------------------------

void mgc_json_put_raw(mgc_json_out *o, const char *key, midge_str json) {
    begin(o, key);
    append(o, json.p, json.n);
}

void mgc_json_put_str(mgc_json_out *o, const char *key, midge_str v) {
    begin(o, key);
    quote(o, v);
}

void mgc_json_put_cstr(mgc_json_out *o, const char *key, const char *v) {
    if (v) mgc_json_put_str(o, key, (midge_str){v, strlen(v)});
    else mgc_json_put_null(o, key);
}

void mgc_json_put_u64(mgc_json_out *o, const char *key, uint64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    mgc_json_put_raw(o, key, (midge_str){text, (size_t)n});
}

void mgc_json_put_i64(mgc_json_out *o, const char *key, int64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    mgc_json_put_raw(o, key, (midge_str){text, (size_t)n});
}

void mgc_json_put_double(mgc_json_out *o, const char *key, double v) {
    char text[40];
    if (!isfinite(v)) {
        mgc_json_put_null(o, key);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) break;
    }
    char *comma = strchr(text, ','); // of the program's locale
    if (comma) *comma = '.';
    mgc_json_put_raw(o, key, (midge_str){text, strlen(text)});
}

void mgc_json_put_bool(mgc_json_out *o, const char *key, bool v) {
    mgc_json_put_raw(o, key, v ? MIDGE_STR("true") : MIDGE_STR("false"));
}

void mgc_json_put_null(mgc_json_out *o, const char *key) {
    mgc_json_put_raw(o, key, MIDGE_STR("null"));
}

// ---- copying --------------------------------------------------------------------------------------------------------

static void copy_token(mgc_json_out *o, const char *key, const mgc_json *j) {
    switch (j->type) {
    case MGC_JSON_OBJECT:
    case MGC_JSON_ARRAY: mgc_json_open(o, key, j->text.p[0]); break;
    case MGC_JSON_OBJECT_END:
    case MGC_JSON_ARRAY_END: mgc_json_close(o); break;
    case MGC_JSON_KEY: // as it stands, escapes and all
        separate(o);
        append(o, j->text.p - 1, j->text.n + 2);
        append(o, ": ", o->indent ? 2 : 1);
        o->keyed = true;
        break;
    case MGC_JSON_STRING: mgc_json_put_raw(o, key, (midge_str){j->text.p - 1, j->text.n + 2}); break;
    default: mgc_json_put_raw(o, key, j->text); break;
    }
}

int mgc_json_copy(mgc_json_out *o, const char *key, midge_str json) {
    if (!mgc_json_valid(json)) return MIDGE_EINVAL;
    mgc_json j;
    mgc_json_init(&j, json);
    while (mgc_json_next(&j) != MGC_JSON_END) {
        copy_token(o, key, &j);
        key = NULL;
    }
    return o->err;
}
