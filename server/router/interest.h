// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The interest of all *other* shards in one account's subjects, as this shard has heard of it: for each pattern a mask
// of the shards with plain subscriptions, and for each pattern and queue how many members each shard has.
//
// Threading: owned by one shard thread, no locks. Patterns must be valid for SUB, as in sublist.h.
#ifndef MG_ROUTER_INTEREST_H
#define MG_ROUTER_INTEREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"

#define MG_INTEREST_SHARDS 64 // shards are numbered 0 .. 63

struct mg_interest;

struct mg_iweight {
    uint32_t shard;
    uint32_t members; // at least 1
};

struct mg_igroup {
    mg_slice name;
    const struct mg_iweight *weights; // sorted by shard
    uint32_t n;                       // at least 1, at most MG_INTEREST_SHARDS
};

struct mg_imatch {
    uint64_t plain; // bit s: shard s has a plain subscription that matches
    uint32_t ngroups;
    const struct mg_igroup *groups; // the same name occurs once, whatever patterns name it (A9)
};

// hash_seed and cache_max: as for mg_sublist_new. The cache keeps which patterns match and never a weight.
struct mg_interest *mg_interest_new(uint64_t hash_seed, size_t cache_max);
void mg_interest_free(struct mg_interest *ix); // NULL is fine

// Announcements. Both are absolute, so hearing one twice is harmless; turning off or setting to 0 what was never heard
// of, too. O(length of the subject).
void mg_interest_plain(struct mg_interest *ix, mg_slice subject, uint32_t shard, bool on);
void mg_interest_queue(struct mg_interest *ix, mg_slice subject, mg_slice queue, uint32_t shard, uint32_t members);

// Forgets all interest of a shard, in slices: zero the cursor to begin, each call looks at up to `patterns` patterns
// and returns true when it is done. What the shard announces meanwhile may be forgotten, too.
struct mg_interest_cursor {
    uint64_t hash;
    uintptr_t entry;
    uint8_t table, state;
};
bool mg_interest_drop_shard(struct mg_interest *ix, uint32_t shard, struct mg_interest_cursor *c, size_t patterns);

// True when nobody announced anything: the publish path of a single shard stops here.
bool mg_interest_none(const struct mg_interest *ix);

// Which shards want a message published on `subject`. The groups stay valid until the next call of any function above
// or of mg_interest_match; `plain` is a copy.
void mg_interest_match(struct mg_interest *ix, mg_slice subject, struct mg_imatch *out);

// Changes (only ever upwards, never 0) whenever any earlier result may be wrong or invalid; see mg_sublist_generation.
uint64_t mg_interest_generation(const struct mg_interest *ix);

// Does another shard want exactly this pattern, in that queue group (empty: in none)?
bool mg_interest_has(const struct mg_interest *ix, mg_slice pattern, mg_slice queue);

uint64_t mg_interest_patterns(const struct mg_interest *ix); // distinct patterns now

#endif
