// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Rewriting segments without what was removed, and many small ones as a few. The keeper's.
#ifndef MG_JETSTREAM_STORE_COMPACT_H
#define MG_JETSTREAM_STORE_COMPACT_H

#include "jetstream/store/keeper.h"

// One job, if one is worth it. True: there may be more to do.
bool mg_compact(struct mg_store *st);
// Rewrites these, at most MG_COMPACT_MAX; there was a checkpoint. MG_ECLOSED: the store closes. MG_ECORRUPT, MG_EIO:
// one of them is damaged and will be left alone. After any error everything is as before.
int mg_compact_segments(struct mg_store *st, struct mg_segment_ref *const *from, uint32_t n);

#endif
