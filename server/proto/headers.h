// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Message headers (spec/client-protocol.md A7): "NATS/1.0[ status[ description]]" CRLF, "Key: Value" CRLF ..., CRLF.
// Read in place, nothing is copied. A block comes from a client unchecked: any bytes are safe here.
#ifndef MG_PROTO_HEADERS_H
#define MG_PROTO_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/slice.h"

// The value of the first header with this key (case-sensitive), leading spaces removed. False: there is none.
bool mg_hdr_get(mg_slice block, mg_slice key, mg_slice *value);

// Splits the first line; status and description are empty where absent. False: it is no NATS header block.
bool mg_hdr_status(mg_slice block, mg_slice *status, mg_slice *description);

// Writes the no-responders answer to a request, a complete HMSG for the requester's subscription sid on reply;
// subject is the request's, after mapping. Returns its length; nothing is written if that is above cap.
size_t mg_hdr_write_503(char *out, size_t cap, mg_slice reply, mg_slice sid, mg_slice subject);

#endif
