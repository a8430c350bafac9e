// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The keeper: the thread that writes immutable files and decides which of them the store consists of. One job at a
// time.
#ifndef MG_JETSTREAM_STORE_KEEPER_H
#define MG_JETSTREAM_STORE_KEEPER_H

#include "jetstream/store/compact_pick.h"
#include "jetstream/store/facts.h"
#include "jetstream/store/manifest.h"
#include "jetstream/store/segments.h"

#define MG_KEEPER_FILES 64u // a job writes at most so many

struct mg_keeper {
    struct mg_store *store;
    struct mg_parcel press, soon, wake, scrub_soon;
    atomic_bool press_out, soon_out, scrub_out, full_out; // `press`, `soon`, `scrub_soon`, `full` are on their way
    atomic_bool running;      // can be given parcels
    atomic_bool closing, ended;
    atomic_bool resting;      // nothing to do but to scrub
    bool pressed, look;       // a checkpoint is wanted; files may be worth merging
    enum mg_garbage garbage;  // when the last compaction was chosen
    uint64_t job_bytes;       // inputs of the merge or compaction that runs; 0: none does, or nothing may be let in
    bool compacting;
    bool making_room;         // a checkpoint waits for the merge that runs
    uint32_t runs_closed;     // 1 at the start
    uint64_t merge_at;        // one has failed: not again before
    uint64_t checkpoint_at;   // monotonic ns: the end of the last one
    uint64_t checkpoint_took; // ns
    uint64_t paced_at;        // the last piece of a job
    atomic_uint_fast64_t checkpoints, compactions, merges, verified;
    atomic_uint_fast64_t segment_bytes; // written into segments, also such that were not kept; without extents
    atomic_uint_fast64_t damaged, healed; // files that the scrub found, and those it wrote again
    atomic_bool scrub_now;    // a pass without breaks is wanted
    bool scrub_hurry;         // and runs
    uint64_t scrub_at, scrub_id; // when it goes on (0: not known yet), behind which file
    size_t scrubbed;          // since the last break
    atomic_bool heal_now;     // rows of subjects cannot be read (heal.c)
    atomic_uint_fast64_t heal_failed; // so many times
    uint64_t heal_at;         // not again before
    struct mg_recount_wish {
        uint64_t stream;
        bool stale;           // rows of subjects were written anew since: it has to be wished again
    } *recounts;              // streams whose counters are to be counted again, in order (correct.h)
    uint32_t recounts_len, recounts_cap;
    bool forget;          // rows of subjects were written anew: parts forget theirs with the next checkpoint
    struct mg_parcel room, full; // see space.h
    bool ballast, ballast_wanted, ballast_told;
    uint64_t ballast_next;    // when it is tried again
    unsigned sealed;          // parts that have given what the checkpoint wants
    unsigned installed;       // and those that have taken in what became of it
    unsigned swapped;         // parts that have taken in the last compaction
    struct mg_segment_ref **segments; // all of the store, ascending ids; references
    uint32_t segments_len, segments_cap;
    uint64_t next_file;
    struct mg_erase {
        uint64_t stream, seq;
        uint64_t target;      // page of the journal at which its bytes are overwritten; 0: not begun
        uint64_t extents;     // the number of the overwriting of extents
        uint64_t files;       // segments below it do not have it, or go
    } *erase;                 // messages to be erased (erase.c)
    uint32_t erase_len, erase_cap;
    uint32_t age;             // of the newest checkpoint that wrote a segment
    struct mg_facts facts;    // of the last checkpoint, segments as they are now
    bool knows;               // there was a checkpoint

    // Files that the manifest names although they are not part of the store (files.c).
    struct mg_intent {
        uint64_t first;
        uint32_t count;
        enum mg_intent_state { MG_INTENT_JOB, MG_INTENT_DOOMED, MG_INTENT_GONE } state;
        bool messages;        // doomed, and perhaps a segment
    } *intents;
    uint32_t intents_len, intents_cap;
    struct mg_segment_ref **lost; // segments that were not there at the start, references: not deleted, not compacted
    uint32_t lost_len;
    struct mg_segment_ref **limbo_segments; // files of commits whose outcome is unknown
    struct mg_run_ref **limbo_runs;
    uint32_t limbo_segments_len, limbo_runs_len;
    bool in_doubt;            // the last manifest may or may not have been written
    bool slot_damaged;        // at the start one slot could not be read
};

