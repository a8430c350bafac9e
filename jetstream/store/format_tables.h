// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Formats of the immutable files (runs and segments) and of the manifest, in the notation of format.h: F(type, name,
// text). Numbers are little-endian; structures are packed without holes.
//
// Both kinds of files are made of *frames*: a header, a payload, zeroes up to a multiple of 8. Who points at a frame
// knows its offset and its length. The checksum is XXH3-64 of the payload; its seed mixes the file's seed, the frame's
// offset, length and kind, so a frame at a wrong place, or of another file, is as wrong as a flipped bit.
//
//   run:      head (64)  { data frame* , part frame }*            top  [zeroes]  top  [zeroes]  foot  foot
//   segment:  head (64)  { [dict dict], records, leaf*, subjects*, bloom*, dir dir, index index }*   sections sections
//             foot  foot
//
// A foot fills the last MG_FOOT_BYTES of the file, a copy stands before it.
#ifndef MG_STORE_FORMAT_TABLES_H
#define MG_STORE_FORMAT_TABLES_H

#include "jetstream/store/format.h"

#define MG_RUN_MAGIC UINT64_C(0x314e55522d47494d)      // "MIG-RUN1"
#define MG_SEGMENT_MAGIC UINT64_C(0x314745532d47494d)  // "MIG-SEG1"
#define MG_MANIFEST_MAGIC UINT64_C(0x314e414d2d47494d) // "MIG-MAN1"

enum {
    MG_RUN_VERSION = 1,
    MG_SEGMENT_VERSION = 2, // 1: no packed records, no dictionaries
    MG_MANIFEST_VERSION = 1,
    MG_FOOT_BYTES = 4096, // of one copy, with zeroes
    MG_FILE_HEAD_BYTES = 64,
};

// ---- both kinds of files

#define MG_FILE_HEAD_FIELDS(F)                                                                                         \
    F(u64, magic, "MIG-RUN1 or MIG-SEG1")                                                                              \
    F(u32, version, "of the format")                                                                                   \
    F(u32, flags, "0")                                                                                                 \
    F(u64, file, "the file's id")                                                                                      \
    F(u64, salt, "the store's salt")                                                                                   \
    F(u64, checksum, "XXH3-64 of the 32 bytes before")

#define MG_FRAME_HEAD_FIELDS(F)                                                                                        \
    F(u32, length, "bytes of the payload")                                                                             \
    F(u32, kind, "of the payload")                                                                                     \
    F(u64, checksum, "of the payload; seeded with file, offset, length and kind")

// ---- runs

#define MG_RUN_FOOT_FIELDS(F)                                                                                          \
    F(u64, magic, "MIG-RUN1")                                                                                          \
    F(u32, version, "of the format")                                                                                   \
    F(u32, flags, "0")                                                                                                 \
    F(u64, file, "the file's id")                                                                                      \
    F(u64, salt, "the store's salt")                                                                                   \
    F(u64, size, "bytes of the file")                                                                                  \
    F(u64, rows, "tombstones included")                                                                                \
    F(u64, tombstones, "rows that say: deleted")                                                                       \
    F(u64, row_bytes, "keys and values")                                                                               \
    F(u64, top, "offset of the top frame")                                                                             \
    F(u64, top_copy, "offset of its copy")                                                                             \
    F(u32, top_length, "bytes of its payload")                                                                         \
    F(u32, parts, "number of parts")                                                                                   \
    F(u64, checksum, "XXH3-64 of all bytes before")

// The top frame: this, the greatest key, then a block of rows: first key of a part -> part.
#define MG_RUN_TOP_FIELDS(F)                                                                                           \
    F(u32, key_length, "bytes of the greatest key, which follows")                                                     \
    F(u32, reserved, "0")

#define MG_RUN_PART_FIELDS(F)                                                                                          \
    F(u64, data, "offset of the part's first data frame")                                                              \
    F(u64, offset, "of the part frame, right behind its data frames")                                                  \
    F(u32, length, "bytes of its payload")                                                                             \
    F(u32, rows, "in the part")

// A part frame: this, the filter of the part's keys, then a block of rows: first key of a data frame -> block.
#define MG_RUN_PART_HEAD_FIELDS(F)                                                                                     \
    F(u32, lines, "of 64 bytes in the filter; 0: no filter")                                                           \
    F(u32, blocks, "number of data frames")

#define MG_RUN_BLOCK_FIELDS(F)                                                                                         \
    F(u32, offset, "of the data frame, from the part's first one")                                                     \
    F(u32, length, "bytes of its payload, a block of rows")

// ---- segments

