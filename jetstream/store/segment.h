// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Segments: immutable files of messages. A segment holds *sections*, sorted by (stream, sequence): the records of one
// stream as they were in the journal, or packed, then what finds them (format_tables.h):
//
//   leaf      1,024 messages at most: where each one is and which subject it has, times of each 32 KB of records
//   dir       where the leaves are, with their sequences and times; twice
//   subjects  sorted, with count, first and last sequence; an index of them, twice; a filter
//
// A stream may have several sections in a segment, one after the other: a section ends at a million messages, so that
// who writes or reads one needs a bounded memory.
//
// Records of streams that ask for it are *packed* (packed.h), with a dictionary for each section that is long enough.
// The dictionary stands twice; where neither copy can be read, its section's packed records cannot be.
//
// Damage: a record that cannot be read is an error for its sequence, and for no other. A damaged leaf is computed again
// from the records, a dir from the leaves, an unknown subject is looked up in the record: slower, but right. Where even
// that fails the answer is MG_ECORRUPT (MG_EIO if the device said so), never "not found" and never another record.
// Deletions are not in here: who asks knows them.
//
// Readers block; they run on the store's own threads. An open segment is immutable and may be used by any number of
// them; walks, scans and buffers belong to one. Memory of an open segment: sizeof(struct mg_segment), at most 128
// bytes, and whatever the cache holds.
#ifndef MG_STORE_SEGMENT_H
#define MG_STORE_SEGMENT_H

#include "jetstream/store/frame.h"
#include "jetstream/store/record.h"

// ---- writing

struct mg_segment_options {
    const struct mg_table_env *env;
    uint64_t file;             // id
    uint32_t section_messages; // in a section; 0: 1,048,576
    uint32_t section_subjects; // bytes of its distinct subjects; 0: 16 MB
    uint64_t section_bytes;    // of its records; 0: 1 GB
    uint32_t dict_bytes;       // of a dictionary; 0: 16 KB. A section with less than four times as much has none
    // Each finished section, in order; may be NULL.
    void (*section)(void *arg, uint32_t ordinal, const struct mg_section *section);
    void *arg;
};

struct mg_segment_summary {
    uint64_t file, size, messages, record_bytes, foot_sum;
    uint32_t sections;
    int64_t min_time, max_time; // 0 without messages
};

struct mg_segment_builder;
// Writes through w, which is at its start and stays the caller's.
struct mg_segment_builder *mg_segment_builder_new(const struct mg_segment_options *o, struct mg_file_writer *w);
void mg_segment_builder_free(struct mg_segment_builder *b);
// Adds an encoded record that this process wrote or has checked. (stream, seq) ascend, sequences are at least 1,
// the subject is not empty: MG_EINVAL otherwise. MG_ERANGE: the section becomes too long. Or the writer's error.
int mg_segment_builder_add(struct mg_segment_builder *b, const void *record);
// Sections end at mg_segment_builder_break and with their stream only, not at limits.
void mg_segment_builder_unlimited(struct mg_segment_builder *b);
// From the next section on: records are packed, or not.
void mg_segment_builder_pack(struct mg_segment_builder *b, bool pack);
// What follows is in a new section, also if it is of the same stream.
void mg_segment_builder_break(struct mg_segment_builder *b);
// The section that is being built: messages, bytes of records (unpacked), bytes of distinct subjects.
void mg_segment_builder_section(const struct mg_segment_builder *b, uint64_t *messages, uint64_t *bytes,
                                uint64_t *subjects);
// Writes what is left. The file is complete, but neither synced nor closed.
int mg_segment_builder_finish(struct mg_segment_builder *b, struct mg_segment_summary *out);

// ---- reading: the file and its sections

struct mg_segment {
    struct mg_frame_file file;
    uint64_t sections_at, sections_copy, messages, record_bytes;
    uint64_t foot_sum;
    uint32_t sections;
};
_Static_assert(sizeof(struct mg_segment) <= 128, "permanent memory of a segment");

