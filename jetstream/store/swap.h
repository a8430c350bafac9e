// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The end of a compaction from a part's point of view: stretches of the segments that went are exchanged for those of
// the segments that took their place. Cold reads that are under way keep their references to the old ones.
//
// There may be very many streams in a few segments: it is done in slices, and the keeper waits for the end, for its
// next job is about the new ones.
#ifndef MG_JETSTREAM_STORE_SWAP_H
#define MG_JETSTREAM_STORE_SWAP_H

#include "jetstream/store/facts.h"
#include "jetstream/store/inbox.h"
#include "jetstream/store/segments.h"

struct mg_store_part;

// Neighbouring stretches of a stream that became one, or none when nothing in them lives.
struct mg_swap_group {
    uint64_t stream;
    uint64_t from, to;              // the numbers that they cover; apart from each other
    struct mg_segment_ref *segment; // the new one; NULL: none
    uint32_t section;               // in it: its ordinal,
    struct mg_section at;           // and what it says
    uint64_t row_live;              // what the new stretch's row says
};

struct mg_swap {
    struct mg_parcel parcel;
    struct mg_store_part *part;
    struct mg_worker *keeper;
    void (*swapped)(struct mg_parcel *p); // the keeper's, for the way back: frees it
    struct mg_swap *next;         // of the part's: a keeper that is closing does not wait for the one before
    uint32_t at;                  // of `groups`: the next one
    struct mg_swap_group *groups; // of the part's streams, ascending; with references
    uint32_t groups_len;
};
void mg_swap_arrived(struct mg_parcel *p);  // runs on the part: begins
bool mg_swap_step(struct mg_store_part *p); // in each turn: the next slice. True: there is more
void mg_swap_free(struct mg_swap *w);       // NULL is fine

#endif
