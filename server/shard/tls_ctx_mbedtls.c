// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The shared half of TLS: certificates, key, CA and policy. Everything is loaded and checked in mg_tls_ctx_new, so that
// a broken file is one sentence at start or reload and never a surprise in a handshake.
//
// Sessions on several threads use one context at the same time. That is sound because
//   - random bytes come from the kernel through libsodium, which keeps no state;
//   - mbedTLS guards the blinding values of a shared RSA key with a mutex, if it was built with threads;
//   - a table for the base point, which mbedTLS computes and stores in an EC key at its first use, is made here, before
//     anybody shares the key (warm_up).
#include <ctype.h>
#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/tls_priv_mbedtls.h"

#if MG_MBEDTLS_3
#include <psa/crypto.h>
#endif

#ifndef MBEDTLS_THREADING_C
#error "mbedTLS must be built with MBEDTLS_THREADING_C: sessions on several threads share keys"
#endif

#define FILE_MAX (4u << 20)
#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

static int random_bytes(void *ctx, unsigned char *p, size_t n) {
    (void)ctx;
    randombytes_buf(p, n);
    return 0;
}

// ---- files -------------------------------------------------------------------------------------------------------

// The file with a NUL behind it, as the PEM parsers want it. MG_OK, or an error and a text in the manner of Go:
// "open x: no such file or directory".
static int read_file(const char *path, struct mg_buf *out, char *err, size_t errlen) {
    FILE *f = fopen(path, "re");
    int cause = f ? 0 : errno;
    while (f && !cause && out->len <= FILE_MAX && !feof(f)) {
        mg_buf_reserve(out, 4096);
        out->len += fread(out->p + out->len, 1, 4096, f);
        if (ferror(f)) cause = errno ? errno : EIO;
    }
    if (f) fclose(f);
    if (!cause && out->len > FILE_MAX) cause = EFBIG;
    if (cause) {
        const char *why = strerrordesc_np(cause);
        snprintf(err, errlen, "open %s: %c%s", path, tolower(why[0]), why + 1);
        return MG_EIO;
    }
    mg_buf_addc(out, '\0');
    return MG_OK;
}

static void wipe(struct mg_buf *b) {
    if (b->p) sodium_memzero(b->p, b->cap);
    mg_buf_fini(b);
}

#define PAIR "error parsing X509 certificate/key pair: "

static int pair_error(int ret, const char *file, char *err, size_t errlen) {
    char why[128];
    mbedtls_strerror(ret, why, sizeof why);
    snprintf(err, errlen, PAIR "%s: %s", file, why);
    return MG_ETLS;
}

static int load_chain(struct mg_tls_ctx *c, const char *path, char *err, size_t errlen) {
    char why[256];
    struct mg_buf pem = MG_BUF_INIT;
    if (read_file(path, &pem, why, sizeof why) != MG_OK) {
        snprintf(err, errlen, PAIR "%s", why);
        mg_buf_fini(&pem);
        return MG_EIO;
    }
    int ret = mbedtls_x509_crt_parse(&c->cert, (const unsigned char *)pem.p, pem.len);
    mg_buf_fini(&pem);
    if (ret == 0) return MG_OK;
    if (ret < 0) return pair_error(ret, path, err, errlen);
    // Without the broken ones another certificate of the file would pass for the leaf.
    snprintf(err, errlen, PAIR "%s: %d certificates cannot be read", path, ret);
    return MG_ETLS;
}

static int load_key(struct mg_tls_ctx *c, const char *path, char *err, size_t errlen) {
    char why[256];
    struct mg_buf pem = MG_BUF_INIT;
    if (read_file(path, &pem, why, sizeof why) != MG_OK) {
        snprintf(err, errlen, PAIR "%s", why);
        wipe(&pem);
        return MG_EIO;
    }
    const unsigned char *p = (const unsigned char *)pem.p;
#if MG_MBEDTLS_3
    int ret = mbedtls_pk_parse_key(&c->key, p, pem.len, NULL, 0, random_bytes, NULL);
    if (ret == 0) ret = mbedtls_pk_check_pair(&c->cert.pk, &c->key, random_bytes, NULL) ? 1 : 0;
#else
    int ret = mbedtls_pk_parse_key(&c->key, p, pem.len, NULL, 0);
    if (ret == 0) ret = mbedtls_pk_check_pair(&c->cert.pk, &c->key) ? 1 : 0;
#endif
    wipe(&pem);
    if (ret < 0) return pair_error(ret, path, err, errlen);
    if (ret == 0) return MG_OK;
    snprintf(err, errlen, PAIR "tls: private key does not match public key");
    return MG_ETLS;
}

