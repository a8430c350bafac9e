// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The consumers of a stream in service: what stands between the state machine (jetstream/consumer), the stream's
// messages and rows, and the clients.
//
//   members.c    all consumers of a stream: by name, their subscriptions, what the stream tells them, turns
//   member.c     one consumer: its rules, what it does to the world, what clients tell it
//   pump.c       reading what is wanted and handing it over, num_pending
//   rows.c       what survives: configuration, snapshots, changes; what leaves only when they are durable
//   sleep.c      consumers that nobody uses are their rows alone
//   watch.c      who listens to a deliver subject
//   retention.c  streams that drop what nobody needs any more
//   advisory.c   events
//
// A consumer must not be called from inside of its effects, and what it publishes may come back at once: as a pull
// request, an acknowledgement, even as a deletion of the consumer. So whatever arrives while any consumer is being
// called (js->inside) is kept and handled in the stream's turn.
#ifndef MG_JETSTREAM_STREAM_MEMBER_H
#define MG_JETSTREAM_STREAM_MEMBER_H

#include "jetstream/consumer/consumer.h"
#include "jetstream/stream/js_stream.h"
#include "jetstream/stream/later.h"
#include "jetstream/stream/names.h"
#include "jetstream/stream/terms.h"
#include "server/base/timer.h"

#define MG_JS_SLOTS 64u // rows of changes between two snapshots

struct mg_js_member;

// A message from a client that is handled later; owned by the list that it is in.
struct mg_js_parcel {
    struct mg_list link;
    enum mg_js_parcel_kind { MG_JS_PULL, MG_JS_ACK, MG_JS_FLOW } kind;
    mg_slice consumer, subject, reply, body; // in text
    char text[];
};

// What has changed and is not durable yet (rows.c).
struct mg_js_changes {
    struct mg_buf deltas;     // not written yet
    struct mg_js_delta_coder coder;
    struct mg_js_hold *hold;  // frames that leave when the next row is durable; NULL: none
    struct mg_list holds;     // of struct mg_js_hold: all that are not durable yet
    unsigned writing;         // rows that are not durable yet
    unsigned ordered;         // how many of the holds have deliveries: what comes later must not overtake
    bool whole;               // the changes have grown too many to be kept: the next row is a snapshot
};

// Where changes are written.
struct mg_js_journal {
    struct mg_js_changes *changes; // owned; NULL: all is durable
    uint64_t generation;      // of the last snapshot
    uint32_t since, snapshot; // bytes: deltas since the last snapshot; that snapshot
    uint8_t slot, used;       // the next one; how many have ever been written
};

// What is being read, or was read ahead, and for what.
struct mg_js_feed {
    struct mg_js_reading rd;
    struct mg_js_want want;
};

// The store counts what is pending. What was told meanwhile may not be in that count.
struct mg_js_counting {
    struct mg_js_reading rd;
    struct mg_js_later later;
};

// Somebody who waits until num_pending is exact.
struct mg_js_knowing {
    struct mg_list link;
    void (*known)(struct mg_js_knowing *k, struct mg_js_member *m); // NULL: the consumer goes
};

// Those who wait for num_pending.
struct mg_js_asking {
    struct mg_list knowing; // of struct mg_js_knowing
    struct mg_list pulls;   // of struct mg_js_parcel: what becomes of them depends on it
    unsigned npulls;
};

// Owned by its stream. There may be a hundred thousand of them, most of which wait: what they need only when something
// happens stands apart.
struct mg_js_member {
    struct mg_js_stream *stream;
    struct mg_js_consumer *c; // NULL: it is being made
    struct mg_js_terms *terms; // its share of members->terms
    struct mg_js_own own;      // entries of members->index
    int64_t created;
    struct mg_list active;    // of members->active: with something to do in this turn
    struct mg_list watch;     // push, which never sleeps: of a struct mg_js_watch. Else of js->idle: it could sleep
    struct mg_timer timer;
    struct mg_js_journal journal;
    struct mg_js_feed *feed;  // NULL: nothing is being read nor read ahead
    struct mg_js_counting *count; // NULL: num_pending is not being counted
    struct mg_js_asking *asking;  // NULL: nobody asks for num_pending
    uint64_t counted;         // num_pending knows of messages up to this one
    uint64_t clear;           // nothing before this number matches; UINT64_MAX: nothing that was told so far
    int64_t count_paid;       // when a count that had to wait was done
    uint64_t bounced;         // a delivery that reached nobody; 0: none
    bool persistent, live;    // live: its creation is durable, it delivers
    bool stale;               // num_pending must be counted
    bool refiltered;          // its filters changed: what it was given need not match them
    bool reading, look_for_listeners, expired, dead;
    bool more;                // of this turn: its slice was used up
    bool listed;              // in members->names
    unsigned held;            // requests that look at it: it is not freed
    struct mg_js_name name;
};

