// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Rows: all that is kept but messages. One shard's view of them is a stack of levels, newest first:
//
//     active generation     changed by this shard
//     frozen generations    changed before a checkpoint, being written; afterwards a cache
//     table runs            on disk; all shards' (runset.h)
//
// A row is looked up level by level. Memory answers at once. What memory does not know, the bloom filters of the runs
// often do ("nobody has it"); only the rest must be read, and that is asked for and answered in a later turn.
//
// A *change* to a row (one message more on a subject, one bit more in a bitmap) does not wait for that: it is put into
// the active generation as UNRESOLVED, and merged with the older value when that has come. A generation is written to
// disk only when nothing in it is unresolved, so tables hold complete rows.
#ifndef MG_JETSTREAM_STORE_ROWS_H
#define MG_JETSTREAM_STORE_ROWS_H

#include "jetstream/store/rowmap.h"
#include "server/base/buf.h"

struct mg_runset;

#define MG_ROW_LEVELS 12u

// Kinds: the first byte of a key. Then the stream's id (u64, big-endian; 0: of the store), then what the kind says.
// X(name, byte, behind that, value)
#define MG_ROW_KINDS(X)                                                                                                \
    X(STREAM, 'A', "-", "name, configuration, limits, creation")                                                       \
    X(STATE, 'B', "-",                                                                                                 \
      "counters of the last checkpoint; of stream 0: the next stream (u64), those just dropped (u64 each)")            \
    X(STRETCH, 'C', "first seq (u64 BE)", "messages in a section of a segment")                                        \
    X(REMOVED, 'D', "seq / 4096 (u64 BE)", "bitmap of removed messages")                                               \
    X(DEDUPE, 'E', "keyed hash of the message id (16 bytes)", "seq (u64), time (i64)")                                 \
    X(OWNER, 'F', "the owner's key",                                                                                   \
      "the owner's; of stream 0 `clock`: how far ages are behind (i64 ns), since when (i64)")                          \
    X(ERASE, 'G', "seq (u64 BE)", "a removed message whose bytes are still to be overwritten")                         \
    X(SUBJECT, 'U', "epoch (u32 BE), subject", "counts. Derivable: stored once")
enum mg_row_kind {
#define X(name, byte, key, value) MG_ROW_##name = (byte),
    MG_ROW_KINDS(X)
#undef X
};
#define MG_ROW_KEY_HEAD 9u
#define MG_CELL_KEY_MAX (MG_ROW_KEY_HEAD + 4u + 65536u)

static inline bool mg_row_kind_primary(uint8_t kind) { return kind < MG_ROW_SUBJECT; }
// Writes the head of a key into out (MG_ROW_KEY_HEAD bytes).
void mg_row_key_head(char *out, enum mg_row_kind kind, uint64_t stream);
// The store's own row about its clock: {i64 lag, i64 at}, clock.h.
#define MG_CLOCK_KEY (MG_ROW_KEY_HEAD + 5u)
void mg_clock_key(char out[MG_CLOCK_KEY]);
void mg_put_be64(char *out, uint64_t v);
void mg_put_be32(char *out, uint32_t v);
uint64_t mg_get_be64(const char *p);
uint32_t mg_get_be32(const char *p);

enum mg_row_found {
    MG_ROW_ABSENT,  // no such row, for sure
    MG_ROW_FOUND,   // *row is its value
    MG_ROW_PENDING, // on disk, perhaps: asked for
};

struct mg_rows {
    uint64_t seed;
    struct mg_rowmap *active;
    struct mg_rowmap *frozen[MG_ROW_LEVELS]; // newest first
    unsigned frozen_len;
    unsigned written; // the oldest so many of them are in the runs
    struct mg_rowmap *dying; // references that are given back in slices
    struct mg_runset *runs; // a reference; NULL: none (memory streams, an empty store)
    struct mg_buf wanted;   // keys to look up: u32 length, key; sent by the part at the end of its turn
    uint32_t wanted_len;
    uint32_t looking;       // keys under way, those in `wanted` included
};

void mg_rows_init(struct mg_rows *rows, uint64_t seed);
void mg_rows_fini(struct mg_rows *rows);

// Reads a row. PENDING: it was put on `wanted`, unless it is under way (then that is known by a mark in active).
enum mg_row_found mg_rows_get(struct mg_rows *rows, mg_slice key, const struct mg_cell **row);
// The same without asking. PENDING: tables may have it.
enum mg_row_found mg_rows_peek(const struct mg_rows *rows, mg_slice key, const struct mg_cell **row);

// The row in the active generation, to be changed. value_len: of a row that is new. Returns what was known before:
// ABSENT: zeroed value. FOUND: the complete value. PENDING: the value is a change (zeroed when first touched), marked
// UNRESOLVED.
enum mg_row_found mg_rows_touch(struct mg_rows *rows, mg_slice key, uint32_t value_len, struct mg_cell **row);
// Sets a whole value; nothing is looked up.
struct mg_cell *mg_rows_put(struct mg_rows *rows, mg_slice key, mg_slice value);
void mg_rows_delete(struct mg_rows *rows, mg_slice key);
// Sets a value of the generation that was frozen last, which must not be with the keeper yet.
struct mg_cell *mg_rows_put_frozen(struct mg_rows *rows, mg_slice key, mg_slice value);

// The answer of a look-up: base is the value in the runs, or p == NULL. Completes the unresolved rows of all
// generations from the oldest on. `merged` (may be NULL) is called for each.
typedef void (*mg_rows_merged_fn)(void *arg, mg_slice before, struct mg_cell *after, bool frozen);
void mg_rows_resolve(struct mg_rows *rows, mg_slice key, mg_slice base, mg_rows_merged_fn merged, void *arg);

// Freezes the active generation and starts a new one. Returns the frozen one (borrowed).
struct mg_rowmap *mg_rows_freeze(struct mg_rows *rows);
// A frozen generation is in the runs now: the oldest ones that are may go while more than `bytes` are kept.
void mg_rows_written(struct mg_rows *rows, struct mg_rowmap *frozen, size_t bytes);
// Frees the next slice of those that went. True: there is more.
bool mg_rows_bury(struct mg_rows *rows);
// As mg_rows_fini, but the memory goes in slices, with that of `others`.
void mg_rows_fini_later(struct mg_rows *rows, struct mg_rows *others);

// Merges a change with the older value, by kind (row_kinds.c).
void mg_row_merge(struct mg_rowmap *m, struct mg_cell *change, mg_slice base);

#endif
