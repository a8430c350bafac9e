// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// JetStream on one shard: what its streams, consumers and API need of the broker. It subscribes and publishes from
// inside, without a connection; it has the shard's timers and its part of the store. Each shard has one, with streams
// of its own. That of shard 0 also has the catalogue of all, and the API: a request for one stream that lives elsewhere
// goes there and is answered there, the others stay and send errands.
//
// A message arrives in the call that publishes it, so a handler must not keep its slices. What a handler publishes is
// delivered at once as well, at most a few levels deep; answers that must be durable first come out of the store's
// turn (mg_js_turn).
#ifndef MG_JETSTREAM_JS_H
#define MG_JETSTREAM_JS_H

#include "jetstream/api/limits.h"
#include "jetstream/catalogue.h"
#include "jetstream/errand.h"
#include "jetstream/shared.h"
#include "jetstream/store/store.h"
#include "server/base/list.h"
#include "server/base/log.h"
#include "server/router/router.h"
#include "server/router/table.h"

struct mg_js_stream;
struct mg_mbuf;

// Who has sent a request, as far as it is known. Slices are valid until the callback's next call.
struct mg_js_client {
    int64_t start, rtt; // ns; start INT64_MIN: not known, rtt 0: not known
    mg_slice host, user, name, lang, version;
};

// What stays for the life of the server.
struct mg_js_setup {
    struct mg_shard *shard;
    struct mg_router *router;
    struct mg_store *store; // opened; this is its part `part`
    unsigned part;
    struct mg_js_catalogue *all; // empty; NULL: this is not the shard that has it
    struct mg_js_shared *shared; // zeroed, of all shards
    // Brings an errand to mg_js_errand_come of that shard. Never waits, and keeps the order.
    void (*carry)(void *arg, unsigned to, struct mg_js_errand *e);
    void *carry_arg;
    struct mg_log *log;     // may be NULL
    const char *server_name, *server_id, *version;
    const char *domain;     // NULL: none
    const char *store_dir;  // as it is told to operators
    int64_t max_memory, max_store; // bytes; -1: no limit
    int64_t max_pending;    // bytes of an answer with several messages, if the request does not say
    uint64_t max_requests, max_info_requests; // of the API that may be under way; 0: no limit
    bool strict;            // refuse unknown members of requests
    struct mg_js_limits limits;
    // Fills in what is known of the sender; may be NULL.
    void (*client)(void *arg, const struct mg_msg *m, struct mg_js_client *out);
    void *client_arg;
};

struct mg_js {
    struct mg_js_setup o;
    struct mg_shard *shard;
    struct mg_router *router;
    struct mg_store_part *part;
    struct mg_log *log;
    mg_slice server_name, domain; // domain empty: none
    struct mg_js_stream **streams; // of this shard, sorted by name
    size_t nstreams, streams_cap;
    struct mg_js_catalogue *all; // NULL: shard 0 has it
    struct mg_js_tally *tally;   // this shard's
    uint64_t told_used[2];       // what the others know of the own bytes
    struct mg_list dead;    // of struct mg_js_sub: dropped during a delivery, freed in the next turn
    struct mg_list busy;    // of struct mg_js_stream: with something to do at the end of the turn
    struct mg_list stalled; // of struct mg_js_stream: that wait until they may send again
    struct mg_list leaving; // of struct mg_js_stream: deleted, their consumers are still going
    struct mg_list tasks;   // of struct mg_js_task: for the next turn
    struct mg_list waits;   // of struct mg_js_wait: calls into the store that are not answered
    struct mg_list idle;    // of struct mg_js_member: the least recently used first (stream/sleep.c)
    size_t nidle;
    struct mg_list later;   // of struct mg_js_request: those that came from inside of a consumer
    struct mg_table watches; // of struct mg_js_watch: deliver subjects (stream/watch.c)
    struct mg_credit_waiter credit;
    uint64_t serve_until;   // when this round of serving streams is over
    unsigned inside;        // calls into consumers that are under way: they must not be called again
    int64_t now;            // the latest time that was told
    struct mg_js_sub *api;
    struct mg_buf scratch;  // for one answer
    bool stopping, ended;   // ended: the shards' threads do no more
};

