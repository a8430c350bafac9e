// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// CONNECT and the PING after it, made in the free part of the receive buffer (see output.c).
#include "client/core/internal.h"

// Counts on when the memory ends, so that one function both measures and writes.
struct writer {
    uint8_t *p;
    size_t size, n;
};

static void put(struct writer *w, char c) {
    if (w->n < w->size) w->p[w->n] = (uint8_t)c;
    w->n++;
}

static void text(struct writer *w, const char *s) {
    while (*s) put(w, *s++);
}

static void value(struct writer *w, const char *key, midge_str s) {
    if (!s.n) return;
    text(w, ",\"");
    text(w, key);
    text(w, "\":\"");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < ' ') {
            text(w, c < 16 ? "\\u000" : "\\u001");
            put(w, (char)((c & 15) + ((c & 15) < 10 ? '0' : 'a' - 10)));
            continue;
        }
        if (c == '"' || c == '\\') put(w, '\\');
        put(w, (char)c);
    }
    put(w, '"');
}

static void flag(struct writer *w, const char *key, bool yes) {
    text(w, key);
    text(w, yes ? "true" : "false");
}

// spec/client-protocol.md A3: raw base64url of the signature, 64 bytes to 86 letters
static midge_str base64(const uint8_t in[64], char out[88]) {
    for (size_t i = 0; i < 22; i++) {
        uint32_t three = (uint32_t)in[3 * i] << 16;
        if (i < 21) three |= (uint32_t)in[3 * i + 1] << 8 | in[3 * i + 2];
        for (size_t k = 0; k < 4; k++) out[4 * i + k] = mgc_alphabet[three >> (18 - 6 * k) & 63];
    }
    return (midge_str){out, 86};
}

static void hello(struct writer *w, const midge_config *c, midge_str sig, bool tls) {
    flag(w, "CONNECT {\"protocol\":1,\"headers\":true,\"no_responders\":true,\"verbose\":", c->verbose);
    flag(w, ",\"pedantic\":", c->pedantic);
    flag(w, ",\"echo\":", !c->no_echo);
    flag(w, ",\"tls_required\":", tls);
    value(w, "lang", c->lang);
    value(w, "version", c->version);
    value(w, "name", c->name);
    if (c->sign && c->jwt.n) {
        value(w, "jwt", c->jwt);
        value(w, "sig", sig);
    } else if (c->sign && c->nkey.n) {
        value(w, "nkey", c->nkey);
        value(w, "sig", sig);
    } else if (c->token.n) {
        value(w, "auth_token", c->token);
    } else {
        value(w, "user", c->user);
        value(w, "pass", c->password);
    }
    text(w, "}\r\nPING\r\n");
}

size_t mgc_hello_size(const midge_config *c) {
    struct writer w = {NULL, 0, 0};
    char sig[86];
    memset(sig, 'A', sizeof(sig));
    hello(&w, c, (midge_str){sig, sizeof(sig)}, false);
    return w.n;
}

void mgc_hello(midge *m) {
    const midge_config *c = &m->config;
    char letters[88];
    midge_str sig = MIDGE_NONE;
    if (c->sign && (c->jwt.n || c->nkey.n) && m->nonce_n) {
        uint8_t signature[64];
        if (c->sign(c->sign_ctx, m->nonce, m->nonce_n, signature)) {
            mgc_lost(m, MIDGE_ESIGN);
            return;
        }
        sig = base64(signature, letters);
    }
    mgc_input_reset(m); // what came in clear behind INFO, before TLS, was not said by whom we trust now
    struct writer w = {c->recv_buf, c->recv_size, 0};
    hello(&w, c, sig, m->tls_on);
    m->said_hello = true;
    m->aside_at = 0;
    m->aside_n = w.n; // midge_init has measured that it fits
}
