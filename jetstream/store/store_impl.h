// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the store: what its parts and its threads share.
//
//   part (one a shard)   decides and applies changes                    part.c, stream files
//   committer            writes batches                                 journal*.c
//   extent thread        writes large payloads                          extents.c
//   keeper               checkpoint, merges, compaction, scrub          keeper.c, checkpoint.c, compact.c
//   readers              cold reads, look-ups of rows                   reader.c, cold.c
//
// Threads talk by parcels (inbox.h). What they share is immutable (generations, blocks of memtables, runs, segments:
// counted) or one of the atomics below.
#ifndef MG_JETSTREAM_STORE_STORE_IMPL_H
#define MG_JETSTREAM_STORE_STORE_IMPL_H

#include <stdatomic.h>

#include "jetstream/store/journal.h"
#include "jetstream/store/manifest.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/orphans.h"
#include "jetstream/store/part.h"
#include "jetstream/store/segment_pool.h"
#include "jetstream/store/segments.h"
#include "jetstream/store/worker.h"
#include "server/base/log.h"

#define MG_READERS_MAX 8u
#define MG_RING      (64u * 1024 * 1024) // bytes of the journal, if nothing else is wanted
#define MG_RING_FILE (8u * 1024 * 1024)  // of one file of it

struct mg_store {
    struct mg_store_options o;
    bool look_only;              // opened by mg_store_look
    bool maybe_torn, damaged;    // the start has met pages that are perhaps the journal's torn end; others
    bool recount;                // a table of subjects could not be opened
    struct mg_disk *disk;
    struct mg_journal *journal;
    uint64_t progress_at;        // when the recovery says next how far it is
    struct mg_extents *extents;
    uint32_t extent_min;         // headers and payload of so many bytes get an extent
    struct mg_manifest_head head; // of the manifest; the keeper's after the start
    struct mg_table_env env;     // salt, cache: for runs and segments
    struct mg_filter_budget filters;
    struct mg_segment_pool pool; // segments that are open
    struct mg_orphans orphans;   // the start's
    int64_t last_time;           // the newest that was stored before the start
    struct mg_clock_lag lag;     // of ages then; the keeper's after the start: what tables have
    uint64_t seed;               // of hashes of rows, from the salt
    struct mg_store_part **parts;
    atomic_uint_fast64_t next_stream;
    atomic_bool poisoned;
    atomic_uint_fast64_t to_erase;     // messages: while there are any, no segment goes without being overwritten
    atomic_bool pressed, pressed_soon; // a checkpoint was asked for and has not begun
    atomic_uint_fast64_t faults;       // damaged pieces of files that were met
    atomic_int refuse;           // MG_ENOSPC: the disk is full, publishes get this; see space.h
    atomic_int stuck;            // why the last checkpoint failed; 0: it did not
    _Atomic uint64_t lost_messages, checkpoint_ns;
    uint64_t settled;            // mg_store_settle: how many checkpoints there are then; 0: it was not asked yet
    atomic_bool written;         // something durable was written since the start
    struct mg_worker *keeper;
    struct mg_worker *readers[MG_READERS_MAX];
    struct mg_keeper *keeping;
    struct mg_runset *runs;      // newest; the keeper's after the start
    struct mg_lost_extent {      // of messages that the recovery could not read
        uint64_t stream, seq;
        int err;
    } *lost_extents;
    uint32_t lost_extents_len;
    struct mg_store_status status;
};


// The reader for questions with this key: one question after the other of a stream stays on one thread.
struct mg_worker *mg_store_reader(struct mg_store *st, uint64_t key);
// A row could not be read: counted and logged.
void mg_store_row_lost(struct mg_store *st, mg_slice key, int err);
// A number for a new stream of this part: never used before, and the part's again after a restart.
uint64_t mg_store_new_id(struct mg_store_part *p);
void mg_store_poisoned(struct mg_store *st);   // any thread
// The parts look again whether what waits can go on, or must be refused. Any thread.
void mg_store_tell_parts(struct mg_store *st);
void mg_store_say(const struct mg_store *st, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// The same as mg_store_press, but it need not be at once: there is something to clean up. Any thread.
void mg_store_press_soon(struct mg_store *st);
// Recovers like mg_store_open, but takes no lock, changes nothing and starts no threads: only for looking at.
int mg_store_look(struct mg_store **out, const struct mg_store_options *o, char *err, size_t err_size);

#endif
