// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text for JetStream, written for few bytes of code on machines without a divider or 64-bit arithmetic: numbers are
// printed by shifts and subtractions, and JSON is never a tree: a member is looked for each time it is wanted, which is
// cheap for answers of 100 bytes.
//
// How it fails: a buffer that is too small sets `full`, which the last step of a caller looks at; text that is not what
// it should be gives nothing, 0 or false. Nothing is read behind the end of a slice.
#include "client/core/js_text.h"

void mgc_text_begin(mgc_text *t, const midge_js *js) { *t = (mgc_text){.p = js->buf, .size = js->size, .js = js}; }

void mgc_text_put(mgc_text *t, const char *s, size_t n) {
    if (n > t->size - t->n) t->full = true;
    if (t->full) return;
    mgc_put((uint8_t *)t->p + t->n, s, n);
    t->n += n;
}

void mgc_text_cstr(mgc_text *t, const char *s) {
    mgc_text_put(t, s, midge_cstr(s).n);
}

// Divides by ten as on paper, in binary.
void mgc_text_u64(mgc_text *t, const char *before, uint64_t v) {
    char digits[20], *p = digits + sizeof(digits);

    mgc_text_cstr(t, before);
    do {
        uint32_t rest = 0;
        for (int bit = 0; bit < 64; bit++) {
            rest = rest << 1 | (uint32_t)(v >> 63);
            v <<= 1;
            if (rest < 10) continue;
            rest -= 10;
            v++;
        }
        *--p = (char)('0' + rest);
    } while (v > 0);
    mgc_text_put(t, p, (size_t)(digits + sizeof(digits) - p));
}

static void put_api(mgc_text *t) {
    const midge_js *js = t->js;

    if (js->prefix.n > 0) {
        mgc_text_put(t, js->prefix.p, js->prefix.n);
    } else if (js->domain.n > 0) {
        mgc_text_form(t, "$JS.?.API", &js->domain, NULL);
    } else {
        mgc_text_cstr(t, "$JS.API");
    }
}

void mgc_text_form(mgc_text *t, const char *form, const midge_str *a, const midge_str *b) {
    for (; *form != 0; form++) {
        if (*form == '@') {
            put_api(t);
        } else if (*form == '?') {
            mgc_text_put(t, a->p, a->n);
            a = b;
        } else {
            mgc_text_put(t, form, 1);
        }
    }
}

bool mgc_str_eq(midge_str a, const char *b) { return mgc_same(a, midge_cstr(b)); }

midge_str mgc_header(midge_str headers, const char *name) { return midge_headers_get(headers, midge_cstr(name)); }

bool mgc_u64(midge_str s, uint64_t *v) {
    size_t i = 0;

    *v = 0;
    if (s.n <= 19) { // so many digits always fit
        while (i < s.n && mgc_digit(v, s.p[i])) i++;
    }
    if (i > 0 && i == s.n) return true;
    *v = 0;
    return false;
}

uint64_t mgc_u64_or_0(midge_str s) {
    uint64_t v;
    mgc_u64(s, &v);
    return v;
}

// ---- times

// The server writes UTC with up to 9 digits after the point, or none (spec/jetstream-streams.md: notation).
uint64_t mgc_time(midge_str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    uint32_t v[6]; // year ... second

    if (s.n < 20 || s.p[s.n - 1] != 'Z') return 0;
    for (size_t i = 0; i < 6; i++) {
        size_t n = i == 0 ? 4 : 2;
        v[i] = (uint32_t)mgc_get_u31(p, n); // no digits: a large number
        if (v[i] > 9999 || (i < 5 && p[n] != "--T::"[i])) return 0;
        p += n + (i < 5);
    }
    if (v[0] - 1970 >= 130 || v[1] - 1 >= 12) return 0;
    // Years begin with March here, so that a leap day is the last; there is one in each fourth year.
    uint32_t late = v[1] < 3, years = v[0] - 1968 - late, months = v[1] - 3 + 12 * late;
    uint32_t days = years * 365 + years / 4 + ((979 * months + 15) >> 5) + v[2] - 672; // since 1970
    uint64_t time = ((days * 24 + v[3]) * 60 + v[4]) * 60 + v[5];
    if (*p == '.') p++;
    for (size_t i = 0; i < 9; i++) { // the 'Z' ends what is there
        if (mgc_digit(&time, (char)*p)) {
            p++;
        } else {
            mgc_digit(&time, '0');
        }
    }
    return (const char *)p + 1 == s.p + s.n ? time : 0;
}

// ---- JSON

midge_str mgc_json_get(midge_str object, const char *name) {
    if (object.n == 0) return MIDGE_NONE;
    const char *value = NULL, *end = object.p + object.n; // where the wanted value begins, once its name was seen
    size_t depth = 0;

    for (const char *p = object.p; p < end; p++) {
        char c = *p;
        if (c == '"') {
            const char *text = ++p;
            for (; p < end && *p != '"'; p++) p += *p == '\\';
            if (p >= end) break;
            midge_str string = {text, (size_t)(p - text)};
            if (value && depth == 1) return string;
            if (depth == 1 && p + 1 < end && p[1] == ':' && mgc_str_eq(string, name)) {
                value = p + 2;
                while (value < end && *value == ' ') value++;
                p = value - 1;
            }
            continue;
        }
        bool closes = c == '}' || c == ']';
        if (value && depth == 1 && (c == ',' || closes)) return (midge_str){value, (size_t)(p - value)};
        depth += c == '{' || c == '[';
        depth -= closes;
        if (value && depth == 1 && closes) return (midge_str){value, (size_t)(p + 1 - value)};
    }
    return MIDGE_NONE;
}

uint64_t mgc_json_u64(midge_str object, const char *name) { return mgc_u64_or_0(mgc_json_get(object, name)); }
