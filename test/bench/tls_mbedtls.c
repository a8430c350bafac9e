// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The client's side of TLS for the TLS rows. It offers what Go's clients ask for first where the CPU knows AES; left to
// itself mbedTLS prefers ChaCha20 and P-521, and a server that follows the client would be measured with those.
//
// mbedTLS fetches record by record and never more than one, so a connection that epoll reports as quiet holds no
// decrypted bytes.
#include "test/bench/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>

struct mgb_tls_env {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_ssl_config config;
};

struct mgb_tls {
    mbedtls_ssl_context ssl;
    int fd;
    size_t unsent; // length of a write that would have blocked: it has to be repeated as it was
};

static _Noreturn void die_tls(const char *doing, int err) {
    char text[128];
    mbedtls_strerror(err, text, sizeof text);
    mgb_die("TLS %s: %s", doing, text);
}

static int fd_send(void *arg, const unsigned char *p, size_t n) {
    const struct mgb_tls *tls = arg;
    ssize_t r = send(tls->fd, p, n, MSG_NOSIGNAL);
    if (r < 0)
        return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    return (int)r;
}

static int fd_recv(void *arg, unsigned char *p, size_t n) {
    const struct mgb_tls *tls = arg;
    ssize_t r = recv(tls->fd, p, n, 0);
    if (r < 0)
        return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    return (int)r;
}

struct mgb_tls_env *mgb_tls_env_new(void) {
    struct mgb_tls_env *env = calloc(1, sizeof *env);
    if (env == NULL)
        mgb_die("out of memory");
    mbedtls_entropy_init(&env->entropy);
    mbedtls_ctr_drbg_init(&env->rng);
    mbedtls_ssl_config_init(&env->config);
    int err = mbedtls_ctr_drbg_seed(&env->rng, mbedtls_entropy_func, &env->entropy, NULL, 0);
    if (err == 0)
        err = mbedtls_ssl_config_defaults(&env->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (err != 0)
        die_tls("set-up", err);
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                                  MBEDTLS_ECP_DP_NONE};
    static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 0};
    mbedtls_ssl_conf_curves(&env->config, curves);
    mbedtls_ssl_conf_ciphersuites(&env->config, suites);
    mbedtls_ssl_conf_rng(&env->config, mbedtls_ctr_drbg_random, &env->rng);
    mbedtls_ssl_conf_authmode(&env->config, MBEDTLS_SSL_VERIFY_NONE);
    return env;
}

void mgb_tls_env_free(struct mgb_tls_env *env) {
    if (env == NULL)
        return;
    mbedtls_ssl_config_free(&env->config);
    mbedtls_ctr_drbg_free(&env->rng);
    mbedtls_entropy_free(&env->entropy);
    free(env);
}

struct mgb_tls *mgb_tls_open(struct mgb_tls_env *env, int fd) {
    struct mgb_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        mgb_die("out of memory");
    tls->fd = fd;
    mbedtls_ssl_init(&tls->ssl);
    int err = mbedtls_ssl_setup(&tls->ssl, &env->config);
    if (err == 0) {
        mbedtls_ssl_set_bio(&tls->ssl, tls, fd_send, fd_recv, NULL);
        err = mbedtls_ssl_handshake(&tls->ssl);
    }
    if (err != 0)
        die_tls("handshake", err);
    return tls;
}

void mgb_tls_close(struct mgb_tls *tls) {
    mbedtls_ssl_close_notify(&tls->ssl);
    mbedtls_ssl_free(&tls->ssl);
    free(tls);
}

size_t mgb_tls_recv(struct mgb_tls *tls, char *p, size_t n) {
    int r = mbedtls_ssl_read(&tls->ssl, (unsigned char *)p, n);
    if (r > 0)
        return (size_t)r;
    if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
        return 0;
    if (r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        mgb_die("the server closed a TLS connection");
    die_tls("read", r);
}

size_t mgb_tls_send(struct mgb_tls *tls, const char *p, size_t n) {
    if (tls->unsent != 0)
        n = tls->unsent;
    int r = mbedtls_ssl_write(&tls->ssl, (const unsigned char *)p, n);
    tls->unsent = 0;
    if (r >= 0)
        return (size_t)r;
    if (r != MBEDTLS_ERR_SSL_WANT_READ && r != MBEDTLS_ERR_SSL_WANT_WRITE)
        die_tls("write", r);
    tls->unsent = n;
    return 0;
}
