// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of segments share.
#ifndef MG_STORE_SEGMENT_IMPL_H
#define MG_STORE_SEGMENT_IMPL_H

#include "jetstream/store/packed.h"
#include "jetstream/store/run_block.h"
#include "jetstream/store/segment.h"

enum {
    SECTIONS_A_FRAME = 64,
    LEAF_MESSAGES = 1024,
    LEAF_BYTES = 1024 * 1024, // of records; a leaf ends with the record that reaches it
    BREATH = 128,             // records that are handled between two breaths (mg_thread_breathe)
    BLOCK_BYTES = 32 * 1024,  // of records in a block of a leaf
    BLOOM_FRAME_LINES = 256,
    SUBJECT_LOST = UINT32_MAX - 1, // in a rebuilt leaf: an entry that stands for an unreadable stretch
};

// ---- packing the records of a section that is being built (segment_pack.c)

// The first records are held back until there are enough of them to choose a dictionary from, or the section ends. Then
// the dictionary is written, they are packed, and so is what follows.
struct packing {
    uint32_t dict_bytes;     // as large should a dictionary be
    bool on;                 // the records of this section are packed
    bool holding;            // the dictionary is not chosen yet
    struct mg_buf held, dict, out;
    struct mg_compressor *c; // NULL while holding
    size_t since;            // bytes packed since the last breath
};

void packing_fini(struct packing *p);
void packing_begin(struct packing *p, bool on); // a section
// False: now is the time to choose.
bool packing_hold(struct packing *p, const void *record, uint32_t length);
mg_slice packing_choose(struct packing *p); // may be empty; holding ends
// The record as it is written, packed or as it was; until the next call.
mg_slice packing_pack(struct packing *p, const void *record, uint32_t length);

// Where the dictionary of a section is; its copy is mg_frame_size(length), rounded up to MG_FOOT_BYTES, in front of it.
static inline uint64_t section_dict_room(uint64_t length) {
    return (mg_frame_size(length) + MG_FOOT_BYTES - 1) & ~(uint64_t)(MG_FOOT_BYTES - 1);
}
static inline uint64_t section_dict_at(const struct mg_section *s) { return s->data - mg_frame_size(s->dict_length); }
static inline uint64_t section_dict_copy(const struct mg_section *s) {
    return section_dict_at(s) - section_dict_room(s->dict_length);
}

// ---- subjects of a section that is being built (segment_names.c)

struct name {
    uint64_t hash, first_seq, last_seq;
    size_t at; // in text
    uint32_t len, count;
};

struct names {
    uint64_t salt;
    struct mg_buf text;
    struct name *list;
    uint32_t n, cap;
    uint32_t *slots; // number + 1; 0: free
    uint32_t *sorted; // numbers in the order of their texts
    struct mg_buf index; // as it was written
    uint32_t nslots; // power of two
};

void names_init(struct names *t, uint64_t salt);
void names_fini(struct names *t);
void names_reset(struct names *t);
// Counts a message; returns the number of its subject, in order of appearance.
uint32_t names_add(struct names *t, mg_slice subject, uint64_t seq);
// Sorts; rank: what a number becomes.
void names_rank(struct names *t, uint32_t *rank);
// Then writes subjects, index and filter, and fills these fields of s; later the second copy of the index.
void names_write(struct names *t, const struct mg_segment_options *o, struct mg_file_writer *w, struct mg_section *s);
void names_write_copy(const struct names *t, const struct mg_segment_options *o, struct mg_file_writer *w,
                      struct mg_section *s);

// ---- dir and leaves (segment_leaf.c)

struct section_dir {
    struct mg_block *block; // NULL: single is the only row
    const uint8_t *rows;    // packed
    uint32_t n;
    uint8_t single[MG_DIR_ROW_SIZE];
};
// Cannot fail: a damaged one is made again of the leaves.
void section_dir_load(const struct mg_segment *g, const struct mg_section *s, struct section_dir *d);
void section_dir_release(struct section_dir *d);
void section_dir_row(const struct section_dir *d, uint32_t i, struct mg_dir_row *row);
// The first leaf that ends at or behind seq; d->n: none.
uint32_t section_dir_find(const struct section_dir *d, uint64_t seq);

struct section_leaf {
    struct mg_block *block;
    struct mg_dir_row row;
    struct mg_leaf_head head;
    const uint8_t *entries, *seqs, *blocks;
};
// Cannot fail: a damaged one is made again of the records.
void section_leaf_load(const struct mg_segment *g, const struct mg_section *s, const struct mg_dir_row *row,
                       struct section_leaf *leaf);
void section_leaf_release(struct section_leaf *leaf);
uint64_t section_leaf_seq(const struct section_leaf *leaf, uint32_t i);
// The first entry whose last sequence is >= seq; head.messages: none.
uint32_t section_leaf_find(const struct section_leaf *leaf, uint64_t seq);
// MG_OK; MG_ECORRUPT: the entry stands for a range that cannot be read, or is impossible. e is filled in both cases.
int section_leaf_entry(const struct mg_section *s, const struct section_leaf *leaf, uint32_t i,
                       struct mg_section_entry *e);

// ---- records in order, without metadata (segment_rescan.c)

struct rescan {
    const struct mg_segment *g;
    uint64_t stream, last_seq; // records that are not of the stream, or behind last_seq, are damage
    uint64_t seq;              // the next one is >= seq
    uint64_t at, end;          // in the file
    uint8_t *buf;              // owned
    uint64_t buf_at;
    size_t buf_len, cap;
    struct mg_stored found; // the record that was found
    uint64_t found_at;
    bool skipped; // there was damage in front of it, or at the end
};
void rescan_init(struct rescan *r, const struct mg_segment *g, const struct mg_section *s, uint64_t at, uint64_t end,
                 uint64_t seq, uint64_t last_seq);
void rescan_fini(struct rescan *r);
// False at the end.
bool rescan_next(struct rescan *r);

// Reads n bytes; pages that the device cannot read become zeroes, which no record is made of.
void segment_read_tolerant(const struct mg_segment *g, uint8_t *p, size_t n, uint64_t at);
void segment_report_record(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                           int err);
// Do the section's places lie within the file? MG_OK or MG_ECORRUPT.
int section_check(const struct mg_segment *g, const struct mg_section *s);
bool section_in_set(const struct mg_subject_match *m, mg_slice subject);
// Is this record the one that belongs there? If so, `out` is what it was in the journal, at buf->record: p, or what
// `buf` has room for when p is packed.
int section_open_record(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                        const uint8_t *p, struct mg_record_buf *buf, struct mg_record_view *out);

#endif
