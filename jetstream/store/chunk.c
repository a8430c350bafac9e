// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/chunk.h"

#include "server/base/mem.h"

struct mg_chunk *mg_chunk_new(size_t size) {
    struct mg_chunk *c = mg_alloc(sizeof(*c) + size);
    atomic_init(&c->refs, 1);
    c->generation = 0;
    c->used = 0;
    c->size = size;
    c->next = NULL;
    return c;
}

void mg_chunk_unref(struct mg_chunk *c) {
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) mg_free(c);
}
