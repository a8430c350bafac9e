// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One server-side TLS session without I/O. Cipher bytes lie in two queues: `in` holds what the caller fed and mbedTLS
// has not taken yet, `out` what mbedTLS made and the caller has not sent yet. An empty `in` is "want read" to mbedTLS;
// `out` always has room, so "want write" never happens, and the caller bounds it by sending what is pending before it
// writes more. A queue gives its memory back when it is empty: an idle session keeps only what mbedTLS itself keeps.
//
// The first failure sticks: mbedTLS must not be called again after one, and every later call reports MG_ETLS.
#include <mbedtls/error.h>
#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/tls_priv_mbedtls.h"

struct queue {
    struct mg_buf buf;
    size_t off; // bytes of buf that are gone
};

struct mg_tls {
    mbedtls_ssl_context ssl;
    struct mg_tls_ctx *ctx;
    struct queue in, out;
    bool established, fed;
    unsigned char first; // the first byte that came, once `fed`
    char *error;         // NULL until it failed
};

// ---- the queues --------------------------------------------------------------------------------------------------

static size_t queue_len(const struct queue *q) { return q->buf.len - q->off; }

static void queue_add(struct queue *q, const void *p, size_t n) {
    if (q->off > 0 && q->off >= q->buf.len / 2) { // moves at most as many bytes as are gone
        q->buf.len -= q->off;
        memmove(q->buf.p, q->buf.p + q->off, q->buf.len);
        q->off = 0;
    }
    mg_buf_add(&q->buf, p, n);
}

static void queue_drop(struct queue *q, size_t n) {
    mg_assert(n <= queue_len(q));
    q->off += n;
    if (q->off < q->buf.len) return;
    mg_buf_fini(&q->buf);
    q->off = 0;
}

static int on_recv(void *ctx, unsigned char *p, size_t n) {
    struct mg_tls *t = ctx;
    size_t have = queue_len(&t->in);
    if (have == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    if (n > have) n = have;
    memcpy(p, t->in.buf.p + t->in.off, n);
    queue_drop(&t->in, n);
    return (int)n;
}

static int on_send(void *ctx, const unsigned char *p, size_t n) {
    struct mg_tls *t = ctx;
    mg_assert(n <= INT32_MAX);
    queue_add(&t->out, p, n);
    return (int)n;
}

// ---- failures ----------------------------------------------------------------------------------------------------

// Operators know the wordings of Go's library from their logs.
static const char *known_error(int ret) {
    switch (ret) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return "tls: client didn't provide a certificate";
#if MG_MBEDTLS_3
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION: return "tls: client offered only unsupported versions";
#else
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION: return "tls: client offered only unsupported versions";
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN: return "tls: no cipher suite supported by both client and server";
#endif
    default: return NULL;
    }
}

#define UNVERIFIED "tls: failed to verify certificate: x509: "

static void verify_error(uint32_t flags, char *text, size_t len) {
    if (flags & (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) {
        snprintf(text, len, UNVERIFIED "certificate has expired or is not yet valid");
    } else if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) {
        snprintf(text, len, UNVERIFIED "certificate signed by unknown authority");
    } else if (flags & (MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_KEY_USAGE)) {
        snprintf(text, len, UNVERIFIED "certificate specifies an incompatible key usage");
    } else {
        char why[192];
        int n = mbedtls_x509_crt_verify_info(why, sizeof why, "", flags);
        while (n > 0 && why[n - 1] == '\n') why[--n] = '\0';
        for (int i = 0; i < n; i++)
            if (why[i] == '\n') why[i] = ';';
        snprintf(text, len, UNVERIFIED "%s", n > 0 ? why : "unknown reason");
    }
}

// The alert that ended the session; what follows are the names of RFC 8446 that occur in practice.
static void alert_error(const mbedtls_ssl_context *ssl, char *text, size_t len) {
    unsigned code = ssl->MBEDTLS_PRIVATE(in_msg) ? ssl->MBEDTLS_PRIVATE(in_msg)[1] : 0;
    const char *name = NULL;
    switch (code) {
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE: name = "handshake failure"; break;
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT: name = "bad certificate"; break;
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED: name = "expired certificate"; break;
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN: name = "unknown certificate"; break;
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA: name = "unknown certificate authority"; break;
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION: name = "protocol version not supported"; break;
    case MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR: name = "internal error"; break;
    default: break;
    }
    if (name) snprintf(text, len, "remote error: tls: %s", name);
    else snprintf(text, len, "remote error: tls: alert(%u)", code);
}

static int fail_with(struct mg_tls *t, const char *text) {
    if (t->error == NULL) t->error = mg_strdup(text);
    return MG_ETLS;
}

// What is wrong with the peer's certificate; 0: nothing, or there was none to look at. The code of the failure does not
// tell: a wrong key usage comes as a generic one.
static uint32_t verify_flags(const struct mg_tls *t) {
    uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
    return flags == UINT32_MAX ? 0 : flags & ~(uint32_t)MBEDTLS_X509_BADCERT_SKIP_VERIFY;
}

