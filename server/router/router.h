// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The router of one shard: who gets a message. It knows subscriptions of its own shard (sublist.h), what the other
// shards want (interest.h), and reaches connections through a sink: the first member of every subscription's owner.
//
//   publish on shard A:   match own subscriptions -> deliver;   match interest -> a record to each shard that wants it
//   record on shard B:    match own subscriptions -> deliver;   nobody left in a queue group -> choose another shard
//
// A queue group's member is chosen once, where the message was published, weighted by members per shard. The chosen
// shard chooses again if it has none left that can take the message; `visited` keeps that from going in circles. Who
// asked for it (a request) learns when nobody at all got the message: every record carries a share of a weight that
// comes back with its outcome, so the asker knows when all shares are back, however often a record was passed on
// (Mattern, 1989).
//
// Only one account exists; records name it all the same, so that more can be added without a new format.
#ifndef MG_ROUTER_ROUTER_H
#define MG_ROUTER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"
#include "server/router/interest.h"
#include "server/router/sublist.h"
#include "server/shard/mbuf.h"
#include "server/shard/shard.h"

// A message on its way. Slices are valid during the call that gets it; the payload may be kept by reference to mbuf.
struct mg_msg {
    mg_slice subject;   // what those who get it are told
    mg_slice route;     // what they have subscribed to; n 0: the subject
    mg_slice reply;     // n 0: none
    mg_slice payload;   // headers included
    uint32_t hdr_len;   // bytes of headers at the start of the payload
    mg_slice size_text; // as the publisher wrote it: echoed (spec/client-protocol.md A4)
    mg_slice hdr_text;  // the same for hdr_len, when hdr_len > 0
    struct mg_mbuf *mbuf; // holds the payload; NULL: the payload is in the shard's read slab or in a batch
    bool slab;            // mbuf is NULL and the payload stays valid until the slab (or the batch) is given up
    const void *origin;   // the sink that published it, on this shard; NULL: from another shard
    uint64_t origin_id;   // of the connection that published it
    uint32_t origin_slot;
    uint16_t origin_shard;
    bool reaction;        // of the server itself: never waits for credit, goes into debt
};

// A subscription's owner starts with this.
struct mg_sink {
    // Gives the message to the subscription. False: it cannot take it (gone, no echo, denied, full): choose another.
    bool (*deliver)(struct mg_sink *sink, struct mg_sub *sub, const struct mg_msg *m);
};

struct mg_router_ops {
    // Nobody got the request that connection (slot, id) published. Called once at most for each.
    void (*nobody)(void *app, uint32_t slot, uint64_t id, mg_slice subject, mg_slice reply);
};

struct mg_request_wait; // a request published here whose outcome on other shards is not known yet

struct mg_router {
    struct mg_shard *shard;
    struct mg_sublist *subs;
    struct mg_interest *others; // NULL with one shard
    const struct mg_router_ops *ops;
    void *app;
    struct mg_request_wait *waits; // table, by id
    uint32_t nwaits, free_wait;
    uint64_t memo_ids;
    struct mg_run *runs; // by shard: the run of messages that a publisher can add to
    void (*heard)(void *arg, mg_slice subject, mg_slice queue); // mg_router_heed; NULL: nobody wants to know
    void *heard_arg;
    uint64_t heedful; // shards that want to hear of interest at once
    void *plan; // scratch of publish.c: queue groups of the message under way
    size_t plan_cap;
};

void mg_router_init(struct mg_router *r, struct mg_shard *shard, const struct mg_router_ops *ops, void *app,
                    uint64_t hash_seed, bool cache);
void mg_router_fini(struct mg_router *r);

// ---- subscriptions -------------------------------------------------------------------------------------------------

// A shard without credit for new interest, or -1. Input asks before it subscribes; a removal never waits.
int mg_router_interest_blocked(const struct mg_router *r);
void mg_router_subscribe(struct mg_router *r, struct mg_sub *sub);
void mg_router_unsubscribe(struct mg_router *r, struct mg_sub *sub);
// From now on fn is called whenever somebody may have begun or ceased to want exactly a subject (queue empty: not as a
// member of a group), here or on another shard; it must not subscribe or publish. NULL: no more. Interest alone does
// not wake a sleeping shard, so the others are asked to.
void mg_router_heed(struct mg_router *r, void (*fn)(void *arg, mg_slice subject, mg_slice queue), void *arg);
// Has a client on any shard subscribed to exactly this subject, in that queue group (empty: in none)?
bool mg_router_wants_exactly(const struct mg_router *r, mg_slice subject, mg_slice queue);

// ---- messages ------------------------------------------------------------------------------------------------------

// A publisher's memory of its last subject.
struct mg_memo {
    uint64_t generation; // of the sublist; 0: nothing remembered
    const struct mg_match *match;
    uint64_t interest; // generation of the interest that `shards` was looked up in; 0: not known, or queue groups exist
    uint64_t shards;   // those with plain interest
    uint64_t id;       // unique to this publisher and subject: names runs
    uint32_t len, cap;
    char subject[];
};

struct mg_publish_result {
    uint32_t delivered; // on this shard
    uint32_t sent;      // records to other shards
};

static inline mg_slice mg_msg_route(const struct mg_msg *m) { return m->route.n ? m->route : m->subject; }

// Routes a message that was published on this shard. want_outcome: call ops->nobody (later) when other shards turn
// out to have nobody either; where result says 0 delivered and 0 sent, the caller knows at once and ops->nobody is
// not called. Returns -1, or the shard without credit: then nothing was done and the message must be published again
// later. memo: may be NULL; may be replaced (it is the caller's, freed with mg_free).
int mg_router_publish(struct mg_router *r, const struct mg_msg *m, bool want_outcome, struct mg_memo **memo,
                      struct mg_publish_result *result);

// ---- records from other shards -------------------------------------------------------------------------------------

// Kinds of records that belong to the router. Others are the application's, from MG_REC_APP on.
enum mg_router_rec {
    MG_REC_INTEREST = 1,
    MG_REC_MSG,
    MG_REC_RUN,
    MG_REC_OUTCOME,
    MG_REC_HEED, // wake me when your interest changes: struct rec_heed
    MG_REC_POKE, // it has changed
    MG_REC_APP = 16
};
void mg_router_record(struct mg_router *r, const struct mg_rec *rec);

#endif
