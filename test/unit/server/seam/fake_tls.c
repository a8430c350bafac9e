// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/server/seam/fake_tls.h"

#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

struct mg_tls_ctx {
    int refs;
};

struct mg_tls {
    struct mg_tls_ctx *ctx;
    struct mg_buf in, out;
    bool established;
};

struct mg_tls_ctx *mg_tls_ctx_new(const struct mg_tls_options *o, bool verify_clients, char *err, size_t errlen) {
    mg_assert(o != NULL && err != NULL && errlen > 0);
    (void)verify_clients;
    return fake_tls_ctx();
}

int64_t mg_tls_ctx_not_after(const struct mg_tls_ctx *c) { return c ? 1 : 0; }

struct mg_tls_ctx *fake_tls_ctx(void) {
    struct mg_tls_ctx *c = mg_zalloc(sizeof(*c));
    c->refs = 1;
    return c;
}

struct mg_tls_ctx *mg_tls_ctx_ref(struct mg_tls_ctx *c) {
    c->refs++;
    return c;
}

void mg_tls_ctx_unref(struct mg_tls_ctx *c) {
    if (c != NULL && --c->refs == 0) mg_free(c);
}

struct mg_tls *mg_tls_new(struct mg_tls_ctx *c) {
    struct mg_tls *t = mg_zalloc(sizeof(*t));
    t->ctx = mg_tls_ctx_ref(c);
    return t;
}

void mg_tls_free(struct mg_tls *t) {
    mg_tls_ctx_unref(t->ctx);
    mg_buf_fini(&t->in);
    mg_buf_fini(&t->out);
    mg_free(t);
}

void mg_tls_feed(struct mg_tls *t, const char *p, size_t n) { mg_buf_add(&t->in, p, n); }
mg_slice mg_tls_pending(const struct mg_tls *t) { return mg_buf_slice(&t->out); }

static void shift(struct mg_buf *b, size_t n) {
    if (n != 0) memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

void mg_tls_sent(struct mg_tls *t, size_t n) { shift(&t->out, n); }

int mg_tls_handshake(struct mg_tls *t) {
    size_t n = t->in.len < 5 ? t->in.len : 5;
    if (n != 0 && memcmp(t->in.p, "HELLO", n) != 0) {
        mg_buf_adds(&t->out, "alert");
        return MG_ETLS;
    }
    if (n < 5) return MG_EAGAIN;
    shift(&t->in, 5);
    mg_buf_adds(&t->out, "hello");
    t->established = true;
    return MG_OK;
}

ptrdiff_t mg_tls_read(struct mg_tls *t, char *p, size_t n) {
    mg_assert(t->established);
    if (t->in.len == 0) return MG_EAGAIN;
    if (t->in.p[0] == 0) { // no cipher text begins so
        mg_buf_adds(&t->out, "alert");
        return MG_ETLS;
    }
    if (n > t->in.len) n = t->in.len;
    for (size_t i = 0; i < n; i++) p[i] = (char)(t->in.p[i] ^ FAKE_KEY);
    shift(&t->in, n);
    return (ptrdiff_t)n;
}

int mg_tls_write(struct mg_tls *t, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) mg_buf_addc(&t->out, (char)(p[i] ^ FAKE_KEY));
    return MG_OK;
}

void mg_tls_close(struct mg_tls *t) { mg_buf_adds(&t->out, "bye"); }

const char *mg_tls_error(const struct mg_tls *t) { return t->established ? "" : "no HELLO"; }
const char *mg_tls_version(const struct mg_tls *t) { return t->established ? "1.3" : ""; }
const char *mg_tls_cipher(const struct mg_tls *t) { return t->established ? "XOR" : ""; }

void mg_tls_peer_get(const struct mg_tls *t, struct mg_tls_peer *peer) {
    mg_assert(t != NULL);
    *peer = (struct mg_tls_peer){.present = false};
}

void mg_tls_peer_fini(struct mg_tls_peer *peer) { mg_assert(!peer->present); }
