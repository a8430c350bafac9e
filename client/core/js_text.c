// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text for JetStream, written for few bytes of code on machines without a divider or 64-bit arithmetic: numbers are
// printed by doubling digits, and JSON is never a tree: a member is looked for each time it is wanted, which for
// answers of 100 bytes is cheap.
//
// How it fails: a buffer that is too small sets `full`, which the last step of a caller looks at; text that is not what
// it should be gives nothing, 0 or false. Nothing is read behind the end of a slice.
#include "client/core/js_text.h"

void mgc_text_begin(mgc_text *t, const midge_js *js) { *t = (mgc_text){.p = js->buf, .size = js->size, .js = js}; }

void mgc_text_put(mgc_text *t, midge_str s) {
    if (t->full || s.n > t->size - t->n) {
        t->full = true;
        return;
    }
    if (s.n > 0) memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
}

void mgc_text_cstr(mgc_text *t, const char *s) { mgc_text_put(t, midge_cstr(s)); }

// Doubles a decimal number, bit by bit from the first that is set.
void mgc_text_u64(mgc_text *t, uint64_t v) {
    char digits[20] = {0}; // the lowest first
    size_t n = 1;

    for (int bit = 63; bit >= 0; bit--) {
        uint32_t carry = v >> bit & 1;
        for (size_t i = 0; i < n; i++) {
            carry += 2u * (uint32_t)digits[i];
            digits[i] = (char)(carry >= 10 ? carry - 10 : carry);
            carry = carry >= 10;
        }
        if (carry) digits[n++] = 1;
    }
    while (n > 0) {
        char c = (char)('0' + digits[--n]);
        mgc_text_put(t, (midge_str){&c, 1});
    }
}

void mgc_text_ms_as_ns(mgc_text *t, uint32_t ms) {
    mgc_text_u64(t, ms);
    mgc_text_cstr(t, "000000");
}

static void put_api(mgc_text *t) {
    const midge_js *js = t->js;

    if (js->prefix.n > 0) {
        mgc_text_put(t, js->prefix);
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
            mgc_text_put(t, *a);
            a = b;
        } else {
            mgc_text_put(t, (midge_str){form, 1});
        }
    }
}

bool mgc_str_eq(midge_str a, const char *b) { return mgc_same(a, midge_cstr(b)); }

midge_str mgc_header(const midge_msg *msg, const char *name) {
    return midge_headers_get(msg->headers, midge_cstr(name));
}

bool mgc_u64(midge_str s, uint64_t *v) {
    uint64_t sum = 0;
    bool good = s.n - 1 < 19; // so many digits always fit

    for (size_t i = 0; good && i < s.n; i++) {
        uint32_t digit = (uint32_t)((uint8_t)s.p[i] - '0');
        good = digit <= 9;
        sum = (sum << 3) + (sum << 1) + digit;
    }
    *v = good ? sum : 0;
    return good;
}

uint64_t mgc_u64_or_0(midge_str s) {
    uint64_t v;
    mgc_u64(s, &v);
    return v;
}

// ---- times

// The server writes UTC with up to 9 digits after the point, or none (spec/jetstream-streams.md: notation).
uint64_t mgc_time(midge_str s) {
    static const char form[] = "####-##-##T##:##:##";
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}; // days before a month
    uint32_t v[7] = {0}, field = 0, digits = 0;                                               // year ... second, ns
    size_t at = 0;

    for (; form[at] != 0; at++) {
        if (at >= s.n) return 0;
        uint32_t digit = (uint32_t)((uint8_t)s.p[at] - '0');
        if (form[at] == '#' && digit <= 9) {
            v[field] = v[field] * 10 + digit;
        } else if (form[at] == s.p[at]) {
            field++;
        } else {
            return 0;
        }
    }
    if (at < s.n && s.p[at] == '.') at++;
    for (; digits < 9; digits++) {
        uint32_t digit = at < s.n ? (uint32_t)((uint8_t)s.p[at] - '0') : 10;
        if (digit <= 9) at++;
        v[6] = v[6] * 10 + (digit <= 9 ? digit : 0);
    }
    if (at + 1 != s.n || s.p[at] != 'Z' || v[0] - 1970 >= 130 || v[1] - 1 >= 12) return 0;
    uint32_t leap_days = (v[0] - 1969 + (v[1] > 2 && v[0] % 4 == 0)) / 4; // there is one in each fourth year
    uint32_t days = (v[0] - 1970) * 365 + leap_days + before[v[1] - 1] + v[2] - 1;
    return (uint64_t)(((days * 24 + v[3]) * 60 + v[4]) * 60 + v[5]) * 1000000000 + v[6];
}

// ---- JSON

midge_str mgc_json_get(midge_str object, const char *name) {
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
