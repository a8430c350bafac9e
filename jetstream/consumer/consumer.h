// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// One consumer: which message goes to whom, and what becomes of it (spec/jetstream-consumers.md). A state machine
// without I/O or clock: everything that happens is told by a call with the time, everything that it does is a call of
// struct mg_js_consumer_ops.
//
// How messages flow. The consumer does not read messages; its owner does, which may take a while:
//
//     w = mg_js_consumer_want(c, now)          what should be read now, or nothing
//     ... the stream reads ...
//     mg_js_consumer_message(c, now, &w, &m)   here it is: it is delivered, unless the world has changed meanwhile
//     mg_js_consumer_gone(c, now, &w)          there is no such message
//     mg_js_consumer_pass(c, &w, last)         what is there up to `last` cannot be read
//     mg_js_consumer_end(c, now, &w, last)     no message up to `last`, the end of the stream, matches
//
// and again, until `want` says nothing. After any call the answers of `want` and `deadline` may be others. When the
// deadline has come, call mg_js_consumer_tick.
//
// Effects and durability. Every change of the lasting state is told by `record` before the effects that rely on it. All
// frames (deliver, send) leave in the order of the calls. A delivery with `after_record`, every answer to an
// acknowledgement and what `done` leads to must wait until the records so far are durable.
//
// Time is nanoseconds since the epoch and does not go back. Ops may not call into the consumer that calls them. A
// consumer belongs to the shard of its stream; the owner frees it. One that mg_js_consumer_dormant may be kept as its
// encoded state alone.
#ifndef MG_JETSTREAM_CONSUMER_CONSUMER_H
#define MG_JETSTREAM_CONSUMER_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "jetstream/consumer/ack.h"
#include "jetstream/consumer/rules.h"
#include "jetstream/consumer/state.h"
#include "jetstream/store/message.h"
#include "server/base/buf.h"
#include "server/base/slice.h"

struct mg_js_consumer;

// ---- effects --------------------------------------------------------------------------------------------------------

struct mg_js_delivery {
    mg_slice to;               // who gets it: inbox of the request, or deliver subject
    mg_slice subject;          // what the MSG line says
    mg_slice reply;            // for the acknowledgement
    mg_slice headers, payload; // as they are to be sent
    uint64_t seq, dseq;
    uint32_t count;            // 1: first delivery
    bool after_record;         // not before the record is durable: a redelivery that max_deliver counts
};

enum mg_js_notice_kind {
    MG_JS_NOTICE_MAX_DELIVERIES, // seq, count
    MG_JS_NOTICE_NAKED,          // seq, dseq, count
    MG_JS_NOTICE_TERMINATED,     // seq, dseq, count, text: the reason
    MG_JS_NOTICE_ACK_METRIC,     // seq, dseq, count, time: ns since the delivery
    MG_JS_NOTICE_PAUSED,         // time: pause_until
    MG_JS_NOTICE_RESUMED,        // time: pause_until
    MG_JS_NOTICE_PINNED,         // group, text: the id
    MG_JS_NOTICE_UNPINNED,       // group, text: the reason
    MG_JS_NOTICE_BAD_DELAY,      // not an advisory: a line for the log. text: the payload
    MG_JS_NOTICE_INACTIVE        // not an advisory: nobody has used it for long enough, delete it
};

struct mg_js_notice {
    enum mg_js_notice_kind kind;
    uint64_t seq, dseq, count;
    int64_t time;
    mg_slice group, text;
};

enum mg_js_interest {
    MG_JS_INTEREST_YES,
    MG_JS_INTEREST_NO,
    MG_JS_INTEREST_NO_REMAPPED // lost, and the reply subject came through an import: the requester is told (10.2)
};

