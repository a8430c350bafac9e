// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Open files of a store, counted: segments, and the set of table runs that one moment's reads see. They are shared by
// parts, readers and the keeper. The last one who lets a file go does not close it, since that may block: it is handed
// to the keeper, who also deletes it if it was replaced (`doomed`) and the manifest does not name it any more.
//
// A store may have very many segments, so what there is of each is small, and none is opened before it is needed: a
// bounded number of those that were used last is kept open (segment_pool.c).
#ifndef MG_JETSTREAM_STORE_SEGMENTS_H
#define MG_JETSTREAM_STORE_SEGMENTS_H

#include <stdatomic.h>

#include "jetstream/store/inbox.h"
#include "jetstream/store/manifest.h"
#include "jetstream/store/run.h"
#include "jetstream/store/segment.h"

struct mg_store;
struct mg_file;
struct mg_merge;

struct mg_segment_ref {
    union {
        struct {
            uint64_t messages; // in all sections
            uint32_t sections;
            uint32_t age;      // the keeper's: of the checkpoint that wrote its newest messages
        };
        struct mg_parcel parcel; // when the last one has let it go
        struct mg_segment_ref *next_free;
    };
    uint64_t id, size, foot_sum;
    atomic_uint refs;
    atomic_bool doomed;
    atomic_bool footless; // both its feet were found damaged, or the file was not there at the start
    // The keeper's.
    bool busy : 1;       // input of a job: stays in the manifest until the job ends
    bool left_alone : 1; // it is damaged, or does not agree with the facts: never rewritten
    uint8_t place;       // in its block
};
_Static_assert(sizeof(struct mg_segment_ref) <= 48, "permanent memory of a segment");

// They lie in blocks that know the store.
#define MG_SEGMENT_BLOCK 128u
struct mg_segment_block {
    struct mg_store *store;
    struct mg_segment_block *next; // of the pool's
    struct mg_segment_ref refs[MG_SEGMENT_BLOCK];
};
static inline struct mg_store *mg_segment_store(struct mg_segment_ref *g) {
    return mg_container_of(g - g->place, struct mg_segment_block, refs[0])->store;
}

// One that the manifest names, or will. Reads nothing.
struct mg_segment_ref *mg_segment_ref_new(struct mg_store *st, const struct mg_manifest_segment *about);
struct mg_manifest_segment mg_segment_ref_about(const struct mg_segment_ref *g); // for the manifest
struct mg_segment_ref *mg_segment_ref_get(struct mg_segment_ref *g);
void mg_segment_ref_put(struct mg_segment_ref *g); // any thread; NULL is fine

// The segment, open until mg_segment_unuse. Both block. MG_ECORRUPT, MG_EIO: it was told.
int mg_segment_use(struct mg_segment_ref *g, const struct mg_segment **out);
void mg_segment_unuse(struct mg_segment_ref *g);

struct mg_run_ref {
    struct mg_parcel parcel;
    atomic_uint refs;
    atomic_bool doomed;
    struct mg_store *store;
    struct mg_file *main, *copy;
    struct mg_run *run;
    uint64_t id, size, foot_sum;
    bool primary;
    // The keeper's.
    unsigned busy;  // input of so many merges that run: of one at most
    bool warm;      // its filters are in memory
    uint32_t tried; // there was no room for them, when so many runs had been closed
};
struct mg_run_ref *mg_run_ref_get(struct mg_run_ref *r);
void mg_run_ref_put(struct mg_run_ref *r); // any thread; NULL is fine

// Immutable; newest first.
struct mg_runset {
    atomic_uint refs;
    uint32_t count;
    struct mg_run_ref *runs[];
};
// Takes references of its own.
struct mg_runset *mg_runset_new(struct mg_run_ref *const *runs, uint32_t count);
struct mg_runset *mg_runset_ref(struct mg_runset *s);
void mg_runset_unref(struct mg_runset *s); // any thread; NULL is fine
// The runs of a kind, newest first, without references; the array is the caller's (mg_free). NULL: there are none.
struct mg_run_ref **mg_runset_kind(const struct mg_runset *s, bool primary, uint32_t *n);
// Their rows, read as one without tombstones; NULL: there are no runs of the kind. The set stays while it lives.
// bulk as in mg_run_iter_new.
struct mg_merge *mg_runset_merge(const struct mg_runset *s, bool primary, bool bulk);
// False: no run has the key, as ranges and the filters in memory say. Never blocks.
bool mg_runset_may_have(const struct mg_runset *s, mg_slice key);
// Blocks. MG_OK with the value copied behind out, MG_ENOTFOUND, MG_ECORRUPT, MG_EIO.
int mg_runset_get(const struct mg_runset *s, mg_slice key, struct mg_buf *out);

// Writes zeros over a segment's file: blocks of a file that is only deleted keep what is in them. Blocks.
void mg_file_overwrite(struct mg_store *st, uint64_t id, uint64_t size);
// Blocking, the keeper and the start: opens what the manifest names.
int mg_run_ref_open(struct mg_run_ref **out, struct mg_store *st, uint64_t id, uint64_t size, uint64_t sum,
                    bool primary);

#endif
