// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The catalogue: all streams of the server by name, with the shard of each, its configuration, and what no two of them
// may have, or may have too much of: names, subjects, bytes reserved. It lives on shard 0, which is where requests of
// the API arrive.
//
// What changes a stream passes through here twice: on its way to the stream's shard, when name, subjects and bytes are
// taken, and on its way back, when the change is settled or given up. In between the entry is busy. Who needs to know
// how that ends (a change of the same stream, another stream that wants one of its subjects) waits. An entry that is
// busy has the subjects of before and behind.
//
// The configuration of a stream on the catalogue's own shard is borrowed from the stream, others are copies.
#ifndef MG_JETSTREAM_CATALOGUE_H
#define MG_JETSTREAM_CATALOGUE_H

#include "jetstream/api/stream_config.h"
#include "jetstream/stream/taken.h"
#include "server/base/list.h"
#include "server/shard/shard.h"

struct mg_js_item {
    const struct mg_js_stream_config *config; // the newest that the stream has; `own`, or the stream's
    struct mg_js_stream_config *own;          // NULL: borrowed
    mg_slice name; // owned
    unsigned shard;
    bool busy;
    bool unreadable; // its configuration is: the name is in use, and for everybody else there is no such stream
    struct mg_list waiting; // of struct mg_js_request: for the end of the change
    uint64_t reserved;
};

struct mg_js_catalogue {
    struct mg_js_item **v; // by name
    size_t n, cap;
    size_t unreadable;      // of n
    struct mg_js_taken taken;
    uint64_t reserved[2];   // by storage (enum mg_js_storage): sums of max_bytes
    uint64_t on[MG_MAX_SHARDS]; // streams of each
};

void mg_js_catalogue_fini(struct mg_js_catalogue *all); // nobody waits any more

struct mg_js_item *mg_js_catalogue_find(const struct mg_js_catalogue *all, mg_slice name); // NULL: there is none
bool mg_js_catalogue_has(const struct mg_js_catalogue *all, mg_slice name); // an unreadable one, too
bool mg_js_catalogue_unreadable(const struct mg_js_catalogue *all, mg_slice name);
// The shard for a new stream: the one with the fewest; of several the last, for the first has listeners and the API.
unsigned mg_js_catalogue_place(const struct mg_js_catalogue *all, unsigned shards);
// A new entry, not busy. config is copied; NULL: it cannot be read.
struct mg_js_item *mg_js_catalogue_add(struct mg_js_catalogue *all, mg_slice name, unsigned shard,
                                        const struct mg_js_stream_config *config);
// It has the configuration of the stream from now on, which lives as long as the entry.
void mg_js_item_borrow(struct mg_js_item *e, const struct mg_js_stream_config *config);
void mg_js_catalogue_remove(struct mg_js_catalogue *all, struct mg_js_item *e); // frees it; nobody waits for it

// Has another stream a subject in common with this configuration? NULL: none has. A stream that is not busy goes first.
struct mg_js_item *mg_js_catalogue_collides(const struct mg_js_catalogue *all, const struct mg_js_stream_config *c,
                                             const struct mg_js_item *own);
// An update from `old` to `fresh` begins, and ends: `became` is what the stream has now.
void mg_js_catalogue_begin(struct mg_js_catalogue *all, struct mg_js_item *e, const struct mg_js_stream_config *fresh);
void mg_js_catalogue_settle(struct mg_js_catalogue *all, struct mg_js_item *e, const struct mg_js_stream_config *old,
                            const struct mg_js_stream_config *fresh, bool became);

// Those whose names follow `after` (empty: from the first), at most `max`; returns how many. Without unreadable ones.
size_t mg_js_catalogue_behind(const struct mg_js_catalogue *all, mg_slice after, struct mg_js_item **out, size_t max);
static inline size_t mg_js_catalogue_streams(const struct mg_js_catalogue *all) { return all->n - all->unreadable; }

#endif
