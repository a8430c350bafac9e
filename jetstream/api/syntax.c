// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One pass over the text by a machine without recursion: a stack of one bit a level (object or array) and a state that
// says what may come next. The good path takes a value, looks whether its container goes on, and ends when the stack
// is empty. An error names the byte and what was expected; its offset counts the bytes read, that one included. When
// the text ends too early there is one answer for all places: "unexpected EOF". A whole text has no offsets, and behind
// its end Go sees one blank, which is an error inside of words, numbers and escapes.
//
// What always holds: behind a VALUE the slice is one complete value, so the walkers below need no checks.
#include "jetstream/api/syntax.h"

#include <inttypes.h>
#include <stdint.h>

#include "server/base/utf8.h"

enum { MAX_DEPTH = 10000 }; // Go's

struct scan {
    const char *start, *p, *end;
    struct mg_buf *err;
    bool whole;
    uint32_t depth;
    uint8_t objects[MAX_DEPTH / 8]; // bit: this level is an object
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static void skip_blanks(struct scan *s) {
    while (s->p < s->end && is_blank(*s->p)) s->p++;
}

// ---- errors -------------------------------------------------------------------------------------------------------

// The byte is shown as the code point of its value, so 0xc3 is shown as U+00C3.
void mg_syntax_quote(struct mg_buf *out, char c) {
    unsigned char u = (unsigned char)c;
    if (c == '\'' || c == '"') {
        mg_buf_adds(out, c == '"' ? "'\"'" : "'\\''");
        return;
    }
    struct mg_buf quoted = MG_BUF_INIT;
    if (u < 0x80) mg_buf_add_quoted(&quoted, mg_slice_of(&c, 1));
    else if (u < 0xa0) mg_buf_addf(&quoted, "\"\\u%04x\"", u);
    else if (u == 0xa0 || u == 0xad) mg_buf_addf(&quoted, "\"\\u%04x\"", u); // not printable either
    else mg_buf_addf(&quoted, "\"%c%c\"", 0xc0 | u >> 6, 0x80 | (u & 0x3f));
    mg_buf_addc(out, '\'');
    mg_buf_add(out, quoted.p + 1, quoted.len - 2);
    mg_buf_addc(out, '\'');
    mg_buf_fini(&quoted);
}

static bool fail_at(struct scan *s, char c, const char *where) {
    mg_buf_adds(s->err, "invalid character ");
    mg_syntax_quote(s->err, c);
    mg_buf_addf(s->err, " %s", where);
    if (!s->whole) mg_buf_addf(s->err, " at offset %zu", (size_t)(s->p - s->start) + 1);
    return false;
}

// Where a blank may stand.
static bool fail(struct scan *s, const char *where) {
    if (s->p < s->end) return fail_at(s, *s->p, where);
    mg_buf_adds(s->err, s->whole ? "unexpected end of JSON input" : "unexpected EOF");
    return false;
}

// In the middle of a word, a number or an escape.
static bool fail_inside(struct scan *s, const char *where) {
    return s->p == s->end && s->whole ? fail_at(s, ' ', where) : fail(s, where);
}

// ---- values without parts -----------------------------------------------------------------------------------------

static bool scan_escape(struct scan *s) {
    if (s->p == s->end || *s->p == '\0' || !strchr("\"\\/bfnrtu", *s->p))
        return fail_inside(s, "in string escape code");
    if (*s->p++ != 'u') return true;
    for (int i = 0; i < 4; i++, s->p++)
        if (s->p == s->end || !is_hex(*s->p)) return fail_inside(s, "in \\u hexadecimal character escape");
    return true;
}

// Behind the opening quote.
static bool scan_string(struct scan *s) {
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p;
        if (c < 0x20) return fail(s, "in string literal");
        s->p++;
        if (c == '"') return true;
        if (c == '\\' && !scan_escape(s)) return false;
    }
    return fail(s, "");
}

static bool scan_digits(struct scan *s, const char *where) {
    if (s->p == s->end || !is_digit(*s->p)) return fail_inside(s, where);
    while (s->p < s->end && is_digit(*s->p)) s->p++;
    return true;
}

