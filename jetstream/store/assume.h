// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A manifest made up from the files that are there, when none can be read.
#ifndef MG_JETSTREAM_STORE_ASSUME_H
#define MG_JETSTREAM_STORE_ASSUME_H

#include "jetstream/store/manifest.h"

// Into an empty m: all segments and runs, the newer ones above the older ones; the store's salt, from any file that
// tells it; the ring's size. Where the journal has to be replayed from is not in it. Blocks. False: nothing tells the
// salt.
bool mg_manifest_assume(struct mg_disk *d, struct mg_manifest *m);

#endif
