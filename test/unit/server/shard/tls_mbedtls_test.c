// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A server session against an mbedTLS client in memory. The client's bytes lie in two buffers; `pump` carries them
// over, in pieces of a given size, until neither side has anything left to say.
#include "server/shard/tls.h"

#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

#define V3 (MBEDTLS_VERSION_NUMBER >= 0x03000000)
#define DATA(name) ((char[]){MG_TEST_DATA "/tls/" name})
#define SERVER .cert_file = DATA("server.pem"), .key_file = DATA("server-key.pem")

static int random_bytes(void *ctx, unsigned char *p, size_t n) {
    (void)ctx;
    randombytes_buf(p, n);
    return 0;
}

// ---- the client --------------------------------------------------------------------------------------------------

struct client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca, cert;
    mbedtls_pk_context key;
    struct mg_buf in, out; // from and to the server
    size_t in_off;
    int done; // 0: handshake goes on, 1: established, negative: failed
};

static int client_send(void *ctx, const unsigned char *p, size_t n) {
    mg_buf_add(&((struct client *)ctx)->out, p, n);
    return (int)n;
}

static int client_recv(void *ctx, unsigned char *p, size_t n) {
    struct client *c = ctx;
    size_t have = c->in.len - c->in_off;
    if (have == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    if (n > have) n = have;
    memcpy(p, c->in.p + c->in_off, n);
    c->in_off += n;
    return (int)n;
}

// identity: "client" for client.pem and client-key.pem; NULL: no certificate. suites: of TLS 1.2; NULL: any version
static struct client *client_new(const char *identity, const int *suites) {
    struct client *c = mg_zalloc(sizeof *c);
    char path[512];
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_x509_crt_init(&c->cert);
    mbedtls_pk_init(&c->key);
    assert_int_equal(mbedtls_x509_crt_parse_file(&c->ca, DATA("ca.pem")), 0);
    mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&c->conf, random_bytes, NULL);
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->ca, NULL);
    if (suites) {
        mbedtls_ssl_conf_ciphersuites(&c->conf, suites);
#if V3
        mbedtls_ssl_conf_max_tls_version(&c->conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
    }
    if (identity) {
        snprintf(path, sizeof path, "%s/tls/%s.pem", MG_TEST_DATA, identity);
        assert_int_equal(mbedtls_x509_crt_parse_file(&c->cert, path), 0);
        snprintf(path, sizeof path, "%s/tls/%s-key.pem", MG_TEST_DATA, identity);
#if V3
        assert_int_equal(mbedtls_pk_parse_keyfile(&c->key, path, NULL, random_bytes, NULL), 0);
#else
        assert_int_equal(mbedtls_pk_parse_keyfile(&c->key, path, NULL), 0);
#endif
        mbedtls_ssl_conf_own_cert(&c->conf, &c->cert, &c->key);
    }
    assert_int_equal(mbedtls_ssl_setup(&c->ssl, &c->conf), 0);
    mbedtls_ssl_set_hostname(&c->ssl, "localhost");
    mbedtls_ssl_set_bio(&c->ssl, c, client_send, client_recv, NULL);
    return c;
}

static void client_free(struct client *c) {
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_x509_crt_free(&c->cert);
    mbedtls_pk_free(&c->key);
    mg_buf_fini(&c->in);
    mg_buf_fini(&c->out);
    mg_free(c);
}

// ---- the wire ----------------------------------------------------------------------------------------------------

// Carries at most `max` bytes from the server to the client. False: there was nothing.
static bool to_client(struct mg_tls *t, struct client *c, size_t max) {
    mg_slice s = mg_tls_pending(t);
    size_t n = s.n < max ? s.n : max;
    mg_buf_add(&c->in, s.p ? s.p : "", n);
    mg_tls_sent(t, n);
    return n > 0;
}

static bool to_server(struct mg_tls *t, struct client *c, size_t max) {
    size_t n = c->out.len < max ? c->out.len : max;
    if (n == 0) return false;
    mg_tls_feed(t, c->out.p, n);
    c->out.len -= n;
    memmove(c->out.p, c->out.p + n, c->out.len);
    return true;
}