struct mg_js_members {
    struct mg_js_stream *stream;
    struct mg_table by_name;     // of struct mg_js_member
    struct mg_table asleep;      // of struct mg_js_sleeper
    size_t n, n_limited;         // those awake; all that max_consumers counts
    struct mg_js_names names;    // of all that are listed: also those asleep
    struct mg_js_sub *next, *ack, *ack_long, *flow, *flow_long;
    struct mg_table terms;       // of struct mg_js_terms
    struct mg_sublist *index;    // filters of all of them; owner: the member
    struct mg_list unfiltered;
    size_t nfiltered;
    struct mg_js_consumer_env env;
    struct mg_list active;
    struct mg_list inbox;        // of struct mg_js_parcel
    struct mg_list dead;         // of struct mg_js_member, by active: freed at the end of the turn
    uint64_t told;               // messages up to this one have been told to the members
    struct mg_js_reading walk;   // looks at those behind
    bool walking;
    struct mg_buf removed;       // what has gone from the stream: numbers with subjects (members.c)
    uint64_t highest_removed;    // of those
    struct mg_buf done;          // of uint64_t: not needed any more by one of them
    unsigned purges;             // under way: what is removed meanwhile goes without a word
    struct mg_buf bounce;        // to whom the delivery went that bounced
    struct mg_js_sweep *sweep;   // NULL: nothing to look through (retention.c)
    struct {                     // the last one that has left a deleted stream
        const struct mg_table *of;
        uint64_t hash;
        uintptr_t val;
    } leaving;
};

static inline mg_slice mg_js_member_name(const struct mg_js_member *m) { return mg_js_name_slice(&m->name); }
static inline struct mg_js *mg_js_member_js(const struct mg_js_member *m) { return m->stream->js; }
static inline int64_t mg_js_member_now(const struct mg_js_member *m) { return mg_js_now(m->stream->js); }

// ---- all of a stream (members.c) ------------------------------------------------------------------------------------

// Made at the first consumer, and at the start for all streams that have some.
struct mg_js_members *mg_js_members_of(struct mg_js_stream *s);
void mg_js_members_recover(struct mg_js_stream *s);
// They are not served any more: the stream was deleted, and mg_js_members_leave follows; or the server ends, and those
// who wait hear of it.
void mg_js_members_retire(struct mg_js_stream *s, bool deleted);
// A slice of them says that it is deleted, and goes. True: there are more.
bool mg_js_members_leave(struct mg_js_members *ms);
void mg_js_members_free(struct mg_js_stream *s);
bool mg_js_members_turn(struct mg_js_members *ms);
// Tells them what the stream has told since the last turn. True: there is more.
bool mg_js_members_catch_up(struct mg_js_members *ms);

struct mg_js_member *mg_js_member_find(const struct mg_js_stream *s, mg_slice name);
// Calls fn for each that is awake, in no order.
void mg_js_members_each(struct mg_js_members *ms, void (*fn)(void *arg, struct mg_js_member *m), void *arg);

// A message was removed, or all up to `last`: by the API, by a limit. Purges of the API are said before and after.
void mg_js_members_removed(struct mg_js_stream *s, uint64_t seq, mg_slice subject);
void mg_js_members_cleared(struct mg_js_stream *s, uint64_t last);
void mg_js_members_purge(struct mg_js_stream *s);
void mg_js_members_purge_failed(struct mg_js_stream *s);
// filter empty: all. first: the number that the stream begins with now, last + 1 when nothing is left. whole: neither a
// number nor a count bounded it.
void mg_js_members_purged(struct mg_js_stream *s, mg_slice filter, uint64_t first, bool whole);

// ---- one (member.c) -------------------------------------------------------------------------------------------------

// In the list of its stream, but without a state: mg_js_member_begin follows. config is moved.
struct mg_js_member *mg_js_member_new(struct mg_js_stream *s, mg_slice name, struct mg_js_consumer_config *config,
                                      int64_t created);