struct mg_js_consumer_ops {
    void (*record)(void *app, const struct mg_js_delta *d);
    void (*deliver)(void *app, const struct mg_js_delivery *d);
    // A frame without payload: status, heartbeat, flow control. headers is empty for the answer to an acknowledgement.
    void (*send)(void *app, mg_slice to, mg_slice reply, mg_slice headers);
    // This consumer will not need the message again: acknowledged, terminated, or delivered without acknowledgement.
    void (*done)(void *app, uint64_t seq);
    enum mg_js_interest (*interest)(void *app, mg_slice inbox);
    void (*notice)(void *app, const struct mg_js_notice *n);
    uint64_t (*random)(void *app);
    bool (*matches)(void *app, mg_slice subject); // do the filters let it through?
};

// What the consumers of a stream share. Lives longer than they do. Zero domain, account for short subjects.
struct mg_js_consumer_env {
    const struct mg_js_consumer_ops *ops;
    mg_slice stream;
    mg_slice domain, account; // account: its hash, for the long form of $JS.ACK and $JS.FC; empty: the short form
    struct mg_buf headers, reply; // scratch; the owner frees them
};

// ---- life -----------------------------------------------------------------------------------------------------------

// Begins with the state, which it takes over (mg_js_state_init or a decoded one). rules stay the owner's and are
// replaced by mg_js_consumer_revise and _pause only; name is copied.
struct mg_js_consumer *mg_js_consumer_new(struct mg_js_consumer_env *env, const struct mg_js_consumer_rules *rules,
                                          mg_slice name, struct mg_js_state *state, int64_t now, void *app);
// Without a word to anybody.
void mg_js_consumer_free(struct mg_js_consumer *c);
// Tells those who wait that it goes: `409 Consumer Deleted`, `409 Server Shutdown`. Nothing waits after that.
void mg_js_consumer_say_deleted(struct mg_js_consumer *c);
void mg_js_consumer_say_shutdown(struct mg_js_consumer *c);
void mg_js_consumer_say_leader_change(struct mg_js_consumer *c);

const struct mg_js_state *mg_js_consumer_state(const struct mg_js_consumer *c);
const struct mg_js_consumer_rules *mg_js_consumer_rules(const struct mg_js_consumer *c);
mg_slice mg_js_consumer_name(const struct mg_js_consumer *c);
void *mg_js_consumer_app(const struct mg_js_consumer *c);
// Nothing but the state, its past and num_pending would be lost with it: no request waits, it pushes to nobody, has no
// pin. It may have a deadline.
bool mg_js_consumer_dormant(const struct mg_js_consumer *c);
// What else a dormant one knows, which does not survive a restart: for another one that is made of its state.
struct mg_js_consumer_past {
    int64_t last_delivered, last_acked, used; // used: what inactivity is counted from
    bool paused;                              // that its pause has ended is not told yet
};
struct mg_js_consumer_past mg_js_consumer_past(const struct mg_js_consumer *c);
void mg_js_consumer_recall(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_past *past);
size_t mg_js_consumer_memory(const struct mg_js_consumer *c); // bytes, without the allocator's

struct mg_js_consumer_facts {
    struct mg_js_pair delivered, floor;
    int64_t last_delivered, last_acked; // 0: never since the start
    uint64_t num_pending, num_ack_pending, num_redelivered, num_waiting;
    bool push_bound, paused;
    int64_t pause_remaining;
    mg_slice pin_group, pin_id; // empty: nobody is pinned
    int64_t pin_time;
};
// Drops dead requests first. Slices are valid until the next call. num_pending is clamped to what `stream_msgs` and the
// stream's last number allow (spec 14.1).
struct mg_js_consumer_facts mg_js_consumer_facts(struct mg_js_consumer *c, int64_t now, uint64_t stream_msgs,
                                               uint64_t stream_last);

// ---- flow -----------------------------------------------------------------------------------------------------------

enum mg_js_want_kind {
    MG_JS_WANT_NOTHING,
    MG_JS_WANT_SEQ, // exactly the message `seq`
    MG_JS_WANT_NEXT // the first one from `seq` on that matches the filters
};

struct mg_js_want {
    enum mg_js_want_kind kind;
    uint64_t seq;
    uint32_t epoch; // of the rules and the position
};

struct mg_js_want mg_js_consumer_want(struct mg_js_consumer *c, int64_t now);
// True: it was delivered. False: ask `want` again.
bool mg_js_consumer_message(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w,
                            const struct mg_message *m);
