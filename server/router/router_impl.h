// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of the router: what publish.c and remote.c share.
#ifndef MG_ROUTER_IMPL_H
#define MG_ROUTER_IMPL_H

#include "server/router/router.h"

#define BY_REFERENCE 4096u // payloads from this size on travel between shards by reference

// The share of one record in the outcome of a request. A record that is passed on gives half of its share along.
#define OUTCOME_SHARE (UINT64_C(1) << 56)

struct rec_interest {
    uint32_t account;
    uint32_t members; // queue: members now; plain: 1 or 0
    uint16_t subject_len, queue_len;
    char text[]; // subject, queue
};

struct rec_heed {
    uint64_t on; // 0: no more
};

enum { MSG_PLAIN = 1, MSG_OUTCOME = 2 };

struct rec_msg {
    uint32_t account;
    uint32_t origin_slot;
    uint64_t origin_id;
    uint64_t visited;   // shards that had nobody left for the group, and this one
    uint64_t share;     // with MSG_OUTCOME
    uint32_t wait;      // with MSG_OUTCOME: which request of the origin
    uint32_t size, hdr_len;
    struct mg_mbuf *mbuf; // holds the payload (a reference travels with the record), or NULL: it follows the text
    const char *payload;  // with mbuf
    uint32_t ngroups;
    uint16_t subject_len, route_len, reply_len;
    uint16_t origin_shard;
    uint8_t size_len, hdr_text_len;
    uint8_t flags;
    char text[]; // subject, route, reply, size_text, hdr_text, { uint16 length, name } per group, payload
};

// A run: messages of one publisher to one subject, one behind the other, without reply, headers or queue groups: what a
// busy publisher sends. Each item is its size and its bytes, padded to 4.
struct rec_run {
    uint32_t account;
    uint32_t origin_slot;
    uint64_t origin_id;
    uint16_t origin_shard;
    uint16_t subject_len; // the subject follows, padded to 4; then the items
};

// What the record that was last posted to a shard is, for the sender.
struct mg_run {
    uint64_t memo; // id of the publisher's memo; 0: none
    uint64_t seq;  // mg_post_seq
};

static inline uint32_t pad4(uint32_t n) { return (n + 3u) & ~3u; }

struct rec_outcome {
    uint64_t share;
    uint32_t wait;
    uint32_t delivered;
};

struct mg_request_wait {
    uint64_t share; // still out
    uint64_t origin_id;
    uint32_t origin_slot; // also: next free entry
    uint16_t subject_len, reply_len;
    bool used, delivered;
    char *text; // owned: subject, reply
};

// Queue groups of one message that go to one shard.
struct group_names {
    const mg_slice *v;
    uint32_t n;
};

// Posts one record with m to shard `to`. `share` 0: no outcome is wanted.
void send_msg(struct mg_router *r, unsigned to, const struct mg_msg *m, bool plain, struct group_names groups,
              uint64_t visited, uint32_t wait, uint64_t share);
// Delivers to one member of a group here, starting at a random one. False: none could take it.
bool deliver_group(struct mg_router *r, const struct mg_qmatch *g, const struct mg_msg *m);
static inline bool deliver_one(struct mg_sub *sub, const struct mg_msg *m) {
    struct mg_sink *sink = sub->owner;
    return sink->deliver(sink, sub, m);
}

// Sends m to all shards of a mask as part of runs (run.c).
void run_send(struct mg_router *r, uint64_t shards, uint64_t memo, const struct mg_msg *m);
void run_received(struct mg_router *r, const struct mg_rec *rec);

uint32_t wait_open(struct mg_router *r, const struct mg_msg *m, uint64_t share); // request.c
void wait_outcome(struct mg_router *r, const struct rec_outcome *o);
void wait_fini(struct mg_router *r);

#endif
