// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One shard's part of the store: its streams, rows, open batch, and the results that wait for the journal.
//
// Records of a turn are written one behind the other into a chunk; the range since the last hand-over is the open
// batch. At the end of the turn it goes to the journal's committer. Batches of a part become durable in order; results
// queue in the order of their batches and leave when theirs is durable.
#ifndef MG_JETSTREAM_STORE_PART_H
#define MG_JETSTREAM_STORE_PART_H

#include <stdatomic.h>

#include "jetstream/store/chunk.h"
#include "jetstream/store/clock.h"
#include "jetstream/store/inbox.h"
#include "jetstream/store/memtable.h"
#include "jetstream/store/rows.h"
#include "jetstream/store/store.h"
#include "server/base/list.h"
#include "server/base/timer.h"
#include "server/router/table.h"
#include "server/shard/loop.h"

struct mg_seal;
struct mg_swap;
struct mg_record;
struct mg_extent;
struct mg_stretches;

enum mg_answer {
    MG_ANSWER_PLAIN,
    MG_ANSWER_NOTE,     // there is time (mg_stream_row_note)
    MG_ANSWER_DUPLICATE,
    MG_ANSWER_APPENDED, // and the message may be seen
    MG_ANSWER_VISIBLE,  // no result: the message may be seen, its append is not done yet
    MG_ANSWER_REMOVED,  // no result: a message is gone; ctx is its struct mg_gone
    MG_ANSWER_CLEARED,  // no result: all messages are gone
};

struct mg_pending_result {
    struct mg_stream *stream;
    void *ctx;
    uint64_t seq, batch;
    int err;
    enum mg_answer kind;
};
struct mg_gone {
    uint32_t len;
    char subject[];
};
// In blocks, so that no growth moves what is there.
#define MG_RESULT_BLOCK 256u
struct mg_result_block {
    struct mg_result_block *next;
    struct mg_pending_result at[MG_RESULT_BLOCK];
};
struct mg_result_queue {
    struct mg_result_block *first, *last;
    struct mg_result_block *spare; // one that was emptied; NULL
    uint32_t head, tail;           // of the first in `first`; behind the last in `last`
    uint32_t len;
};

struct part_batch;

struct mg_store_part {
    struct mg_store *store;
    unsigned index;
    struct mg_loop *loop; // NULL until started
    struct mg_list streams;
    struct mg_table by_id, names; // of the same streams, deleted ones too
    struct mg_rows rows;
    uint32_t generation;  // of rows.active; what is removed from memtables now is marked with it

    struct mg_chunk *chunk;   // where records are written
    size_t batch_at;          // where the open batch begins in it
    uint64_t batch, durable;  // number of the open batch; all up to `durable` are on disk
    unsigned batches_out;     // handed over and not back
    unsigned jobs_out;        // reads and look-ups under way
    unsigned aheads;          // reads that have read ahead
    uint32_t look_ups;        // asked so far: they go round the readers
    struct part_batch **unsent; // refused by the journal, in order
    uint32_t unsent_len, unsent_cap;
    struct mg_result_queue results; // wait for their batch
    struct mg_result_queue at_once; // of memory streams: wait for the end of the turn

    struct mg_inbox inbox;    // from the store's threads
    struct mg_mail *opened;   // what was taken from it and waits for the next turn
    struct mg_wheel *wheel;   // the shard's
    const uint8_t **garbage;  // records of memory streams, freed at the next turn
    uint32_t garbage_len, garbage_cap;
    struct mg_memtable *tables; // whole ones, and those of streams that were freed
    uint32_t tables_len, tables_cap;
    struct mg_stretches *stretched; // of streams that were freed
    uint32_t stretched_len, stretched_cap;
    int64_t last_time;        // the newest that the recovery saw
    struct mg_clock clock;
    uint32_t installs;        // checkpoints and compactions taken in; see cold.c
    struct mg_seal *seal;     // the checkpoint that is being made; NULL: none
    struct mg_swap *swaps;    // compactions that are being taken in, one after the other
    struct mg_extent *extents, *extents_sealed; // of records in memory: since the last seal, and until that
    struct mg_chunk *chunks_first, *chunks_last; // all chunks that memtables point into, the open one last
    struct mg_chunk *chunks_dead; // that memtables do not point into any more: freed in slices
    struct mg_parcel news;    // from the store: it was poisoned, or its room for changes has changed
    atomic_bool news_out;
    uint64_t room;            // bytes of records that publishes may write before the journal is asked again
    bool publishes;           // the open batch has some
    size_t notes;             // bytes of it that nobody waits for (mg_stream_row_note)
    bool awaited;             // somebody waits for it all the same, or it has waited for long enough
    struct mg_timer note;     // runs while it is notes alone
    struct mg_timer patience; // runs while changes wait for the journal
    bool impatient;           // they have waited for too long
    bool poisoned, stopping;
    bool closed;              // the threads have ended: nothing is asked or written any more
    struct mg_list wanting;   // streams with changes or reads that wait, or limits to enforce
    struct mg_store_sums sums;
    bool pump;                // a stream wants to be pumped at the next turn
    uint64_t spent_at;        // when the time of this kind of work is over (mg_part_spent)
    uint64_t late_at;         // when this turn has had its time: the kinds that are left have a quarter of theirs
    uint32_t cost, steps;     // since the clock was looked at; since this kind of work began
    struct mg_list told;      // streams whose `visible` has moved since it was told
    struct mg_list holding;   // streams with answers of reads that are not durable yet
    struct mg_list aging;     // streams that may have messages which are too old
};

