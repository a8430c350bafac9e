// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The memtable of one stream: where each message is that has not moved to a segment yet.
//
// The bytes of messages are in chunks (chunk.h), as the journal got them. The memtable says which record is sequence
// number n. It is a list of blocks in ascending order; inside of a block numbers are dense:
//
//   blocks:  [first 1, 512 entries] [first 513, 512 entries] [first 2000, 17 entries]      (1025..1999 never existed)
//   entry:   the record; NULL where a number was used but nothing was stored
//   gone[i]: 0 while the message is there, else the number of the generation in which it was removed
//   cleared: the same for all that was still there; nothing is added to such a block any more
//
// The shard appends and removes. At a checkpoint it *seals*: the blocks so far belong to the keeper as well, which
// reads records and `gone` of generations up to the sealed one; later removals write later numbers, so both see what
// they must without a lock. Blocks are counted (atomic).
#ifndef MG_JETSTREAM_STORE_MEMTABLE_H
#define MG_JETSTREAM_STORE_MEMTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MG_MEM_BLOCK_MAX 512u

struct mg_mem_block {
    atomic_uint refs;
    uint16_t count, cap;
    uint32_t generation; // sealed with this one; 0: still open
    uint64_t first;      // sequence number of entry 0
    uint64_t alive;      // the shard's count of entries that are there
    uint64_t bytes;      // of all its records
    atomic_uint cleared; // generation in which all of it was removed; 0: it was not
    const uint8_t **records; // behind `gone`
    atomic_uint gone[];      // generation of the removal; 0: not removed
};

struct mg_memtable {
    struct mg_mem_block **blocks;
    uint32_t count, cap;
    uint32_t head; // blocks before it are dropped
    bool owner;    // of its records, too: a memory stream's
    uint32_t open; // the first block that is not sealed
    uint32_t closed;       // so many in front of it are being sealed
    uint64_t closed_bytes; // of their records
    uint64_t alive;
};

void mg_memtable_init(struct mg_memtable *t);
void mg_memtable_fini(struct mg_memtable *t);

// Appends; seq is greater than every number before. record NULL: the number is used up. bytes: of the record.
void mg_memtable_add(struct mg_memtable *t, uint64_t seq, const uint8_t *record, size_t bytes);

// The record of seq if it is here and was not removed, else NULL.
const uint8_t *mg_memtable_get(const struct mg_memtable *t, uint64_t seq);
// The record of seq even if it was removed; NULL if it is not here.
const uint8_t *mg_memtable_peek(const struct mg_memtable *t, uint64_t seq);
// The first that is there with a number >= *seq; sets *seq. NULL: none.
const uint8_t *mg_memtable_next(const struct mg_memtable *t, uint64_t *seq);
// The last that is there with a number <= *seq; sets *seq. NULL: none.
const uint8_t *mg_memtable_prev(const struct mg_memtable *t, uint64_t *seq);

// Removes seq in `generation` (> 0). Says whether its block belongs to a checkpoint already.
enum mg_mem_where { MG_MEM_NOWHERE, MG_MEM_OPEN, MG_MEM_SEALED };
enum mg_mem_where mg_memtable_remove(struct mg_memtable *t, uint64_t seq, uint32_t generation);
// Removes everything, in time for the blocks and not for the messages.
void mg_memtable_clear(struct mg_memtable *t, uint32_t generation);
// Piece by piece: takes the last record out, which is the caller's then, or frees the last block: NULL. That of an
// owner has no record any more then. Nothing else may be asked of it from here on. False: there is no block.
bool mg_memtable_take_last(struct mg_memtable *t, const uint8_t **record);
// Where seq is, if it was not removed.
enum mg_mem_where mg_memtable_where(const struct mg_memtable *t, uint64_t seq);

// The lowest number that the memtable covers; UINT64_MAX when it is empty.
uint64_t mg_memtable_first(const struct mg_memtable *t);

// Closes the blocks so far as belonging to `generation`: returns an array of them (the caller's, with a reference
// each), the number in *n, bytes of their records in *bytes. Blocks sealed before and not dropped yet are not in it.
struct mg_mem_block **mg_memtable_seal(struct mg_memtable *t, uint32_t generation, uint32_t *n, uint64_t *bytes);
// Does so with the next ones, at most so many, before that. Nothing else is done with it in between. True: with all.
bool mg_memtable_close(struct mg_memtable *t, uint32_t generation, uint32_t blocks);
void mg_memtable_give_up_seal(struct mg_memtable *t); // that was begun: nothing more is added
void mg_mem_block_unref(struct mg_mem_block *b);
// Was entry i there at the end of `generation`? Any thread, once sealed.
static inline bool mg_mem_block_alive_at(const struct mg_mem_block *b, uint32_t i, uint32_t generation) {
    uint32_t gone = atomic_load_explicit(&b->gone[i], memory_order_relaxed);
    uint32_t cleared = atomic_load_explicit(&b->cleared, memory_order_relaxed);
    return b->records[i] && (gone == 0 || gone > generation) && (cleared == 0 || cleared > generation);
}

// Drops the oldest blocks as far as nothing in them is there. For streams that are never sealed.
void mg_memtable_trim(struct mg_memtable *t);

// Drops the blocks that were sealed with a generation <= `generation`.
void mg_memtable_drop(struct mg_memtable *t, uint32_t generation);

#endif