// Both sides go on until the server is through or nothing moves any more. Returns what mg_tls_handshake said last.
static int pump(struct mg_tls *t, struct client *c, size_t piece) {
    int ret = MG_EAGAIN;
    for (bool moved = true; moved;) {
        moved = false;
        if (c->done == 0) {
            int r = mbedtls_ssl_handshake(&c->ssl);
            if (r == 0) c->done = 1;
            else if (r != MBEDTLS_ERR_SSL_WANT_READ) c->done = r;
        }
        moved |= to_server(t, c, piece);
        if (ret == MG_EAGAIN) ret = mg_tls_handshake(t);
        moved |= to_client(t, c, piece);
    }
    return ret;
}

struct pair {
    struct mg_tls_ctx *ctx;
    struct mg_tls *t;
    struct client *c;
    int ret; // of the handshake
};

static struct pair connect_pair(const struct mg_tls_options *o, const char *identity, const int *suites, size_t piece) {
    char err[256] = "";
    struct pair p = {.ctx = mg_tls_ctx_new(o, true, err, sizeof err)};
    if (p.ctx == NULL) fail_msg("%s", err);
    p.t = mg_tls_new(p.ctx);
    p.c = client_new(identity, suites);
    p.ret = pump(p.t, p.c, piece);
    return p;
}

static void pair_free(struct pair *p) {
    mg_tls_free(p->t);
    mg_tls_ctx_unref(p->ctx);
    client_free(p->c);
}

// ---- handshakes --------------------------------------------------------------------------------------------------