#define MG_SEGMENT_FOOT_FIELDS(F)                                                                                      \
    F(u64, magic, "MIG-SEG1")                                                                                          \
    F(u32, version, "of the format")                                                                                   \
    F(u32, flags, "0")                                                                                                 \
    F(u64, file, "the file's id")                                                                                      \
    F(u64, salt, "the store's salt")                                                                                   \
    F(u64, size, "bytes of the file")                                                                                  \
    F(u64, messages, "in all sections")                                                                                \
    F(u64, record_bytes, "of all records")                                                                             \
    F(u64, sections_at, "offset of the first frame of sections")                                                       \
    F(u64, sections_copy, "offset of the copies")                                                                      \
    F(u32, sections, "number of sections")                                                                             \
    F(u32, reserved, "0")                                                                                              \
    F(i64, min_time, "earliest time of a record, ns")                                                                  \
    F(i64, max_time, "latest time of a record, ns")                                                                    \
    F(u64, checksum, "XXH3-64 of all bytes before")

// Sections are sorted by (stream, first seq); a frame holds MG_SECTIONS_A_FRAME of them, the last one fewer.
#define MG_SECTION_FIELDS(F)                                                                                           \
    F(u64, stream, "the stream's id")                                                                                  \
    F(u64, first_seq, "of its first record")                                                                           \
    F(u64, last_seq, "of its last record")                                                                             \
    F(u64, data, "offset of its first record")                                                                         \
    F(u64, data_bytes, "of its records")                                                                               \
    F(u64, dir, "offset of the dir frame; with one leaf: of the leaf")                                                 \
    F(u64, dir_copy, "offset of the copy; with one leaf: 0")                                                           \
    F(u64, index, "offset of the index of subjects; with one block: of the block")                                     \
    F(u64, index_copy, "offset of the copy; with one block: 0")                                                        \
    F(u64, bloom, "offset of the first frame of the filter over subjects")                                             \
    F(u32, dir_length, "bytes of the payload")                                                                         \
    F(u32, index_length, "bytes of the payload")                                                                       \
    F(u32, messages, "number of records")                                                                              \
    F(u32, leaves, "number of leaf frames")                                                                            \
    F(u32, subjects, "number of distinct subjects")                                                                    \
    F(u32, blocks, "of subjects")                                                                                      \
    F(u32, bloom_lines, "of 64 bytes; 0: no filter")                                                                   \
    F(u32, dict_length, "bytes of the dictionary's payload; 0: none")                                                  \
    F(i64, min_time, "earliest time of a record, ns")                                                                  \
    F(i64, max_time, "latest time of a record, ns")

// The dictionary of a section's packed records: bytes of some of its records. Its frame ends where the records begin; a
// copy of it begins in front of it, the frame's size, rounded up to 4096, away.

// The dir frame: one of these for each leaf.
#define MG_DIR_ROW_FIELDS(F)                                                                                           \
    F(u64, first_seq, "of the leaf's first record")                                                                    \
    F(u64, last_seq, "of its last record")                                                                             \
    F(u64, offset, "of the leaf frame")                                                                                \
    F(u32, length, "bytes of its payload")                                                                             \
    F(u32, messages, "in the leaf")                                                                                    \
    F(u32, data, "offset of its first record / 8, from the section's first record")                                    \
    F(u32, data_end, "end of its last record / 8")                                                                     \
    F(i64, min_time, "earliest time of a record, ns")                                                                  \
    F(i64, max_time, "latest time of a record, ns")

// A leaf frame: this, `messages` entries {u32 subject's ordinal, u32 offset / 8 from the section's first record}, if
// sparse `messages` u32 (seq - first_seq), then `blocks` blocks of about 32 KB of records.
#define MG_LEAF_HEAD_FIELDS(F)                                                                                         \
    F(u64, first_seq, "of the first record")                                                                           \
    F(u32, messages, "number of entries")                                                                              \
    F(u32, blocks, "number of blocks")                                                                                 \
    F(u32, sparse, "1: sequences have holes and are listed")                                                           \
    F(u32, data_end, "end of the last record / 8")

#define MG_LEAF_BLOCK_FIELDS(F)                                                                                        \
    F(u64, first_seq, "of the block's first record")                                                                   \
    F(u32, entry, "number of its first entry in the leaf")                                                             \
    F(u32, data, "offset of its first record / 8")                                                                     \
    F(i64, min_time, "earliest time of a record, ns")                                                                  \
    F(i64, max_time, "latest time of a record, ns")

// The index of subjects: a block of rows: first subject of a block -> this.
#define MG_SUBJECT_BLOCK_FIELDS(F)                                                                                     \
    F(u64, offset, "of the frame, a block of rows: subject -> count, first seq, last seq (varints)")                   \
    F(u32, length, "bytes of its payload")                                                                             \
    F(u32, ordinal, "of its first subject")