static int load_pair(struct mg_tls_ctx *c, const struct mg_tls_options *o, char *err, size_t errlen) {
    if (o->cert_file == NULL || o->key_file == NULL) {
        snprintf(err, errlen, "missing '%s' in TLS configuration", o->cert_file ? "key_file" : "cert_file");
        return MG_EINVAL;
    }
    int ret = load_chain(c, o->cert_file, err, errlen);
    return ret == MG_OK ? load_key(c, o->key_file, err, errlen) : ret;
}

// Who may have signed client certificates: ca_file, or the roots of this system.
static int load_ca(struct mg_tls_ctx *c, const char *path, char *err, size_t errlen) {
    struct mg_buf pem = MG_BUF_INIT;
    int ret = read_file(path ? path : SYSTEM_ROOTS, &pem, err, errlen);
    if (ret == MG_OK) {
        // A positive result counts certificates that could not be read; the others serve.
        int bad = mbedtls_x509_crt_parse(&c->ca, (const unsigned char *)pem.p, pem.len);
        if (bad < 0 || c->ca.version == 0) {
            snprintf(err, errlen, "failed to parse root ca certificate");
            ret = MG_ETLS;
        }
    }
    mg_buf_fini(&pem);
    return ret;
}

// ---- policy ------------------------------------------------------------------------------------------------------

// Lets mbedTLS compute and store what it caches in a shared EC key. The results do not matter.
static void warm_up(struct mg_tls_ctx *c) {
    const unsigned char hash[32] = {1};
    const unsigned char one_one[] = {0x30, 6, 2, 1, 1, 2, 1, 1}; // r = 1, s = 1: well-formed, never right
    for (mbedtls_x509_crt *ca = &c->ca; ca && ca->version; ca = ca->next)
        if (mbedtls_pk_can_do(&ca->pk, MBEDTLS_PK_ECDSA))
            (void)mbedtls_pk_verify(&ca->pk, MBEDTLS_MD_SHA256, hash, sizeof hash, one_one, sizeof one_one);
    if (!mbedtls_pk_can_do(&c->key, MBEDTLS_PK_ECDSA)) return;
    unsigned char sig[256];
    size_t n = 0;
#if MG_MBEDTLS_3
    (void)mbedtls_pk_sign(&c->key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig, sizeof sig, &n, random_bytes, NULL);
#else
    (void)mbedtls_pk_sign(&c->key, MBEDTLS_MD_SHA256, hash, sizeof hash, sig, &n, random_bytes, NULL);
#endif
}

