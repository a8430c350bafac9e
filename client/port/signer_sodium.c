// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include <sodium.h>

#include "client/port/midge_signer.h"

int midge_signer_init(midge_signer *s, midge_str seed, char public_key[57]) {
    uint8_t raw[32], public_raw[32];
    if (sodium_init() < 0) return MIDGE_ESIGN;
    int rc = midge_seed_decode(seed, raw);
    if (rc == 0) {
        crypto_sign_seed_keypair(public_raw, s->key, raw);
        if (public_key != NULL) midge_nkey_encode(public_raw, public_key);
    }
    sodium_memzero(raw, sizeof raw);
    return rc;
}

int midge_signer_sign(void *signer, const void *nonce, size_t nonce_len, uint8_t signature[64]) {
    const midge_signer *s = signer;
    return crypto_sign_detached(signature, NULL, nonce, nonce_len, s->key) == 0 ? 0 : MIDGE_ESIGN;
}

void midge_signer_fini(midge_signer *s) { sodium_memzero(s->key, sizeof s->key); }
