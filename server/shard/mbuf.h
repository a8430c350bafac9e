// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// An immutable message buffer with a reference count, for what is not worth copying: large payloads on their way to
// many sockets or to another shard. The count is atomic because the last reference may be dropped on any shard; the
// bytes are written by the shard that made it, before it is shared.
#ifndef MG_SHARD_MBUF_H
#define MG_SHARD_MBUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct mg_mbuf {
    _Atomic uint32_t refs;
    uint32_t len; // bytes used, by its writer
    uint32_t cap;
    char data[];
};

struct mg_mbuf *mg_mbuf_new(size_t cap);                       // one reference; cap < 2 GB
struct mg_mbuf *mg_mbuf_grow(struct mg_mbuf *m, size_t cap);   // only while there is exactly one reference
static inline struct mg_mbuf *mg_mbuf_ref(struct mg_mbuf *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}
void mg_mbuf_unref(struct mg_mbuf *m); // NULL is fine

#endif
