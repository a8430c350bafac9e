// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A checkpoint from a part's point of view. The keeper asks; the part *seals*: it freezes its rows, closes the blocks
// of its memtables and the chunk, and goes on with new ones. When what was sealed is durable and no row in it waits
// for a look-up, it gives it to the keeper, who writes it down while the part works on. When that is durable the
// keeper tells the part, which drops the sealed blocks and chunks and reads from the new files.
//
//      keeper                         part
//        | ---- seal --------------->  | freeze
//        |                             | ... streams sealed, batch durable, rows resolved ...
//        | <--- sealed --------------  |
//        | write segment, runs, manifest
//        | ---- installed ---------->  | drop, use sections and runs, stream by stream
//        | <--- done ----------------  |
//
// To freeze takes no time: a new generation begins. But each stream has a row of counters to write and blocks to close,
// and there may be very many. That is done in slices, in the turns that follow, and *before the stream's next change
// is decided* (mg_seal_first): so all of them are sealed as they were when the generation began. One that has very many
// blocks, or has lost messages of very many stretches, takes some turns by itself, and its changes wait, its deletion,
// too. Their rows go into the frozen generation, which the keeper does not have yet. The answer is taken in in slices,
// too: a stream whose turn has not come goes on with its blocks in memory. The keeper's next job begins when all of it
// is.
#ifndef MG_JETSTREAM_STORE_SEAL_H
#define MG_JETSTREAM_STORE_SEAL_H

#include "jetstream/store/facts.h"
#include "jetstream/store/memtable.h"
#include "jetstream/store/part.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/stretch.h"
#include "server/base/assert.h"

// One stream's share of a checkpoint.
struct mg_sealed_stream {
    struct mg_stream *stream; // the part's: the keeper does not look into it. NULL: taken in
    uint64_t id;
    bool packed;                  // its messages are to be
    struct mg_mem_block **blocks; // with references
    uint32_t blocks_len;
    uint64_t bytes;               // of records: big ones get a segment of their own
    struct mg_stretch *stretches; // the keeper's answer
    uint32_t stretches_len;
};

struct mg_seal {
    struct mg_parcel parcel;
    struct mg_store_part *part;
    struct mg_worker *keeper;
    void (*sealed)(struct mg_parcel *p);    // the keeper's, for the way back
    void (*installed)(struct mg_parcel *p); // and for the second one: frees it
    uint32_t generation;
    uint64_t batch;            // what was sealed and handed to the journal is in batches up to this one
    uint64_t last;             // and in those up to this one that the journal has no room for: the checkpoint itself
                               // makes them durable
    bool given, answered;
    struct mg_list *next;      // of the part's streams: to be sealed, or to be looked at for dead segments; the list's
                               // head is the end
    uint64_t drop_from;        // of that stream's: numbers below it were looked at
    uint32_t at;               // of `streams`: to be taken in
    int64_t aging_time;        // of the part, as it began
    struct mg_rowmap *rows;    // a reference
    struct mg_sealed_stream *streams; // in no order
    uint32_t streams_len;
    uint64_t *dropped;         // streams that are; of some the journal may never get the record that says so
    uint32_t dropped_len;
    uint64_t *recounts;        // streams whose counters are wanted to be counted again (correct.h)
    uint32_t recounts_len;
    struct mg_clock_lag lag;   // of the part's ages
    struct mg_facts facts;     // of all streams of the part, as sealed, and the stretches that have changed
    uint64_t page;             // the part needs nothing of the journal below it any more
    // The keeper's answer.
    struct mg_runset *runs;    // a reference
    bool forget;               // rows in `runs` are not those that the part has in memory
    uint64_t *dead;            // segments that are not part of the store any more; ascending
    uint32_t dead_len;
};

void mg_seal_ask(struct mg_parcel *p);       // runs on the part: begins
bool mg_seal_step(struct mg_store_part *p);  // in each turn: the next slice. True: there is more
void mg_seal_installed(struct mg_parcel *p); // runs on the part: the answer
void mg_seal_free(struct mg_seal *seal);     // and whatever of it was not taken in; NULL is fine

// Of a stream. Before a change is decided, for what it writes depends on what is sealed: a removal from a sealed block
// must be named.
// `all`: in one go. Else it may take some calls if messages of very many stretches were removed, and then nothing is
// decided before the last one. True: it is done.
bool mg_seal_stream(struct mg_stream *s, bool all);
static inline bool mg_seal_first(struct mg_stream *s) {
    return MG_LIKELY(s->sealed_in == s->part->generation) || mg_seal_stream(s, false);
}
// So many of its sealed subjects turned out to be new.
void mg_seal_correct(struct mg_stream *s, int more);
// Its row of counters as they are now; returns the bytes of the value.
#define MG_STATE_MAX (MG_STATE_ROW_SIZE + MG_LOST_BYTES_MAX)
size_t mg_seal_state(const struct mg_stream *s, char key[MG_ROW_KEY_HEAD], char value[MG_STATE_MAX]);
// Sealed rows turned out to be in doubt.
void mg_seal_inexact(struct mg_stream *s);
// It goes.
void mg_seal_unlink(struct mg_stream *s);

#endif
