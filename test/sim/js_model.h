// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What clients of JetStream did in the simulated world, what they were told, and whether the one follows from the
// other. A tick counts what clients send and receive, over all lives: an operation happened at some time between the
// tick at which it was asked for and that of its answer. One whose answer never came (the server died) has happened or
// not, and may be seen later.
//
//   js_streams.c    messages: where each is, which may be missing, which must be
//   js_consumers.c  deliveries and acknowledgements
#ifndef MG_TEST_SIM_JS_MODEL_H
#define MG_TEST_SIM_JS_MODEL_H

#include "server/base/slice.h"
#include "test/sim/sim.h"

#define JS_STREAMS 3u
#define JS_SUBJECTS 4u  // of a stream: s<stream>.<n>
#define JS_CONSUMERS 3u // of a stream
#define JS_ALL JS_SUBJECTS // as a filter: every subject

struct js_model;
struct js_stream;

enum js_kind { JS_LIMITS, JS_QUEUE, JS_INTEREST, JS_KV, JS_KINDS };
enum js_phase {
    JS_ABSENT,
    JS_PRESENT,
    JS_MAYBE, // something is under way, or its answer never came
};
enum js_fate {
    JS_OPEN, // sent
    JS_STORED,
    JS_REFUSED,
    JS_DUPLICATE,
    JS_UNKNOWN, // no answer will come
};

// One attempt to publish. Its number is its place in the model; the payload begins with it.
struct js_msg {
    struct js_stream *stream;
    unsigned generation;     // of the stream, when it was sent
    unsigned subject, publisher;
    uint64_t sent, answered; // ticks; answered 0: not
    uint64_t sent_at, answered_at; // ns
    uint64_t seq;            // 0: not known
    uint64_t after;          // the highest sequence number that somebody knew when it was sent
    uint64_t id;             // Nats-Msg-Id; 0: none
    uint64_t expect;         // last sequence of the stream + 1; 0: not expected
    uint64_t expect_subject; // of the subject
    bool rollup, rollup_all; // rollup: of its subject, or of everything
    enum js_fate fate;
};

// A request that removes messages. seq 0, all below it: a purge.
struct js_removal {
    uint64_t seq;         // this one alone
    unsigned filter;      // purge: JS_ALL or a subject
    uint64_t below, keep; // purge: 0: no bound; the newest `keep` stay
    uint64_t sent, answered;
    bool failed;
};

// What a consumer knows of a message.
struct js_seen {
    uint64_t acked;     // tick at which somebody first sent an end for it; 0: nobody did
    uint64_t confirmed; // tick at which that was confirmed
    uint64_t counts;    // bit n: the n-th delivery was received
    uint64_t lately;    // ... in the life of the latest receipt
    unsigned receipts, life; // life: of the latest receipt
    bool drained;       // received in the last drain
};

struct js_first {
    uint64_t seq;
    unsigned count; // 0: nobody received it
};

struct js_consumer {
    struct js_stream *stream;
    unsigned no, generation;
    enum js_phase phase;
    bool busy;       // somebody creates, changes or deletes it
    unsigned users;  // who pull or acknowledge
    unsigned version, next_version; // in its description; next: may be there
    // Of this generation.
    uint64_t since;  // tick at which its creation was confirmed; 0: it is not known to
    uint64_t born;   // tick at which its creation was asked for
    unsigned filter; // JS_ALL or a subject
    bool push, ack_all, ack_none, fresh; // fresh: only messages that come after it
    bool memory; // it does not survive a life
    int max_deliver; // -1: no limit
    unsigned max_ack_pending;
    uint64_t ack_wait; // ns; the longest wait
    uint64_t backoff[2];
    unsigned nbackoff;
    uint64_t paused_until, paused; // wall time ns that was confirmed; tick of that
    struct js_seen *seen; // by sequence number
    size_t nseen;
    struct js_first *by_dseq; // of this life
    size_t ndseq;
    // The latest that was told.
    uint64_t told, floor, floor_dseq, delivered;
};

