// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Extents: large payloads go beside the journal, not through it. Headers and payload of a large message are written
// and synced to a file of the folder `extents` first; only then the publish is decided, and its record in the journal
// says where they are (format.h, extent_place). So a record that was committed has its extent, and the only thing that
// an acknowledgement still has to wait for is the journal.
//
//   shard                                 extent thread                     committer
//   headers and payload  -------------->  find room, copy, write, sync
//   limits, conditions, record  <-------
//   {file, offset, lengths, hash}  ---------------------------------------> commit, acknowledge
//
// In memory the record is whole, as that of a small message is, and so the checkpoint copies it into a segment as it
// does all records; from then on there is nothing special about it, and its room in the file is free. A message that is
// removed before that is never written again.
//
// The shard does not touch large payloads: to copy 1 MB into memory that the system gives for the first time takes 0.4
// ms. What it gets by reference (mg_append.mbuf) the thread copies, to where the record will be: whatever stands in
// front of the headers there is written when it is decided. The thread frees this memory, too. It does the same, and no
// more than that, for streams that are in memory.
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
struct mg_extents;
struct mg_mbuf;
struct mg_record_view;

// One of them: the part's, but while it is `away` (at the extent thread).
struct mg_extent {
    struct mg_parcel parcel;
    void (*back)(struct mg_parcel *p); // how it arrives at the part again
    struct mg_list link;       // the thread's
    struct mg_store_part *part;
    struct mg_change *change;  // that waits for it; NULL: none (any more)
    struct mg_extent *next;    // of the part's
    struct mg_mbuf *source;    // holds headers and payload; NULL: they were copied
    mg_slice headers, payload;
    uint8_t *memory;           // NULL: they were not
    uint8_t *body;             // in it: headers, payload, zeros up to `room` and some more
    uint64_t front;            // bytes of memory in front of `body`, for the other parts of the record
    uint64_t room;             // bytes in the file, a multiple of MG_DISK_ALIGN
    uint64_t since;            // when it began to wait for room, monotonic
    struct mg_extent_place at;
    bool away, placed;
    bool written;              // it is to be written; else copied only
    int err;                   // of writing it: MG_ENOSPC, MG_EFULL (waited for too long), MG_EIO, MG_ECLOSED
};

// ---- the part

// Has headers and payload of the change written; it is pumped when that is done. They are copied first unless it has a
// buffer that holds them, of which a reference is kept. Its slices become those of what was copied.
void mg_extent_write(struct mg_store_part *p, struct mg_change *c);
// The change goes without having become a record: what it has of an extent is given back. NULL is fine.
void mg_extent_give_up(struct mg_extent *e);
// Its memory has a record now: it is the part's until a checkpoint has it in a segment.
void mg_extent_keep(struct mg_extent *e);
// The same for a record of a memory stream, which is whoever's has the record.
void mg_extent_mark(struct mg_extent *e, uint8_t *record);
struct mg_extent *mg_extent_of(const uint8_t *record); // NULL: it has none
void mg_extent_seal(struct mg_store_part *p); // a checkpoint begins: all that are kept so far
void mg_extent_drop(struct mg_store_part *p); // those that were sealed are not needed any more
void mg_extent_drop_places(struct mg_store_part *p); // too early, for MG_PLANTED

// ---- recovery

// The record of a message with an extent, whole: read, checked, kept. NULL: it cannot be read, *err.
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
