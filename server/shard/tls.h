// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// TLS without I/O: cipher bytes in, cipher bytes out, plain bytes on the other side. The caller moves the bytes.
// tls_mbedtls.c implements it; nothing else includes mbedTLS. A context is immutable after mg_tls_ctx_new and may be
// shared by several threads; a session belongs to one thread at a time (a handshake may be lent to a worker thread).
#ifndef MG_SHARD_TLS_H
#define MG_SHARD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"
#include "server/config/options.h"

struct mg_tls_ctx; // certificates, keys, CA, policy; reference counted (atomically), shared by sessions
struct mg_tls;     // one server-side session

// Loads the files named in o. On failure returns NULL and a one-line text in err ("missing 'key_file' in TLS
// configuration", "error parsing X509 certificate/key pair: ...", see spec/accounts-security.md 18.1).
// verify_clients: false for https monitoring, which never asks for client certificates.
struct mg_tls_ctx *mg_tls_ctx_new(const struct mg_tls_options *o, bool verify_clients, char *err, size_t errlen);
struct mg_tls_ctx *mg_tls_ctx_ref(struct mg_tls_ctx *c);
void mg_tls_ctx_unref(struct mg_tls_ctx *c);
// When the own certificate expires, seconds since the epoch; 0 if unknown.
int64_t mg_tls_ctx_not_after(const struct mg_tls_ctx *c);

struct mg_tls *mg_tls_new(struct mg_tls_ctx *c); // refs c
void mg_tls_free(struct mg_tls *t);

// Gives cipher bytes from the peer. Copies them; the amount buffered inside is bounded by what the caller feeds before
// draining with mg_tls_handshake/mg_tls_read.
void mg_tls_feed(struct mg_tls *t, const char *p, size_t n);
// Cipher bytes waiting to be sent to the peer; valid until the next call on t. mg_tls_sent drops the first n of them.
mg_slice mg_tls_pending(const struct mg_tls *t);
void mg_tls_sent(struct mg_tls *t, size_t n);

// Advances the handshake with what was fed. MG_OK: established. MG_EAGAIN: needs more bytes (and pending output must be
// sent). MG_ETLS: failed, see mg_tls_error; pending output (an alert) should still be sent.
int mg_tls_handshake(struct mg_tls *t);
// Decrypts up to n bytes. > 0: bytes. MG_EAGAIN: needs more input. MG_EEOF: peer closed the session. MG_ETLS: broken.
ptrdiff_t mg_tls_read(struct mg_tls *t, char *p, size_t n);
// Encrypts n bytes into the pending output; always takes all of them. 0 or MG_ETLS.
int mg_tls_write(struct mg_tls *t, const char *p, size_t n);
// Queues a close notification.
void mg_tls_close(struct mg_tls *t);

const char *mg_tls_error(const struct mg_tls *t);   // text of the last failure, "" if none
const char *mg_tls_version(const struct mg_tls *t); // "1.2", "1.3"; "" before the handshake is done
const char *mg_tls_cipher(const struct mg_tls *t);  // Go/IANA name, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"

// The peer's certificate as far as verify_and_map, connz and pinned_certs need it. All strings are owned by the struct.
struct mg_tls_peer {
    bool present;
    char *subject_rdn; // "CN=...,OU=..." as spec/accounts-security.md 19 "RDN string"; NULL if none
    char *subject_dc;  // "DC=a,DC=b" in certificate order; NULL if none
    char *subject_dn;  // RFC 4514 text of the whole subject, last RDN first, every special character escaped; NULL if
                       // there is none or it has an attribute that the DN comparison of section 19 does not know
    char *subject;     // RFC 2253-like text for connz tls_peer_certs
    struct mg_strlist emails, dns, uris;
    char spki_sha256[65]; // lower-case hex
    char cert_sha256[65];
};
// Fills *peer after a finished handshake; free with mg_tls_peer_fini.
void mg_tls_peer_get(const struct mg_tls *t, struct mg_tls_peer *peer);
void mg_tls_peer_fini(struct mg_tls_peer *peer);

#endif
