// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading all files now and then, so that damage is found while there is a second copy. The keeper's, when it is idle.
#ifndef MG_JETSTREAM_STORE_SCRUB_H
#define MG_JETSTREAM_STORE_SCRUB_H

#include "jetstream/store/keeper.h"

// Verifies one file if that is due. Returns when the next one is (monotonic ns).
uint64_t mg_scrub_step(struct mg_store *st);

#endif
