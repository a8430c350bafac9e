// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Extents: large payloads go beside the journal, not through it. Headers and payload of a large message are written
// and synced to a file of the folder `extents` first; only then the publish is decided, and its record in the journal
// says where they are (format.h, extent_place). So a record that was committed has its extent, and the only thing that
// an acknowledgement still has to wait for is the journal.
//
//   shard                                 extent thread                     committer
//   copy headers and payload  --------->  find room, write, sync
//   limits, conditions, record  <-------
//   {file, offset, lengths, hash}  ---------------------------------------> commit, acknowledge
//
// In memory the record is whole, as that of a small message is, and so the checkpoint copies it into a segment as it
// does all records; from then on there is nothing special about it, and its room in the file is free. A message that is
// removed before that is never written again.
//
// Files are a pool: they are named 00000.ext, 00001.ext, ...; nothing but records of the journal that are still
// replayed refers to what is in them, everything else in them is known to be garbage, and they are written again from
// the start when nothing in them is needed. They are never deleted. An extent is needed for as long as the record is in
// memory: what a checkpoint drops from memory after its manifest, the journal does not replay any more.
//
// Bounded: extents that are written or needed take `room` bytes of memory and files together, or one that is larger
// than that is alone. What has to wait is in the queues of the streams, and bounded there.
#ifndef MG_JETSTREAM_STORE_EXTENT_H
#define MG_JETSTREAM_STORE_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/store/format.h"
#include "jetstream/store/inbox.h"
#include "server/base/list.h"
#include "server/base/slice.h"

#define MG_EXTENT_MIN (256u * 1024)         // headers and payload together; what is smaller goes through the ring
#define MG_EXTENT_MAX (128u * 1024 * 1024)  // nothing larger is stored

struct mg_store;
struct mg_store_part;
struct mg_change;
struct mg_chunk;
struct mg_extents;
struct mg_record_view;

// One of them: the part's, but while it is `away` (at the extent thread).
struct mg_extent {
    struct mg_parcel parcel;
    void (*back)(struct mg_parcel *p); // how it arrives at the part again
    struct mg_list link;       // the thread's
    struct mg_store_part *part;
    struct mg_change *change;  // that waits for it; NULL: none (any more)
    uint8_t *bytes;            // headers, payload, zeros up to `room`; NULL: only the record has them
    uint64_t room;             // bytes in the file, a multiple of MG_DISK_ALIGN
    uint64_t since;            // when it began to wait for room, monotonic
    struct mg_extent_place at;
    bool away, placed;
    int err;                   // of writing it: MG_ENOSPC, MG_EFULL (waited for too long), MG_EIO, MG_ECLOSED
};

// ---- the part

// Copies headers and payload and has them written; the change is pumped when that is done. The slices of what was
// copied become those of the change.
void mg_extent_write(struct mg_store_part *p, struct mg_change *c);
// The change goes without having become a record: what it has of an extent is given back. NULL is fine.
void mg_extent_give_up(struct mg_extent *e);
// Memory for the record of a message with this extent, which belongs to the chunk from here on.
struct mg_chunk *mg_extent_chunk(struct mg_store_part *p, size_t size, struct mg_extent *e);
void mg_extent_seal(struct mg_store_part *p, uint32_t generation); // marks the open ones
// Those that were sealed with a generation up to this one are not needed any more.
void mg_extent_drop(struct mg_store_part *p, uint32_t generation);
void mg_extent_drop_places(struct mg_store_part *p, uint32_t generation); // too early, for MG_PLANTED

// ---- recovery

// The record of a message with an extent, whole: read, checked, in a chunk of its own. NULL: it cannot be read, *err.
const uint8_t *mg_extent_recover(struct mg_store_part *p, const struct mg_record_view *rec, int *err);

// ---- the store

// Looks what files there are. Blocks.
int mg_extents_open(struct mg_store *st);
int mg_extents_start(struct mg_store *st); // the thread
void mg_extents_stop(struct mg_store *st); // parts get back what they wait for; nothing is written any more
void mg_extents_close(struct mg_store *st);

// Overwrites what is in the files and not needed; of what is needed now, when it is not any more. Any thread.
// Returns a number: done when mg_extents_wiped is not smaller.
uint64_t mg_extents_wipe(struct mg_store *st);
uint64_t mg_extents_wiped(const struct mg_store *st);

struct mg_extent_counters {
    uint64_t extents, bytes; // written since the start
};
struct mg_extent_counters mg_extents_counters(const struct mg_store *st); // any thread

#endif
