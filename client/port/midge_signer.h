// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge_signer.h: signs a server's nonce with an Ed25519 seed, by libsodium; for ports that fill in a midge_config of
// their own. midge_posix.h uses it by itself.
#ifndef MIDGE_SIGNER_H
#define MIDGE_SIGNER_H

#include "client/core/midge.h"

#ifdef __cplusplus
extern "C" {
#endif

// The caller's memory; holds a secret from init to fini. Must not move or be copied meanwhile.
typedef struct midge_signer {
    uint8_t key[64];
} midge_signer;

// seed is a user's seed, "SU..."; the caller wipes it. public_key may be NULL, otherwise gets "U..." terminated, as
// midge_config.nkey wants it. EINVAL: not a seed. ESIGN: libsodium does not start.
MIDGE_API int midge_signer_init(midge_signer *s, midge_str seed, char public_key[57]);

// For midge_config.sign, with the signer as sign_ctx.
MIDGE_API int midge_signer_sign(void *signer, const void *nonce, size_t nonce_len, uint8_t signature[64]);

MIDGE_API void midge_signer_fini(midge_signer *s); // wipes

#ifdef __cplusplus
}
#endif

#endif
