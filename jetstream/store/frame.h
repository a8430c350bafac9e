// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Frames: the checked pieces of which runs and the metadata of segments are made (format_tables.h). Who points at a
// frame knows offset, length and kind. Reading goes through the block cache and falls back to the file's second copy.
#ifndef MG_STORE_FRAME_H
#define MG_STORE_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "jetstream/store/blob.h"
#include "jetstream/store/blockcache.h"
#include "jetstream/store/format_tables.h"
#include "server/base/slice.h"

// What a frame holds; X(name, value, text)
#define MG_FRAME_KINDS(X)                                                                                              \
    X(DATA, 1, "rows")                                                                                                 \
    X(PART, 2, "index and filter of a part")                                                                           \
    X(TOP, 3, "index of parts")                                                                                        \
    X(LEAF, 4, "index of messages")                                                                                    \
    X(DIR, 5, "index of leaves")                                                                                       \
    X(SUBJECTS, 6, "subjects")                                                                                         \
    X(INDEX, 7, "index of subjects")                                                                                   \
    X(BLOOM, 8, "filter of subjects")                                                                                  \
    X(SECTIONS, 9, "sections")                                                                                         \
    X(FILE_HEAD, 10, "head of the file")                                                                               \
    X(FOOT, 11, "foot of the file")                                                                                    \
    X(RECORD, 12, "record")                                                                                            \
    X(DICT, 13, "dictionary")

enum mg_frame_kind {
#define X(name, value, text) MG_FRAME_##name = (value),
    MG_FRAME_KINDS(X)
#undef X
};
const char *mg_frame_kind_text(uint32_t kind);

// Something that could not be read as it was written. Passed on by value, on the thread that found it.
struct mg_fault {
    uint64_t file;  // id
    uint64_t at;    // offset
    uint64_t bytes; // that could not be read there
    uint32_t kind;  // enum mg_frame_kind
    int err;        // MG_ECORRUPT, MG_EIO, MG_EEOF
    bool copy;      // in the second copy of the file
    bool healed;    // another copy, or the records themselves, gave the answer: nothing is lost
    uint64_t stream, seq; // of a record, otherwise 0
};

// What all readers of a store share. Constant while they run.
// Memory that the filters of all open runs may take together.
struct mg_filter_budget {
    atomic_size_t used;
    size_t max; // bytes
};

struct mg_table_env {
    struct mg_blockcache *cache; // NULL: none
    struct mg_filter_budget *filters; // NULL: no filter stays in memory
    uint64_t salt;               // the store's
    void (*report)(void *arg, const struct mg_fault *fault); // any of the store's threads; may be NULL
    void *arg;
};

// A file that frames are read from. Borrows the blobs and the env.
struct mg_frame_file {
    const struct mg_table_env *env;
    struct mg_blob main, copy; // copy.ops NULL: there is no second one
    uint64_t id, size;
};

// Bytes of a frame on disk.
static inline uint64_t mg_frame_size(uint64_t length) { return (MG_FRAME_HEAD_SIZE + length + 7) & ~(uint64_t)7; }

// Writes a frame at the writer's place (a multiple of 8) and returns its offset.
uint64_t mg_frame_write(struct mg_file_writer *w, const struct mg_table_env *env, uint64_t file, uint32_t kind,
                        mg_slice payload);

// The checksum of a payload at its place.
uint64_t mg_frame_sum(const struct mg_table_env *env, uint64_t file, uint64_t at, uint32_t kind, const void *p,
                      size_t n);
// Looks at a whole frame in memory: MG_OK if p (of mg_frame_size(length) bytes) is this frame.
int mg_frame_check(const struct mg_frame_file *f, const uint8_t *p, uint64_t at, uint32_t length, uint32_t kind);
// The length that the frame at p says it has, once its header is plausible; the payload is not checked. MG_ECORRUPT.
int mg_frame_length(const uint8_t *p, uint32_t kind, uint32_t *length);

// The frame's payload, from the cache or the disk; the caller unrefs it. A damaged one is reported; MG_OK if the second
// copy has it, else MG_ECORRUPT or MG_EIO with *out NULL. An offset outside of the file is MG_ECORRUPT.
int mg_frame_read(const struct mg_frame_file *f, uint64_t at, uint32_t length, uint32_t kind, struct mg_block **out);
// The same for a frame of which the file itself has a second one at at_copy.
int mg_frame_read_twice(const struct mg_frame_file *f, uint64_t at, uint64_t at_copy, uint32_t length, uint32_t kind,
                        struct mg_block **out);
// One copy, past the cache: which 0: main, 1: copy. No fallback, no report.
int mg_frame_read_copy(const struct mg_frame_file *f, int which, uint64_t at, uint32_t length, uint32_t kind,
                       struct mg_block **out);

void mg_frame_report(const struct mg_frame_file *f, const struct mg_fault *fault);

// ---- head and foot of a file. Readers are told the newest version that they understand

void mg_file_head_write(struct mg_file_writer *w, const struct mg_table_env *env, uint64_t file, uint64_t magic,
                        uint32_t version);
// MG_OK or MG_ECORRUPT; p has MG_FILE_HEAD_BYTES.
int mg_file_head_check(const uint8_t *p, const struct mg_table_env *env, uint64_t file, uint64_t magic,
                       uint32_t version);
// Fills the rest of the file up to two copies of the foot, whose packed form (with room for the checksum at its end) is
// given, and finishes the writer.
int mg_file_foot_write(struct mg_file_writer *w, uint8_t *foot, size_t n);
// Which foot is looked for.
struct mg_foot_want {
    uint64_t magic;
    uint32_t version;
    size_t n;     // packed bytes
    uint64_t sum; // its checksum, as the manifest has it; 0: not known
};
// Reads a foot: the last one, the one before, those of the copy; the first that is whole and says that it is this
// file's counts (its id, the store's salt, its size). MG_OK with its bytes in p, else the error of the first. What the
// fields behind the size say is not looked at.
int mg_file_foot_read(const struct mg_frame_file *f, const struct mg_foot_want *want, uint8_t *p);
// One of the feet of f->main, counted from the end (0, 1). MG_OK with its bytes, MG_ECORRUPT, MG_EIO. No report.
int mg_file_foot_check(const struct mg_frame_file *f, uint64_t which, const struct mg_foot_want *want, uint8_t *p);
// The checksum at the end of a packed structure.
uint64_t mg_file_sum(const uint8_t *p, size_t n);

#endif
