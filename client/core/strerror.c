// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "client/core/midge.h"

#define TEXT(name, number, text)                                                                                     \
    case number: return text;

const char *midge_strerror(int err) {
    switch (err) {
    case 0:
        return "no error";
        MIDGE_ERRORS(TEXT)
    default: return "unknown error";
    }
}
