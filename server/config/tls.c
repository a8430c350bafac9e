// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// tls blocks (spec/accounts-security.md 18.1, 18.2). Names and types are checked here, files by the
// source's hook.
// Unknown fields are always fatal, even those that a $variable names.
#include <strings.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/process.h"

struct cipher {
    const char *name;
    bool insecure;
};

static const struct cipher ciphers[] = {
    {"TLS_AES_128_GCM_SHA256", false},
    {"TLS_AES_256_GCM_SHA384", false},
    {"TLS_CHACHA20_POLY1305_SHA256", false},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", false},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", false},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", false},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", false},
    {"TLS_RSA_WITH_RC4_128_SHA", true},
    {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", true},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", true},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", true},
    {"TLS_RSA_WITH_AES_128_CBC_SHA256", true},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", true},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", true},
    {"TLS_ECDHE_RSA_WITH_RC4_128_SHA", true},
    {"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", true},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", true},
    {"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", true},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", true},
};

static const char *const curves[] = {"X25519MLKEM768", "X25519",    "CurveP256",          "CurveP384",
                                     "CurveP521",      "SecP384r1MLKEM1024", "SecP256r1MLKEM768"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// What one tls block is being read into.
struct tls_state {
    struct mg_conf_ctx *c;
    struct mg_tls_options *t;
    struct mg_buf insecure; // names of insecure ciphers, ", " between them
    bool known_urls;
    char *cert, *key; // the first pair of certs[]
    size_t pairs;
};

static void get_file(struct tls_state *s, const struct mg_conf_value *m, char **out) {
    if (m->type == MG_CONF_STRING) mg_str_set(out, *m->str ? m->str : NULL);
    else mg_conf_error(s->c, m, "error parsing tls config, expected '%s' to be filename", m->key);
}

static bool get_flag(struct tls_state *s, const struct mg_conf_value *m, bool *out) {
    if (m->type == MG_CONF_BOOL) *out = m->b;
    else mg_conf_error(s->c, m, "error parsing tls config, expected '%s' to be a boolean", m->key);
    return m->type == MG_CONF_BOOL;
}

// An array of strings that is not empty; false if it is something else (reported).
static bool names_ok(struct tls_state *s, const struct mg_conf_value *m) {
    if (m->type != MG_CONF_ARRAY) return mg_conf_wrong_type(s->c, m, "[]interface {}");
    if (m->list.n == 0) mg_conf_error(s->c, m, "error parsing tls config, '%s' cannot be empty", m->key);
    for (size_t i = 0; i < m->list.n; i++)
        if (m->list.v[i].type != MG_CONF_STRING) return mg_conf_wrong_type(s->c, &m->list.v[i], "string");
    return m->list.n > 0;
}

static void parse_ciphers(struct tls_state *s, const struct mg_conf_value *m) {
    if (!names_ok(s, m)) return;
    for (size_t i = 0; i < m->list.n; i++) {
        const char *name = m->list.v[i].str;
        size_t k = 0;
        while (k < COUNT(ciphers) && strcmp(ciphers[k].name, name) != 0)
            k++;
        if (k == COUNT(ciphers)) {
            mg_conf_error(s->c, &m->list.v[i], "unrecognized cipher %s", name);
            continue;
        }
        mg_strlist_add(&s->t->cipher_suites, name);
        if (ciphers[k].insecure) mg_buf_addf(&s->insecure, "%s%s", s->insecure.len ? ", " : "", name);
    }
}

static void parse_curves(struct tls_state *s, const struct mg_conf_value *m) {
    if (!names_ok(s, m)) return;
    for (size_t i = 0; i < m->list.n; i++) {
        const char *name = m->list.v[i].str;
        size_t k = 0;
        while (k < COUNT(curves) && strcmp(curves[k], name) != 0)
            k++;
        if (k == COUNT(curves)) mg_conf_error(s->c, &m->list.v[i], "unrecognized curve preference %s", name);
        else mg_strlist_add(&s->t->curves, name);
    }
}

#define PIN_FORM "hex-encoded sha256 of DER encoded SubjectPublicKeyInfo"

static void parse_pins(struct tls_state *s, const struct mg_conf_value *m) {
    if (m->type != MG_CONF_ARRAY) {
        mg_conf_error(s->c, m, "error parsing tls config, expected 'pinned_certs' to be a list of " PIN_FORM);
        return;
    }
    for (size_t i = 0; i < m->list.n; i++) {
        const struct mg_conf_value *item = &m->list.v[i];
        if (item->type != MG_CONF_STRING) {
            mg_conf_wrong_type(s->c, item, "string");
            continue;
        }
        char *pin = mg_strdup(item->str);
        for (char *p = pin; *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
        if (strlen(pin) != 64 || strspn(pin, "0123456789abcdef") != 64)
            mg_conf_error(s->c, item, "error parsing tls config, 'pinned_certs' key %s does not look like " PIN_FORM,
                          pin);
        else if (!mg_strlist_has(&s->t->pinned_certs, pin)) mg_strlist_add(&s->t->pinned_certs, pin);
        mg_free(pin);
    }
}

static void parse_first(struct tls_state *s, const struct mg_conf_value *m) {
    char err[256];
    int64_t ns = 0;
    if (m->type == MG_CONF_BOOL) {
        s->t->first = m->b ? MG_TLS_FIRST_ON : MG_TLS_FIRST_OFF;
    } else if (m->type != MG_CONF_STRING) {
        mg_conf_error(s->c, m, "field \"%s\" should be a boolean or a string, got %s", m->key, mg_conf_type_name(m));
    } else if (strcasecmp(m->str, "true") == 0 || strcasecmp(m->str, "on") == 0) {
        s->t->first = MG_TLS_FIRST_ON;
    } else if (strcasecmp(m->str, "false") == 0 || strcasecmp(m->str, "off") == 0) {
        s->t->first = MG_TLS_FIRST_OFF;
    } else if (strcasecmp(m->str, "auto") == 0 || strcasecmp(m->str, "auto_fallback") == 0) {
        s->t->first = MG_TLS_FIRST_AUTO;
        s->t->first_wait_ns = 50 * MG_MS;
    } else if (mg_conf_parse_duration(m->str, &ns, err, sizeof(err)) && ns >= 0) {
        s->t->first = ns > 0 ? MG_TLS_FIRST_AUTO : MG_TLS_FIRST_ON;
        s->t->first_wait_ns = (uint64_t)ns;
    } else {
        struct mg_buf b = MG_BUF_INIT;
        mg_buf_addf(&b, "field \"%s\"'s value ", m->key);
        mg_buf_addc(&b, '\0');
        mg_conf_error_q(s->c, m, b.p, m->str, " is invalid");
        mg_buf_fini(&b);
    }
}

static void parse_min_version(struct tls_state *s, const struct mg_conf_value *m) {
    static const char *const old[] = {"1.0", "1.1"};
    if (m->type != MG_CONF_STRING) {
        struct mg_buf shown = MG_BUF_INIT;
        mg_conf_value_show(&shown, m);
        mg_conf_error(s->c, m, "error parsing tls config: 'min_version' wrong type: %.*s", (int)shown.len, shown.p);
        mg_buf_fini(&shown);
        return;
    }
    for (size_t i = 0; i < COUNT(old); i++) {
        if (strcmp(m->str, old[i]) != 0) continue;
        mg_conf_error(s->c, m, "error parsing tls config: unsupported TLS version: TLS %s", old[i]);
        return;
    }
    if (strcmp(m->str, "1.2") == 0) s->t->min_version = 0x0303;
    else if (strcmp(m->str, "1.3") == 0) s->t->min_version = 0x0304;
    else mg_conf_error(s->c, m, "error parsing tls config: unknown version: %s", m->str);
}

// certs: one pair is the same as cert_file and key_file; several (chosen by SNI) are not active.
static void parse_certs(struct tls_state *s, const struct mg_conf_value *m) {
    if (m->type != MG_CONF_ARRAY) {
        mg_conf_error(s->c, m, "error parsing certificates config: unsupported type %s", mg_conf_type_name(m));
        return;
    }
    for (size_t i = 0; i < m->list.n; i++) {
        const struct mg_conf_value *pair = &m->list.v[i];
        char *cert = NULL, *key = NULL;
        if (pair->type != MG_CONF_MAP) {
            mg_conf_error(s->c, pair, "error parsing certificates config: unsupported type %s",
                          mg_conf_type_name(pair));
            continue;
        }
        for (size_t k = 0; k < pair->list.n; k++) {
            const struct mg_conf_value *f = &pair->list.v[k];
            if (f->type != MG_CONF_STRING)
                mg_conf_error(s->c, f, "error parsing certificates config: unsupported type %s", mg_conf_type_name(f));
            else if (strcmp(f->key, "cert_file") == 0) mg_str_set(&cert, f->str);
            else if (strcmp(f->key, "key_file") == 0) mg_str_set(&key, f->str);
            else mg_conf_error_q(s->c, f, "error parsing tls certs config, unknown field ", f->key, "");
        }
        if (cert == NULL || key == NULL || !*cert || !*key)
            mg_conf_error(s->c, pair,
                          "error parsing certificates config: both 'cert_file' and 'cert_key' options are required");
        else if (s->pairs++ == 0) {
            mg_str_set(&s->cert, cert);
            mg_str_set(&s->key, key);
        }
        mg_free(cert);
        mg_free(key);
    }
}

static void finish_certs(struct tls_state *s, const struct mg_conf_value *v) {
    if (s->pairs > 0 && s->t->cert_file != NULL) {
        mg_conf_error(s->c, v, "error parsing tls config, cannot combine 'cert_file' option with 'certs' option");
    } else if (s->pairs > 0) {
        mg_str_set(&s->t->cert_file, s->cert);
        mg_str_set(&s->t->key_file, s->key);
    }
    if (s->pairs > 1) mg_options_add_inactive(s->c->o, "tls.certs", true);
    mg_free(s->cert);
    mg_free(s->key);
}

static void parse_ocsp_peer(struct tls_state *s, const struct mg_conf_value *m) {
    bool verify = m->type == MG_CONF_BOOL && m->b;
    if (m->type == MG_CONF_MAP) {
        for (size_t i = 0; i < m->list.n; i++) {
            const struct mg_conf_value *f = &m->list.v[i];
            if (mg_conf_key_is(f, "verify")) mg_conf_get_bool(s->c, f, &verify);
            else if (!mg_conf_key_is(f, "allowed_clockskew ca_timeout cache_ttl_when_next_update_unset warn_only "
                                        "unknown_is_good allow_when_ca_unreachable"))
                mg_conf_error_q(s->c, f, "error parsing ocsp peer config, unknown field ", f->key, "");
        }
    } else if (m->type != MG_CONF_BOOL) {
        mg_conf_error(s->c, m, "error parsing ocsp peer config: unsupported type %s", mg_conf_type_name(m));
    }
    if (verify) mg_options_add_inactive(s->c->o, "tls.ocsp_peer", true); // revoked clients would get in
}

static void parse_verify(struct tls_state *s, const struct mg_conf_value *m) {
    struct mg_tls_options *t = s->t;
    bool on = false;
    if (!get_flag(s, m, &on)) return;
    if (mg_conf_key_is(m, "verify")) {
        t->verify = on || t->verify_and_map;
        return;
    }
    if (mg_conf_key_is(m, "verify_and_map")) t->verify_and_map = on;
    else if (on && !s->known_urls)
        mg_conf_error(s->c, m, "verify_cert_and_check_known_urls not supported in this context");
    t->verify |= on;
}

static void parse_rate(struct tls_state *s, const struct mg_conf_value *m) {
    if (m->type == MG_CONF_INT) s->t->rate_limit = m->i;
    else mg_conf_error(s->c, m, "error parsing tls config, 'connection_rate_limit' wrong type");
}

static void parse_field(struct tls_state *s, const struct mg_conf_value *m) {
    struct mg_tls_options *t = s->t;
    double seconds = 0;
    bool ignored;
    if (mg_conf_key_is(m, "cert_file")) get_file(s, m, &t->cert_file);
    else if (mg_conf_key_is(m, "key_file")) get_file(s, m, &t->key_file);
    else if (mg_conf_key_is(m, "ca_file")) get_file(s, m, &t->ca_file);
    else if (mg_conf_key_is(m, "insecure")) get_flag(s, m, &ignored); // outgoing connections only
    else if (mg_conf_key_is(m, "verify verify_and_map verify_cert_and_check_known_urls")) parse_verify(s, m);
    else if (mg_conf_key_is(m, "allow_insecure_cipher_suites")) get_flag(s, m, &t->allow_insecure_ciphers);
    else if (mg_conf_key_is(m, "cipher_suites")) parse_ciphers(s, m);
    else if (mg_conf_key_is(m, "curve_preferences")) parse_curves(s, m);
    else if (mg_conf_key_is(m, "timeout")) {
        if (mg_conf_get_seconds(s->c, m, "tls", &seconds) && seconds > 0) t->timeout_ns = (uint64_t)(seconds * 1e9);
    } else if (mg_conf_key_is(m, "connection_rate_limit")) parse_rate(s, m);
    else if (mg_conf_key_is(m, "pinned_certs")) parse_pins(s, m);
    else if (mg_conf_key_is(m, "handshake_first first immediate")) parse_first(s, m);
    else if (mg_conf_key_is(m, "min_version")) parse_min_version(s, m);
    else if (mg_conf_key_is(m, "certs certificates")) parse_certs(s, m);
    else if (mg_conf_key_is(m, "ocsp_peer")) parse_ocsp_peer(s, m);
    else if (mg_conf_key_is(m, "cert_store cert_match_by cert_match ca_certs_match cert_match_skip_invalid"))
        mg_conf_error(s->c, m, "cert_store not compatible with current operating system");
    else mg_conf_error_q(s->c, m, "error parsing tls config, unknown field ", m->key, "");
}

void mg_conf_parse_tls(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool known_urls,
                       struct mg_tls_options *t) {
    if (v->type != MG_CONF_MAP) {
        mg_conf_wrong_type(c, v, "map[string]interface {}");
        return;
    }
    struct tls_state s = {.c = c, .t = t, .known_urls = known_urls};
    for (size_t i = 0; i < v->list.n; i++)
        parse_field(&s, &v->list.v[i]);
    finish_certs(&s, v);
    if (s.insecure.len && !t->allow_insecure_ciphers)
        mg_conf_error(c, v, "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: %.*s",
                      (int)s.insecure.len, s.insecure.p);
    if (t->cert_file != NULL && t->key_file == NULL) mg_conf_error(c, v, "missing 'key_file' in TLS configuration");
    if (t->cert_file == NULL && t->key_file != NULL) mg_conf_error(c, v, "missing 'cert_file' in TLS configuration");
    mg_buf_fini(&s.insecure);
    char err[512];
    bool whole = t->cert_file != NULL && t->key_file != NULL;
    if (whole && c->src->check_tls != NULL && c->src->check_tls(c->src->ctx, t, err, sizeof(err)) != MG_OK)
        mg_conf_error(c, v, "%s", err);
}

void mg_conf_block_tls(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    mg_tls_options_fini(&c->o->tls_opts);
    mg_tls_options_init(&c->o->tls_opts);
    c->o->tls = true;
    mg_conf_parse_tls(c, v, false, &c->o->tls_opts);
}
