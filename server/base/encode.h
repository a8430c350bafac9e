// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes as text: base64 (both alphabets) and base32 (RFC 4648, upper case, without padding). Writers end with a NUL
// that their return value does not count. Readers are strict: a foreign character, wrong padding or stray bits are
// MG_ESYNTAX. Not for secrets that must resist timing.
#ifndef MG_BASE_ENCODE_H
#define MG_BASE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

#define MG_BASE64_LEN(n) (((n)*4 + 2) / 3)      // characters without padding
#define MG_BASE64_PAD_LEN(n) (((n) + 2) / 3 * 4) // characters with padding
#define MG_BASE32_LEN(n) (((n)*8 + 4) / 5)

// out holds the length above + 1.
size_t mg_base64url_encode(char *out, const uint8_t *p, size_t n); // - and _, without padding
size_t mg_base64_encode(char *out, const uint8_t *p, size_t n);    // + and /, with padding
size_t mg_base32_encode(char *out, const uint8_t *p, size_t n);

// MG_OK with *n bytes in out; MG_ESYNTAX; MG_ERANGE if they are more than cap.
int mg_base64url_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n);
int mg_base64_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n);
int mg_base32_decode(mg_slice text, uint8_t *out, size_t cap, size_t *n);

// The n lowest digits of v in base 62 (0-9, A-Z, a-z), the lowest first, without NUL. Random names are made of these,
// at most 8 digits of one random v: 62^8 is far below 2^64, so all are nearly as likely.
void mg_base62_digits(char *out, size_t n, uint64_t v);

#endif
