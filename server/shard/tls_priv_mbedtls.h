// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the tls_*_mbedtls.c files share. mbedTLS 2.28 and 3.x; nothing else includes this.
#ifndef MG_SHARD_TLS_PRIV_MBEDTLS_H
#define MG_SHARD_TLS_PRIV_MBEDTLS_H

#include <mbedtls/version.h>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdatomic.h>

#include "server/shard/tls.h"

#define MG_MBEDTLS_3 (MBEDTLS_VERSION_NUMBER >= 0x03000000)

// The members that 3.x calls private and that have no accessor in both versions.
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

#if MG_MBEDTLS_3 && defined(MBEDTLS_SSL_PROTO_TLS1_3)
#define MG_TLS_1_3 1
#else
#define MG_TLS_1_3 0
#endif

#if MG_MBEDTLS_3
typedef uint16_t mg_tls_group; // as on the wire
#else
typedef mbedtls_ecp_group_id mg_tls_group;
#endif

struct mg_tls_ctx {
    atomic_uint refs;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt cert; // own chain, leaf first
    mbedtls_pk_context key;
    mbedtls_x509_crt ca;
    int *suites;          // mbedTLS ids, 0 ends
    mg_tls_group *groups; // 0 (MBEDTLS_ECP_DP_NONE) ends
    char (*pins)[65];     // SHA-256 of a SubjectPublicKeyInfo, lower-case hex
    size_t npins;
};

// tls_suites_mbedtls.c: the tables of spec/accounts-security.md 18.2. Both return owned arrays, or NULL with a text.
int *mg_tls_suites(const struct mg_tls_options *o, char *err, size_t errlen);
mg_tls_group *mg_tls_groups(const struct mg_tls_options *o, char *err, size_t errlen);
const char *mg_tls_suite_name(int id); // Go's name; mbedTLS's own if Go has none; "" for 0

// tls_peer_mbedtls.c
void mg_tls_peer_from(const mbedtls_x509_crt *crt, struct mg_tls_peer *peer);
void mg_tls_spki_sha256(const mbedtls_x509_crt *crt, char hex[65]);

#endif
