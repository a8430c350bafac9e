// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text for JetStream, written for few bytes of code on machines without a divider or 64-bit arithmetic: numbers are
// printed by doubling digits, and JSON is never a tree: a member is looked for each time it is wanted, which for answers
// of 100 bytes is cheap.
//
// How it fails: a buffer that is too small sets `full`, which the last step of a caller looks at; text that is not what
// it should be gives nothing, 0 or false. Nothing is read behind the end of a slice.
#include "client/core/js_text.h"

void mgc_text_put(mgc_text *t, const char *p, size_t n) {
    if (t->full || n > t->size - t->n) {
        t->full = true;
        return;
    }
    if (n > 0) memcpy(t->p + t->n, p, n);
    t->n += n;
}

void mgc_text_cstr(mgc_text *t, const char *s) { mgc_text_put(t, s, strlen(s)); }

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
        mgc_text_put(t, &c, 1);
    }
}

void mgc_text_ms_as_ns(mgc_text *t, uint32_t ms) {
    mgc_text_u64(t, ms);
    mgc_text_cstr(t, "000000");
}

static void put_api(mgc_text *t, const midge_js *js) {
    if (js->prefix.n > 0) {
        mgc_text_put(t, js->prefix.p, js->prefix.n);
        return;
    }
    mgc_text_cstr(t, "$JS.");
    if (js->domain.n > 0) {
        mgc_text_put(t, js->domain.p, js->domain.n);
        mgc_text_cstr(t, ".");
    }
    mgc_text_cstr(t, "API");
}

void mgc_text_form(mgc_text *t, const midge_js *js, const char *form, const midge_str *a, const midge_str *b,
                   const midge_str *c) {
    for (; *form != 0; form++) {
        if (*form == '@') {
            put_api(t, js);
        } else if (*form == '?') {
            mgc_text_put(t, a->p, a->n);
            a = b;
            b = c;
        } else {
            mgc_text_put(t, form, 1);
        }
    }
}

midge_str mgc_text_since(const mgc_text *t, size_t from) { return (midge_str){t->p + from, t->n - from}; }

bool mgc_str_eq(midge_str a, const char *b) {
    size_t n = strlen(b);
    return a.n == n && memcmp(a.p, b, n) == 0;
}

bool mgc_u64(midge_str s, uint64_t *v) {
    uint64_t sum = 0;

    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t digit = (uint32_t)((uint8_t)s.p[i] - '0');
        // 1844674407370955161 is UINT64_MAX / 10.
        if (digit > 9 || sum > 1844674407370955161u) return false;
        sum = (sum << 3) + (sum << 1);
        if (sum + digit < sum) return false;
        sum += digit;
    }
    *v = sum;
    return true;
}

uint64_t mgc_u64_or_0(midge_str s) {
    uint64_t v;
    return mgc_u64(s, &v) ? v : 0;
}

// ---- times

// Reads `digits` digits at *at and the character `after` them (0: any); false if they are not there.
static bool take_number(midge_str s, size_t *at, size_t digits, char after, uint32_t *v) {
    *v = 0;
    if (s.n - *at < digits + 1) return false;
    for (size_t i = 0; i < digits; i++) {
        uint32_t digit = (uint32_t)((uint8_t)s.p[(*at)++] - '0');
        if (digit > 9) return false;
        *v = *v * 10 + digit;
    }
    return after == 0 || s.p[(*at)++] == after;
}

// The server writes UTC with up to 9 digits after the point, or none (spec/jetstream-streams.md: notation).
uint64_t mgc_time(midge_str s) {
    uint32_t year, month, day, hour, minute, second, ns = 0, scale = 1000000000;
    size_t at = 0;

    if (!take_number(s, &at, 4, '-', &year) || !take_number(s, &at, 2, '-', &month) ||
        !take_number(s, &at, 2, 'T', &day) || !take_number(s, &at, 2, ':', &hour) ||
        !take_number(s, &at, 2, ':', &minute) || !take_number(s, &at, 2, 0, &second) || year < 1970 || year > 2500 ||
        month < 1 || month > 12) {
        return 0;
    }
    if (s.p[at] == '.') {
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9' && scale > 1; at++) {
            scale /= 10;
            ns += (uint32_t)(s.p[at] - '0') * scale;
        }
    }
    if (at + 1 != s.n || s.p[at] != 'Z') return 0;
    // Years begin in March, so that the leap day is the last one of a year.
    if (month < 3) {
        year--;
        month += 12;
    }
    uint32_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + day - 1 - 719468;
    uint32_t in_day = (hour * 60 + minute) * 60 + second;
    return ((uint64_t)days * 86400 + in_day) * 1000000000 + ns;
}

// ---- JSON

static size_t skip_blanks(midge_str s, size_t at) {
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\r' || s.p[at] == '\n')) at++;
    return at;
}

// `at` is behind the opening quote; returns the place of the closing one, or s.n.
static size_t string_end(midge_str s, size_t at) {
    for (; at < s.n && s.p[at] != '"'; at++) {
        if (s.p[at] == '\\') at++;
    }
    return at < s.n ? at : s.n;
}

// The place behind the value at `at`; s.n when it does not end.
static size_t value_end(midge_str s, size_t at) {
    size_t depth = 0;

    for (; at < s.n; at++) {
        char c = s.p[at];
        if (c == '"') {
            at = string_end(s, at + 1);
            if (at == s.n) break;
            if (depth == 0) return at + 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (c == ',' || c == ' ' || c == '\r' || c == '\n' || c == '\t')) {
            return at;
        }
    }
    return s.n;
}

midge_str mgc_json_get(midge_str object, const char *name) {
    size_t at = skip_blanks(object, 0);

    if (at == object.n || object.p[at] != '{') return MIDGE_NONE;
    for (at = skip_blanks(object, at + 1); at < object.n && object.p[at] == '"';) {
        size_t key_end = string_end(object, at + 1);
        midge_str key = {object.p + at + 1, key_end - at - 1};
        if (key_end == object.n) break;
        size_t value = skip_blanks(object, key_end + 1);
        if (value == object.n || object.p[value] != ':') break;
        value = skip_blanks(object, value + 1);
        size_t end = value_end(object, value);
        if (end == object.n) break;
        if (mgc_str_eq(key, name)) {
            bool string = object.p[value] == '"';
            return (midge_str){object.p + value + string, end - value - 2u * string};
        }
        at = skip_blanks(object, end);
        if (at < object.n && object.p[at] == ',') at = skip_blanks(object, at + 1);
    }
    return MIDGE_NONE;
}
