// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What scripts/client-size --nats-c links with the posix port, to be compared with size_nats_c.c. There is no TLS and
// no signing, as if neither library were there.
#include "client/port/midge_posix.h"
#include "client/port/midge_signer.h"
#include "client/port/tls.h"

#include <stdio.h>

static void on_message(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    midge_respond(m, msg, msg->data.p, msg->data.n);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    (void)m;
    if (err == 0) printf("%.*s\n", (int)msg->data.n, msg->data.p);
    *(bool *)user = true;
}

int main(int argc, char **argv) {
    char err[256];
    bool done = false;
    midge_options o = {.servers = argc > 1 ? argv[1] : NULL};
    midge_conn *c = midge_connect(&o, err, sizeof err);
    if (c == NULL) return 1;
    midge *m = midge_engine(c);
    midge_subscribe(m, MIDGE_STR("greet"), MIDGE_NONE, on_message, NULL);
    midge_publish(m, MIDGE_STR("hello"), "world", 5);
    midge_request(m, MIDGE_STR("greet"), MIDGE_NONE, "x", 1, NULL, on_reply, &done);
    midge_wait(c, &done, 1000);
    midge_conn_free(c);
    return 0;
}

struct mgc_tls *mgc_tls_new(const struct mgc_tls_config *config, char *err, size_t err_size) {
    (void)config;
    snprintf(err, err_size, "there is no TLS");
    return NULL;
}

int mgc_tls_start(struct mgc_tls *t, int fd, const char *host, char *err, size_t err_size) {
    (void)t, (void)fd, (void)host, (void)err, (void)err_size;
    return MGC_IO_FAILED;
}

int mgc_tls_handshake(struct mgc_tls *t, char *err, size_t err_size) {
    (void)t, (void)err, (void)err_size;
    return MGC_IO_FAILED;
}

ssize_t mgc_tls_read(struct mgc_tls *t, void *p, size_t n) {
    (void)t, (void)p, (void)n;
    return MGC_IO_FAILED;
}

ssize_t mgc_tls_write(struct mgc_tls *t, const void *p, size_t n) {
    (void)t, (void)p, (void)n;
    return MGC_IO_FAILED;
}

void mgc_tls_free(struct mgc_tls *t) { (void)t; }
void mgc_tls_end(struct mgc_tls *t) { (void)t; }

bool mgc_tls_pending(const struct mgc_tls *t) {
    (void)t;
    return false;
}

int midge_signer_init(midge_signer *s, midge_str seed, char public_key[57]) {
    (void)s, (void)seed, (void)public_key;
    return MIDGE_ESIGN;
}

int midge_signer_sign(void *signer, const void *nonce, size_t nonce_len, uint8_t signature[64]) {
    (void)signer, (void)nonce, (void)nonce_len, (void)signature;
    return MIDGE_ESIGN;
}

void midge_signer_fini(midge_signer *s) { (void)s; }