struct js_stream {
    struct js_model *m;
    unsigned no, generation;
    enum js_kind kind;
    enum js_phase phase;
    bool busy;
    unsigned users;
    unsigned version, next_version;
    bool partitioned;      // work queue: a consumer for each subject
    bool memory;           // nothing of it survives a life
    int64_t max_msgs, max_per_subject; // -1: none
    bool packed;
    uint64_t max_age, dedupe;          // ns; 0: none
    uint64_t *at; // number + 1 of the message at a sequence number; 0: not known
    size_t nat;
    uint64_t last; // the highest sequence number that somebody was told
    // Work queue, by sequence number: 1: somebody sent an end for it; 2: that was confirmed; 4: so it was by a consumer
    // in memory, in this life.
    uint8_t *ended;
    size_t nended;
    struct js_removal **removals;
    size_t nremovals;
    struct js_consumer consumers[JS_CONSUMERS];
    // Of the latest look at all of it.
    bool *present; // by sequence number, npresent
    size_t npresent;
    uint64_t looked, messages; // tick; how many
};

struct js_model {
    struct sim *sim;
    struct js_msg **msgs;
    size_t nmsgs;
    uint64_t tick, ids;
    unsigned life; // from 1 on
    bool draining;
    struct js_stream streams[JS_STREAMS];
};

void js_model_init(struct js_model *m, struct sim *s);
void js_model_fini(struct js_model *m);
static inline uint64_t js_tick(struct js_model *m) { return ++m->tick; }
// The server has died or ended: what is open will never be answered.
void js_model_new_life(struct js_model *m);

// ---- messages (js_streams.c) ---------------------------------------------------------------------------------------

void js_stream_new_generation(struct js_stream *s); // nothing is in it, and it has no consumers
struct js_msg *js_publish(struct js_stream *s, unsigned subject, unsigned publisher);
uint64_t js_msg_number(const struct js_model *m, const struct js_msg *msg);
void js_stored(struct js_msg *msg, uint64_t seq);
void js_duplicate(struct js_msg *msg, uint64_t seq);
void js_refused(struct js_msg *msg);
// Message `number` was seen at seq on a subject.
struct js_msg *js_found(struct js_stream *s, uint64_t number, uint64_t seq, mg_slice subject);
struct js_msg *js_at(const struct js_stream *s, uint64_t seq); // NULL: not known
struct js_removal *js_remove(struct js_stream *s);
// Everything was looked at while nothing else was under way: s->present, s->messages. What is wrong, as text; NULL:
// nothing. What it says may be different in a moment (something still settles).
const char *js_stream_judge(struct js_stream *s, uint64_t first, uint64_t last, char *why, size_t n);

// ---- consumers (js_consumers.c) ------------------------------------------------------------------------------------

struct js_delivery {
    uint64_t count, seq, dseq, pending;
};

void js_consumer_new_generation(struct js_consumer *c);
bool js_matches(const struct js_consumer *c, unsigned subject);
struct js_seen *js_seen(struct js_consumer *c, uint64_t seq);
// asked: the tick since which it was surely not under way: of the pull request, or of a fence.
void js_received(struct js_consumer *c, const struct js_delivery *d, uint64_t asked);
void js_ack_sent(struct js_consumer *c, uint64_t seq);
void js_ack_confirmed(struct js_consumer *c, uint64_t seq);
// An answer to a request for its state, asked for at tick `asked`.
struct js_facts {
    uint64_t delivered, delivered_dseq, floor, floor_dseq, num_pending, num_ack_pending;
};
void js_told(struct js_consumer *c, const struct js_facts *f, uint64_t asked);
// As js_stream_judge, behind it.
const char *js_consumer_judge(struct js_consumer *c, const struct js_facts *f, char *why, size_t n);
// Could anybody have ended seq, for this consumer or (work queue) for any that was?
bool js_may_be_done(struct js_stream *s, uint64_t seq, unsigned subject);
bool js_must_be_done(struct js_stream *s, uint64_t seq, unsigned subject);

#endif
