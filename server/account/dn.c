// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parser walks the text once with one buffer for what is being read: `=` makes it a type, `,` and `+` and the end
// make it a value. Unescaped spaces around either are dropped. It is as tolerant as the reference, because user names
// that work there must work here: an unfinished last attribute is dropped, a lone `\` at the end is ignored, and the
// last of several `=` counts.
#include "server/account/dn.h"

#include <strings.h>

#include "server/base/errors.h"
#include "server/base/mem.h"

struct parser {
    struct mg_dn *dn;
    char *token;     // start of what is being read, in dn->text
    char *at;        // end of it
    size_t trailing; // unescaped spaces at its end
    mg_slice type;
    size_t rdn, nattrs; // nattrs: attributes of finished and unfinished RDNs
};

static mg_slice take(struct parser *p) {
    mg_slice s = mg_slice_of(p->token, (size_t)(p->at - p->token) - p->trailing);
    p->token = p->at;
    p->trailing = 0;
    return s;
}

static bool end_attr(struct parser *p) {
    if (p->type.n == 0) return false;
    struct mg_dn *dn = p->dn;
    dn->attrs[p->nattrs++] = (struct mg_dn_attr){.type = p->type, .value = take(p), .rdn = p->rdn};
    p->type = (mg_slice){NULL, 0};
    return true;
}

static void end_rdn(struct parser *p) {
    p->dn->nattrs = p->nattrs;
    p->dn->nrdns = ++p->rdn;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The text after a backslash: one special character or two hex digits. Returns how many were read; 0: malformed.
static size_t unescape(struct parser *p, mg_slice rest) {
    if (strchr(" \"#+,;<=>\\", rest.p[0]) && rest.p[0] != '\0') {
        *p->at++ = rest.p[0];
        return 1;
    }
    if (rest.n < 2 || hex(rest.p[0]) < 0 || hex(rest.p[1]) < 0) return 0;
    *p->at++ = (char)(hex(rest.p[0]) << 4 | hex(rest.p[1]));
    return 2;
}

static void plain(struct parser *p, char c) {
    if (c == ' ' && p->at == p->token) return; // leading
    p->trailing = c == ' ' ? p->trailing + 1 : 0;
    *p->at++ = c;
}

static bool parse(struct parser *p, mg_slice text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        mg_slice rest = mg_slice_of(text.p + i + 1, text.n - i - 1);
        if (c == '\\') {
            p->trailing = 0;
            if (rest.n == 0) break;
            size_t n = unescape(p, rest);
            if (n == 0) return false;
            i += n;
        } else if (c == '=') {
            p->type = take(p);
            if (rest.n > 0 && rest.p[0] == '#') return false; // BER: not supported, as in the reference
        } else if (c == ',' || c == '+') {
            if (!end_attr(p)) return false;
            if (c == ',') end_rdn(p);
        } else {
            plain(p, c);
        }
    }
    if (p->at == p->token) return true;
    if (!end_attr(p)) return false;
    end_rdn(p);
    return true;
}

int mg_dn_parse(struct mg_dn *dn, mg_slice text) {
    size_t max = 1;
    for (size_t i = 0; i < text.n; i++) max += text.p[i] == ',' || text.p[i] == '+';
    *dn = (struct mg_dn){.attrs = mg_alloc(max * sizeof dn->attrs[0]), .text = mg_alloc(text.n + 1)};
    struct parser p = {.dn = dn, .token = dn->text, .at = dn->text};
    if (parse(&p, text) && dn->nrdns > 0) return MG_OK;
    mg_dn_fini(dn);
    return MG_ESYNTAX;
}

void mg_dn_fini(struct mg_dn *dn) {
    mg_free(dn->attrs);
    mg_free(dn->text);
    *dn = (struct mg_dn){0};
}

struct rdn {
    const struct mg_dn_attr *v;
    size_t n;
};

// The RDN whose first attribute is at index `at`.
static struct rdn rdn_at(const struct mg_dn *dn, size_t at) {
    struct rdn r = {dn->attrs + at, 0};
    while (at + r.n < dn->nattrs && r.v[r.n].rdn == r.v[0].rdn) r.n++;
    return r;
}

static bool attr_equal(const struct mg_dn_attr *a, const struct mg_dn_attr *b) {
    return a->type.n == b->type.n && strncasecmp(a->type.p, b->type.p, a->type.n) == 0 &&
           mg_slice_eq(a->value, b->value);
}

static bool has_all(struct rdn a, struct rdn b) {
    for (size_t i = 0; i < b.n; i++) {
        bool found = false;
        for (size_t j = 0; j < a.n && !found; j++) found = attr_equal(&a.v[j], &b.v[i]);
        if (!found) return false;
    }
    return true;
}

static bool rdn_equal(struct rdn a, struct rdn b) { return a.n == b.n && has_all(a, b) && has_all(b, a); }

bool mg_dn_equal(const struct mg_dn *a, const struct mg_dn *b) {
    if (a->nrdns != b->nrdns || a->nattrs != b->nattrs) return false;
    for (size_t i = 0; i < a->nattrs;) {
        struct rdn ra = rdn_at(a, i);
        if (!rdn_equal(ra, rdn_at(b, i))) return false; // equal RDNs have equal lengths, so i fits both
        i += ra.n;
    }
    return true;
}

// How often an RDN occurs.
static size_t count(const struct mg_dn *dn, struct rdn r) {
    size_t n = 0;
    for (size_t i = 0; i < dn->nattrs;) {
        struct rdn x = rdn_at(dn, i);
        n += rdn_equal(x, r);
        i += x.n;
    }
    return n;
}

bool mg_dn_match(const struct mg_dn *a, const struct mg_dn *b) {
    if (a->nrdns != b->nrdns || a->nattrs != b->nattrs) return false;
    for (size_t i = 0; i < a->nattrs;) {
        struct rdn r = rdn_at(a, i);
        if (count(a, r) != count(b, r)) return false;
        i += r.n;
    }
    return true;
}
