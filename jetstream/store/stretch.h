// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Stretches: which numbers of a stream are in which segment. All of them stay in memory, so they hold only what a shard
// decides by; where the records are within the file says the segment's section, which is read (through the block cache)
// by the thread that needs it.
#ifndef MG_JETSTREAM_STORE_STRETCH_H
#define MG_JETSTREAM_STORE_STRETCH_H

#include "jetstream/store/rows.h"
#include "jetstream/store/segments.h"

// Messages of a stream in one section of a segment.
struct mg_stretch {
    uint64_t first_seq, last_seq;
    struct mg_segment_ref *segment; // a reference
    uint32_t section;  // its ordinal in the segment
    uint32_t messages; // in the section
    uint32_t live;     // of these, not removed since; for the choice of compaction
    uint32_t max_time : 31; // of its messages, 2^32 ns; see mg_stretch_reaches
    uint32_t stale : 1;     // `live` is not what the row says
};
_Static_assert(sizeof(struct mg_stretch) <= 40, "permanent memory of a segment");

// `segment`: the caller's reference becomes the stretch's. All messages live.
struct mg_stretch mg_stretch_of(struct mg_segment_ref *segment, uint32_t section, const struct mg_section *at);
static inline void mg_stretch_set_live(struct mg_stretch *c, uint64_t live) {
    if (live > c->messages) live = c->messages;
    if (c->live == live) return;
    c->live = (uint32_t)live;
    c->stale = true;
}
// May one of its messages be of this time (ns) or later? To some seconds.
bool mg_stretch_reaches(const struct mg_stretch *c, int64_t time);
// None of its messages is of a later time (ns).
int64_t mg_stretch_latest(const struct mg_stretch *c);
// About how many bytes of the segment it has.
uint64_t mg_stretch_bytes(const struct mg_stretch *c);

// Opens the segment and finds the section, which must be as the stretch says. Blocks. MG_ECORRUPT, MG_EIO. After
// success, mg_stretch_close ends it.
int mg_stretch_open(const struct mg_stretch *c, uint64_t stream, const struct mg_segment **segment,
                    struct mg_section *at);
void mg_stretch_close(const struct mg_stretch *c);

// Its row.
#define MG_STRETCH_KEY (MG_ROW_KEY_HEAD + 8u)
void mg_stretch_key(uint64_t stream, uint64_t first_seq, char key[MG_STRETCH_KEY]);
void mg_stretch_encode(uint64_t stream, const struct mg_stretch *c, char key[MG_STRETCH_KEY],
                       char value[MG_STRETCH_ROW_SIZE]);
// All but the segment, whose id it gives. MG_ECORRUPT.
int mg_stretch_decode(mg_slice key, mg_slice value, uint64_t *segment, struct mg_stretch *out);

#endif