static bool scan_number(struct scan *s) {
    if (*s->p == '-') s->p++;
    if (s->p < s->end && *s->p == '0') s->p++;
    else if (!scan_digits(s, "in numeric literal")) return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s, "after decimal point in numeric literal")) return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
        return scan_digits(s, "in exponent of numeric literal");
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word) {
    for (const char *w = word; *w != '\0'; w++, s->p++) {
        if (s->p < s->end && *s->p == *w) continue;
        char where[48] = "in literal ";
        strcat(strcat(strcat(where, word), " (expecting '"), (const char[]){*w, '\0'});
        return fail_inside(s, strcat(where, "')"));
    }
    return true;
}

// ---- the machine --------------------------------------------------------------------------------------------------

enum state { WANT_VALUE, WANT_FIRST_ITEM, WANT_FIRST_KEY, WANT_KEY, AFTER_VALUE, BAD };

static bool in_object(const struct scan *s) {
    uint32_t level = s->depth - 1;
    return (s->objects[level / 8] >> (level % 8) & 1) != 0;
}

static enum state open_container(struct scan *s) {
    bool object = *s->p == '{';
    if (s->depth == MAX_DEPTH) {
        mg_buf_adds(s->err, "exceeded max depth");
        if (!s->whole) mg_buf_addf(s->err, " at offset %zu", (size_t)(s->p - s->start) + 1);
        return BAD;
    }
    uint8_t bit = (uint8_t)(1u << (s->depth % 8));
    uint8_t *byte = &s->objects[s->depth / 8];
    *byte = object ? *byte | bit : (uint8_t)(*byte & ~bit);
    s->depth++;
    s->p++;
    return object ? WANT_FIRST_KEY : WANT_FIRST_ITEM;
}

static enum state take_value(struct scan *s) {
    static const char expected[] = "looking for beginning of value";
    if (s->p == s->end) return fail(s, expected) ? AFTER_VALUE : BAD;
    switch (*s->p) {
    case '{':
    case '[': return open_container(s);
    case '"': s->p++; return scan_string(s) ? AFTER_VALUE : BAD;
    case 't': return scan_word(s, "true") ? AFTER_VALUE : BAD;
    case 'f': return scan_word(s, "false") ? AFTER_VALUE : BAD;
    case 'n': return scan_word(s, "null") ? AFTER_VALUE : BAD;
    default:
        if (*s->p != '-' && !is_digit(*s->p)) return fail(s, expected) ? AFTER_VALUE : BAD;
        return scan_number(s) ? AFTER_VALUE : BAD;
    }
}

static enum state take_key(struct scan *s) {
    if (s->p == s->end || *s->p != '"') return fail(s, "looking for beginning of object key string") ? WANT_KEY : BAD;
    s->p++;
    if (!scan_string(s)) return BAD;
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':') return fail(s, "after object key") ? WANT_KEY : BAD;
    s->p++;
    return WANT_VALUE;
}

static enum state close_container(struct scan *s) {
    s->depth--;
    s->p++;
    return AFTER_VALUE;
}

// Behind a value inside of a container.
static enum state go_on(struct scan *s) {
    bool object = in_object(s);
    if (s->p < s->end && *s->p == ',') {
        s->p++;
        return object ? WANT_KEY : WANT_VALUE;
    }
    if (s->p < s->end && *s->p == (object ? '}' : ']')) return close_container(s);
    return fail(s, object ? "after object key:value pair" : "after array element") ? AFTER_VALUE : BAD;
}

static enum state step(struct scan *s, enum state state) {
    skip_blanks(s);
    switch (state) {
    case WANT_FIRST_ITEM: return s->p < s->end && *s->p == ']' ? close_container(s) : take_value(s);
    case WANT_FIRST_KEY: return s->p < s->end && *s->p == '}' ? close_container(s) : take_key(s);
    case WANT_KEY: return take_key(s);
    case AFTER_VALUE: return go_on(s);
    default: return take_value(s);
    }
}

static bool scan_value(struct scan *s, mg_slice *value) {
    skip_blanks(s);
    const char *begin = s->p;
    enum state state = WANT_VALUE;
    do state = step(s, state);
    while (state != BAD && !(state == AFTER_VALUE && s->depth == 0));
    if (state != BAD) *value = mg_slice_of(begin, (size_t)(s->p - begin));
    return state != BAD;
}

