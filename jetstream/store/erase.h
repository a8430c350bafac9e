// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Secure erase: the bytes of a removed message are overwritten. The keeper's, except where said.
#ifndef MG_JETSTREAM_STORE_ERASE_H
#define MG_JETSTREAM_STORE_ERASE_H

#include "jetstream/store/keeper.h"
#include "server/base/slice.h"

struct mg_stream;

// The part: a message was removed that is to be erased. A row remembers it until that is done.
void mg_erase_want(struct mg_stream *s, uint64_t seq, bool live);
// A checkpoint has, or the start found, such a row.
void mg_erase_found(struct mg_store *st, mg_slice key); // the start: in tables
void mg_erase_add(struct mg_keeper *k, mg_slice key);
// The keeper: goes on with what is to be erased. Returns when to call again (monotonic ns).
uint64_t mg_erase_step(struct mg_store *st);

#endif