// ---- the manifest: its head, then runs (each followed by its two keys), segments, intents

#define MG_MANIFEST_HEAD_FIELDS(F)                                                                                     \
    F(u64, magic, "MIG-MAN1")                                                                                          \
    F(u32, version, "of the format")                                                                                   \
    F(u32, flags, "1: the journal's folder has the name of a file, also when nothing was written yet")                 \
    F(u64, checksum, "XXH3-64 of all bytes behind; seed: the 8 bytes before")                                          \
    F(u64, length, "bytes of all, this head included")                                                                 \
    F(u64, generation, "of the manifest; odd ones are in manifest-1")                                                  \
    F(bytes(16), store, "the store's id")                                                                              \
    F(u64, salt, "the store's salt")                                                                                   \
    F(u64, ring_pages, "pages of the journal's ring")                                                                  \
    F(u32, page_bytes, "bytes of a page")                                                                              \
    F(u32, ring_file_pages, "pages of one file of the ring")                                                           \
    F(u64, incarnation, "of the journal")                                                                              \
    F(u64, next_file, "ids from here on are free")                                                                     \
    F(u64, replay_from, "the page of the journal where recovery begins")                                               \
    F(u32, runs, "number of runs")                                                                                     \
    F(u32, segments, "number of segments")                                                                             \
    F(u32, intents, "number of intents")                                                                               \
    F(u32, reserved, "0")

#define MG_MANIFEST_RUN_FIELDS(F)                                                                                      \
    F(u64, file, "id")                                                                                                 \
    F(u64, size, "bytes of the file")                                                                                  \
    F(u64, foot_sum, "checksum of its foot")                                                                           \
    F(u64, rows, "tombstones included")                                                                                \
    F(u32, level, "0: newest")                                                                                         \
    F(u32, flags, "1: primary, there is a copy")                                                                       \
    F(u32, min_length, "bytes of the smallest key, which follows")                                                     \
    F(u32, max_length, "bytes of the greatest key, which follows")

#define MG_MANIFEST_SEGMENT_FIELDS(F)                                                                                  \
    F(u64, file, "id")                                                                                                 \
    F(u64, size, "bytes of the file")                                                                                  \
    F(u64, foot_sum, "checksum of its foot")                                                                           \
    F(u64, messages, "in all sections")                                                                                \
    F(u32, sections, "number of sections")                                                                             \
    F(u32, age, "of the checkpoint that wrote its newest messages: 1 and counting")

#define MG_MANIFEST_INTENT_FIELDS(F)                                                                                   \
    F(u64, job, "the job's number")                                                                                    \
    F(u64, first, "the first file that it may create")                                                                 \
    F(u32, count, "of files")                                                                                          \
    F(u32, reserved, "0")

// ---- all of them

// X(lower, UPPER, size, "title")
#define MG_TABLE_FORMATS(X)\
    X(file_head, FILE_HEAD, 40, "Head of a run or segment")                                                            \
    X(frame_head, FRAME_HEAD, 16, "Head of a frame")                                                                   \
    X(run_foot, RUN_FOOT, 96, "Foot of a run")                                                                         \
    X(run_top, RUN_TOP, 8, "Top of a run")                                                                             \
    X(run_part, RUN_PART, 24, "Line of the top: a part")                                                               \
    X(run_part_head, RUN_PART_HEAD, 8, "Head of a part")                                                               \
    X(run_block, RUN_BLOCK, 8, "Line of a part's index: a block of rows")                                              \
    X(segment_foot, SEGMENT_FOOT, 104, "Foot of a segment")                                                            \
    X(section, SECTION, 128, "Section of a segment")                                                                   \
    X(dir_row, DIR_ROW, 56, "Line of a dir: a leaf")                                                                   \
    X(leaf_head, LEAF_HEAD, 24, "Head of a leaf")                                                                      \
    X(leaf_block, LEAF_BLOCK, 32, "Block of records in a leaf")                                                        \
    X(subject_block, SUBJECT_BLOCK, 16, "Line of an index of subjects")                                                \
    X(manifest_head, MANIFEST_HEAD, 120, "Head of a manifest")                                                         \
    X(manifest_run, MANIFEST_RUN, 48, "Run in a manifest")                                                             \
    X(manifest_segment, MANIFEST_SEGMENT, 40, "Segment in a manifest")                                                 \
    X(manifest_intent, MANIFEST_INTENT, 24, "Intent in a manifest")

MG_TABLE_FORMATS(MG_FORMAT)

#endif
