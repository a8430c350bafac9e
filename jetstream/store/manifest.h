// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The manifest: what a store consists of. Two files, manifest-0 and manifest-1, are written in turn, so one of them is
// always whole; the valid one with the higher generation counts. A change is written to both before anything follows
// from it that cannot be undone (files.c), so the other one is enough, too. The manifest lists every run and segment,
// and the ids of files that jobs which have begun may create: of these, what is not listed after a crash is garbage.
// Any other file that nothing lists is put aside, not deleted.
//
// So a job first stores a manifest with an intent for what it will create; then it creates, syncs files and folders;
// then it stores a manifest that lists them, without the intent. A file that is taken off the list needs an intent,
// too, in the same manifest: it is still there until its removal is durable. That intent goes with the next manifest
// after the folder was synced.
//
// Encoding and decoding are pure. The others block; one thread (the keeper, or whoever opens the store) uses them.
#ifndef MG_STORE_MANIFEST_H
#define MG_STORE_MANIFEST_H

#include <stdbool.h>

#include "jetstream/store/format_tables.h"
#include "server/base/buf.h"
#include "server/shard/disk.h"

enum { MG_MANIFEST_MARKED = 1 };      // flag of the head: the journal has files, or one empty one (mg_journal_mark)
enum { MG_MANIFEST_RUN_PRIMARY = 1 }; // flag of a run: written twice

struct mg_manifest_run_entry {
    struct mg_manifest_run about;
    struct mg_buf min_key, max_key; // owned
};

// Zeroed is empty. Owned by its user; arrays grow by the functions below.
struct mg_manifest {
    struct mg_manifest_head head; // magic, checksum, length and counts are set by encoding
    struct mg_manifest_run_entry *runs;
    struct mg_manifest_segment *segments;
    struct mg_manifest_intent *intents;
    uint32_t nruns, nsegments, nintents;
};
void mg_manifest_fini(struct mg_manifest *m);

// The order of entries is the caller's and is kept. Keys are copied.
void mg_manifest_add_run(struct mg_manifest *m, const struct mg_manifest_run *about, mg_slice min_key,
                         mg_slice max_key);
void mg_manifest_add_segment(struct mg_manifest *m, const struct mg_manifest_segment *segment);
// Files first..first + count - 1 may be there without being listed, and are then garbage.
void mg_manifest_add_intent(struct mg_manifest *m, uint64_t job, uint64_t first, uint32_t count);
// By id of file, or of job. False: not listed.
bool mg_manifest_remove_run(struct mg_manifest *m, uint64_t file);
bool mg_manifest_remove_segment(struct mg_manifest *m, uint64_t file);
bool mg_manifest_remove_intent(struct mg_manifest *m, uint64_t job);

// The bytes of a slot, appended to out.
void mg_manifest_encode(const struct mg_manifest *m, struct mg_buf *out);
// Into an empty m. MG_OK; MG_ECORRUPT: damaged or impossible; MG_EUNSUPPORTED: whole, but of a newer version. m is
// empty after an error.
int mg_manifest_decode(struct mg_manifest *m, const void *p, size_t n);

// ---- on disk

enum mg_slot_state {
    MG_SLOT_MISSING, // there is no such file
    MG_SLOT_VALID,
    MG_SLOT_DAMAGED, // torn by a crash while it was written, or rotten: nobody can tell
    MG_SLOT_NEWER,   // of a newer version of the server
};

struct mg_manifest_loaded {
    enum mg_slot_state slots[2];
    uint64_t generations[2]; // of valid ones
    int used;                // the slot that was read; -1: none
    bool same;               // both are valid, list the same files and replay from the same page
    struct mg_disk_why why;  // after an error
};

// Reads both slots and keeps the newer valid one. MG_ENOTFOUND: this directory holds no file of a store (at most a
// torn first manifest: it is stored before any other file is created), it is a new one.
// MG_ECORRUPT, MG_EIO, MG_EUNSUPPORTED: no slot can be read, though there are files (`why` says it in a sentence).
// With MG_OK one slot may be damaged: the caller reports it.
int mg_manifest_load(struct mg_disk *d, struct mg_manifest *m, struct mg_manifest_loaded *out);
// Makes a slot durable. What a killed process wrote last can be read, but a power cut may yet take it: so this comes
// before everything that relies on it (mg_manifest_store and mg_manifest_check_files call it).
int mg_manifest_settle(struct mg_disk *d, int slot, struct mg_disk_why *why);
// Settles the present slot, then writes m as the next generation to the other one and syncs that. After an error the
// outcome is unknown: the old or the new generation is there after a crash; m->head.generation is as before.
int mg_manifest_store(struct mg_disk *d, struct mg_manifest *m, struct mg_disk_why *why);

// ---- files

enum mg_table_file { MG_FILE_SEGMENT, MG_FILE_RUN, MG_FILE_RUN_COPY };

#define MG_FILE_NAME_MAX 40
// "segments/%016x.seg", "tables/%016x.run", "tables/%016x.dup"
void mg_table_file_name(char name[MG_FILE_NAME_MAX], enum mg_table_file kind, uint64_t id);
// The reverse, for an entry of a folder. False: not a name of this kind.
bool mg_table_file_parse(const char *entry, enum mg_table_file *kind, uint64_t *id);

enum mg_file_fate {
    MG_FATE_MISSING,   // listed, but not there
    MG_FATE_SIZE,      // listed, but of another size
    MG_FATE_GARBAGE,   // of an unfinished job: deleted
    MG_FATE_ASIDE,     // nothing lists it: moved to lost+found
    MG_FATE_LEFT,      // nothing lists it, and it stays where it is since one slot is damaged
    MG_FATE_FAILED,    // could not be moved or deleted; err says why
};

struct mg_file_finding {
    enum mg_file_fate fate;
    const char *name; // valid during the call
    enum mg_table_file kind; // of one that has an id
    uint64_t id, size, want; // want: the listed size
    bool survivable;  // missing or of a wrong size, but the other copy of the run is there
    int err;
};

struct mg_file_check {
    // Called for each finding; may be NULL.
    void (*found)(void *arg, const struct mg_file_finding *f);
    void (*going)(void *arg, const struct mg_file_finding *f); // before one is deleted; may be NULL
    void *arg;
    bool look_only;    // change nothing
    // results
    uint64_t max_id;   // of all files that have an id: ids given out from now on must be greater
    uint32_t lost;     // listed files that are missing or of a wrong size without a copy
    uint32_t garbage, aside, left;
};

// Compares the folders with the manifest. First call it with look_only, open what it lists, and only if the primary
// runs can be read call it again: then what nothing lists goes. It never touches a file while one slot is damaged, for
// the newer generation may have listed it; intents must then stay in the manifest.
int mg_manifest_check_files(struct mg_disk *d, const struct mg_manifest *m, const struct mg_manifest_loaded *loaded,
                            struct mg_file_check *check, struct mg_disk_why *why);
// Moves a file into lost+found, where it is called `as`, with a number behind if that name is taken: what is there is
// never overwritten.
int mg_put_aside(struct mg_disk *d, const char *name, const char *as);

#endif
