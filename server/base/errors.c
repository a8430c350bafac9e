// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/errors.h"

const char *mg_strerror(int err) {
    switch (err) {
    case MG_OK: return "ok";
#define X(name, value, text)                                                                                           \
    case MG_E##name: return text;
        MG_ERRORS(X)
#undef X
    default: return "unknown error";
    }
}
