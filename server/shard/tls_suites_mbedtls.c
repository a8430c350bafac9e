// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <stdio.h>

#include "server/base/mem.h"
#include "server/shard/tls_priv_mbedtls.h"

// spec/accounts-security.md 18.2, in the order of our preference. mbedTLS uses the numbers of IANA as ids, and Go the
// names of IANA. A suite that this build of mbedTLS lacks is skipped.
static const struct suite {
    const char *name;
    int id;
    enum { DEFAULT, INSECURE, TLS13 } kind; // TLS13: always on, not configurable
} suites[] = {
    {"TLS_AES_128_GCM_SHA256", 0x1301, TLS13},
    {"TLS_AES_256_GCM_SHA384", 0x1302, TLS13},
    {"TLS_CHACHA20_POLY1305_SHA256", 0x1303, TLS13},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b, DEFAULT},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, DEFAULT},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c, DEFAULT},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, DEFAULT},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, DEFAULT},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8, DEFAULT},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009, DEFAULT},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013, DEFAULT},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a, DEFAULT},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014, DEFAULT},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", 0xc023, INSECURE},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", 0xc027, INSECURE},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c, INSECURE},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d, INSECURE},
    {"TLS_RSA_WITH_AES_128_CBC_SHA256", 0x003c, INSECURE},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f, INSECURE},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035, INSECURE},
    {"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc012, INSECURE},
    {"TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a, INSECURE},
    {"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xc007, INSECURE},
    {"TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xc011, INSECURE},
    {"TLS_RSA_WITH_RC4_128_SHA", 0x0005, INSECURE},
};
#define NSUITES (sizeof suites / sizeof suites[0])

static bool is_built_in(int id) {
    for (const int *at = mbedtls_ssl_list_ciphersuites(); *at; at++)
        if (*at == id) return true;
    return false;
}

static const struct suite *suite_by_name(const char *name) {
    for (size_t i = 0; i < NSUITES; i++)
        if (strcmp(suites[i].name, name) == 0) return &suites[i];
    return NULL;
}

int *mg_tls_suites(const struct mg_tls_options *o, char *err, size_t errlen) {
    int *ids = mg_zalloc((NSUITES + o->cipher_suites.n + 1) * sizeof ids[0]);
    size_t n = 0;
    for (size_t i = 0; i < NSUITES && MG_TLS_1_3; i++)
        if (suites[i].kind == TLS13 && is_built_in(suites[i].id)) ids[n++] = suites[i].id;
    size_t before = n;
    for (size_t i = 0; i < NSUITES && o->cipher_suites.n == 0; i++)
        if (suites[i].kind == DEFAULT && is_built_in(suites[i].id)) ids[n++] = suites[i].id;
    for (size_t i = 0; i < o->cipher_suites.n; i++) {
        const struct suite *s = suite_by_name(o->cipher_suites.v[i]);
        if (s == NULL) {
            snprintf(err, errlen, "unrecognized cipher %s", o->cipher_suites.v[i]);
            mg_free(ids);
            return NULL;
        }
        if (s->kind != TLS13 && is_built_in(s->id)) ids[n++] = s->id;
    }
    if (n == before && (o->min_version < 0x0304 || n == 0)) {
        snprintf(err, errlen, "none of the configured cipher suites is supported by this build");
        mg_free(ids);
        return NULL;
    }
    return ids;
}

const char *mg_tls_suite_name(int id) {
    for (size_t i = 0; i < NSUITES; i++)
        if (suites[i].id == id) return suites[i].name;
    return id ? mbedtls_ssl_get_ciphersuite_name(id) : "";
}

#if MG_MBEDTLS_3
#define GROUP(wire, ecp) (wire)
#else
#define GROUP(wire, ecp) (ecp)
#endif

// Go's default order. The hybrids with ML-KEM do not exist in mbedTLS: known, and skipped.
static const struct group {
    const char *name;
    mg_tls_group id; // 0: not there
} groups[] = {
    {"X25519MLKEM768", 0},
    {"SecP256r1MLKEM768", 0},
    {"SecP384r1MLKEM1024", 0},
#ifdef MBEDTLS_ECP_DP_CURVE25519_ENABLED
    {"X25519", GROUP(29, MBEDTLS_ECP_DP_CURVE25519)},
#endif
    {"CurveP256", GROUP(23, MBEDTLS_ECP_DP_SECP256R1)},
    {"CurveP384", GROUP(24, MBEDTLS_ECP_DP_SECP384R1)},
    {"CurveP521", GROUP(25, MBEDTLS_ECP_DP_SECP521R1)},
};
#define NGROUPS (sizeof groups / sizeof groups[0])

static const struct group *group_by_name(const char *name) {
    for (size_t i = 0; i < NGROUPS; i++)
        if (strcmp(groups[i].name, name) == 0) return &groups[i];
    return NULL;
}

mg_tls_group *mg_tls_groups(const struct mg_tls_options *o, char *err, size_t errlen) {
    mg_tls_group *ids = mg_zalloc((NGROUPS + o->curves.n + 1) * sizeof ids[0]);
    size_t n = 0;
    for (size_t i = 0; i < NGROUPS && o->curves.n == 0; i++)
        if (groups[i].id) ids[n++] = groups[i].id;
    for (size_t i = 0; i < o->curves.n; i++) {
        const struct group *g = group_by_name(o->curves.v[i]);
        if (g == NULL) {
            snprintf(err, errlen, "unrecognized curve preference %s", o->curves.v[i]);
            mg_free(ids);
            return NULL;
        }
        if (g->id) ids[n++] = g->id;
    }
    if (n == 0) {
        snprintf(err, errlen, "none of the configured curve preferences is supported by this build");
        mg_free(ids);
        return NULL;
    }
    return ids;
}