static int set_versions(struct mg_tls_ctx *c, int min, char *err, size_t errlen) {
    if (min >= 0x0304 && !MG_TLS_1_3) {
        snprintf(err, errlen, "unsupported TLS version: 1.3 (built with mbedTLS " MBEDTLS_VERSION_STRING ")");
        return MG_EUNSUPPORTED;
    }
#if MG_MBEDTLS_3
    mbedtls_ssl_conf_min_tls_version(&c->conf, min >= 0x0304 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(&c->conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&c->conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#if MG_TLS_1_3
    mbedtls_ssl_conf_tls13_key_exchange_modes(&c->conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
#endif
    return MG_OK;
}

static int set_suites(struct mg_tls_ctx *c, const struct mg_tls_options *o, char *err, size_t errlen) {
    c->suites = mg_tls_suites(o, err, errlen);
    if (c->suites == NULL) return MG_EINVAL;
    c->groups = mg_tls_groups(o, err, errlen);
    if (c->groups == NULL) return MG_EINVAL;
    mbedtls_ssl_conf_ciphersuites(&c->conf, c->suites);
#if MG_MBEDTLS_3
    mbedtls_ssl_conf_groups(&c->conf, c->groups);
#else
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};
    mbedtls_ssl_conf_sig_hashes(&c->conf, hashes); // no SHA-1, which 2.28 still allows
    mbedtls_ssl_conf_curves(&c->conf, c->groups);
#endif
    return MG_OK;
}

static void set_pins(struct mg_tls_ctx *c, const struct mg_strlist *pins) {
    c->pins = mg_zalloc((pins->n + 1) * sizeof c->pins[0]);
    c->npins = pins->n;
    for (size_t i = 0; i < pins->n; i++) snprintf(c->pins[i], sizeof c->pins[i], "%s", pins->v[i]);
}

static int configure(struct mg_tls_ctx *c, const struct mg_tls_options *o, bool verify, char *err, size_t errlen) {
    int ret = mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret == 0) ret = mbedtls_ssl_conf_own_cert(&c->conf, &c->cert, &c->key);
    if (ret != 0) return pair_error(ret, o->cert_file, err, errlen);
    mbedtls_ssl_conf_rng(&c->conf, random_bytes, NULL);
    // Without `verify` no certificate is asked for, as in the reference. With it mbedTLS enforces EKU clientAuth.
    mbedtls_ssl_conf_authmode(&c->conf, verify ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
    if (verify) {
        mbedtls_ssl_conf_ca_chain(&c->conf, &c->ca, NULL);
        // The names of all roots of a system do not fit into a CertificateRequest.
        if (o->ca_file == NULL)
            mbedtls_ssl_conf_cert_req_ca_list(&c->conf, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
    }
    ret = set_versions(c, o->min_version, err, errlen);
    return ret == MG_OK ? set_suites(c, o, err, errlen) : ret;
}

// ---- the context -------------------------------------------------------------------------------------------------

static int init_library(char *err, size_t errlen) {
    bool ok = sodium_init() >= 0;
#if MG_MBEDTLS_3
    ok = ok && psa_crypto_init() == PSA_SUCCESS; // may be called again
#endif
    if (ok) return MG_OK;
    snprintf(err, errlen, "the cryptographic library cannot be initialized");
    return MG_ETLS;
}

struct mg_tls_ctx *mg_tls_ctx_new(const struct mg_tls_options *o, bool verify_clients, char *err, size_t errlen) {
    bool verify = verify_clients && (o->verify || o->verify_and_map);
    struct mg_tls_ctx *c = mg_zalloc(sizeof *c);
    atomic_init(&c->refs, 1);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->cert);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_pk_init(&c->key);

    int ret = init_library(err, errlen);
    if (ret == MG_OK) ret = load_pair(c, o, err, errlen);
    // A ca_file is loaded even if nobody is verified: a broken one should not come to light later.
    if (ret == MG_OK && (verify || (verify_clients && o->ca_file))) ret = load_ca(c, o->ca_file, err, errlen);
    if (ret == MG_OK) ret = configure(c, o, verify, err, errlen);
    if (ret == MG_OK && verify_clients) set_pins(c, &o->pinned_certs); // without `verify` they let nobody in
    if (ret != MG_OK) {
        mg_tls_ctx_unref(c);
        return NULL;
    }
    warm_up(c);
    return c;
}

struct mg_tls_ctx *mg_tls_ctx_ref(struct mg_tls_ctx *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void mg_tls_ctx_unref(struct mg_tls_ctx *c) {
    if (c == NULL) return;
    unsigned before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
    mg_assert(before > 0);
    if (before > 1) return;
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_x509_crt_free(&c->cert);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_pk_free(&c->key);
    mg_free(c->suites);
    mg_free(c->groups);
    mg_free(c->pins);
    mg_free(c);
}

int64_t mg_tls_ctx_not_after(const struct mg_tls_ctx *c) {
    const mbedtls_x509_time *t = &c->cert.valid_to;
    struct tm tm = {.tm_year = t->year - 1900,
                    .tm_mon = t->mon - 1,
                    .tm_mday = t->day,
                    .tm_hour = t->hour,
                    .tm_min = t->min,
                    .tm_sec = t->sec};
    return timegm(&tm);
}