static void test_handshake(void **state) {
    (void)state;
    const struct mg_tls_options servers[] = {
        {SERVER},
        {.cert_file = DATA("server-rsa.pem"), .key_file = DATA("server-rsa-key.pem")},
        {.cert_file = DATA("server-chain.pem"), .key_file = DATA("server-chain-key.pem")},
    };
    for (size_t i = 0; i < 3; i++) {
        for (size_t piece = 1; piece <= 100000; piece *= 317) {
            struct pair p = connect_pair(&servers[i], NULL, NULL, piece);
            assert_int_equal(p.ret, MG_OK);
            assert_int_equal(p.c->done, 1);
            assert_string_equal(mg_tls_error(p.t), "");
            assert_string_equal(mg_tls_version(p.t), mbedtls_ssl_get_version(&p.c->ssl) + 4);
            if (strcmp(mg_tls_version(p.t), "1.2") == 0) {
                assert_string_equal(mg_tls_cipher(p.t), i == 1 ? "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
                                                               : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
            } else {
                assert_memory_equal(mg_tls_cipher(p.t), "TLS_", 4); // the client's choice
            }
            struct mg_tls_peer peer;
            mg_tls_peer_get(p.t, &peer); // none was asked for
            assert_false(peer.present);
            mg_tls_peer_fini(&peer);
            assert_true(mg_tls_ctx_not_after(p.ctx) == INT64_C(4859740800)); // 2124-01-01
            pair_free(&p);
        }
    }
}

static void test_not_tls(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    char err[256];
    struct mg_tls_ctx *ctx = mg_tls_ctx_new(&o, true, err, sizeof err);
    struct mg_tls *t = mg_tls_new(ctx);
    mg_tls_ctx_unref(ctx); // the session keeps it
    assert_string_equal(mg_tls_version(t), "");
    assert_string_equal(mg_tls_cipher(t), "");
    assert_int_equal(mg_tls_handshake(t), MG_EAGAIN);
    assert_int_equal(mg_tls_write(t, "x", 1), MG_ETLS); // too early
    mg_tls_feed(t, "CONNECT {}\r\nPING\r\n", 18);
    assert_int_equal(mg_tls_handshake(t), MG_ETLS);
    assert_string_equal(mg_tls_error(t), "tls: first record does not look like a TLS handshake");
    mg_tls_feed(t, "more", 4);
    assert_int_equal(mg_tls_handshake(t), MG_ETLS); // it sticks
    char c;
    assert_int_equal(mg_tls_read(t, &c, 1), MG_ETLS);
    mg_tls_close(t);
    mg_tls_free(t);
    mg_tls_free(NULL);
}

// One byte of what the client says is wrong, everywhere in turn. Whatever the server makes of it, it neither crashes
// nor believes that this is an established session with somebody who can read.
static void test_flipped_bytes(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    char err[256];
    struct mg_tls_ctx *ctx = mg_tls_ctx_new(&o, true, err, sizeof err);
    for (size_t at = 0; at < 600; at += 7) {
        struct mg_tls *t = mg_tls_new(ctx);
        struct client *c = client_new(NULL, NULL);
        size_t carried = 0;
        int ret = MG_EAGAIN;
        for (int round = 0; round < 12 && ret == MG_EAGAIN; round++) {
            if (c->done == 0) c->done = mbedtls_ssl_handshake(&c->ssl);
            if (c->done == MBEDTLS_ERR_SSL_WANT_READ) c->done = 0;
            if (at >= carried && at < carried + c->out.len) c->out.p[at - carried] ^= 0x55;
            carried += c->out.len;
            to_server(t, c, SIZE_MAX);
            ret = mg_tls_handshake(t);
            to_client(t, c, SIZE_MAX);
        }
        if (at < carried) assert_false(ret == MG_OK && c->done == 1);
        mg_tls_free(t);
        client_free(c);
    }
    mg_tls_ctx_unref(ctx);
}

// ---- data --------------------------------------------------------------------------------------------------------

static void test_big_data(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    struct pair p = connect_pair(&o, NULL, NULL, SIZE_MAX);
    assert_int_equal(p.ret, MG_OK);
    size_t total = 1 << 20;
    char *data = mg_alloc(total), *got = mg_alloc(total);
    for (size_t i = 0; i < total; i++) data[i] = (char)(i * 2654435761u >> 13);

    // To the client: all at once, carried in odd pieces.
    assert_int_equal(mg_tls_write(p.t, data, total), MG_OK);
    assert_true(mg_tls_pending(p.t).n > total);
    size_t n = 0;
    for (bool moved = true; moved || n < total;) {
        moved = to_client(p.t, p.c, 7919);
        int r = mbedtls_ssl_read(&p.c->ssl, (unsigned char *)got + n, total - n ? total - n : 1);
        if (r > 0) n += (size_t)r;
        else assert_true(moved || n == total);
    }
    assert_int_equal(n, total);
    assert_memory_equal(data, got, total);
    assert_int_equal(mg_tls_pending(p.t).n, 0);

    // To the server, while the reader takes small bites.
    size_t sent = 0, have = 0;
    memset(got, 0, total);
    while (have < total) {
        if (sent < total) {
            int r = mbedtls_ssl_write(&p.c->ssl, (unsigned char *)data + sent, total - sent);
            assert_true(r > 0);
            sent += (size_t)r;
        }
        to_server(p.t, p.c, 12345);
        ptrdiff_t r;
        while (have < total && (r = mg_tls_read(p.t, got + have, total - have < 4000 ? total - have : 4000)) > 0)
            have += (size_t)r;
        if (have < total) assert_int_equal(r, MG_EAGAIN);
    }
    assert_memory_equal(data, got, total);
    assert_int_equal(mg_tls_write(p.t, NULL, 0), MG_OK);
    assert_int_equal(mg_tls_pending(p.t).n, 0);
    mg_free(data);
    mg_free(got);
    pair_free(&p);
}

// Bytes that came in one piece with the end of the handshake are not lost.
static void test_early_data(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    struct pair p = connect_pair(&o, NULL, NULL, SIZE_MAX);
    char got[16];
    assert_int_equal(mbedtls_ssl_write(&p.c->ssl, (const unsigned char *)"PING\r\n", 6), 6);
    assert_int_equal(mbedtls_ssl_write(&p.c->ssl, (const unsigned char *)"PONG\r\n", 6), 6);
    mbedtls_ssl_close_notify(&p.c->ssl);
    to_server(p.t, p.c, SIZE_MAX);
    assert_int_equal(mg_tls_read(p.t, got, 4), 4);
    assert_int_equal(mg_tls_read(p.t, got, sizeof got), 2);
    assert_int_equal(mg_tls_read(p.t, got, sizeof got), 6);
    assert_memory_equal(got, "PONG\r\n", 6);
    assert_int_equal(mg_tls_read(p.t, got, sizeof got), MG_EEOF);
    pair_free(&p);
}

static void test_close(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    struct pair p = connect_pair(&o, NULL, NULL, SIZE_MAX);
    assert_int_equal(mg_tls_write(p.t, "bye", 3), MG_OK);
    mg_tls_close(p.t);
    to_client(p.t, p.c, SIZE_MAX);
    unsigned char got[8];
    assert_int_equal(mbedtls_ssl_read(&p.c->ssl, got, sizeof got), 3);
    assert_int_equal(mbedtls_ssl_read(&p.c->ssl, got, sizeof got), MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    pair_free(&p);
}

static void test_broken_record(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER};
    struct pair p = connect_pair(&o, NULL, NULL, SIZE_MAX);
    char got[16];
    mbedtls_ssl_write(&p.c->ssl, (const unsigned char *)"PING\r\n", 6);
    p.c->out.p[p.c->out.len - 1] ^= 1;
    to_server(p.t, p.c, SIZE_MAX);
    assert_int_equal(mg_tls_read(p.t, got, sizeof got), MG_ETLS);
    assert_true(mg_tls_error(p.t)[0] != '\0');
    assert_int_equal(mg_tls_write(p.t, "x", 1), MG_ETLS);
    pair_free(&p);
}

// ---- client certificates -----------------------------------------------------------------------------------------

#define VERIFY .verify = true, .ca_file = DATA("ca.pem")
#define X509 "tls: failed to verify certificate: x509: "

static void test_client_certificate(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER, VERIFY};
    const struct {
        const char *identity, *error;
    } cases[] = {
        {"client", ""},
        {"client-dn", ""},
        {NULL, "tls: client didn't provide a certificate"},
        {"client-other-ca", X509 "certificate signed by unknown authority"},
        {"client-server-only", X509 "certificate specifies an incompatible key usage"},
        {"client-expired", X509 "certificate has expired or is not yet valid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair p = connect_pair(&o, cases[i].identity, NULL, SIZE_MAX);
        assert_int_equal(p.ret, cases[i].error[0] ? MG_ETLS : MG_OK);
        // In TLS 1.3 mbedTLS keeps to itself what is wrong with the usage.
        if (!(V3 && p.ret == MG_ETLS && strstr(cases[i].error, "usage")))
            assert_string_equal(mg_tls_error(p.t), cases[i].error);
        pair_free(&p);
    }
    o.verify = false; // implied by verify_and_map
    o.verify_and_map = true;
    struct pair p = connect_pair(&o, NULL, NULL, SIZE_MAX);
    assert_int_equal(p.ret, MG_ETLS);
    pair_free(&p);
}

static void test_monitoring_asks_for_none(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER, VERIFY};
    char err[256];
    struct mg_tls_ctx *ctx = mg_tls_ctx_new(&o, false, err, sizeof err);
    struct mg_tls *t = mg_tls_new(ctx);
    struct client *c = client_new(NULL, NULL);
    assert_int_equal(pump(t, c, SIZE_MAX), MG_OK);
    mg_tls_free(t);
    mg_tls_ctx_unref(ctx);
    client_free(c);
}