enum mg_syntax mg_syntax_next(mg_slice text, size_t *at, mg_slice *value, struct mg_buf *err) {
    if (text.n == 0) return MG_SYNTAX_END;
    struct scan s = {.start = text.p, .p = text.p + *at, .end = text.p + text.n, .err = err};
    skip_blanks(&s);
    if (s.p == s.end) return MG_SYNTAX_END;
    if (!scan_value(&s, value)) return MG_SYNTAX_BAD;
    *at = (size_t)(s.p - text.p);
    return MG_SYNTAX_VALUE;
}

bool mg_syntax_whole(mg_slice text, mg_slice *value, struct mg_buf *err) {
    if (text.n == 0) text = MG_S("");
    struct scan s = {.start = text.p, .p = text.p, .end = text.p + text.n, .err = err, .whole = true};
    if (!scan_value(&s, value)) return false;
    skip_blanks(&s);
    return s.p == s.end || fail(&s, "after top-level value");
}

// ---- walking ------------------------------------------------------------------------------------------------------

static const char *past_blanks(const char *p) {
    while (is_blank(*p)) p++;
    return p;
}

// p stands on the opening quote.
static const char *past_string(const char *p) {
    for (p++; *p != '"'; p++)
        if (*p == '\\') p++;
    return p + 1;
}

// Every value lies inside of a container here, so something follows it.
static const char *past_value(const char *p) {
    size_t depth = 0;
    do {
        if (*p == '"') {
            p = past_string(p);
            continue;
        }
        if (*p == '{' || *p == '[') depth++;
        if (*p == '}' || *p == ']') depth--;
        p++;
    } while (depth > 0 || !(is_blank(*p) || *p == ',' || *p == '}' || *p == ']'));
    return p;
}

struct mg_members mg_members_of(mg_slice value) {
    return (struct mg_members){past_blanks(value.p + 1), value.p + value.n - 1};
}

bool mg_members_next(struct mg_members *it, mg_slice *key, mg_slice *value) {
    const char *p = it->p;
    if (p == it->end) return false;
    *key = mg_slice_of(NULL, 0);
    if (*it->end == '}') {
        const char *behind = past_string(p);
        *key = mg_slice_of(p + 1, (size_t)(behind - p) - 2);
        p = past_blanks(past_blanks(behind) + 1); // the colon
    }
    const char *behind = past_value(p);
    *value = mg_slice_of(p, (size_t)(behind - p));
    behind = past_blanks(behind);
    it->p = *behind == ',' ? past_blanks(behind + 1) : behind;
    return true;
}

// ---- strings ------------------------------------------------------------------------------------------------------

static uint32_t hex4(const char *p) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v << 4 | (uint32_t)(is_digit(p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return v;
}

static void add_rune(struct mg_buf *out, uint32_t r) {
    char text[4];
    size_t n = r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; r >>= 6) text[i] = (char)(0x80 | (r & 0x3f));
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    text[0] = (char)(lead[n] | r);
    mg_buf_add(out, text, n);
}

// p stands on the u of \u. Gives what stands behind the escape, or both of a pair.
static const char *add_unicode(const char *p, const char *end, struct mg_buf *out) {
    uint32_t r = hex4(p + 1);
    p += 5;
    if (r >= 0xd800 && r < 0xe000) {
        bool low_follows = r < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u';
        uint32_t low = low_follows ? hex4(p + 2) : 0;
        bool pair = low >= 0xdc00 && low < 0xe000;
        add_rune(out, pair ? 0x10000 + ((r - 0xd800) << 10 | (low - 0xdc00)) : 0xfffd);
        return pair ? p + 6 : p;
    }
    add_rune(out, r);
    return p;
}

bool mg_syntax_unescape(mg_slice inside, struct mg_buf *out) {
    static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
    const char *p = inside.p, *end = p + inside.n;
    while (p < end) {
        if (*p == '\\') {
            p++;
            if (*p == 'u' && memcmp(p, "u0000", 5) == 0) return false;
            if (*p == 'u') p = add_unicode(p, end, out);
            else mg_buf_addc(out, to[strchr(from, *p++) - from]);
            continue;
        }
        size_t n = mg_utf8_len(p, (size_t)(end - p));
        if (n == 0) add_rune(out, 0xfffd);
        else mg_buf_add(out, p, n);
        p += n == 0 ? 1 : n;
    }
    return true;
}
