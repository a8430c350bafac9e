// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The lexer of config files.
//
// The grammar has no keywords and few quotes, so what a value is depends on how it begins: a digit may start a number,
// an address, a date or plain text ("127.0.0.1:4222", "30s", "1abc"). Scalars are therefore read left to right with
// the rules of spec/client-protocol.md B5 and its traps: `2m` is two million; `1.5s`, `10.0.0.1/8` and `123-x` are left
// half read, and the parser then complains about what follows the value, as the reference does.
//
// Where the reference breaks on its own grammar this lexer is kinder: an integer directly before ']' ends there, and
// `2m30s` is text (as in nats-server 2.15; older ones stop at the 3).
// Everything is bounded by the input; the lexer holds no stack. NUL bytes are refused, so all text is a C string.
#include "server/config/lex.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <strings.h>

#include "server/base/assert.h"
#include "server/base/errors.h"

void mg_lex_init(struct mg_lex *l, mg_slice in) { *l = (struct mg_lex){.in = in, .line = 1}; }
void mg_lex_fini(struct mg_lex *l) { mg_buf_fini(&l->err); }

int mg_lex_peek_at(const struct mg_lex *l, size_t k) {
    return k < l->in.n - l->pos ? (unsigned char)l->in.p[l->pos + k] : MG_LEX_EOF;
}

int mg_lex_peek(const struct mg_lex *l) { return mg_lex_peek_at(l, 0); }

void mg_lex_next(struct mg_lex *l) {
    mg_assert(l->pos < l->in.n);
    if (l->in.p[l->pos++] != '\n') return;
    if (l->line < INT_MAX) l->line++;
    l->line_start = l->pos;
}

int mg_lex_col(const struct mg_lex *l) {
    size_t col = l->pos - l->line_start + 1;
    return col < INT_MAX ? (int)col : INT_MAX;
}

int mg_lex_fail(struct mg_lex *l, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    l->err.len = 0;
    mg_buf_addf(&l->err, "Parse error on line %d: '", l->line);
    mg_buf_vaddf(&l->err, fmt, ap);
    mg_buf_addc(&l->err, '\'');
    va_end(ap);
    return MG_ESYNTAX;
}

const char *mg_lex_show(const struct mg_lex *l, char buf[8]) {
    int c = mg_lex_peek(l);
    if (c == MG_LEX_EOF) return "EOF";
    if (c == '\n') return "\\n";
    if (c < 0x20 || c == 0x7f) return "control character";
    size_t n = 0;
    do {
        buf[n] = (char)mg_lex_peek_at(l, n);
        n++;
    } while (n < 4 && mg_lex_peek_at(l, n) >= 0x80 && mg_lex_peek_at(l, n) < 0xc0 && c >= 0xc0);
    buf[n] = '\0';
    return buf;
}

bool mg_lex_is_nl(int c) { return c == '\n' || c == '\r'; }
static bool is_blank(int c) { return c == ' ' || c == '\t'; }
bool mg_lex_is_space(int c) { return is_blank(c) || mg_lex_is_nl(c) || c == '\v' || c == '\f'; }
static bool is_digit(int c) { return c >= '0' && c <= '9'; }

void mg_lex_skip_blanks(struct mg_lex *l) {
    while (is_blank(mg_lex_peek(l)))
        mg_lex_next(l);
}

void mg_lex_skip_space(struct mg_lex *l) {
    while (mg_lex_is_space(mg_lex_peek(l)))
        mg_lex_next(l);
}

bool mg_lex_skip_comment(struct mg_lex *l) {
    int c = mg_lex_peek(l);
    if (c != '#' && !(c == '/' && mg_lex_peek_at(l, 1) == '/')) return false;
    while ((c = mg_lex_peek(l)) != MG_LEX_EOF && !mg_lex_is_nl(c))
        mg_lex_next(l);
    return true;
}

// Takes the byte at pos into out.
static void take(struct mg_lex *l, struct mg_buf *out) {
    mg_buf_addc(out, l->in.p[l->pos]);
    mg_lex_next(l);
}

// Raw text up to the byte `end`, which is stepped over.
static int quoted(struct mg_lex *l, char end, struct mg_buf *out) {
    for (int c; (c = mg_lex_peek(l)) != end; take(l, out)) {
        if (c == MG_LEX_EOF) return mg_lex_fail(l, "Unexpected EOF.");
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
    }
    mg_lex_next(l);
    return MG_OK;
}

