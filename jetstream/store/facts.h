// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the keeper knows of the streams: facts of one moment, the seal of the last checkpoint. From them it decides
// which files hold nothing any more, which rows mean nothing any more, and which segments are worth rewriting.
//
// A fact never becomes wrong, only old: numbers of streams are not used twice, `first` and `epoch` only grow, a removed
// message stays removed. So what was garbage at the seal is garbage for ever, and what is decided by facts that are at
// least as new as the files it is about needs no word with the parts.
//
// What the keeper knew before is still true but for what has changed: a part tells at its seal which streams there are,
// and of their stretches only those from which messages were removed, and not those that `first` has passed: nothing in
// them lives, whatever was told.
//
// Plain data without threads or I/O.
#ifndef MG_JETSTREAM_STORE_FACTS_H
#define MG_JETSTREAM_STORE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/slice.h"

// Messages of a stream in one section of a segment. Ascending and apart from each other within a stream.
struct mg_fact_stretch {
    uint64_t segment;
    uint64_t first_seq, last_seq; // of the section
    uint32_t live : 31;           // messages in the section that are not removed
    uint32_t whole : 1;           // none is
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct mg_fact_stretch) <= 28, "permanent memory of a segment");

static inline struct mg_fact_stretch mg_fact_stretch_of(uint64_t segment, uint64_t first, uint64_t last,
                                                        uint32_t messages, uint32_t live) {
    return (struct mg_fact_stretch){segment, first, last, live & UINT32_C(0x7fffffff), live == messages};
}

struct mg_fact {
    uint64_t stream;
    uint64_t first;         // every message below it is removed
    int64_t dedupe_before;  // message ids of this time and before mean nothing any more
    uint32_t epoch;         // of subject rows; older ones mean nothing
    bool packed;            // in new segments its messages are
    uint32_t at, len;       // its stretches
};

// What a part tells of a stretch.
struct mg_fact_change {
    uint64_t stream;
    struct mg_fact_stretch at;
};

// In blocks, so that no growth moves what is there.
#define MG_FACT_CHANGES 256u
struct mg_fact_changes {
    struct mg_fact_changes *next; // an older one
    uint32_t len;
    struct mg_fact_change at[MG_FACT_CHANGES];
};

// Zeroed is empty.
struct mg_facts {
    struct mg_fact *streams; // every stream with file storage; ascending once sorted
    uint32_t len, cap;
    struct mg_fact_stretch *stretches;
    uint32_t stretches_len, stretches_cap;
    struct mg_fact_changes *told;   // of stretches, as they were added
    struct mg_fact_change *changes; // the same once sorted; joined with those of older facts
    uint32_t changes_len;
};
void mg_facts_fini(struct mg_facts *f);
void mg_facts_reserve(struct mg_facts *f, uint32_t streams);    // empty: so many without a copy
void mg_facts_add(struct mg_facts *f, const struct mg_fact *x); // without its stretches
// To the stream that was added last, behind its others.
void mg_facts_add_stretch(struct mg_facts *f, struct mg_fact_stretch s);
void mg_facts_add_change(struct mg_facts *f, uint64_t stream, struct mg_fact_stretch s);
void mg_facts_sort(struct mg_facts *f); // streams and changes; once
// The streams of `now`, each with the stretches that `old` has of it and how many live in them as the changes of `now`
// say, if they do. Both are sorted, `out` is empty and will be sorted.
void mg_facts_join(struct mg_facts *out, const struct mg_facts *now, const struct mg_facts *old);
const struct mg_fact *mg_facts_find(const struct mg_facts *f, uint64_t stream); // NULL; sorted

// What all segments hold; ascending ids.
struct mg_fact_segment {
    uint64_t id, live;
    uint32_t stretches;
};
struct mg_fact_segment *mg_facts_segments(const struct mg_facts *f, uint32_t *n); // the caller's: mg_free
const struct mg_fact_segment *mg_fact_segment_find(const struct mg_fact_segment *list, uint32_t n, uint64_t id);

// Is it in an ascending list?
bool mg_ids_have(const uint64_t *ids, uint32_t n, uint64_t id);

// May a row of a table that is not newer than the facts be left out when the table is rewritten? Tombstones are always
// wanted: they hide rows of older tables.
bool mg_facts_row_is_garbage(const struct mg_facts *f, mg_slice key, mg_slice value);

#endif
