// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the journal: shared by journal*.c only.
//
//   journal.c           what shards and the keeper call; open and close
//   journal_commit.c    the committer: merges batches, fills pages, writes, seals
//   journal_ring.c      the files: pages to files, ways of writing, which of them is the fastest
//   journal_grow.c      a thread that makes the ring's files ahead of need
//   journal_recover.c   reads the ring, decides where it ends, writes the fence
//   journal_replay.c    takes records out of pages and names damage
#ifndef MG_STORE_JOURNAL_IMPL_H
#define MG_STORE_JOURNAL_IMPL_H

#include <stdatomic.h>

#include "jetstream/store/journal.h"
#include "jetstream/store/page.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"

#define MG_JOURNAL_DIR "journal"

enum ring_way {
    RING_DIRECT, // O_DIRECT | O_DSYNC: durable when written
    RING_SYNC,   // through the page cache, then fdatasync
};
#define RING_WAYS 2

// A file of the ring. Its handles are the committer's (before the threads start, of the thread that opens).
struct ring_file {
    struct mg_file *way[RING_WAYS]; // opened when needed
    bool dirty;                     // written, not yet synced
    bool gone;                      // at the start: it was there, for the name of a later one is
    atomic_bool ready;              // exists, full size, filled by writes, durable
};

#define MG_PROGRESS_PAGES 256u // of a recovery, between two of its signs of life

struct mg_journal {
    struct mg_journal_options o;
    uint64_t pages;  // of the ring
    size_t body;     // bytes of records in a page, behind its head
    int64_t floor[2]; // pages that a class must leave free

    // Shared by all threads.
    struct mg_inbox in; // to the committer
    struct mg_bell bell;
    atomic_bool sync_wanted; // at once, not at sync_at
    atomic_bool poisoned, stopping, pressed;
    _Atomic int grow_error;  // the ring cannot grow at present: this is why
    _Atomic int64_t free;    // pages that are neither in use nor charged to a batch
    _Atomic uint64_t head, durable, tail;
    _Atomic uint64_t wipe_to; // empty pages are written up to here
    _Atomic uint64_t commits, syncs, seals, record_bytes, page_bytes, commit_ns;
    _Atomic uint64_t ns_buckets[MG_JOURNAL_BUCKETS], bytes_buckets[MG_JOURNAL_BUCKETS]; // of commits with records
    _Atomic uint64_t way_ns[RING_WAYS]; // what a commit of one page took; 0: not known
    _Atomic int way;

    // The committer's; before it starts, of the thread that opens.
    struct mg_thread *committer;
    uint8_t *buffer; // pages under construction
    uint32_t buffer_pages;
    uint64_t commit; // number of the next
    uint64_t incarnation_page;
    uint32_t incarnation;
    bool calibrated;
    bool seal_due;               // the last commit has records
    bool lingers, small;         // the next batch is expected soon; the last commit was small
    uint64_t written_at, sync_at; // monotonic ns: the last commit; when the next sync is due (MG_NEVER: none)
    struct mg_bad_pages *bad;     // of the recovery, for its fences
    uint32_t bad_len, bad_cap;
    uint32_t bad_told, bad_max;   // how many fences have named; how many one can
    struct mg_mail *waiting, **waiting_end; // batches that were drained and are not yet in a commit

    // The filler's thread.
    struct mg_thread *grower;
    atomic_bool grow_stopping;
    struct mg_bell grow_bell;
    _Atomic uint32_t grow_to; // files below this number are wanted
    uint32_t files;
    struct ring_file file[];
};

// journal_ring.c
int ring_write(struct mg_journal *j, const void *pages, uint64_t first, uint32_t count, struct mg_disk_why *why);
int ring_mark_dirty(struct mg_journal *j, uint32_t file, struct mg_disk_why *why); // the next sync includes it
int ring_sync(struct mg_journal *j, struct mg_disk_why *why); // all that is not yet synced; durable moves up
void ring_calibrate(struct mg_journal *j, struct mg_disk_why *why);
void ring_close(struct mg_journal *j);
void ring_file_name(char out[32], uint32_t file);
static inline uint32_t ring_file_of(const struct mg_journal *j, uint64_t page) {
    return (uint32_t)(page % j->pages / j->o.file_pages);
}
static inline uint64_t ring_file_bytes(const struct mg_journal *j) {
    return (uint64_t)j->o.file_pages * j->o.page_bytes;
}

// journal_grow.c
int grow_start(struct mg_journal *j, struct mg_disk_why *why);
void grow_stop(struct mg_journal *j);
void grow_ask(struct mg_journal *j, uint32_t files);                          // that many shall be there
int grow_now(struct mg_journal *j, uint32_t file, struct mg_disk_why *why); // before the thread starts: blocks

// journal_commit.c
void commit_main(void *journal);
// A commit of one page without records. It counts against the free pages. A failure poisons the journal.
int commit_empty(struct mg_journal *j, enum mg_page_kind kind, struct mg_disk_why *why);

// journal_recover.c
int recover(struct mg_journal *j, struct mg_disk_why *why);

// ---- recovery, between its files ----------------------------------------------------------------------------------

enum slot_state {
    SLOT_LIVE, // a valid page at its place
    SLOT_ZERO,
    SLOT_VOID, // a valid page at its place that a later incarnation has cut off
    SLOT_TORN, // at the end: a bad page that proves that its commit was never finished
    SLOT_DAMAGED,
};

struct slot {
    uint64_t page, commit, first_page;
    uint32_t incarnation, unsynced, index, count;
    uint8_t state; // enum slot_state
    uint8_t cause; // enum mg_damage_cause of a damaged one
    bool torn;     // perhaps, says the fence behind it
    bool fence;
    bool stray; // damaged, by a good page of another place: what is above is what that says
};

// Reads pages of the ring one after the other, many at a time.
struct ring_reader {
    struct mg_journal *j;
    struct mg_file *file; // open one
    uint32_t file_no;     // its number; UINT32_MAX: none yet
    uint64_t file_size;
    uint8_t *window;
    uint8_t *plain;       // room for a page without its marks
    uint32_t from, count; // pages of the file in the window
    bool last_pass;       // what was read is not needed again: the system may forget it
    uint32_t singly_to;   // pages below are read one by one: among them is one that cannot be read
};
void reader_init(struct ring_reader *r, struct mg_journal *j);
void reader_fini(struct ring_reader *r);
// The page in a slot, or NULL and why not.
const uint8_t *reader_page(struct ring_reader *r, uint64_t slot, enum mg_damage_cause *cause);

struct told {
    uint64_t fence; // page
    struct mg_bad_pages pages;
};

struct ring_map {
    struct slot *slots;
    uint64_t from;  // pages [from, end) are delivered
    uint64_t end;   // where the fence goes
    uint64_t sure;  // what is missing below was durable
    uint64_t reach; // pages [end, reach) belong to a commit that is cut off
    uint32_t fence; // the last page is a fence, of this incarnation; 0: it is something else
    uint64_t fence_from; // where this incarnation began
    struct told *told; // by fences: what earlier recoveries could not read
    size_t told_len;
};

// What the ring should have at `page`: LIVE; or what is there instead.
enum slot_state map_at(const struct ring_map *map, const struct mg_journal *j, uint64_t page,
                       enum mg_damage_cause *cause);
// Delivers records and damage. 0, or what a callback returned.
int replay(struct mg_journal *j, const struct ring_map *map, struct ring_reader *r);

#endif