int mg_lex_key(struct mg_lex *l, struct mg_buf *out, bool *bare) {
    int c = mg_lex_peek(l);
    out->len = 0;
    *bare = c != '"' && c != '\'';
    if (!*bare) {
        mg_lex_next(l);
        return quoted(l, (char)c, out);
    }
    do {
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
        take(l, out);
        c = mg_lex_peek(l);
    } while (c != MG_LEX_EOF && c != '=' && c != ':' && !mg_lex_is_space(c));
    return MG_OK;
}

int mg_lex_include_path(struct mg_lex *l, struct mg_buf *out) {
    out->len = 0;
    mg_lex_skip_blanks(l);
    int c = mg_lex_peek(l);
    switch (c) {
    case '[': return mg_lex_fail(l, "Expected include value but found start of an array");
    case '{': return mg_lex_fail(l, "Expected include value but found start of a map");
    case '(': return mg_lex_fail(l, "Expected include value but found start of a block");
    case '\\': return mg_lex_fail(l, "Expected include value but found escape sequence");
    case '\'':
    case '"': mg_lex_next(l); return quoted(l, (char)c, out);
    default: break;
    }
    if (is_digit(c) || c == '-') return mg_lex_fail(l, "Expected include value but found start of a number");
    if (mg_lex_is_nl(c) || c == MG_LEX_EOF) return mg_lex_fail(l, "Expected include value but found new line");
    while (c != MG_LEX_EOF && c != ';' && c != '}' && c != '\'' && !is_blank(c) && !mg_lex_is_nl(c)) {
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
        take(l, out);
        c = mg_lex_peek(l);
    }
    if (c == '\'') mg_lex_next(l);
    return MG_OK;
}

