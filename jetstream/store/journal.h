// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The journal of a store: one ring of recycled files that takes the records of all streams. Shards submit batches, one
// thread (the committer) merges all that wait into one commit, writes it, and gives the batches back. A batch that came
// back with result 0 is durable (or, with a sync interval, written).
//
//   struct mg_journal_options o = {.disk = d, .salt = ..., .replay_from = ...};
//   mg_journal_open(&j, &o, why);      recovers: reads the ring, gives damage and records to callbacks, writes a fence
//   mg_journal_submit(j, &batch);      any thread; the batch comes back to batch.home
//   mg_journal_recycle(j, page);       the keeper: what is below `page` is in other files and durable there
//   mg_journal_close(j);
//
// Pages are numbered from 0 for ever; a page's number is also the clock of the checkpoint. A page that holds durable
// records is not written again before it was recycled.
#ifndef MG_STORE_JOURNAL_H
#define MG_STORE_JOURNAL_H

#include <stdbool.h>

#include "jetstream/store/inbox.h"
#include "jetstream/store/record.h"
#include "server/shard/disk.h"

struct mg_journal;

// ---- damage -------------------------------------------------------------------------------------------------------

// X(name, text)
#define MG_DAMAGE_CAUSES(X)                                                                                            \
    X(BAD, "checksum does not match")                                                                                  \
    X(UNREADABLE, "cannot be read")                                                                                    \
    X(MISSING, "file missing")                                                                                         \
    X(SHORT, "file too short")                                                                                         \
    X(GONE, "its file is gone")                                                                                        \
    X(ZERO, "never written")                                                                                           \
    X(STALE, "an older page is in its place")                                                                          \
    X(FOREIGN, "a page of another place is in its place")                                                              \
    X(RECORD, "a record is damaged inside of a page that is not")                                                      \
    X(BEHIND, "the ring ends before the checkpoint does")                                                              \
    X(TORN, "written in part")

enum mg_damage_cause {
#define X(name, text) MG_DAMAGE_##name,
    MG_DAMAGE_CAUSES(X)
#undef X
};
const char *mg_damage_text(enum mg_damage_cause cause);

struct mg_journal_damage {
    enum mg_damage_cause cause;
    uint64_t page, pages_end; // [page, pages_end)
    // At the very end of the journal. `unfinished`: of a commit that was never finished, nothing in it was acknowledged
    // as durable. `perhaps_torn`: this may be one, or damage to the last one. Neither: the pages were durable, records
    // are lost.
    bool unfinished, perhaps_torn;
    // A record runs into these pages and its header was readable, but not verified: whose it may be. 0: not known.
    uint64_t stream, op, seq;
};

// ---- open ---------------------------------------------------------------------------------------------------------

struct mg_journal_options {
    struct mg_disk *disk;   // its directory "journal" is created if it is not there
    uint64_t salt;          // of the store: pages of other stores are not taken for ours
    uint32_t page_bytes;    // 4096 .. 65536, a power of two; fixed for the life of the store
    uint32_t file_pages;    // pages of one file of the ring; fixed
    uint32_t files;         // of the ring; fixed
    uint64_t replay_from;   // records of earlier pages are not delivered and their pages are free; from the manifest
    uint32_t incarnation;   // at least this one was used already; from the manifest; 0: not known
    uint64_t sync_ns;       // 0: a batch comes back when it is durable. Else when it is written, synced after so long
    uint64_t idle_ns;       // a seal follows the last commit after so long; 0: none
    bool look_only;         // recover, but write nothing: no fence, no threads, nothing may be submitted

    // Callbacks of recovery, on the thread that opens. A record's bytes are valid during the call, `page` is where it
    // begins; a value other than 0 ends the recovery and is returned by open. Damage comes in order of pages, between
    // the records around it. All may be NULL.
    void *arg;
    int (*record)(void *arg, const struct mg_record_view *record, const void *bytes, uint64_t page);
    void (*damage)(void *arg, const struct mg_journal_damage *damage);
    // Bytes; first of the ring, read to see where the journal is in it, then of what is replayed.
    void (*progress)(void *arg, bool replay, uint64_t done, uint64_t total);

    // Free pages have become few (less than half of the ring), or a batch was refused for want of them: time to
    // recycle. Any thread that submits, and the committer. May be NULL.
    void (*pressure)(void *arg);
    // The ways of writing were compared by the first commit, as its file was not there before: what mg_journal_describe
    // says from now on. Once, the committer. May be NULL.
    void (*measured)(void *arg, const char *sentence);
    // A file of the ring could not be made since there is no space (full), or could be made again. The thread that
    // makes them. May be NULL.
    void (*space)(void *arg, bool full);
    // The journal was poisoned (once). The committer. May be NULL.
    void (*poisoned)(void *arg, const struct mg_disk_why *why);
};

