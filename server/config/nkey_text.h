// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Whether a text is a public nkey (spec/accounts-security.md 14.1): base32 of prefix byte, 32 bytes and a CRC.
#ifndef MG_CONFIG_NKEY_TEXT_H
#define MG_CONFIG_NKEY_TEXT_H

#include <stdbool.h>

#include "server/base/slice.h"

#define MG_NKEY_PREFIX_OPERATOR 112
#define MG_NKEY_PREFIX_SERVER 104
#define MG_NKEY_PREFIX_CLUSTER 16
#define MG_NKEY_PREFIX_ACCOUNT 0
#define MG_NKEY_PREFIX_USER 160
#define MG_NKEY_PREFIX_CURVE 184

// True if text decodes to a public key with this prefix byte and its checksum holds.
bool mg_nkey_text_valid(mg_slice text, unsigned char prefix_byte);

#endif
