// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a client certificate says, as text. Four forms of the subject are needed (spec/accounts-security.md 19, and
// connz):
//
//     subject_rdn   groups in a fixed order, values of one attribute joined by `+`, as Go prints a parsed name
//     subject_dc    the domain components, unescaped
//     subject_dn    the RDNs as they are, last first, for comparison by parts
//     subject       subject_rdn and, behind it, the attributes that it leaves out
//
// A name decides who a client is. Hence a value with a NUL never becomes a C string that ends there: as an alternative
// name it is left out, in a subject the NUL is written as \00.
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <sodium.h>
#include <stdio.h>

#include "server/base/mem.h"
#include "server/shard/tls_priv_mbedtls.h"

#define NUMBERED(arc) "\x55\x04" arc // 2.5.4.x

// In the order of subject_rdn; of the first two Go keeps the last value only.
static const struct attr {
    const char *name, *oid;
    size_t oid_len;
    bool single;
} attrs[] = {
    {"SERIALNUMBER", NUMBERED("\x05"), 3, true}, {"CN", NUMBERED("\x03"), 3, true},
    {"POSTALCODE", NUMBERED("\x11"), 3, false},  {"STREET", NUMBERED("\x09"), 3, false},
    {"ST", NUMBERED("\x08"), 3, false},          {"L", NUMBERED("\x07"), 3, false},
    {"OU", NUMBERED("\x0b"), 3, false},          {"O", NUMBERED("\x0a"), 3, false},
    {"C", NUMBERED("\x06"), 3, false},
};
#define NATTRS (sizeof attrs / sizeof attrs[0])

static const struct attr domain = {"DC", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10, false};

static bool is_attr(const mbedtls_x509_name *n, const struct attr *a) {
    return n->oid.len == a->oid_len && memcmp(n->oid.p, a->oid, a->oid_len) == 0;
}

static const struct attr *find_attr(const mbedtls_x509_name *n) {
    for (size_t i = 0; i < NATTRS; i++)
        if (is_attr(n, &attrs[i])) return &attrs[i];
    return NULL;
}

static mg_slice value_of(const mbedtls_x509_name *n) { return mg_slice_of((const char *)n->val.p, n->val.len); }

// A value with what `special` names, a leading # and spaces at either end escaped.
static void add_value(struct mg_buf *b, mg_slice v, const char *special) {
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool edge_space = c == ' ' && (i == 0 || i + 1 == v.n);
        if (c == '\0') {
            mg_buf_adds(b, "\\00");
            continue;
        }
        if (edge_space || (c == '#' && i == 0) || strchr(special, c)) mg_buf_addc(b, '\\');
        mg_buf_addc(b, c);
    }
}

#define GO_SPECIAL ",+\"\\<>;"
#define RFC4514_SPECIAL ",+\"\\<>;=#"

// ---- the forms of the subject ------------------------------------------------------------------------------------

static void add_group(struct mg_buf *b, const mbedtls_x509_name *subject, const struct attr *a) {
    const mbedtls_x509_name *last = NULL;
    for (const mbedtls_x509_name *n = subject; n; n = n->next)
        if (is_attr(n, a)) last = n;
    if (last == NULL || (a->single && last->val.len == 0)) return;
    if (b->len > 0) mg_buf_addc(b, ',');
    bool first = true;
    for (const mbedtls_x509_name *n = a->single ? last : subject; n; n = n->next) {
        if (!is_attr(n, a)) continue;
        if (!first) mg_buf_addc(b, '+');
        first = false;
        mg_buf_adds(b, a->name);
        mg_buf_addc(b, '=');
        add_value(b, value_of(n), GO_SPECIAL);
    }
}

static void add_rdn_text(struct mg_buf *b, const mbedtls_x509_name *subject) {
    for (size_t i = 0; i < NATTRS; i++) add_group(b, subject, &attrs[i]);
}

static void add_domains(struct mg_buf *b, const mbedtls_x509_name *subject) {
    for (const mbedtls_x509_name *n = subject; n; n = n->next) {
        if (!is_attr(n, &domain)) continue;
        if (b->len > 0) mg_buf_addc(b, ',');
        mg_buf_adds(b, "DC=");
        mg_slice v = value_of(n);
        if (v.n > 0 && memchr(v.p, '\0', v.n)) add_value(b, v, "");
        else mg_buf_add_slice(b, v);
    }
}

// The attributes in order, for those who walk them backwards. 0 if there are none, or too many to be sensible.
#define ATTRS_MAX 128
static size_t collect(const mbedtls_x509_name *subject, const mbedtls_x509_name *list[ATTRS_MAX]) {
    size_t count = 0;
    for (const mbedtls_x509_name *n = subject; n && n->oid.p; n = n->next) {
        if (count == ATTRS_MAX) return 0;
        list[count++] = n;
    }
    return count;
}