// state is moved.
void mg_js_member_begin(struct mg_js_member *m, struct mg_js_state *state);
void mg_js_member_serve(struct mg_js_member *m); // it delivers from now on
// Forgets it: it has no subscriptions any more. Memory goes at the end of the turn.
void mg_js_member_drop(struct mg_js_member *m);
void mg_js_member_free(struct mg_js_member *m);
void mg_js_member_unlist(struct mg_js_member *m); // takes it out of the names
// Other rules, checked before. config is moved.
void mg_js_member_revise(struct mg_js_member *m, struct mg_js_consumer_config *config);
void mg_js_member_pause(struct mg_js_member *m, struct mg_js_time until);
// Deletes it as the API does: says so, removes its rows. ctx: as in mg_stream_row_delete; may be NULL.
int mg_js_member_delete(struct mg_js_member *m, void *ctx);
// Something to do in this turn.
void mg_js_member_wake(struct mg_js_member *m);
void mg_js_member_arm(struct mg_js_member *m); // its timer

// Messages from clients; all slices are copied.
void mg_js_member_pull(struct mg_js_member *m, mg_slice reply, mg_slice body);
void mg_js_member_ack(struct mg_js_member *m, mg_slice subject, mg_slice reply, mg_slice payload);
void mg_js_member_flow(struct mg_js_member *m, mg_slice subject);
void mg_js_member_take(struct mg_js_member *m, const struct mg_js_parcel *p);
static inline bool mg_js_member_is_push(const struct mg_js_member *m) {
    return mg_js_consumer_is_push(&m->terms->config);
}

// config gets what is borrowed from it.
struct mg_js_consumer_info mg_js_member_tell(struct mg_js_member *m, struct mg_js_consumer_config *config);
// All of it, borrowed from the member until that changes.
static inline struct mg_js_consumer_config mg_js_member_config(const struct mg_js_member *m) {
    return mg_js_own_config(&m->own, m->terms, mg_js_member_name(m));
}
static inline bool mg_js_member_matches(const struct mg_js_member *m, mg_slice subject) {
    return mg_js_own_matches(&m->own, subject);
}

// ---- pump.c ---------------------------------------------------------------------------------------------------------

// Tells those who wait for num_pending; if it is live delivers what is wanted, at most a slice. True: there is more at
// once.
bool mg_js_member_pump(struct mg_js_member *m);
void mg_js_member_stop_reading(struct mg_js_member *m);
// Is num_pending exact? If not it is being counted from now on.
bool mg_js_member_counted(struct mg_js_member *m);
struct mg_js_asking *mg_js_member_asking(struct mg_js_member *m); // makes it
void mg_js_member_asked(struct mg_js_member *m, struct mg_js_member *told); // told: what they hear; NULL: it goes
// Calls back when num_pending is exact: perhaps at once.
void mg_js_member_know(struct mg_js_member *m, struct mg_js_knowing *k);
// Its position or its filters have changed: what was read and counted is worth nothing.
void mg_js_member_restart(struct mg_js_member *m);

// ---- rows.c ---------------------------------------------------------------------------------------------------------

void mg_js_member_record(struct mg_js_member *m, const struct mg_js_delta *d);
// Keeps a frame until the changes so far are durable.
void mg_js_member_hold(struct mg_js_member *m, mg_slice to, mg_slice subject, mg_slice reply, mg_slice headers,
                       mg_slice payload, bool delivery);
// Writes what has changed: at the end of a turn, unless rows enough are under way (the changes then wait for these, so
// that a slow disk meets few large rows and not many small ones).
void mg_js_member_write(struct mg_js_member *m);
void mg_js_member_flush(struct mg_js_member *m); // in any case: something that speaks of it is behind
bool mg_js_member_changed(const struct mg_js_member *m); // is there something to write?
// Writes configuration and the whole state. 0 or MG_E...
int mg_js_member_store_config(struct mg_js_member *m, void *ctx);
int mg_js_member_store_state(struct mg_js_member *m);
int mg_js_member_erase(struct mg_js_member *m, void *ctx);
void mg_js_member_unhold(struct mg_js_member *m); // it goes: what is held leaves without it
// Reads all consumers of a stream: they serve, or sleep.
void mg_js_rows_load(struct mg_js_stream *s);

