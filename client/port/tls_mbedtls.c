// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// mbedTLS 2.28 and 3.x as a client. The library reads and writes the socket through two callbacks, so that a signal
// is never raised. What is checked of the server: the chain by mbedTLS; its name by mbedTLS if it is a name, and here
// if it is an address, which 2.28 does not know (it compares names only).
//
// The system's bundle has a hundred certificates and takes milliseconds to parse, so it is read at the first handshake
// that needs it.
//
// A write that did not get through must be repeated with the same length: mbedTLS has taken the bytes into a record
// already and reports the length of the later call as written. `held` remembers it.
#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

#include "client/port/tls.h"

struct mgc_tls {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_x509_crt ca, cert;
    mbedtls_pk_context key;
    bool insecure, have_ca;
    size_t held;
    int fd;
    unsigned char address[16]; // the server's, if the URL has one instead of a name
    size_t address_len;        // 0: it has a name
};

// Where systems keep the authorities that they trust; Go's list without the rare ones.
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/ssl/cert.pem",                  // BSDs, macOS
};

static void explain(char *err, size_t size, const char *what, int code) {
    char words[120];
    mbedtls_strerror(code, words, sizeof words);
    snprintf(err, size, "%s: %s", what, words);
}

// ---- the socket -----------------------------------------------------------------------------------------------------

static int on_send(void *ctx, const unsigned char *p, size_t n) {
    const struct mgc_tls *t = ctx;
    ssize_t put = send(t->fd, p, n, MSG_NOSIGNAL);
    if (put >= 0) return (int)put;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int on_recv(void *ctx, unsigned char *p, size_t n) {
    const struct mgc_tls *t = ctx;
    ssize_t got = recv(t->fd, p, n, 0);
    if (got >= 0) return (int)got;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

// ---- certificates ---------------------------------------------------------------------------------------------------

static int load_key(struct mgc_tls *t, const char *path) {
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_parse_keyfile(&t->key, path, NULL, mbedtls_ctr_drbg_random, &t->drbg);
#else
    return mbedtls_pk_parse_keyfile(&t->key, path, NULL);
#endif
}

// Does the private key belong to the certificate?
static int check_pair(struct mgc_tls *t) {
#if MBEDTLS_VERSION_MAJOR >= 3
    return mbedtls_pk_check_pair(&t->cert.pk, &t->key, mbedtls_ctr_drbg_random, &t->drbg);
#else
    return mbedtls_pk_check_pair(&t->cert.pk, &t->key);
#endif
}

static int load_files(struct mgc_tls *t, const struct mgc_tls_config *config, char *err, size_t size) {
    char what[300];
    int rc = 0;
    if (config->ca != NULL) {
        snprintf(what, sizeof what, "cannot use the authorities in %s", config->ca);
        if ((rc = mbedtls_x509_crt_parse_file(&t->ca, config->ca)) != 0) goto failed;
        t->have_ca = true;
    }
    if (config->cert == NULL && config->key == NULL) return 0;
    if (config->cert == NULL || config->key == NULL) {
        snprintf(err, size, "a client certificate needs both its file and the file of its key; give the other one too");
        return MGC_IO_FAILED;
    }
    snprintf(what, sizeof what, "cannot use the client certificate %s", config->cert);
    if ((rc = mbedtls_x509_crt_parse_file(&t->cert, config->cert)) != 0) goto failed;
    snprintf(what, sizeof what, "cannot use the key %s", config->key);
    if ((rc = load_key(t, config->key)) != 0 || (rc = check_pair(t)) != 0) goto failed;
    if ((rc = mbedtls_ssl_conf_own_cert(&t->conf, &t->cert, &t->key)) != 0) goto failed;
    return 0;
failed:
    if (rc > 0) { // that many certificates of the file are not understood
        snprintf(err, size, "%s: it has a malformed certificate", what);
    } else {
        explain(err, size, what, rc);
    }
    return MGC_IO_FAILED;
}

// The bundle of the system. Certificates that this mbedTLS does not understand are left out.
static int load_system_ca(struct mgc_tls *t, char *err, size_t size) {
    const char *named = getenv("SSL_CERT_FILE");
    if (named != NULL && mbedtls_x509_crt_parse_file(&t->ca, named) >= 0) t->have_ca = true;
    for (size_t i = 0; i < sizeof BUNDLES / sizeof *BUNDLES && !t->have_ca; i++) {
        t->have_ca = mbedtls_x509_crt_parse_file(&t->ca, BUNDLES[i]) >= 0;
    }
    if (t->have_ca) return 0;
    snprintf(err, size, "the system has no bundle of certificate authorities; name the server's authority's file");
    return MGC_IO_FAILED;
}

static bool has_address(const mbedtls_x509_crt *crt, const unsigned char *address, size_t len) {
    enum { IP_ADDRESS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7 }; // RFC 5280 4.2.1.6, GeneralName
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s != NULL; s = s->next) {
        if (s->buf.tag == IP_ADDRESS && s->buf.len == len && memcmp(s->buf.p, address, len) == 0) return true;
    }
    return false;
}

static int on_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags) {
    const struct mgc_tls *t = ctx;
    if (depth == 0 && t->address_len > 0 && !has_address(crt, t->address, t->address_len)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

static void explain_verify(const struct mgc_tls *t, char *err, size_t size) {
    uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
    const char *why = "it is not acceptable";
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
        why = "it is for another name; use the name that stands in it";
    } else if (flags & MBEDTLS_X509_BADCERT_EXPIRED) {
        why = "it has expired";
    } else if (flags & MBEDTLS_X509_BADCERT_FUTURE) {
        why = "it is not valid yet; check the clock";
    } else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
        why = "no authority that is trusted has signed it; name the server's authority's file";
    }
    snprintf(err, size, "the server's certificate is refused: %s", why);
}