static int hex_digit(int c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// At the character after a backslash.
static int escape(struct mg_lex *l, struct mg_buf *out) {
    static const char plain[] = {['t'] = '\t', ['n'] = '\n', ['r'] = '\r', ['"'] = '"', ['\\'] = '\\'};
    int c = mg_lex_peek(l);
    char shown[8];
    if (c == 'x') {
        int hi = hex_digit(mg_lex_peek_at(l, 1)), lo = hi < 0 ? -1 : hex_digit(mg_lex_peek_at(l, 2));
        if (lo < 0)
            return mg_lex_fail(l, "Expected two hexadecimal digits after '\\x', but got '%.*s'",
                               (int)(l->in.n - l->pos - 1 < 2 ? l->in.n - l->pos - 1 : 2), l->in.p + l->pos + 1);
        if (hi == 0 && lo == 0) return mg_lex_fail(l, "Unexpected NUL byte");
        mg_buf_addc(out, (char)(hi * 16 + lo));
        for (int i = 0; i < 3; i++)
            mg_lex_next(l);
        return MG_OK;
    }
    if (c < 0 || (size_t)c >= sizeof(plain) || plain[c] == 0)
        return mg_lex_fail(l, "Invalid escape character '%s'. Only the following escape characters are allowed: "
                              "\\xXX, \\t, \\n, \\r, \\\", \\\\.", mg_lex_show(l, shown));
    mg_buf_addc(out, plain[c]);
    mg_lex_next(l);
    return MG_OK;
}

static int double_quoted(struct mg_lex *l, struct mg_buf *out) {
    for (int c; (c = mg_lex_peek(l)) != '"';) {
        if (c == MG_LEX_EOF) return mg_lex_fail(l, "Unexpected EOF.");
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
        if (c != '\\') {
            take(l, out);
            continue;
        }
        mg_lex_next(l);
        int rc = escape(l, out);
        if (rc != MG_OK) return rc;
    }
    mg_lex_next(l);
    return MG_OK;
}

// `(` ... `)`: raw, ends at a ')' alone on its line and keeps the newlines next to both parentheses.
static int block(struct mg_lex *l, struct mg_buf *out) {
    for (int c; (c = mg_lex_peek(l)) != MG_LEX_EOF; take(l, out)) {
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
        if (c != ')' || l->pos != l->line_start || l->line_start == 0) continue;
        int after = mg_lex_peek_at(l, 1);
        if (after != MG_LEX_EOF && !mg_lex_is_nl(after)) continue;
        mg_lex_next(l);
        return MG_OK;
    }
    return mg_lex_fail(l, "Unexpected EOF processing block.");
}

static bool ends_value(int c) {
    return c == MG_LEX_EOF || mg_lex_is_nl(c) || is_blank(c) || c == ';' || c == ',' || c == ']' || c == '}';
}

static bool is_bool(const struct mg_buf *t, bool *v) {
    static const struct {
        const char *word;
        bool v;
    } words[] = {{"true", true}, {"yes", true}, {"on", true}, {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (t->len != strlen(words[i].word) || strncasecmp(t->p, words[i].word, t->len) != 0) continue;
        *v = words[i].v;
        return true;
    }
    return false;
}

// Unquoted text; s->text may hold its beginning. Escapes work here too, and text with an escape is nothing but text.
static int unquoted(struct mg_lex *l, struct mg_lex_scalar *s) {
    bool escaped = false;
    int c;
    while (!ends_value(c = mg_lex_peek(l)) && c != '\'') {
        if (c == '\0') return mg_lex_fail(l, "Unexpected NUL byte");
        if (c != '\\') {
            take(l, &s->text);
            continue;
        }
        escaped = true;
        mg_lex_next(l);
        int rc = escape(l, &s->text);
        if (rc != MG_OK) return rc;
    }
    s->kind = MG_LEX_STRING;
    if (c == '\'') mg_lex_next(l);
    else if (!escaped && is_bool(&s->text, &s->b)) s->kind = MG_LEX_BOOL;
    else if (!escaped && s->text.len > 0 && s->text.p[0] == '$') {
        s->kind = MG_LEX_VARIABLE;
        memmove(s->text.p, s->text.p + 1, --s->text.len);
    }
    return MG_OK;
}

// The factor that a number suffix stands for; 0 if it is none. k = 1000, kb = ki = kib = 1024, up to e.
static int64_t suffix_factor(mg_slice suffix) {
    static const char units[] = "kmgtpe";
    if (suffix.n == 0) return 1;
    const char *u = strchr(units, tolower((unsigned char)suffix.p[0]));
    if (u == NULL || *u == '\0') return 0;
    bool binary = suffix.n > 1;
    if (suffix.n > 3 || (suffix.n == 3 && strncasecmp(suffix.p + 1, "ib", 2) != 0)) return 0;
    int64_t f = 1;
    for (const char *p = units; p <= u; p++)
        f *= binary ? 1024 : 1000;
    return f;
}

// s->text is -?digits and a suffix.
static int integer(struct mg_lex *l, struct mg_lex_scalar *s) {
    size_t i = s->text.p[0] == '-';
    int64_t v = 0, sign = i ? -1 : 1;
    bool over = false;
    for (; i < s->text.len && is_digit((unsigned char)s->text.p[i]); i++)
        over |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, sign * (s->text.p[i] - '0'), &v);
    int64_t factor = suffix_factor(mg_slice_of(s->text.p + i, s->text.len - i));
    over |= __builtin_mul_overflow(v, factor, &s->i);
    s->kind = MG_LEX_INT;
    if (over) return mg_lex_fail(l, "integer '%.*s' is out of the range", (int)s->text.len, s->text.p);
    return MG_OK;
}

// s->text is -?digits '.' digits. Digits that a double cannot hold anyway are dropped; no locale is involved.
static int floating(struct mg_lex *l, struct mg_lex_scalar *s) {
    long double v = 0, scale = 1; // 64 bits of mantissa hold 19 digits, more than the result can
    bool fraction = false;
    int significant = 0;
    for (size_t i = s->text.p[0] == '-'; i < s->text.len; i++) {
        if (s->text.p[i] == '.') {
            fraction = true;
            continue;
        }
        if (fraction && significant >= 19) continue;
        v = v * 10 + (s->text.p[i] - '0');
        significant += significant > 0 || v > 0;
        if (fraction) scale *= 10;
    }
    s->kind = MG_LEX_FLOAT;
    s->f = (double)((s->text.p[0] == '-' ? -v : v) / scale);
    if (!isfinite(s->f)) return mg_lex_fail(l, "float '%.*s' is out of the range", (int)s->text.len, s->text.p);
    return MG_OK;
}

// "2006-01-02T15:04:05Z"; "YYYY-" is read.
static int datetime(struct mg_lex *l, struct mg_lex_scalar *s) {
    static const char form[] = "00-00T00:00:00Z";
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    char shown[8];
    for (const char *f = form; *f; f++) {
        int c = mg_lex_peek(l);
        if (*f == '0' && !is_digit(c))
            return mg_lex_fail(l, "Expected digit in ISO8601 datetime, but found '%s' instead.", mg_lex_show(l, shown));
        if (*f != '0' && c != *f)
            return mg_lex_fail(l, "Expected '%c' in ISO8601 datetime, but found '%s' instead.", *f,
                               mg_lex_show(l, shown));
        take(l, &s->text);
    }
    const char *t = s->text.p;
#define MG_TWO(i) ((t[i] - '0') * 10 + (t[(i) + 1] - '0'))
    int year = MG_TWO(0) * 100 + MG_TWO(2), month = MG_TWO(5), day = MG_TWO(8);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    bool ok = month >= 1 && month <= 12 && day >= 1 && MG_TWO(11) < 24 && MG_TWO(14) < 60 && MG_TWO(17) < 60;
    ok = ok && day <= month_days[month - 1] + (month == 2 && leap);
#undef MG_TWO
    s->kind = MG_LEX_DATETIME;
    if (!ok) return mg_lex_fail(l, "expected Zulu formatted DateTime, but got '%.*s'", (int)s->text.len, t);
    return MG_OK;
}

static void take_digits(struct mg_lex *l, struct mg_buf *out) {
    while (is_digit(mg_lex_peek(l)))
        take(l, out);
}

// After the '.' that follows digits: a float, or after a second '.' an address with port.
static int float_or_address(struct mg_lex *l, struct mg_lex_scalar *s) {
    char shown[8];
    if (!is_digit(mg_lex_peek(l)))
        return mg_lex_fail(l, "Floats must have a digit after the '.', but got '%s' instead.", mg_lex_show(l, shown));
    take_digits(l, &s->text);
    if (mg_lex_peek(l) != '.') return floating(l, s);
    for (int c; is_digit(c = mg_lex_peek(l)) || c == '.' || c == ':' || c == '-';)
        take(l, &s->text);
    s->kind = MG_LEX_STRING;
    return MG_OK;
}

// At an optional '-' and a digit.
static int number_led(struct mg_lex *l, struct mg_lex_scalar *s) {
    bool negative = mg_lex_peek(l) == '-';
    char shown[8];
    if (negative) take(l, &s->text);
    if (mg_lex_peek(l) == '.') return mg_lex_fail(l, "Floats must start with a digit, not '.'.");
    if (!is_digit(mg_lex_peek(l)))
        return mg_lex_fail(l, "Expected a digit but got '%s'.", mg_lex_show(l, shown));
    take_digits(l, &s->text);
    int c = mg_lex_peek(l);
    if (c == '-' && !negative) {
        if (s->text.len != 4) return mg_lex_fail(l, "All ISO8601 dates must be in full Zulu form.");
        take(l, &s->text);
        return datetime(l, s);
    }
    if (c == '.') {
        take(l, &s->text);
        return float_or_address(l, s);
    }
    if (c > 0 && strchr("kKmMgGtTpPeE", c) != NULL) {
        size_t digits = s->text.len;
        take(l, &s->text);
        while ((c = mg_lex_peek(l)) == 'b' || c == 'B' || c == 'i' || c == 'I')
            take(l, &s->text);
        bool known = suffix_factor(mg_slice_of(s->text.p + digits, s->text.len - digits)) != 0;
        if (!known || !ends_value(c)) return unquoted(l, s);
        return integer(l, s);
    }
    // Text after digits makes it text; a negative number just ends.
    if (!negative && !ends_value(c)) return unquoted(l, s);
    return integer(l, s);
}

int mg_lex_scalar(struct mg_lex *l, struct mg_lex_scalar *s) {
    int c = mg_lex_peek(l);
    s->text.len = 0;
    mg_buf_reserve(&s->text, 1);
    s->kind = MG_LEX_STRING;
    switch (c) {
    case '\'': mg_lex_next(l); return quoted(l, '\'', &s->text);
    case '"': mg_lex_next(l); return double_quoted(l, &s->text);
    case '(': mg_lex_next(l); return block(l, &s->text);
    case '.': return mg_lex_fail(l, "Floats must start with a digit");
    default: break;
    }
    if (mg_lex_is_nl(c)) return mg_lex_fail(l, "Expected value but found new line");
    if (c == '-' || is_digit(c)) return number_led(l, s);
    return unquoted(l, s);
}