// Reads the foot only. The blob is borrowed until close. size and foot_sum: as the summary had them; foot_sum 0: any.
int mg_segment_open(struct mg_segment **out, const struct mg_table_env *env, struct mg_blob blob, uint64_t file,
                    uint64_t size, uint64_t foot_sum);
void mg_segment_close(struct mg_segment *g);

// Section number `ordinal`. MG_ENOTFOUND, MG_ECORRUPT, MG_EIO. A struct mg_section is plain data: it may be kept,
// packed into a row and used with this segment again. The functions below check what they need of it.
int mg_segment_section(const struct mg_segment *g, uint32_t ordinal, struct mg_section *out);
// The first section of the stream that ends at or behind seq. MG_ENOTFOUND: none does.
int mg_segment_find(const struct mg_segment *g, uint64_t stream, uint64_t seq, uint32_t *ordinal,
                    struct mg_section *out);

// ---- one record

// Where a message is. With MG_ECORRUPT or MG_EIO: the sequences seq..last_seq are those that cannot be read (of some of
// them it may be unknown whether they were there).
struct mg_section_entry {
    uint64_t seq, last_seq; // the same, except for damage
    uint64_t at;            // offset in the file
    uint32_t length;        // bytes of the record
    uint32_t subject;       // ordinal among the section's subjects; MG_SUBJECT_UNKNOWN
};
#define MG_SUBJECT_UNKNOWN UINT32_MAX

// Memory for a record; grows. Zeroed at the start.
struct mg_record_buf {
    uint8_t *p; // owned; the bytes in the file
    size_t cap;
    uint8_t *plain; // owned; what they become when they are packed
    size_t plain_cap;
    const uint8_t *record; // one of the two, or elsewhere: what was read last, as it was in the journal
    struct mg_block *dict; // the dictionary that was used last
    uint64_t dict_file, dict_at; // where it is; 0: none was looked for
    int dict_err;          // it cannot be read
};
void mg_record_buf_fini(struct mg_record_buf *b);

// Reads and checks a record: checksum, stream, sequence. The view points into buf.
int mg_section_read(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                    struct mg_record_buf *buf, struct mg_record_view *out);
// The record with this sequence. MG_ENOTFOUND: the section never had it.
int mg_section_get(const struct mg_segment *g, const struct mg_section *s, uint64_t seq, struct mg_record_buf *buf,
                   struct mg_record_view *out);

// ---- subjects

// A set of subjects as a question. prefix: bytes that all subjects of the set begin with (may be empty); literal: the
// prefix is the one subject, match is not asked. Borrowed.
struct mg_subject_match {
    bool (*match)(void *arg, mg_slice subject); // NULL: all that begin with the prefix
    void *arg;
    mg_slice prefix;
    bool literal;
};

struct mg_subject_stat {
    uint32_t ordinal, count;
    uint64_t first_seq, last_seq;
};

// One subject. MG_ENOTFOUND.
int mg_section_subject(const struct mg_segment *g, const struct mg_section *s, mg_slice subject,
                       struct mg_subject_stat *out);
// Calls fn for each subject of the set, in order, until it returns false. An error says that some are missing, since
// their block cannot be read; all others have been given.
int mg_section_subjects(const struct mg_segment *g, const struct mg_section *s, const struct mg_subject_match *m,
                        bool (*fn)(void *arg, mg_slice subject, const struct mg_subject_stat *stat), void *arg);

// The answer to a question for all subjects of a section: a bit each. To be kept while the section is walked.
struct mg_section_filter {
    const struct mg_subject_match *match; // for subjects that cannot be read
    uint64_t *bits;        // owned
    uint32_t nbits;
    uint32_t subjects;     // of the set
    uint64_t messages;     // with these subjects
    uint64_t first_seq, last_seq; // of these messages
    uint64_t *unknown;     // owned; subjects that could not be read: ask the record. NULL: none
};
// Never fails: what cannot be read becomes `unknown`.
struct mg_section_filter *mg_section_filter_new(const struct mg_segment *g, const struct mg_section *s,
                                                const struct mg_subject_match *m);
