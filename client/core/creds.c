// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The text of a .creds file: the line after a marker, for each of two markers.
//
//      -----BEGIN NATS USER JWT-----
//      eyJ0...
//      ------END NATS USER JWT------
//      -----BEGIN USER NKEY SEED-----
//      SUAG...
#include "client/core/internal.h"

static midge_str after(midge_str text, midge_str marker) {
    for (size_t i = 0; i + marker.n <= text.n; i++) {
        if (!mgc_same((midge_str){text.p + i, marker.n}, marker)) continue;
        const char *p = text.p + i + marker.n, *end = text.p + text.n;
        while (p < end && *p != '\n') p++;
        while (p < end && (unsigned char)*p <= ' ') p++;
        const char *from = p;
        while (p < end && (unsigned char)*p > ' ') p++;
        return *from == '-' || from == p ? MIDGE_NONE : (midge_str){from, (size_t)(p - from)};
    }
    return MIDGE_NONE;
}

int midge_creds_parse(midge_str text, midge_str *jwt, midge_str *seed) {
    *jwt = after(text, MIDGE_STR("BEGIN NATS USER JWT"));
    *seed = after(text, MIDGE_STR("BEGIN USER NKEY SEED"));
    return jwt->n && seed->n ? 0 : MIDGE_EINVAL;
}
