// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the outside world remembers of one stored stream: a plain model of what a stream is, and the history of what was
// asked. Changes are applied to the model when they are asked for, since the store decides them in that order; what the
// store answers later must be what the model has said.
//
// Each step that a record of the store can make is one *state* in the history, with a digest of everything that can be
// seen: messages, rows, configuration. After a crash the stream must be in one of these states, not before the last one
// that anybody has heard of (`floor`); then the model goes back there (undo log).
#ifndef MG_TEST_SIM_STORE_MODEL_H
#define MG_TEST_SIM_STORE_MODEL_H

#include "jetstream/store/store.h"
#include "test/sim/sim.h"

#define MODEL_SUBJECTS 12u
#define MODEL_ROWS     6u
#define MODEL_IDS      16u

struct model_msg {
    uint64_t uid; // its bytes follow from it; 0: a number without message
    int64_t time;
    uint32_t size, payload;
    uint16_t headers;
    uint8_t subject;
    bool present, expired;
    bool erased;    // and removed; its bytes go
    bool told;      // the store has told that it is gone
    uint32_t added, removed; // states
};

struct model_dedupe {
    uint64_t seq; // 0: not known
};

struct model_row {
    uint64_t value; // 0: none
    uint32_t since; // state
};

enum model_step { STEP_ADD, STEP_SKIP, STEP_REMOVE, STEP_ROW, STEP_DEDUPE, STEP_CONFIG };
struct model_undo {
    enum model_step step;
    uint32_t index;
    uint64_t seq, old;
    int64_t time;
    uint32_t since;
    struct mg_stream_limits limits;
};

struct model_state {
    uint64_t digest;
    uint32_t undo_len;
};

struct model_op {
    struct mg_result want;
    uint32_t before, state; // the state when it was asked, and that which an answer tells of
    uint32_t end;   // the last state that it makes
    bool told;      // there was a result
    bool erase;
};

struct model {
    // The stream.
    bool file;
    uint64_t first_seq, last; // of all numbers: first_seq..last
    struct model_msg *msgs;   // by number - first_seq
    size_t cap;
    uint64_t count, bytes;
    int64_t last_time;
    struct mg_stream_limits limits;
    uint32_t removals; // as in the store's options
    uint64_t config;
    struct model_row rows[MODEL_ROWS];
    struct model_dedupe ids[MODEL_IDS];
    uint64_t digest;
    // The history since the last recovery.
    struct model_undo *undo;
    uint32_t undo_len, undo_cap;
    struct model_state *states;
    uint32_t nstates, states_cap;
    struct model_op *ops;
    uint32_t nops, ops_cap;
    uint32_t answered; // operations, in order
    uint32_t floor;    // the last state that somebody has heard of
    uint32_t ceiling;  // what came after it was said to be not done
};

void model_init(struct model *m, bool file, const struct mg_stream_limits *limits, uint64_t first_seq, uint64_t config);
void model_fini(struct model *m);

// Names and bytes. The texts are static or in `out`.
mg_slice model_subject(unsigned i);
unsigned model_subject_of(mg_slice subject); // MODEL_SUBJECTS: none of ours
mg_slice model_headers(const struct model_msg *msg, char *out); // 64 bytes
void model_payload(const struct model_msg *msg, char *out);     // msg->payload bytes
// Which message has these bytes in its payload, and where: each eight bytes from its beginning are unmistakable.
uint64_t model_payload_of(const uint8_t p[8], uint32_t *at);
bool model_same(const struct model_msg *msg, const struct mg_message *got);

static inline struct model_msg *model_msg(const struct model *m, uint64_t seq) {
    return seq >= m->first_seq && seq <= m->last ? &m->msgs[seq - m->first_seq] : NULL;
}
static inline bool model_present(const struct model *m, uint64_t seq) {
    const struct model_msg *g = model_msg(m, seq);
    return g && g->present;
}
uint64_t model_first(const struct model *m);
uint64_t model_subjects_count(const struct model *m);
uint64_t model_count_of(const struct model *m, unsigned subject);
uint64_t model_last_of(const struct model *m, unsigned subject); // 0: none

// Changes, as they are asked for; each gives the operation's index.
struct model_append {
    uint64_t uid, expect_last, expect_subject_last;
    int64_t time;
    unsigned subject, expect_subject; // expect_subject MODEL_SUBJECTS: the same
    unsigned id;                      // MODEL_IDS: none
    uint32_t payload;
    uint16_t headers;
    bool rollup_subject, rollup_all, no_limit_per_subject, skip;
};
uint32_t model_do_append(struct model *m, const struct model_append *a);
uint32_t model_do_remove(struct model *m, uint64_t seq, bool erase);
uint32_t model_do_purge(struct model *m, mg_slice filter, uint64_t up_to, uint64_t keep);
uint32_t model_do_row(struct model *m, unsigned row, uint64_t value);
uint32_t model_do_configure(struct model *m, const struct mg_stream_limits *limits, uint64_t config);
uint32_t model_do_nothing(struct model *m); // a barrier, a creation
void model_cancel(struct model *m, uint32_t op);  // the last one was refused: it has not happened
void model_refused(struct model *m, uint32_t op); // this one and those behind it have not happened, and nothing will

// The store has told that age took it: true if that may be.
bool model_expire(struct model *m, uint64_t seq, int64_t now);

void model_heard(struct model *m, uint32_t state);
// The digest of a stream from what was read of it: start with 0 and xor.
uint64_t model_digest_msg(uint64_t seq, uint64_t uid);
uint64_t model_digest_last(uint64_t last);
uint64_t model_digest_row(unsigned row, uint64_t value);
uint64_t model_digest_config(uint64_t config);

// After a restart the stream is in a state with this digest. False: there is none at the floor or above. Else the model
// is in it and the history begins anew.
bool model_go_back(struct model *m, uint64_t digest);
void model_doubt(struct model *m);          // nothing of what was told is sure any more
void model_forget_history(struct model *m); // a new life that lost nothing

#endif