static void test_pinned(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER, VERIFY};
    struct pair p = connect_pair(&o, "client", NULL, SIZE_MAX);
    struct mg_tls_peer peer;
    mg_tls_peer_get(p.t, &peer);
    pair_free(&p);

    char *pins[] = {(char[]){"00"}, peer.spki_sha256};
    o.pinned_certs = (struct mg_strlist){pins, 2};
    p = connect_pair(&o, "client", NULL, SIZE_MAX);
    assert_int_equal(p.ret, MG_OK);
    pair_free(&p);
    p = connect_pair(&o, "client-dn", NULL, SIZE_MAX);
    assert_int_equal(p.ret, MG_ETLS);
    assert_string_equal(mg_tls_error(p.t), "certificate not pinned");
    pair_free(&p);
    o.verify = false; // nobody shows a certificate, so nobody has the right one
    p = connect_pair(&o, "client", NULL, SIZE_MAX);
    assert_string_equal(mg_tls_error(p.t), "certificate not pinned");
    pair_free(&p);
    mg_tls_peer_fini(&peer);
}

static void test_peer(void **state) {
    (void)state;
    struct mg_tls_options o = {SERVER, VERIFY};
    struct pair p = connect_pair(&o, "client", NULL, SIZE_MAX);
    struct mg_tls_peer peer;
    mg_tls_peer_get(p.t, &peer);
    assert_true(peer.present);
    assert_int_equal(peer.emails.n, 1);
    assert_string_equal(peer.emails.v[0], "derek@nats.io");
    assert_int_equal(peer.dns.n, 1);
    assert_string_equal(peer.dns.v[0], "derek.example");
    assert_int_equal(peer.uris.n, 1);
    assert_string_equal(peer.uris.v[0], "spiffe://example/derek");
    assert_string_equal(peer.subject_rdn, "CN=derek,O=Midge");
    assert_string_equal(peer.subject, "CN=derek,O=Midge");
    assert_string_equal(peer.subject_dn, "CN=derek,O=Midge");
    assert_null(peer.subject_dc);
    assert_int_equal(strspn(peer.spki_sha256, "0123456789abcdef"), 64);
    unsigned char sum[32]; // of the certificate as the client holds it
    char hex[65];
    crypto_hash_sha256(sum, p.c->cert.raw.p, p.c->cert.raw.len);
    sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    assert_string_equal(peer.cert_sha256, hex);
    mg_tls_peer_fini(&peer);
    pair_free(&p);

    p = connect_pair(&o, "client-dn", NULL, SIZE_MAX);
    mg_tls_peer_get(p.t, &peer);
    assert_int_equal(peer.emails.n + peer.dns.n + peer.uris.n, 0);
    assert_string_equal(peer.subject_rdn, "CN=\\ #john \\\"x\\\"\\ ,OU=eng+OU=ops,O=A\\, B \\+ C,C=US");
    assert_string_equal(peer.subject_dc, "DC=org,DC=example");
    assert_string_equal(peer.subject_dn,
                        "CN=\\ \\#john \\\"x\\\"\\ ,OU=ops,O=A\\, B \\+ C+OU=eng,C=US,DC=example,DC=org");
    assert_string_equal(peer.subject, "CN=\\ #john \\\"x\\\"\\ ,OU=eng+OU=ops,O=A\\, B \\+ C,C=US,"
                                      "0.9.2342.19200300.100.1.25=#13076578616d706c65,"
                                      "0.9.2342.19200300.100.1.25=#13036f7267");
    mg_tls_peer_fini(&peer);
    pair_free(&p);
}

