// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// tls.h as a toy: a session is established by the bytes "HELLO", answered with "hello"; then every byte is xored.
#ifndef MG_TEST_FAKE_TLS_H
#define MG_TEST_FAKE_TLS_H

#include "server/shard/tls.h"

#define FAKE_KEY 0x55

struct mg_tls_ctx *fake_tls_ctx(void);

#endif