// ---- lifecycle ------------------------------------------------------------------------------------------------------

static int set_up(struct mgc_tls *t, char *err, size_t size) {
    int rc = mbedtls_ctr_drbg_seed(&t->drbg, mbedtls_entropy_func, &t->entropy, NULL, 0);
#if MBEDTLS_VERSION_MAJOR >= 3
    if (rc == 0) rc = psa_crypto_init(); // TLS 1.3 needs it
#endif
    if (rc == 0) {
        rc = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    }
    if (rc != 0) {
        explain(err, size, "TLS does not start", rc);
        return MGC_IO_FAILED;
    }
    mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, &t->drbg);
    mbedtls_ssl_conf_authmode(&t->conf, t->insecure ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(&t->conf, on_verify, t);
    mbedtls_ssl_conf_ca_chain(&t->conf, &t->ca, NULL);
#if MBEDTLS_VERSION_MAJOR < 3
    mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
    return 0;
}

struct mgc_tls *mgc_tls_new(const struct mgc_tls_config *config, char *err, size_t err_size) {
    struct mgc_tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    t->insecure = config->insecure;
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_config_init(&t->conf);
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->drbg);
    mbedtls_x509_crt_init(&t->ca);
    mbedtls_x509_crt_init(&t->cert);
    mbedtls_pk_init(&t->key);
    if (set_up(t, err, err_size) == 0 && load_files(t, config, err, err_size) == 0) return t;
    mgc_tls_free(t);
    return NULL;
}

void mgc_tls_free(struct mgc_tls *t) {
    if (t == NULL) return;
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->conf);
    mbedtls_pk_free(&t->key);
    mbedtls_x509_crt_free(&t->cert);
    mbedtls_x509_crt_free(&t->ca);
    mbedtls_ctr_drbg_free(&t->drbg);
    mbedtls_entropy_free(&t->entropy);
    free(t);
}

// ---- a session ------------------------------------------------------------------------------------------------------

int mgc_tls_start(struct mgc_tls *t, int fd, const char *host, char *err, size_t err_size) {
    if (!t->insecure && !t->have_ca && load_system_ca(t, err, err_size) != 0) return MGC_IO_FAILED;
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_init(&t->ssl);
    t->fd = fd;
    t->held = 0;
    t->address_len = inet_pton(AF_INET, host, t->address) == 1    ? 4
                     : inet_pton(AF_INET6, host, t->address) == 1 ? 16
                                                                  : 0;
    int rc = mbedtls_ssl_setup(&t->ssl, &t->conf);
    if (rc == 0) rc = mbedtls_ssl_set_hostname(&t->ssl, t->address_len > 0 ? NULL : host);
    if (rc != 0) {
        explain(err, err_size, "TLS does not start", rc);
        return MGC_IO_FAILED;
    }
    mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
    return 0;
}

int mgc_tls_handshake(struct mgc_tls *t, char *err, size_t err_size) {
    int rc = mbedtls_ssl_handshake(&t->ssl);
    switch (rc) {
    case 0: return 0;
    case MBEDTLS_ERR_SSL_WANT_READ: return MGC_IO_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE: return MGC_IO_WRITE;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED: explain_verify(t, err, err_size); break;
    case MBEDTLS_ERR_SSL_CONN_EOF:
        snprintf(err, err_size, "the server closed in the TLS handshake; does it want a client certificate?");
        break;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        snprintf(err, err_size, "the server refused the TLS handshake; does it want another client certificate?");
        break;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        snprintf(err, err_size, "the server does not answer in TLS; leave out that TLS comes first");
        break;
    default: explain(err, err_size, "the TLS handshake failed", rc); break;
    }
    return MGC_IO_FAILED;
}

static ssize_t result(int rc) {
    switch (rc) {
    case MBEDTLS_ERR_SSL_WANT_READ: return MGC_IO_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE: return MGC_IO_WRITE;
    case 0:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF: return MGC_IO_END;
    default: return rc > 0 ? rc : MGC_IO_FAILED;
    }
}

ssize_t mgc_tls_read(struct mgc_tls *t, void *p, size_t n) {
    int rc;
    do {
        rc = mbedtls_ssl_read(&t->ssl, p, n);
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    } while (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
#else
    } while (false);
#endif
    return result(rc);
}

ssize_t mgc_tls_write(struct mgc_tls *t, const void *p, size_t n) {
    if (t->held > 0 && t->held < n) n = t->held;
    int rc = mbedtls_ssl_write(&t->ssl, p, n);
    t->held = rc == MBEDTLS_ERR_SSL_WANT_WRITE || rc == MBEDTLS_ERR_SSL_WANT_READ ? n : 0;
    return result(rc);
}

void mgc_tls_end(struct mgc_tls *t) { (void)mbedtls_ssl_close_notify(&t->ssl); }

bool mgc_tls_pending(const struct mgc_tls *t) { return mbedtls_ssl_get_bytes_avail(&t->ssl) > 0; }
