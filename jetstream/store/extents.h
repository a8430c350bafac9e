// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of extents: what extent.c (the parts') needs of extents.c (the files).
#ifndef MG_JETSTREAM_STORE_EXTENTS_H
#define MG_JETSTREAM_STORE_EXTENTS_H

#include "jetstream/store/extent.h"

// Its bytes are to be written; it comes back to its part. Any thread.
void mg_extents_post(struct mg_store *st, struct mg_extent *e);
// It and all behind it (`next`, of the same part) are not needed any more: frees them, their memory and room. Any
// thread.
void mg_extents_release(struct mg_store *st, struct mg_extent *e);
// Recovery: the bytes of e->at, which are needed from here on. The caller frees them. NULL: *err.
uint8_t *mg_extents_read(struct mg_store *st, struct mg_extent *e, int *err);

#endif
