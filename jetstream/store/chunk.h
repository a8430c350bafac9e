// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Chunks: the memory that holds records as they were encoded. The journal copies them to disk, the memtables point into
// them, readers get slices of them. A chunk is freed when nobody holds it: the part (while its messages are in
// memtables), a batch at the journal, the keeper, a delivery.
#ifndef MG_JETSTREAM_STORE_CHUNK_H
#define MG_JETSTREAM_STORE_CHUNK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MG_CHUNK_BYTES (1024u * 1024)

struct mg_chunk {
    atomic_uint refs;
    uint32_t generation; // of the rows when it was closed; 0: open
    size_t used, size;
    struct mg_chunk *next; // of the part's list, oldest first
    _Alignas(8) uint8_t bytes[];
};

struct mg_chunk *mg_chunk_new(size_t size); // one reference
static inline struct mg_chunk *mg_chunk_ref(struct mg_chunk *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}
void mg_chunk_unref(struct mg_chunk *c); // any thread; NULL is fine

#endif
