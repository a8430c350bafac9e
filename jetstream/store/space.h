// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Disk full. A file named `ballast` keeps room for one checkpoint. When a write of the keeper, or the next file of the
// ring, meets a full disk, publishes are refused first, then the ballast is deleted, so that the checkpoint can
// complete and what frees space (deletes, purges, acknowledgements) still goes through the journal. As soon as the disk
// has room for a new ballast and a bit, it is made and publishes are taken again.
//
// All of this runs on the keeper's thread, except where said.
#ifndef MG_JETSTREAM_STORE_SPACE_H
#define MG_JETSTREAM_STORE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

struct mg_store;

// Before the keeper runs: looks whether there is one.
void mg_space_start(struct mg_store *st);
// Something durable was written: from now on the ballast is wanted. Any thread.
void mg_space_written(struct mg_store *st);
// There is no space. Refuses publishes; true if there was a ballast, which is gone now.
bool mg_space_give_up(struct mg_store *st);
// The journal says so, or says that it has found space (full is false). Any thread.
void mg_space_of_journal(struct mg_store *st, bool full);
// Makes a ballast if one is wanted; returns when to call again (monotonic ns).
uint64_t mg_space_idle(struct mg_store *st);

#endif
