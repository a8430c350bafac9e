// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/proto/subject.h"

bool mg_subject_valid(mg_slice s) {
    bool rest = false; // the previous token was `>`
    struct mg_tokens it = mg_tokens_of(s);
    for (mg_slice tok; mg_tokens_next(&it, &tok);) {
        if (tok.n == 0 || rest) return false;
        rest = mg_token_is(tok, '>');
    }
    return s.n > 0;
}

bool mg_subject_valid_strict(mg_slice s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') return false;
    }
    return mg_subject_valid(s);
}

bool mg_subject_is_literal(mg_slice s) {
    if (s.n == 0) return true;
    if (!memchr(s.p, '*', s.n) && !memchr(s.p, '>', s.n)) return true; // nearly every published subject
    struct mg_tokens it = mg_tokens_of(s);
    for (mg_slice tok; mg_tokens_next(&it, &tok);)
        if (mg_token_is(tok, '*') || mg_token_is(tok, '>')) return false;
    return true;
}

// No token is empty.
static bool is_dense(const char *p, const char *end) {
    bool at_start = true;
    for (; p < end; p++) {
        if (*p == '.' && at_start) return false;
        at_start = *p == '.';
    }
    return !at_start;
}

bool mg_subject_valid_literal(mg_slice s) { return s.n > 0 && is_dense(s.p, s.p + s.n) && mg_subject_is_literal(s); }

size_t mg_subject_literal_prefix(mg_slice pattern) {
    struct mg_tokens it = mg_tokens_of(pattern);
    for (mg_slice tok; mg_tokens_next(&it, &tok);) {
        if (mg_token_is(tok, '*') || mg_token_is(tok, '>')) return (size_t)(tok.p - pattern.p);
    }
    return pattern.n;
}

size_t mg_subject_tokens(mg_slice s) {
    size_t n = s.n > 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '.';
    return n;
}

// One walk over both, a token a round. At the top of the loop both pointers are at the start of a token.
bool mg_subject_match(mg_slice literal, mg_slice pattern) {
    if (literal.n == 0 || pattern.n == 0) return false;
    const char *l = literal.p, *lend = l + literal.n;
    const char *p = pattern.p, *pend = p + pattern.n;
    for (;;) {
        const char *l0 = l;
        bool last = p + 1 == pend;
        if (p < pend && *p == '*' && (last || p[1] == '.')) {
            while (l < lend && *l != '.') l++;
            p++;
        } else if (p < pend && *p == '>' && last) {
            return is_dense(l, lend);
        } else {
            for (; p < pend && *p != '.'; p++, l++)
                if (l == lend || *l != *p) return false;
        }
        if (l == l0) return false; // an empty token matches nothing
        if (p == pend) return l == lend;
        if (l == lend || *l != '.') return false;
        l++, p++;
    }
}

bool mg_subject_subset(mg_slice sub, mg_slice pattern) {
    struct mg_tokens a = mg_tokens_of(sub), b = mg_tokens_of(pattern);
    mg_slice s, p;
    while (mg_tokens_next(&b, &p)) {
        if (!mg_tokens_next(&a, &s) || s.n == 0 || p.n == 0) return false;
        if (mg_token_is(p, '>')) return true;
        if (mg_token_is(s, '>')) return false;
        if (!mg_token_is(p, '*') && !mg_slice_eq(s, p)) return false;
        if (mg_token_is(s, '*') && !mg_token_is(p, '*')) return false;
    }
    return sub.n > 0 && !mg_tokens_next(&a, &s);
}

bool mg_subject_collide(mg_slice a, mg_slice b) {
    struct mg_tokens ia = mg_tokens_of(a), ib = mg_tokens_of(b);
    for (;;) {
        mg_slice ta = {NULL, 0}, tb = {NULL, 0};
        bool more_a = mg_tokens_next(&ia, &ta), more_b = mg_tokens_next(&ib, &tb);
        if (!more_a || !more_b) return more_a == more_b && a.n > 0;
        if (ta.n == 0 || tb.n == 0) return false;
        if (mg_token_is(ta, '>') || mg_token_is(tb, '>')) return true;
        if (!mg_token_is(ta, '*') && !mg_token_is(tb, '*') && !mg_slice_eq(ta, tb)) return false;
    }
}