// Before the shards run: this, then mg_js_enter, with each of them, on one thread.
void mg_js_start(struct mg_js *js, const struct mg_js_setup *o);
// Takes the streams of js into service and enters them into the catalogue of `first`, which may be the same. A stream
// that cannot be served, whatever is wrong with it on disk, is left as it is, and the log says so.
void mg_js_enter(struct mg_js *first, struct mg_js *js);
// The shards' threads have ended: drops everything without a word. The parts have stopped. First mg_js_end with all,
// then this; *js stays until the store is closed.
void mg_js_end(struct mg_js *js);
void mg_js_fini(struct mg_js *js);
// In each turn of the shard: what the store has finished leaves. True: there is more to do at once.
bool mg_js_turn(struct mg_js *js);
// Tells clients that the server goes, takes nothing more. True when nothing is under way in the store.
bool mg_js_stop(struct mg_js *js);
// Behind that, and behind the last client: spares the next start what it would have to replay. True: done.
bool mg_js_settle(struct mg_js *js);

// ---- streams --------------------------------------------------------------------------------------------------------

struct mg_js_stream *mg_js_find(const struct mg_js *js, mg_slice name);
void mg_js_add(struct mg_js *js, struct mg_js_stream *s);
void mg_js_remove(struct mg_js *js, struct mg_js_stream *s);

// ---- room -----------------------------------------------------------------------------------------------------------

// Bytes stored by all shards (enum mg_js_storage): what this one has now and the others had at the end of their last
// turn.
uint64_t mg_js_used(const struct mg_js *js, int storage);
// Are the server's bounds for this kind of storage (enum mg_js_storage) exceeded?
bool mg_js_no_room(const struct mg_js *js, int storage);

// ---- calls into the store -------------------------------------------------------------------------------------------

// `done` is called with its result when that may be told; with r NULL when that never comes (the server ends): it is
// to free what it has.
struct mg_js_wait {
    struct mg_list link;
    void (*done)(struct mg_js_wait *w, struct mg_js_stream *s, const struct mg_result *r);
};
void mg_js_wait(struct mg_js *js, struct mg_js_wait *w, void (*done)(struct mg_js_wait *, struct mg_js_stream *,
                                                                     const struct mg_result *));
// The call was refused at once, and there will be no result.
void mg_js_wait_cancel(struct mg_js_wait *w);

// ---- work in slices -------------------------------------------------------------------------------------------------

// What would take too long goes on in the shard's next turn. The owner's; its link is initialised once, and removing it
// takes the task back.
struct mg_js_task {
    struct mg_list link;
    void (*run)(struct mg_js_task *t);
    void (*drop)(struct mg_js_task *t); // the server ends; NULL: somebody else frees it
};
void mg_js_later(struct mg_js *js, struct mg_js_task *t, void (*run)(struct mg_js_task *t));
// While streams are served: it has taken long enough, the rest waits for the next turn.
bool mg_js_spent(const struct mg_js *js);

// ---- subscriptions --------------------------------------------------------------------------------------------------

// False: it does not take this one; to the publisher it is as if nobody had subscribed.
typedef bool (*mg_js_handler)(void *arg, const struct mg_msg *m);
struct mg_js_sub;
// subject is copied; valid for SUB.
struct mg_js_sub *mg_js_subscribe(struct mg_js *js, mg_slice subject, mg_js_handler fn, void *arg);
void mg_js_unsubscribe(struct mg_js *js, struct mg_js_sub *sub); // also from inside of a handler; NULL is fine

// ---- publishing -----------------------------------------------------------------------------------------------------

// headers is a whole block ("NATS/1.0\r\n...\r\n\r\n") or empty. Returns how many got it here, plus one for each other
// shard that it was sent to. Never waits: on other shards it goes into debt (router.h).
uint32_t mg_js_publish(struct mg_js *js, mg_slice subject, mg_slice reply, mg_slice headers, mg_slice payload);
// The same without headers; the body is taken by reference.
uint32_t mg_js_publish_body(struct mg_js *js, mg_slice subject, struct mg_mbuf *body);
// The same for a message of a consumer: it goes to whoever has subscribed to `to`, and shows its own subject.
uint32_t mg_js_deliver(struct mg_js *js, mg_slice to, mg_slice subject, mg_slice reply, mg_slice headers,
                       mg_slice payload);
// False: another shard has as much from here as it takes; streams with consumers are called when it goes on.
bool mg_js_may_send(struct mg_js *js);
// Would anybody get it now? Asks only what is known on this shard.
bool mg_js_interest(struct mg_js *js, mg_slice subject);

// Nanoseconds since the epoch; does not go back while this lives.
int64_t mg_js_now(struct mg_js *js);
static inline int64_t mg_js_wall(const struct mg_js *js) { return mg_loop_wall(mg_shard_loop(js->shard)); }

#endif