// Makes the folder and in it, empty, what will become the ring's first file, if there is none. So a journal that is
// away as a whole is missed at any time. Blocks.
int mg_journal_mark(struct mg_disk *d, struct mg_disk_why *why);
// MG_ENOTFOUND: there is not even that.
int mg_journal_look(struct mg_disk *d, struct mg_disk_why *why);

// Of a ring of which nothing else is known: what its first page says that can be read by the salt that it names itself.
// Blocks. False: there is none.
struct mg_journal_hint {
    uint64_t salt;
    bool lapped; // the ring has come round, so all of its files were made
};
bool mg_journal_learn(struct mg_disk *d, uint32_t page_bytes, uint32_t file_pages, uint32_t files,
                      struct mg_journal_hint *out);

// Blocks for as long as reading the ring takes. 0, or an error and `why`: MG_EFULL if the ring has no page left for a
// fence. An unreadable page is no error but damage. Options are copied.
int mg_journal_open(struct mg_journal **out, const struct mg_journal_options *o, struct mg_disk_why *why);
// Writes what was submitted, syncs, ends the threads. Blocks. Nobody may call anything else meanwhile. NULL is fine.
void mg_journal_close(struct mg_journal *j);

// ---- batches ------------------------------------------------------------------------------------------------------

enum mg_batch_class {
    MG_BATCH_NORMAL,
    MG_BATCH_RESERVED, // deletes, acks, configuration: may use pages that are kept back for them
};

// Belongs to the sender; to the journal between a submit that returned 0 and its return. The records stay as they are
// as long.
struct mg_batch {
    struct mg_parcel parcel; // `arrived` is the sender's, called by home's owner (mg_inbox_open)
    struct mg_inbox *home;   // where it comes back to
    const struct mg_span *spans; // whole records, back to back in each span
    size_t nspans;
    size_t bytes; // of all spans, more than 0
    enum mg_batch_class class;

    // When it is back. MG_EUNKNOWN: a write or sync failed, nobody knows whether the records are on disk. MG_EPOISONED:
    // they were not written.
    int result;
    uint64_t page, pages_end; // where the records are: pages [page, pages_end) of the commit
    uint64_t commit;
    uint32_t charged; // the journal's
};

// Any thread; never blocks. 0; MG_EFULL: no pages, nothing has happened; MG_ENOSPC (of MG_BATCH_NORMAL) or MG_EIO: the
// ring cannot grow; MG_EPOISONED; MG_EINVAL: larger than mg_journal_max_batch. A batch that was accepted may wait long
// for a file of the ring if the disk became full. Batches of one thread are written in the order of their submission, a
// batch is in one commit.
int mg_journal_submit(struct mg_journal *j, struct mg_batch *batch);

// Bytes of records that could be submitted now, by all threads together. Any thread.
uint64_t mg_journal_room(struct mg_journal *j, enum mg_batch_class class);
uint64_t mg_journal_max_batch(const struct mg_journal *j); // bytes

// The keeper: records in pages below `page` are not needed any more, their pages may be used again. Grows only; at most
// the first page that is not yet durable.
void mg_journal_recycle(struct mg_journal *j, uint64_t page);

// With a sync interval: syncs what is written without waiting for its time. Returns at once; any thread.
void mg_journal_sync_soon(struct mg_journal *j);

// Overwrites what is in free pages: the committer writes empty pages, when it has nothing else to do and half of the
// ring is free, until `page` is durable. Grows only. Any thread.
void mg_journal_wipe(struct mg_journal *j, uint64_t page);

struct mg_journal_state {
    uint64_t head;    // number of the next page to be written
    uint64_t durable; // pages below are durable
    uint64_t tail;    // pages below are recycled
    uint64_t pages;   // of the ring
    uint64_t commits, syncs, seals;
    uint64_t record_bytes, page_bytes; // written since the start
    uint64_t commit_ns; // the last commit took so long
    uint32_t incarnation;
    uint32_t page_size;
    bool poisoned;
};
void mg_journal_state(struct mg_journal *j, struct mg_journal_state *out); // any thread; figures of one moment or so

// How long commits took and how many bytes of records they had: buckets [i] for 2^i <= v < 2^(i+1). Any thread.
#define MG_JOURNAL_BUCKETS 40
void mg_journal_histograms(const struct mg_journal *j, uint64_t ns[MG_JOURNAL_BUCKETS],
                           uint64_t bytes[MG_JOURNAL_BUCKETS]);

// One sentence for the log: how commits are written, what that takes, what is known of the device. Any thread, after
// the first commit; before it says so.
#define MG_JOURNAL_SENTENCE 320u // bytes for it
void mg_journal_describe(struct mg_journal *j, char *out, size_t cap);

#endif
