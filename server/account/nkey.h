// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Nkeys: Ed25519 (and, for X, X25519) public keys as text, signatures over the nonce of INFO, and the two keys a server
// makes for itself at start. Pure: random bytes are passed in. Facts: spec/accounts-security.md 1.1, 5, 14.1.
//
// Every function here is reentrant. libsodium must have been initialized (sodium_init) before the first call.
#ifndef MG_ACCOUNT_NKEY_H
#define MG_ACCOUNT_NKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

// The value is the prefix byte of the encoded form.
enum mg_nkey_kind {
    MG_NKEY_ACCOUNT = 0,    // A
    MG_NKEY_CLUSTER = 16,   // C
    MG_NKEY_SERVER = 104,   // N
    MG_NKEY_OPERATOR = 112, // O
    MG_NKEY_USER = 160,     // U
    MG_NKEY_CURVE = 184,    // X
};

#define MG_NKEY_RAW 32    // bytes of a public key
#define MG_NKEY_PUBLIC 56 // characters of its text

// Reads the text of a public key of that kind. MG_OK, or MG_ESYNTAX (length, alphabet, prefix or checksum).
int mg_nkey_decode(enum mg_nkey_kind kind, mg_slice text, uint8_t raw[MG_NKEY_RAW]);
// Writes MG_NKEY_PUBLIC characters and a NUL.
void mg_nkey_encode(enum mg_nkey_kind kind, const uint8_t raw[MG_NKEY_RAW], char text[MG_NKEY_PUBLIC + 1]);
// True for the text of a public user key ("U...", checksum verified).
bool mg_nkey_is_user(mg_slice text);

// True if sig is the Ed25519 signature of nonce by the user key `nkey` (text). sig is base64 as clients send it:
// raw-url without padding, or standard with padding.
bool mg_nkey_verify(mg_slice nkey, mg_slice nonce, mg_slice sig);

#define MG_NONCE_RANDOM 11 // random bytes of a nonce
#define MG_NONCE_TEXT 15   // its characters

// The nonce for INFO: base64url without padding, and a NUL.
void mg_nonce_text(const uint8_t random[MG_NONCE_RANDOM], char text[MG_NONCE_TEXT + 1]);

// Who this server is, made anew at each start and never stored.
struct mg_server_identity {
    char id[MG_NKEY_PUBLIC + 1];   // "N...": server_id, Ed25519
    char xkey[MG_NKEY_PUBLIC + 1]; // "X...": xkey of INFO, X25519
    uint8_t sign_secret[64];       // libsodium's Ed25519 secret key
    uint8_t box_secret[32];        // X25519 scalar
};

#define MG_IDENTITY_RANDOM 64

// Derives both key pairs from random bytes (the first half signs, the second half boxes).
void mg_server_identity_init(struct mg_server_identity *s, const uint8_t random[MG_IDENTITY_RANDOM]);
void mg_server_identity_fini(struct mg_server_identity *s); // wipes the secrets

#endif