int mg_keeper_start(struct mg_store *st);
void mg_keeper_wake(struct mg_store *st); // after `closing` was set, once
void mg_keeper_stop(struct mg_store *st); // waits for the job that runs
void mg_checkpoint(struct mg_store *st);
// A merge of runs, if there are many of a kind and their merge would not read more than `most` bytes. True: one was
// made.
bool mg_merge_runs(struct mg_store *st, uint64_t most);
// Reads the filters of a run, if there is room and one whose are not in memory: until then each look-up of a row that
// is not there asks the run. True: one was read.
bool mg_warm_runs(struct mg_store *st);
// In front of a checkpoint: there is room for two more runs. Merges the cheapest neighbours as long as there is not.
void mg_merge_make_room(struct mg_store *st);
// Writes a run again, for one of its copies is damaged. An error: both are, or it cannot be written; it stays as it is.
int mg_rewrite_run(struct mg_store *st, struct mg_run_ref *r);
// Called by jobs every now and then: takes a break in proportion to the work since the last one, makes a checkpoint
// if one is wanted, and lets much smaller jobs in. MG_ECLOSED: the store closes or has failed, the job ends.
int mg_keeper_pace(struct mg_store *st);
// Around a job that others may be let into: bytes of its inputs. What enter gives is for leave.
uint64_t mg_keeper_enter(struct mg_store *st, uint64_t bytes);
void mg_keeper_leave(struct mg_store *st, uint64_t outer);
// Sleeps, opening what arrives; less when the store closes.
void mg_keeper_sleep(struct mg_store *st, uint64_t ns);
void mg_store_to_keeper(struct mg_store *st, struct mg_parcel *p); // any thread

// The segment with this id; NULL: it is not there. The keeper and the start.
struct mg_segment_ref *mg_keeper_segment(const struct mg_store *st, uint64_t id);
// The same of those that are in the manifest and were not there at the start.
struct mg_segment_ref *mg_keeper_lost_segment(const struct mg_store *st, uint64_t id);

// ---- writing files (files.c) ----------------------------------------------------------------------------------------

// A segment that is being written. section is called for each section, in order.
struct mg_segment_write {
    struct mg_store *st;
    uint64_t id;
    struct mg_file *file;
    struct mg_file_writer writer;
    struct mg_segment_builder *builder;
};
int mg_segment_write_open(struct mg_segment_write *w, struct mg_store *st, uint64_t id,
                          void (*section)(void *arg, uint32_t ordinal, const struct mg_section *section), void *arg);
// Finishes, syncs and opens it for reading; or, when err is set or `keep` says false, deletes it. Returns err or its
// own.
int mg_segment_write_close(struct mg_segment_write *w, int err, bool (*keep)(void *arg), void *arg,
                           struct mg_segment_ref **out);

struct mg_run_write {
    struct mg_store *st;
    uint64_t id;
    bool primary;
    struct mg_file *main, *copy;
    struct mg_file_writer writer;
    struct mg_run_builder *builder;
};
int mg_run_write_open(struct mg_run_write *w, struct mg_store *st, uint64_t id, bool primary);
int mg_run_write_close(struct mg_run_write *w, int err, struct mg_run_ref **out);
// The same when the builder is finished: frees the summary.
int mg_run_write_finish(struct mg_run_write *w, int err, struct mg_run_summary *sum, struct mg_run_ref **out);

// ---- which files there are ------------------------------------------------------------------------------------------

// Begins a job: reserves n ids from *first on and writes into the manifest that files with them may appear. It ends
// with the commit that names it, or with mg_files_end.
int mg_files_begin(struct mg_store *st, uint32_t n, uint64_t *first);
void mg_files_end(struct mg_store *st, uint64_t job);
// New files of a job that failed, or whose commit did: takes the references. They are deleted as soon as no manifest
// can name them.
void mg_files_abandon(struct mg_store *st, struct mg_segment_ref *const *segments, uint32_t segments_len,
                      struct mg_run_ref *const *runs, uint32_t runs_len);
// A doomed file was deleted.
void mg_files_unlinked(struct mg_store *st, uint64_t id);
int mg_files_sync_dirs(struct mg_store *st);
struct mg_files_change {
    uint64_t job; // that ends with it: what mg_files_begin gave
    struct mg_segment_ref *const *segments; // new ones
    uint32_t segments_len;
    struct mg_run_ref *const *runs; // new ones: newer than all there are, or in the place of the oldest that goes
    uint32_t runs_len;
    struct mg_segment_ref *const *old_segments; // that go
    uint32_t old_segments_len;
    struct mg_run_ref *const *old_runs; // that go: neighbours
    uint32_t old_runs_len;
    uint64_t replay_from; // 0: as it was
};
// Writes the manifest; then st->runs and the keeper's lists are the new ones and files that went are doomed.
int mg_files_commit(struct mg_store *st, const struct mg_files_change *change);

#endif