// What the rows of a consumer say, as they are read one by one.
struct mg_js_stored {
    struct mg_js_consumer_config config;
    int64_t created;
    struct mg_js_state state; // if has_state
    uint64_t generation;
    size_t since, snapshot;
    unsigned slot, used;
    bool has_state;
};
enum {
    MG_JS_ROW_QUIET = 1, // does nothing by itself
    MG_JS_ROW_HIDDEN = 2,
    MG_JS_ROW_NO_ACKS = 4,
    MG_JS_ROW_NAMED = 8, MG_JS_ROW_DURABLE = 16, // the configuration's name, durable_name is the consumer's
};
struct mg_js_row_head {
    uint8_t flags;
    int64_t created, max_ack_pending, inactive_threshold;
    bool whole;      // the configuration has also what most have the same
    mg_slice config; // JSON
};
uint8_t mg_js_member_row_flags(const struct mg_js_member *m);
mg_slice mg_js_rows_key(char kind, mg_slice name, unsigned slot, struct mg_buf *out);
bool mg_js_rows_head(mg_slice value, struct mg_js_row_head *out); // of a configuration's row
int mg_js_stored_config(struct mg_js_stored *st, mg_slice name, mg_slice value); // MG_ECORRUPT
int mg_js_stored_snapshot(struct mg_js_stored *st, mg_slice value); // MG_ECORRUPT
bool mg_js_stored_deltas(struct mg_js_stored *st, unsigned slot, mg_slice value, bool *damaged); // false: older
void mg_js_stored_fini(struct mg_js_stored *st);
// A consumer in service of what was stored, which it takes over.
struct mg_js_member *mg_js_member_revive(struct mg_js_stream *s, mg_slice name, struct mg_js_stored *st,
                                         const struct mg_js_consumer_past *past);

// ---- sleep.c --------------------------------------------------------------------------------------------------------

// A consumer that nobody uses is its rows, and this.
struct mg_js_sleeper {
    struct mg_js_stream *stream;
    struct mg_js_waking *waking;   // NULL: it sleeps
    struct mg_js_memories *before; // owned; NULL: there is nothing to remember
    int64_t max_ack_pending, inactive_threshold;
    uint8_t flags; // MG_JS_ROW_*
    struct mg_js_name name;
};
static inline mg_slice mg_js_sleeper_name(const struct mg_js_sleeper *sl) { return mg_js_name_slice(&sl->name); }
struct mg_js_request;

bool mg_js_sleeps_from_start(const struct mg_js_stream *s, const struct mg_js_row_head *head);
struct mg_js_sleeper *mg_js_sleeper_new(struct mg_js_stream *s, mg_slice name, const struct mg_js_row_head *head);
struct mg_js_sleeper *mg_js_sleeper_find(const struct mg_js_stream *s, mg_slice name);
// After it was used: when too many are idle, the one that has been so for longest falls asleep.
void mg_js_sleep_consider(struct mg_js_member *m);
void mg_js_sleep_forget(struct mg_js_member *m); // it goes
// Wakes it; then the request (may be NULL) is run again.
void mg_js_sleeper_wake(struct mg_js_sleeper *sl, struct mg_js_request *rq);
void mg_js_sleeper_wake_for(struct mg_js_sleeper *sl, struct mg_js_task *t); // then t->run is called
// Wakes it; then it gets the message.
void mg_js_sleeper_keep(struct mg_js_sleeper *sl, struct mg_js_parcel *p);
void mg_js_sleepers_wake_all(struct mg_js_members *ms);
void mg_js_sleepers_free(struct mg_js_members *ms);
void mg_js_sleeper_free(struct mg_js_sleeper *sl); // who waits for it finds out

// ---- watch.c --------------------------------------------------------------------------------------------------------

void mg_js_watch_init(struct mg_js *js);
void mg_js_watch_fini(struct mg_js *js);
void mg_js_watch_add(struct mg_js_member *m);
void mg_js_watch_remove(struct mg_js_member *m);
bool mg_js_watch_listens(const struct mg_js_member *m);

// ---- retention.c ----------------------------------------------------------------------------------------------------

void mg_js_retention_done(struct mg_js_member *m, uint64_t seq);
void mg_js_retention_settle(struct mg_js_members *ms); // removes what was done
bool mg_js_retention_turn(struct mg_js_members *ms); // and looks at some that may be. True: there are more
// Looks through the stream for what nobody needs: after a consumer went or wants less.
void mg_js_retention_sweep(struct mg_js_stream *s);
void mg_js_retention_stop(struct mg_js_members *ms);

// ---- advisory.c -----------------------------------------------------------------------------------------------------

void mg_js_advise_action(struct mg_js_stream *s, mg_slice consumer, bool created);
void mg_js_advise(struct mg_js_member *m, const struct mg_js_notice *n);

#endif
