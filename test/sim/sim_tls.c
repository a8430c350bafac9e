// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// tls.h in the simulator: there is none. No context can be made, so nobody has a session either.
#include <stdio.h>

#include "server/base/assert.h"
#include "server/shard/tls.h"

struct mg_tls_ctx *mg_tls_ctx_new(const struct mg_tls_options *o, bool verify_clients, char *err, size_t errlen) {
    (void)o;
    (void)verify_clients;
    snprintf(err, errlen, "no TLS in the simulator");
    return NULL;
}

struct mg_tls_ctx *mg_tls_ctx_ref(struct mg_tls_ctx *c) {
    mg_assert(c == NULL);
    return c;
}
void mg_tls_ctx_unref(struct mg_tls_ctx *c) { mg_assert(c == NULL); }

// What follows needs a session, and nobody can have one.
int64_t mg_tls_ctx_not_after(const struct mg_tls_ctx *c) {
    mg_assert(c != NULL);
    return 0;
}
struct mg_tls *mg_tls_new(struct mg_tls_ctx *c) {
    mg_assert(c != NULL);
    return NULL;
}
void mg_tls_free(struct mg_tls *t) { mg_assert(t == NULL); }
void mg_tls_feed(struct mg_tls *t, const char *p, size_t n) { mg_assert(t != NULL && p != NULL && n > 0); }
mg_slice mg_tls_pending(const struct mg_tls *t) {
    mg_assert(t != NULL);
    return (mg_slice){NULL, 0};
}
void mg_tls_sent(struct mg_tls *t, size_t n) { mg_assert(t != NULL && n == 0); }
int mg_tls_handshake(struct mg_tls *t) {
    mg_assert(t != NULL);
    return -1;
}
ptrdiff_t mg_tls_read(struct mg_tls *t, char *p, size_t n) {
    mg_assert(t != NULL && p != NULL && n > 0);
    return -1;
}
int mg_tls_write(struct mg_tls *t, const char *p, size_t n) {
    mg_assert(t != NULL && p != NULL && n > 0);
    return -1;
}
void mg_tls_close(struct mg_tls *t) { mg_assert(t != NULL); }
const char *mg_tls_error(const struct mg_tls *t) {
    mg_assert(t != NULL);
    return "";
}
const char *mg_tls_version(const struct mg_tls *t) {
    mg_assert(t != NULL);
    return "";
}
const char *mg_tls_cipher(const struct mg_tls *t) {
    mg_assert(t != NULL);
    return "";
}
void mg_tls_peer_get(const struct mg_tls *t, struct mg_tls_peer *peer) { mg_assert(t != NULL && peer != NULL); }
void mg_tls_peer_fini(struct mg_tls_peer *peer) { mg_assert(peer != NULL); }
