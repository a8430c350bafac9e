// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The subject index of one account on one shard: which of the shard's own subscriptions want a published subject.
//
// Threading: owned by one shard thread, no locks. Memory: a subscription belongs to its owner (the connection); the
// list links it and never frees it. What an entry costs is described in sublist.c.
//
// Subjects given to mg_sublist_insert must be valid for SUB (spec/client-protocol.md A8: no empty token, `>` only as
// the last token); published subjects may be any bytes. Semantics: spec/client-protocol.md A8, A9.
#ifndef MG_ROUTER_SUBLIST_H
#define MG_ROUTER_SUBLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

struct mg_sublist;
struct mg_snode; // an entry of the index: one subject pattern

enum {
    MG_SUB_DEAD = 1,     // the owner closed it: deliver nothing more, it will be removed soon
    MG_SUB_INTERNAL = 2, // the owner is a part of the server, no connection
};

// One subscription, intrusive. The text is stored inline behind the struct: subject, then queue, then sid, no NULs.
// Owner: the connection that allocated it (mg_sub_size bytes). It may be freed after mg_sublist_remove.
struct mg_sub {
    struct mg_snode *node;   // the list's; NULL while not inserted. The owner zeroes it once, at birth
    void *owner;             // the connection (the router never looks inside)
    struct mg_sub *next;     // the owner's hash chain
    uint64_t delivered, max; // the owner's bookkeeping (max 0: none)
    uint32_t pos;            // the list's: index in the array of the node or of its queue group
    uint16_t subject_len, queue_len, sid_len; // bytes; queue_len 0: a plain subscription
    uint8_t flags;                            // MG_SUB_*, the owner's
    char text[];
};

static inline size_t mg_sub_size(size_t subject_len, size_t queue_len, size_t sid_len) {
    size_t n = offsetof(struct mg_sub, text) + subject_len + queue_len + sid_len;
    return n < sizeof(struct mg_sub) ? sizeof(struct mg_sub) : n; // the text begins in the struct's padding
}
static inline mg_slice mg_sub_subject(const struct mg_sub *sub) { return (mg_slice){sub->text, sub->subject_len}; }
static inline mg_slice mg_sub_queue(const struct mg_sub *sub) {
    return (mg_slice){sub->text + sub->subject_len, sub->queue_len};
}
static inline mg_slice mg_sub_sid(const struct mg_sub *sub) {
    return (mg_slice){sub->text + sub->subject_len + sub->queue_len, sub->sid_len};
}

// What a change of the list means for others, so that the caller can announce interest to the other shards.
struct mg_sub_change {
    bool first_plain;       // insert: the pattern had no plain subscription before
    bool last_plain;        // remove: the pattern has no plain subscription any more
    uint32_t queue_members; // of a queue subscription: members now in this pattern and queue; 0 for a plain one
};

// The members of one queue group for a subject: those of all matching patterns that name the queue (A9).
struct mg_qmatch {
    mg_slice name;
    struct mg_sub *const *subs;
    uint32_t n; // at least 1
};

struct mg_match {
    struct mg_sub *const *plain; // each gets its own copy; the order means nothing
    uint32_t nplain;
    uint32_t ngroups;
    const struct mg_qmatch *groups; // one member of each gets a copy
};

static inline bool mg_match_empty(const struct mg_match *m) { return m->nplain == 0 && m->ngroups == 0; }

// How many further calls of mg_sublist_match a result outlives (a delivery may publish again, three levels deep).
#define MG_MATCH_KEEP 3

// hash_seed: random per process, so that nobody can aim at one bucket. cache_max: most cached results (rounded to a
// power of two, at most 64 Ki); 0 for no cache. The cache allocates nothing before it is needed and grows by doubling.
struct mg_sublist *mg_sublist_new(uint64_t hash_seed, size_t cache_max);
// Subscriptions that are still in the list must be alive; their node becomes NULL. O(subscriptions).
void mg_sublist_free(struct mg_sublist *sl); // NULL is fine

// Both O(length of the subject), whatever the list holds. `change` may be NULL. sub->node says whether it is inserted;
// inserting twice or removing what is not inserted is a bug of the caller (asserted).
void mg_sublist_insert(struct mg_sublist *sl, struct mg_sub *sub, struct mg_sub_change *change);
void mg_sublist_remove(struct mg_sublist *sl, struct mg_sub *sub, struct mg_sub_change *change);

// Who wants a message published on `subject`; never NULL, an empty match where nobody does. A subject with an empty
// token matches nothing; wildcard characters in it are plain bytes.
// Lifetime: the result, its arrays and names stay valid until the next insert or remove on this list, and through
// the next MG_MATCH_KEEP calls of mg_sublist_match. A delivery loop therefore marks what it wants gone as
// MG_SUB_DEAD and removes it afterwards; the loop may itself match and publish.
const struct mg_match *mg_sublist_match(struct mg_sublist *sl, mg_slice subject);

// Changes (only ever upwards, never 0) before any earlier result becomes invalid. A connection can keep (subject,
// match, generation) of its last publish and skip the look-up while subject and generation are the same; the lifetime
// of the result then counts from that use. Ask for the generation after the match, which may move it.
uint64_t mg_sublist_generation(const struct mg_sublist *sl);

// True if somebody wants the subject. As mg_sublist_match, and counts as a call of it.
static inline bool mg_sublist_match_any(struct mg_sublist *sl, mg_slice subject) {
    return !mg_match_empty(mg_sublist_match(sl, subject));
}

// Has a connection subscribed with exactly this pattern, in that queue group (empty: in none)?
bool mg_sublist_has_client(const struct mg_sublist *sl, mg_slice pattern, mg_slice queue);

// Counters for /subsz (spec/monitoring-and-tools.md A8). Sums of several lists are the sums of the members; the
// cache_hit_rate is cache_hits / matches and avg_fanout fanout_sum / matches of those sums.
struct mg_sublist_stats {
    uint64_t count;         // subscriptions now
    uint64_t patterns;      // distinct subjects among them
    uint64_t cache_entries; // cached results, stale ones included
    uint64_t inserts, removes;
    uint64_t matches;    // calls of mg_sublist_match
    uint64_t cache_hits; // those among them that needed neither a walk of the trie nor a merge
    uint64_t max_fanout; // plain subscriptions plus groups of the widest match so far
    uint64_t fanout_sum; // the same summed over all matches
};
void mg_sublist_stats(const struct mg_sublist *sl, struct mg_sublist_stats *out);
uint64_t mg_sublist_count(const struct mg_sublist *sl); // subscriptions now

// Lists subscriptions in slices. Zero the cursor to begin; each call fills `out` with up to n subscriptions and
// returns how many, 0 at the end. Costs about 200 ns a pattern. The list may change between the calls:
// - A subscription that is there from the first call to the last is listed, always.
// - It is listed once, unless others *of the same pattern* are removed meanwhile: then it may come twice.
// - One that is inserted or removed meanwhile may be listed or not; a removed one never after its removal.
// The cursor holds no memory and may be abandoned at any point.
struct mg_sublist_cursor {
    uint64_t hash;
    uintptr_t entry;
    uint32_t group, pos;
    uint8_t table, state;
};
size_t mg_sublist_list(const struct mg_sublist *sl, struct mg_sublist_cursor *c, struct mg_sub **out, size_t n);

#endif