// ---- configuration -----------------------------------------------------------------------------------------------

static void expect_error(const struct mg_tls_options *o, const char *want) {
    char err[512] = "";
    struct mg_tls_ctx *c = mg_tls_ctx_new(o, true, err, sizeof err);
    assert_null(c);
    if (strstr(err, want) == NULL) fail_msg("got: %s, want: %s", err, want);
}

static void test_bad_files(void **state) {
    (void)state;
    struct mg_tls_options o = {.cert_file = DATA("server.pem")};
    expect_error(&o, "missing 'key_file' in TLS configuration");
    o = (struct mg_tls_options){.key_file = DATA("server-key.pem")};
    expect_error(&o, "missing 'cert_file' in TLS configuration");
    o = (struct mg_tls_options){.cert_file = DATA("nowhere.pem"), .key_file = DATA("server-key.pem")};
    expect_error(&o, "error parsing X509 certificate/key pair: open ");
    expect_error(&o, "nowhere.pem: no such file or directory");
    o = (struct mg_tls_options){.cert_file = DATA("server.pem"), .key_file = DATA("client-key.pem")};
    expect_error(&o, "error parsing X509 certificate/key pair: tls: private key does not match public key");
    o = (struct mg_tls_options){.cert_file = DATA("server-key.pem"), .key_file = DATA("server-key.pem")};
    expect_error(&o, "error parsing X509 certificate/key pair: ");
    o = (struct mg_tls_options){.cert_file = DATA("server.pem"), .key_file = DATA("server.pem")};
    expect_error(&o, "error parsing X509 certificate/key pair: ");
    o = (struct mg_tls_options){.cert_file = DATA("server.pem"), .key_file = DATA("")}; // a folder
    expect_error(&o, "error parsing X509 certificate/key pair: ");
    o = (struct mg_tls_options){SERVER, .verify = true, .ca_file = DATA("ca-key.pem")};
    expect_error(&o, "failed to parse root ca certificate");
    o.ca_file = DATA("nowhere.pem");
    expect_error(&o, "nowhere.pem: no such file or directory");
}