// Room for a record of `size` bytes at the end of the open batch; then mg_part_recorded, before anything else.
uint8_t *mg_part_reserve(struct mg_store_part *p, size_t size);
void mg_part_recorded(struct mg_store_part *p, struct mg_stream *s, size_t size);
// True while the journal takes no more: changes wait.
bool mg_part_busy(const struct mg_store_part *p);
// A checkpoint waits for look-ups that came before it: there must not be many seconds of them.
bool mg_part_may_look_up(const struct mg_store_part *p);
// May a change be decided that writes `size` bytes? 0; MG_EAGAIN: it has to wait for the journal; MG_EFULL: it has
// waited for too long, or there is no end in sight; MG_ENOSPC: a publish, and the disk is full; MG_ERANGE: never.
int mg_part_admit(struct mg_store_part *p, bool publish, size_t size);
// What publishes that wait must be told at present; 0: nothing.
int mg_part_refuses(const struct mg_store_part *p);
void mg_part_batch_free(struct part_batch *b);
// Hands the open batch to the journal.
void mg_part_submit(struct mg_store_part *p);
// The last batch that the journal has taken.
uint64_t mg_part_sent(const struct mg_store_part *p);
// Batches up to this one are durable, in whatever files: what was not sent of them never will be.
void mg_part_durable(struct mg_store_part *p, uint64_t last);
void mg_part_forget_results(struct mg_store_part *p); // at the end: nobody hears them
// Frees a record of a memory stream at the beginning of the next turn: slices of it may have been given out in this
// one.
void mg_part_garbage(struct mg_store_part *p, const uint8_t *record);
// The same for a memtable, in slices; that of a memory stream with all its records. Leaves an empty one.
void mg_part_garbage_table(struct mg_store_part *p, struct mg_memtable *t);
// The same for the stretches of a stream. Leaves none.
void mg_part_garbage_stretches(struct mg_store_part *p, struct mg_stretches *t);
void mg_part_free_garbage(struct mg_store_part *p); // the next slice; all of it once the part is closed
// ns since the epoch, never goes back.
int64_t mg_part_time(struct mg_store_part *p);
// The same for the question whether something is too old: a clock that jumped ahead does not count (clock.h).
int64_t mg_part_aging_time(struct mg_store_part *p);
// A stream by its number, deleted ones too; NULL.
struct mg_stream *mg_part_stream(struct mg_store_part *p, uint64_t id);
void mg_part_index(struct mg_store_part *p, struct mg_stream *s);
void mg_part_unindex(struct mg_store_part *p, struct mg_stream *s);
// The stream has something that waits: it is pumped whenever rows, messages or pages of the journal have come.
void mg_part_want(struct mg_stream *s);
void mg_part_pump_later(struct mg_stream *s); // and at the next turn in any case
void mg_part_pump_all(struct mg_store_part *p); // at the next turn, or in this one: a turn takes what has come first
// What has come from the store's threads, all of it: where there are no turns.
void mg_part_open_all(struct mg_store_part *p);
// A turn does several kinds of work one after the other: what has come, changes and reads that wait, results, answers
// of reads, checkpoints. Each may take so long, and all together not much more than three of them; what is left waits
// for the next turn. One piece of each is done in any case.
#define MG_PART_SHARE UINT64_C(100000) // ns
// A piece was done that costs about so many us. True: the time is over.
bool mg_part_spent(struct mg_store_part *p, uint32_t cost);
// Sends the keys that were wanted to a reader.
void mg_part_look_up(struct mg_store_part *p);
// Looks them up on this thread, until none is wanted: for a store without threads.
void mg_part_look_up_now(struct mg_store_part *p);

#endif
