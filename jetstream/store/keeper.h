// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The keeper: the thread that writes immutable files and decides which of them the store consists of. One job at a time.
#ifndef MG_JETSTREAM_STORE_KEEPER_H
#define MG_JETSTREAM_STORE_KEEPER_H

#include "jetstream/store/manifest.h"
#include "jetstream/store/segments.h"

#define MG_KEEPER_FILES 64u // a job writes at most so many

struct mg_keeper {
    struct mg_store *store;
    struct mg_parcel press, wake;
    atomic_bool closing, ended;
    bool busy, again;         // a checkpoint runs; another was asked for meanwhile
    struct mg_parcel room, full; // see space.h
    bool ballast, ballast_wanted, ballast_told;
    uint64_t ballast_next;    // when it is tried again
    unsigned sealed;          // parts that have given what the checkpoint wants
    struct mg_segment_ref **segments; // all of the store, ascending ids; references
    uint32_t segments_len, segments_cap;
    uint64_t next_file;
    // Files that are not listed any more and may still be there: intents, until their removal is durable.
    struct mg_doomed {
        uint64_t id;
        enum { MG_DOOMED_DOUBTFUL, MG_DOOMED_THERE, MG_DOOMED_UNLINKED, MG_DOOMED_SYNCED } state;
    } *doomed;
    uint32_t doomed_len, doomed_cap;
    // Intents found at the start beside a damaged slot of the manifest: their files were not looked after, so they stay.
    struct mg_manifest_intent *kept;
    uint32_t kept_len;
};

int mg_keeper_start(struct mg_store *st);
void mg_keeper_wake(struct mg_store *st); // after `closing` was set, once
void mg_keeper_stop(struct mg_store *st); // waits for the job that runs
void mg_checkpoint(struct mg_store *st);
// Merges runs, if there are many. The keeper, after a checkpoint.
void mg_merge_runs(struct mg_store *st);
// Sleeps, opening what arrives; less when the store closes.
void mg_keeper_sleep(struct mg_store *st, uint64_t ns);
void mg_store_to_keeper(struct mg_store *st, struct mg_parcel *p); // any thread

// The segment with this id; NULL: it is not there. The keeper and the start.
struct mg_segment_ref *mg_keeper_segment(const struct mg_store *st, uint64_t id);

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
// Finishes, syncs and opens it for reading; or, when err is set or `keep` says false, deletes it. Returns err or its own.
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

// Reserves n ids and writes into the manifest that files with them may appear.
int mg_files_begin(struct mg_store *st, uint32_t n, uint64_t *first);
int mg_files_sync_dirs(struct mg_store *st);
void mg_files_unlinked(struct mg_store *st, uint64_t id); // the keeper has deleted a doomed file
struct mg_files_change {
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