static void test_policy(void **state) {
    (void)state;
    char *one[] = {(char[]){"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}};
    char *cbc[] = {(char[]){"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"}, (char[]){"TLS_AES_128_GCM_SHA256"}};
    char *rc4[] = {(char[]){"TLS_RSA_WITH_RC4_128_SHA"}};
    char *unknown[] = {(char[]){"TLS_NOTHING"}};
    char *hybrid[] = {(char[]){"X25519MLKEM768"}};
    char *p384[] = {(char[]){"X25519MLKEM768"}, (char[]){"CurveP384"}, (char[]){"CurveP256"}};
    const int gcm256[] = {0xc02c, 0}, gcm128[] = {0xc02b, 0}, cbc128[] = {0xc009, 0};

    struct mg_tls_options o = {SERVER, .cipher_suites = {one, 1}};
    struct pair p = connect_pair(&o, NULL, gcm256, SIZE_MAX);
    assert_int_equal(p.ret, MG_OK);
    assert_string_equal(mg_tls_version(p.t), "1.2");
    assert_string_equal(mg_tls_cipher(p.t), one[0]);
    pair_free(&p);
    p = connect_pair(&o, NULL, gcm128, SIZE_MAX);
    assert_int_equal(p.ret, MG_ETLS);
    assert_true(mg_tls_error(p.t)[0] != '\0');
    pair_free(&p);

    o.cipher_suites = (struct mg_strlist){cbc, 2};
    o.curves = (struct mg_strlist){p384, 3};
    p = connect_pair(&o, NULL, cbc128, SIZE_MAX);
    assert_int_equal(p.ret, MG_OK);
    assert_string_equal(mg_tls_cipher(p.t), cbc[0]);
    pair_free(&p);

    o.cipher_suites = (struct mg_strlist){rc4, 1}; // known, but not in any library of today
    expect_error(&o, "none of the configured cipher suites");
    o.cipher_suites = (struct mg_strlist){unknown, 1};
    expect_error(&o, "unrecognized cipher TLS_NOTHING");
    o = (struct mg_tls_options){SERVER, .curves = {unknown, 1}};
    expect_error(&o, "unrecognized curve preference TLS_NOTHING");
    o.curves = (struct mg_strlist){hybrid, 1};
    expect_error(&o, "none of the configured curve preferences");

    o = (struct mg_tls_options){SERVER, .min_version = 0x0304};
    if (V3) {
        p = connect_pair(&o, NULL, NULL, SIZE_MAX);
        assert_int_equal(p.ret, MG_OK);
        assert_string_equal(mg_tls_version(p.t), "1.3");
        pair_free(&p);
    } else {
        expect_error(&o, "unsupported TLS version: 1.3");
    }
}

static int setup(void **state) {
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_big_data),
        cmocka_unit_test(test_early_data),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_broken_record),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_monitoring_asks_for_none),
        cmocka_unit_test(test_pinned),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_policy),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