void mg_js_consumer_gone(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w);
// Nothing up to `last` can be delivered; what stands behind it may.
void mg_js_consumer_pass(struct mg_js_consumer *c, const struct mg_js_want *w, uint64_t last);
// Nothing up to `last` matches, and last is the end of what is visible now.
void mg_js_consumer_end(struct mg_js_consumer *c, int64_t now, const struct mg_js_want *w, uint64_t last);
// A delivery found no subscriber (spec 9: it is not counted). `to` is what the delivery said.
void mg_js_consumer_bounced(struct mg_js_consumer *c, int64_t now, uint64_t seq, mg_slice to);

int64_t mg_js_consumer_deadline(struct mg_js_consumer *c); // MG_JS_NEVER
void mg_js_consumer_tick(struct mg_js_consumer *c, int64_t now);

// ---- from clients ---------------------------------------------------------------------------------------------------

// A pull request: the message's reply subject and payload. Without reply subject it is ignored.
void mg_js_consumer_pull(struct mg_js_consumer *c, int64_t now, mg_slice reply, mg_slice body);
// An acknowledgement; payload without headers. reply may be empty.
void mg_js_consumer_ack(struct mg_js_consumer *c, int64_t now, mg_slice subject, mg_slice reply, mg_slice payload);
// An answer to flow control, published to `subject`.
void mg_js_consumer_flow(struct mg_js_consumer *c, int64_t now, mg_slice subject);
// Push: is there interest of the right kind in the deliver subject (spec 12.1)?
void mg_js_consumer_active(struct mg_js_consumer *c, int64_t now, bool active);
// Somebody may have unsubscribed: pull requests without interest are dropped.
void mg_js_consumer_interest_changed(struct mg_js_consumer *c, int64_t now);

// ---- from the stream ------------------------------------------------------------------------------------------------

// How many messages (last_per_subject: subjects) from the position on match: after creation, reset, other filters,
// purges. Kept from there on.
void mg_js_consumer_set_num_pending(struct mg_js_consumer *c, uint64_t n);
uint64_t mg_js_consumer_next(const struct mg_js_consumer *c); // the position: from there on num_pending counts
// A message was stored and is visible. True: it matches.
bool mg_js_consumer_stored(struct mg_js_consumer *c, uint64_t seq, mg_slice subject);
// A message was removed by a limit or by the API, not by this consumer.
void mg_js_consumer_removed(struct mg_js_consumer *c, int64_t now, uint64_t seq, mg_slice subject);
// A purge of all that this consumer could get below `first` (the stream's first number, or last + 1). Set num_pending.
void mg_js_consumer_purged(struct mg_js_consumer *c, int64_t now, uint64_t first);
// One message was purged by a filter that is narrower than this consumer's: forgotten without a word. Set num_pending.
void mg_js_consumer_purged_one(struct mg_js_consumer *c, int64_t now, uint64_t seq);
// The stream begins at `first`: what is pending below is terminated. For what `removed` was not told of.
void mg_js_consumer_trim(struct mg_js_consumer *c, int64_t now, uint64_t first);

// ---- from the API ---------------------------------------------------------------------------------------------------

// Other rules, checked already (spec 2.2). new_filters: set num_pending.
void mg_js_consumer_revise(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_rules *rules,
                           bool new_filters);
// rules: with another pause_until, the same in all else.
void mg_js_consumer_pause(struct mg_js_consumer *c, int64_t now, const struct mg_js_consumer_rules *rules);
// seq 0: back to the floor. start_time_seq: for by_start_time, the number its time leads to. MG_OK with *reset_seq: set
// num_pending. MG_EDENIED with the reason in *why.
int mg_js_consumer_reset(struct mg_js_consumer *c, int64_t now, uint64_t seq, uint64_t start_time_seq,
                         uint64_t *reset_seq, const char **why);
void mg_js_consumer_unpin(struct mg_js_consumer *c, int64_t now, mg_slice group);

#endif
