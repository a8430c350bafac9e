// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The seam to a lock, for the few structures that the store's own threads share (the block cache). Shards have none:
// nothing that a shard's thread calls may take one. Held for a few instructions, never over I/O or another lock.
// mutex_posix.c implements it; in the simulator threads are fibers that do not switch while one is held.
#ifndef MG_SHARD_MUTEX_H
#define MG_SHARD_MUTEX_H

#include <stdint.h>

struct mg_mutex {
    uint64_t impl[8];
};

void mg_mutex_init(struct mg_mutex *m);
void mg_mutex_fini(struct mg_mutex *m);
void mg_mutex_lock(struct mg_mutex *m); // not recursive
void mg_mutex_unlock(struct mg_mutex *m);

#endif
