// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// base64 and SHA-256, as far as object stores and stored messages need them, and unique ids.
#ifndef MGC_HOST_ENCODE_H
#define MGC_HOST_ENCODE_H

#include "client/core/midge.h"

// Bytes of the text for n bytes, with padding; without a NUL.
#define MGC_BASE64_SIZE(n) (((n) + 2) / 3 * 4)

// Writes MGC_BASE64_SIZE(n) bytes. url: '-' and '_' instead of '+' and '/'.
void mgc_base64_encode(const void *data, size_t n, bool url, char *out);
// Takes both alphabets, with or without padding. out has room for text.n / 4 * 3 + 2 bytes and may be text.p. The
// length, or -1: malformed.
int64_t mgc_base64_decode(midge_str text, void *out);

typedef struct mgc_sha256 {
    uint32_t state[8];
    uint64_t length; // bytes
    uint8_t block[64];
} mgc_sha256;

void mgc_sha256_init(mgc_sha256 *h);
void mgc_sha256_update(mgc_sha256 *h, const void *data, size_t n);
void mgc_sha256_final(mgc_sha256 *h, uint8_t out[32]);

// An id of 22 letters and digits that nobody else has, terminated.
void mgc_nuid(midge *m, char out[23]);

#endif
