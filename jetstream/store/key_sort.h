// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Sorting many keys that begin alike, as rows and subjects do: most comparisons look at eight bytes behind what all
// have in common, not at the keys.
#ifndef MG_JETSTREAM_STORE_KEY_SORT_H
#define MG_JETSTREAM_STORE_KEY_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

struct mg_sort_item {
    mg_slice key; // with `item`, the caller's
    void *item;
    uint64_t head; // the sort's
};

// Ascending by the bytes of the keys, a prefix first.
void mg_key_sort(struct mg_sort_item *items, size_t n);

#endif