// False: an attribute that the comparison does not know. An empty value counts as one: the parser of user names would
// drop it at the end of a text, and a shorter name must not pass for a longer one.
static bool add_dn(struct mg_buf *b, const mbedtls_x509_name *subject) {
    const mbedtls_x509_name *list[ATTRS_MAX];
    size_t count = collect(subject, list);
    for (size_t i = count; i-- > 0;) {
        const struct attr *a = is_attr(list[i], &domain) ? &domain : find_attr(list[i]);
        if (a == NULL || list[i]->val.len == 0) return false;
        // next_merged of an attribute says that its successor, written just before it, is in the same RDN.
        if (i + 1 < count) mg_buf_addc(b, list[i]->MBEDTLS_PRIVATE(next_merged) ? '+' : ',');
        mg_buf_adds(b, a->name);
        mg_buf_addc(b, '=');
        add_value(b, value_of(list[i]), RFC4514_SPECIAL);
    }
    return count > 0;
}

static bool is_printable_string(mg_slice v) {
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr(" '()+,-./:=?", c))) return false;
    }
    return true;
}

// "0.9.2342.19200300.100.1.25=#130178": what Go prints for an attribute without a name.
static void add_unnamed(struct mg_buf *b, const mbedtls_x509_name *n) {
    char oid[128];
    mg_slice v = value_of(n);
    if (find_attr(n) || mbedtls_oid_get_numeric_string(oid, sizeof oid, &n->oid) < 0 || v.n > 0xffff) return;
    if (b->len > 0) mg_buf_addc(b, ',');
    mg_buf_addf(b, "%s=#%s", oid, is_printable_string(v) ? "13" : "0c");
    if (v.n < 0x80) mg_buf_addf(b, "%02zx", v.n);
    else if (v.n < 0x100) mg_buf_addf(b, "81%02zx", v.n);
    else mg_buf_addf(b, "82%04zx", v.n);
    for (size_t i = 0; i < v.n; i++) mg_buf_addf(b, "%02x", (unsigned)(unsigned char)v.p[i]);
}

// The text as an owned string and an empty buffer again; NULL if there is nothing in it.
static char *take(struct mg_buf *b) {
    char *s = b->len ? mg_strndup(b->p, b->len) : NULL;
    b->len = 0;
    return s;
}

static void add_subject(const mbedtls_x509_name *subject, struct mg_tls_peer *peer) {
    if (subject->oid.p == NULL) return; // empty
    struct mg_buf b = MG_BUF_INIT;
    add_rdn_text(&b, subject);
    peer->subject_rdn = take(&b);
    add_domains(&b, subject);
    peer->subject_dc = take(&b);
    if (!add_dn(&b, subject)) b.len = 0;
    peer->subject_dn = take(&b);
    add_rdn_text(&b, subject);
    const mbedtls_x509_name *list[ATTRS_MAX];
    for (size_t i = collect(subject, list); i-- > 0;) add_unnamed(&b, list[i]);
    peer->subject = take(&b);
    mg_buf_fini(&b);
}

// ---- alternative names -------------------------------------------------------------------------------------------

#define SAN(number) (MBEDTLS_ASN1_CONTEXT_SPECIFIC | (number)) // GeneralName of RFC 5280

static void add_name(struct mg_strlist *l, const mbedtls_x509_buf *name) {
    if (name->len == 0 || memchr(name->p, '\0', name->len)) return;
    l->v = mg_realloc(l->v, (l->n + 1) * sizeof l->v[0]);
    l->v[l->n++] = mg_strndup((const char *)name->p, name->len);
}

static void add_names(const mbedtls_x509_crt *crt, struct mg_tls_peer *peer) {
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next) {
        if (s->buf.p == NULL) continue;
        switch (s->buf.tag) {
        case SAN(1): add_name(&peer->emails, &s->buf); break;
        case SAN(2): add_name(&peer->dns, &s->buf); break;
        case SAN(6): add_name(&peer->uris, &s->buf); break;
        default: break;
        }
    }
}

// ---- all of it ---------------------------------------------------------------------------------------------------

static void sha256_hex(const unsigned char *p, size_t n, char hex[65]) {
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, p, n);
    sodium_bin2hex(hex, 65, sum, sizeof sum);
}

void mg_tls_spki_sha256(const mbedtls_x509_crt *crt, char hex[65]) { sha256_hex(crt->pk_raw.p, crt->pk_raw.len, hex); }

void mg_tls_peer_from(const mbedtls_x509_crt *crt, struct mg_tls_peer *peer) {
    peer->present = true;
    add_subject(&crt->subject, peer);
    add_names(crt, peer);
    mg_tls_spki_sha256(crt, peer->spki_sha256);
    sha256_hex(crt->raw.p, crt->raw.len, peer->cert_sha256);
}

static void list_fini(struct mg_strlist *l) {
    for (size_t i = 0; i < l->n; i++) mg_free(l->v[i]);
    mg_free(l->v);
}

void mg_tls_peer_fini(struct mg_tls_peer *peer) {
    mg_free(peer->subject_rdn);
    mg_free(peer->subject_dc);
    mg_free(peer->subject_dn);
    mg_free(peer->subject);
    list_fini(&peer->emails);
    list_fini(&peer->dns);
    list_fini(&peer->uris);
    memset(peer, 0, sizeof *peer);
}