static int fail(struct mg_tls *t, int ret) {
    char text[256], why[160];
    const char *known = t->established ? NULL : known_error(ret);
    if (t->fed && t->first != MBEDTLS_SSL_MSG_HANDSHAKE) {
        snprintf(text, sizeof text, "tls: first record does not look like a TLS handshake");
    } else if (known) {
        snprintf(text, sizeof text, "%s", known);
    } else if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        alert_error(&t->ssl, text, sizeof text);
    } else if (!t->established && verify_flags(t) != 0) {
        verify_error(verify_flags(t), text, sizeof text);
    } else {
        mbedtls_strerror(ret, why, sizeof why);
        snprintf(text, sizeof text, "tls: %s", why);
    }
    return fail_with(t, text);
}

// ---- a session ---------------------------------------------------------------------------------------------------

struct mg_tls *mg_tls_new(struct mg_tls_ctx *c) {
    struct mg_tls *t = mg_zalloc(sizeof *t);
    t->ctx = mg_tls_ctx_ref(c);
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
    int ret = mbedtls_ssl_setup(&t->ssl, &c->conf);
    if (ret != 0) fail(t, ret); // out of memory: the handshake will say so
    return t;
}

void mg_tls_free(struct mg_tls *t) {
    if (t == NULL) return;
    mbedtls_ssl_free(&t->ssl);
    mg_tls_ctx_unref(t->ctx);
    mg_buf_fini(&t->in.buf);
    mg_buf_fini(&t->out.buf);
    mg_free(t->error);
    mg_free(t);
}

void mg_tls_feed(struct mg_tls *t, const char *p, size_t n) {
    if (n == 0 || t->error) return; // after a failure nobody will read it
    if (!t->fed) t->first = (unsigned char)p[0];
    t->fed = true;
    queue_add(&t->in, p, n);
}

mg_slice mg_tls_pending(const struct mg_tls *t) {
    size_t n = queue_len(&t->out);
    return n ? mg_slice_of(t->out.buf.p + t->out.off, n) : (mg_slice){NULL, 0};
}

void mg_tls_sent(struct mg_tls *t, size_t n) {
    if (n > 0) queue_drop(&t->out, n);
}

// spec/accounts-security.md 18.1: also when there is no certificate at all.
static bool is_pinned(const struct mg_tls *t) {
    if (t->ctx->npins == 0) return true;
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
    if (crt == NULL) return false;
    char hex[65];
    mg_tls_spki_sha256(crt, hex);
    for (size_t i = 0; i < t->ctx->npins; i++)
        if (strcmp(hex, t->ctx->pins[i]) == 0) return true;
    return false;
}

int mg_tls_handshake(struct mg_tls *t) {
    if (t->error) return MG_ETLS;
    if (t->established) return MG_OK;
    int ret = mbedtls_ssl_handshake(&t->ssl);
    if (ret == MBEDTLS_ERR_SSL_WANT_READ) return MG_EAGAIN;
    if (ret != 0) return fail(t, ret);
    if (!is_pinned(t)) return fail_with(t, "certificate not pinned");
    t->established = true;
    return MG_OK;
}

ptrdiff_t mg_tls_read(struct mg_tls *t, char *p, size_t n) {
    mg_assert(n > 0);
    if (t->error || !t->established) return MG_ETLS;
    int ret = mbedtls_ssl_read(&t->ssl, (unsigned char *)p, n < INT32_MAX ? n : INT32_MAX);
    if (ret > 0) return ret;
    if (ret == MBEDTLS_ERR_SSL_WANT_READ) return MG_EAGAIN;
    if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || ret == 0) return MG_EEOF;
    return fail(t, ret);
}

int mg_tls_write(struct mg_tls *t, const char *p, size_t n) {
    if (t->error || !t->established) return MG_ETLS;
    while (n > 0) {
        int ret = mbedtls_ssl_write(&t->ssl, (const unsigned char *)p, n); // at most a record
        if (ret <= 0) return fail(t, ret);
        p += ret;
        n -= (size_t)ret;
    }
    return MG_OK;
}

void mg_tls_close(struct mg_tls *t) {
    if (t->error == NULL && t->established) (void)mbedtls_ssl_close_notify(&t->ssl);
}

const char *mg_tls_error(const struct mg_tls *t) { return t->error ? t->error : ""; }

const char *mg_tls_version(const struct mg_tls *t) {
    if (!t->established) return "";
    const char *v = mbedtls_ssl_get_version(&t->ssl); // "TLSv1.2"
    return strncmp(v, "TLSv", 4) == 0 ? v + 4 : v;
}

const char *mg_tls_cipher(const struct mg_tls *t) {
    if (!t->established) return "";
    return mg_tls_suite_name(mbedtls_ssl_get_ciphersuite_id(mbedtls_ssl_get_ciphersuite(&t->ssl)));
}

void mg_tls_peer_get(const struct mg_tls *t, struct mg_tls_peer *peer) {
    memset(peer, 0, sizeof *peer);
    const mbedtls_x509_crt *crt = t->established ? mbedtls_ssl_get_peer_cert(&t->ssl) : NULL;
    if (crt) mg_tls_peer_from(crt, peer);
}