void mg_section_filter_free(struct mg_section_filter *f);
// Its subject is of the set, for sure: the record was not asked.
static inline bool mg_section_filter_has(const struct mg_section_filter *f, const struct mg_section_entry *e) {
    return e->subject < f->nbits && (f->bits[e->subject / 64] >> (e->subject % 64) & 1);
}
size_t mg_section_filter_size(const struct mg_section_filter *f); // bytes of memory

// ---- walking

// A place between two messages of a section. filter: NULL or one that stays while the walk lives.
struct mg_section_walk;
struct mg_section_walk *mg_section_walk_new(const struct mg_segment *g, const struct mg_section *s,
                                            const struct mg_section_filter *filter);
void mg_section_walk_free(struct mg_section_walk *w);
// Before the first message with a sequence >= seq.
void mg_section_walk_seek(struct mg_section_walk *w, uint64_t seq);
// The next (previous) message that the filter lets pass; no record is read unless metadata is damaged. MG_OK,
// MG_ENOTFOUND at the end; MG_ECORRUPT, MG_EIO: see mg_section_entry; the following call goes on behind.
int mg_section_walk_next(struct mg_section_walk *w, struct mg_section_entry *e);
int mg_section_walk_prev(struct mg_section_walk *w, struct mg_section_entry *e);

// A walk with the records. Reads ahead, up to `window` bytes at a time (0: 64 KB) once it sees that records come one
// after the other. once: it reads on from the beginning, and what was read will not be wanted again soon and need not
// stay in the page cache.
struct mg_section_scan;
struct mg_section_scan *mg_section_scan_new(const struct mg_segment *g, const struct mg_section *s,
                                            const struct mg_section_filter *filter, size_t window, bool once);
void mg_section_scan_free(struct mg_section_scan *c);
void mg_section_scan_seek(struct mg_section_scan *c, uint64_t seq);
// As mg_section_walk_next; the record is checked and stays until the next call.
int mg_section_scan_next(struct mg_section_scan *c, struct mg_section_entry *e, struct mg_record_view *out);
// The record that next gave, as it was in the journal. After an error: its bytes in the file (e->length of them); NULL:
// none were read.
const uint8_t *mg_section_scan_record(const struct mg_section_scan *c);

// ---- questions

// The last message of a subject with a sequence <= seq. On damage that may hide it: the error, and e says where.
int mg_section_last(const struct mg_segment *g, const struct mg_section *s, mg_slice subject, uint64_t seq,
                    struct mg_section_entry *e);
// The first message with a sequence >= seq and a time >= time. On damage as above.
int mg_section_first_at(const struct mg_segment *g, const struct mg_section *s, uint64_t seq, int64_t time,
                        struct mg_section_entry *e);
// Messages with a sequence >= seq that the filter (NULL: all) lets pass. Reads no leaf where the counts suffice.
int mg_section_count(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_filter *filter,
                     uint64_t seq, uint64_t *count);

// ---- looking after

struct mg_segment_health {
    uint64_t records, record_faults, frame_faults; // looked at, damaged
};
// Reads every byte past the cache, compares metadata with records, reports each fault. MG_OK if there is none, else the
// first error. pace: called after each piece, not MG_OK ends it with this error; may be NULL.
int mg_segment_verify(const struct mg_segment *g, int (*pace)(void *arg, size_t bytes), void *arg,
                      struct mg_segment_health *out);
// Adds all records that can be read to a builder, in order: a damaged segment becomes a whole one of what is left.
// Needs the list of sections. `lost` counts sequences in unreadable ranges.
int mg_segment_salvage(const struct mg_segment *g, struct mg_segment_builder *b, uint64_t *lost);

#endif
