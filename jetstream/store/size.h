// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How large the parts of a store are that shall do with so much memory. Pure: bytes in, options out.
//
//   1/8  records that only the journal has   the ring bounds them; 8 to 64 MB, in eight files
//   1/8  rows kept as a cache                all parts together
//   1/8  blocks of tables and segments       the cache of cold reads
//   1/8  filters of tables
//   1/4  changes that wait for the journal   of one stream, at most 128 MB; mostly there are none
//   1/4  what has no bound of its own        rows changed since the checkpoint, and what checkpoints, merges and
//                                            compactions work with: these follow from the ring's size
//
// The ring is written once in full before it comes round, and every start reads all of it: so a small one also saves
// disk and time. A large one takes a burst without a checkpoint, and what is removed before that is never written.
//
// What is not in here: messages of memory streams and of connections, consumers in use, large payloads on their way.
#ifndef MG_JETSTREAM_STORE_SIZE_H
#define MG_JETSTREAM_STORE_SIZE_H

#include "jetstream/store/store.h"

#define MG_STORE_MEMORY_MIN  (UINT64_C(64) << 20)  // the least that works; less is taken for this
#define MG_STORE_MEMORY_FULL (UINT64_C(512) << 20) // the ring has its full size; beyond it, caches grow only

// Sets ring_bytes, ring_file_bytes, cache_bytes, rows_bytes and queue_bytes. A store that is there keeps its ring.
void mg_store_size(struct mg_store_options *o, uint64_t memory);

// What a store may take of a machine with so many bytes unless somebody says: a third of what is beyond 256 MB, between
// the two bounds above. So the ring has 8 MB up to 512 MB and something, and 64 MB from 1.75 GB on.
uint64_t mg_store_memory(uint64_t machine);

#endif
