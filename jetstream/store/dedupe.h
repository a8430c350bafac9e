// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Message ids that were seen: rows from a keyed hash of the id to the message's number and time. They outlive restarts;
// ids older than the window are dropped when tables are merged.
#ifndef MG_JETSTREAM_STORE_DEDUPE_H
#define MG_JETSTREAM_STORE_DEDUPE_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

struct mg_stream;

#define MG_DEDUPE_HASH 16u

void mg_dedupe_hash(const struct mg_stream *s, mg_slice id, char out[MG_DEDUPE_HASH]);
// 0: the id was seen inside the window, *seq is its message. MG_ENOTFOUND. MG_EAGAIN: being looked up.
int mg_dedupe_find(struct mg_stream *s, mg_slice id, uint64_t *seq);
void mg_dedupe_put(struct mg_stream *s, const char hash[MG_DEDUPE_HASH], uint64_t seq, int64_t time);

#endif
