// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/nkey.h"

#include <sodium.h>

#include "server/base/assert.h"
#include "server/base/encode.h"
#include "server/base/errors.h"

_Static_assert(MG_BASE32_LEN(1 + MG_NKEY_RAW + 2) == MG_NKEY_PUBLIC, "prefix, key and checksum fill the text exactly");
_Static_assert(MG_BASE64_LEN(MG_NONCE_RANDOM) == MG_NONCE_TEXT, "nonce length");

#define SIG_BYTES crypto_sign_BYTES

// CRC-16/XMODEM: polynomial 0x1021, initial value 0 (spec/accounts-security.md 14.1).
static uint16_t crc16(const uint8_t *p, size_t n) {
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned)p[i] << 8;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

int mg_nkey_decode(enum mg_nkey_kind kind, mg_slice text, uint8_t raw[MG_NKEY_RAW]) {
    uint8_t bytes[1 + MG_NKEY_RAW + 2];
    size_t n;
    if (text.n != MG_NKEY_PUBLIC || mg_base32_decode(text, bytes, sizeof bytes, &n) != MG_OK) return MG_ESYNTAX;
    mg_assert(n == sizeof bytes);
    uint16_t crc = crc16(bytes, 1 + MG_NKEY_RAW);
    if (bytes[0] != (uint8_t)kind) return MG_ESYNTAX;
    if (bytes[1 + MG_NKEY_RAW] != (crc & 0xff) || bytes[2 + MG_NKEY_RAW] != crc >> 8) return MG_ESYNTAX;
    memcpy(raw, bytes + 1, MG_NKEY_RAW);
    return MG_OK;
}

void mg_nkey_encode(enum mg_nkey_kind kind, const uint8_t raw[MG_NKEY_RAW], char text[MG_NKEY_PUBLIC + 1]) {
    uint8_t bytes[1 + MG_NKEY_RAW + 2];
    bytes[0] = (uint8_t)kind;
    memcpy(bytes + 1, raw, MG_NKEY_RAW);
    uint16_t crc = crc16(bytes, 1 + MG_NKEY_RAW);
    bytes[1 + MG_NKEY_RAW] = (uint8_t)(crc & 0xff);
    bytes[2 + MG_NKEY_RAW] = (uint8_t)(crc >> 8);
    size_t n = mg_base32_encode(text, bytes, sizeof bytes);
    mg_assert(n == MG_NKEY_PUBLIC);
}

bool mg_nkey_is_user(mg_slice text) {
    uint8_t raw[MG_NKEY_RAW];
    return mg_nkey_decode(MG_NKEY_USER, text, raw) == MG_OK;
}

// spec/accounts-security.md 5: raw-url base64 first, then standard base64 with padding (Python and JavaScript).
static bool decode_sig(mg_slice text, uint8_t sig[SIG_BYTES]) {
    size_t n;
    if (mg_base64url_decode(text, sig, SIG_BYTES, &n) == MG_OK && n == SIG_BYTES) return true;
    return mg_base64_decode(text, sig, SIG_BYTES, &n) == MG_OK && n == SIG_BYTES;
}

bool mg_nkey_verify(mg_slice nkey, mg_slice nonce, mg_slice sig) {
    uint8_t key[MG_NKEY_RAW], s[SIG_BYTES];
    if (nonce.n == 0) return false; // nothing was asked, so nothing can be an answer
    if (mg_nkey_decode(MG_NKEY_USER, nkey, key) != MG_OK || !decode_sig(sig, s)) return false;
    return crypto_sign_verify_detached(s, (const uint8_t *)nonce.p, nonce.n, key) == 0;
}

void mg_nonce_text(const uint8_t random[MG_NONCE_RANDOM], char text[MG_NONCE_TEXT + 1]) {
    size_t n = mg_base64url_encode(text, random, MG_NONCE_RANDOM);
    mg_assert(n == MG_NONCE_TEXT);
}

void mg_server_identity_init(struct mg_server_identity *s, const uint8_t random[MG_IDENTITY_RANDOM]) {
    uint8_t public[MG_NKEY_RAW];
    _Static_assert(sizeof s->sign_secret == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
    _Static_assert(sizeof s->box_secret == crypto_scalarmult_SCALARBYTES, "X25519 scalar");
    crypto_sign_seed_keypair(public, s->sign_secret, random);
    mg_nkey_encode(MG_NKEY_SERVER, public, s->id);

    memcpy(s->box_secret, random + crypto_sign_SEEDBYTES, sizeof s->box_secret);
    crypto_scalarmult_base(public, s->box_secret);
    mg_nkey_encode(MG_NKEY_CURVE, public, s->xkey);
}

void mg_server_identity_fini(struct mg_server_identity *s) { sodium_memzero(s, sizeof *s); }
