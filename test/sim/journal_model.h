// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the outside world remembers of a journal, and its judgement of what a recovery delivers (sim_journal.c). Each
// shard writes one stream; a stream's operations are numbered from 0 without gaps. An operation number can be used
// again with other bytes if the first use was lost before anybody saw it.
#ifndef MG_TEST_SIM_JOURNAL_MODEL_H
#define MG_TEST_SIM_JOURNAL_MODEL_H

#include "jetstream/store/journal.h"
#include "test/sim/sim_disk.h"

#define MODEL_STREAMS 3
#define MODEL_PAGES   65536 // a world's journal ends before
#define MODEL_BODY    4000  // bytes of records in a page

enum model_fate {
    MODEL_SUBMITTED, // nobody knows
    MODEL_ACKED,     // acknowledged, or delivered by a recovery: seen
    MODEL_REFUSED,   // said to be not written
    MODEL_LOST,      // a recovery has not delivered it, rightly
};

struct model_op {
    uint64_t checksum;
    uint32_t length;
    uint8_t fate;
    bool seen;                // in this recovery
    uint64_t page, pages_end; // if acked: where it is
};

struct model_stream {
    struct model_op *ops;
    uint64_t n, cap;
    uint64_t last; // seen in this recovery; UINT64_MAX: none
    bool gap;
};

struct model {
    struct model_stream streams[MODEL_STREAMS];
    uint64_t salt, uses;  // make the bytes of records differ
    uint64_t ring_pages;
    uint64_t replay_from; // what the manifest says
    uint64_t head;        // after the last life that ended in peace or recovered
    uint64_t durable;     // with an interval: what was said to be durable
    bool perhaps_torn;    // a power cut came since the last recovery
    bool ever_torn;       // one came before
    uint64_t attempted;   // nobody ever tried to write pages from here on
    bool interval, stray;
    bool damaged; // the test has spoiled something
    uint8_t known[MODEL_PAGES];   // pages whose damage was reported before
    uint8_t spoiled[MODEL_PAGES]; // pages that the test has spoiled: 1, and 2 when reported
    uint8_t spoiled_slot[256];
    uint8_t hit[MODEL_PAGES];     // reported in this recovery: 1; 2: as something that nobody was told about
    unsigned damages;             // in this recovery
};

void model_init(struct model *m, uint64_t salt, uint64_t ring_pages);
void model_fini(struct model *m);

uint64_t model_next(const struct model *m, unsigned stream);
struct model_op *model_op(struct model *m, unsigned stream, uint64_t op);
// Writes a record with bytes that were never used before; returns its length.
size_t model_record(struct model *m, unsigned stream, uint64_t op, size_t payload, uint8_t *out);
void model_submitted(struct model *m, unsigned stream, uint64_t first, uint64_t count, const uint8_t *bytes);
void model_take_back(struct model *m, unsigned stream, uint64_t first);

uint64_t model_some_page(struct model *m, struct sim *s, uint64_t below); // of an acknowledged operation
uint64_t model_end(const struct model *m); // behind all that was delivered
void model_attempted(struct model *m, uint64_t end);
void model_spoil(struct model *m, uint64_t slot);

// A recovery: begin, seen and damage as they come, recovered when the journal has opened; fence: head after it.
void model_begin_recovery(struct model *m);
void model_seen(struct model *m, const struct mg_record_view *v, uint64_t page);
void model_damage(struct model *m, const struct mg_journal_damage *d);
void model_recovered(struct model *m, uint64_t head);

#endif
