// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A stored message. Slices are borrowed.
#ifndef MG_JETSTREAM_STORE_MESSAGE_H
#define MG_JETSTREAM_STORE_MESSAGE_H

#include <stdint.h>

#include "server/base/slice.h"

struct mg_message {
    uint64_t seq;
    int64_t time;                      // when it was stored, ns since the epoch
    mg_slice subject, headers, payload; // headers: the whole block ("NATS/1.0\r\n...\r\n\r\n"), or empty
};

#endif
