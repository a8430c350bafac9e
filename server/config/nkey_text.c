// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/config/nkey_text.h"

#include <stdint.h>

#include "server/base/encode.h"
#include "server/base/errors.h"

enum { PUBLIC_BYTES = 1 + 32 + 2 }; // prefix, key, CRC

// CRC16-XMODEM: poly 0x1021, init 0, no reflection.
static uint16_t crc16(const uint8_t *p, size_t n) {
    uint16_t crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc = (uint16_t)(crc ^ (p[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

bool mg_nkey_text_valid(mg_slice text, unsigned char prefix_byte) {
    uint8_t raw[PUBLIC_BYTES];
    size_t n;
    if (mg_base32_decode(text, raw, sizeof(raw), &n) != MG_OK || n != PUBLIC_BYTES) return false;
    return raw[0] == prefix_byte && crc16(raw, PUBLIC_BYTES - 2) == (raw[33] | raw[34] << 8);
}
