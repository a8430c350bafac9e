// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The last closed connections of the server, for /connz?state=closed (spec/monitoring-and-tools.md A4). One ring a
// server, owned by shard 0: the shard that closes a connection packs it with mg_closed_new and posts the entry there.
//
// Entries are numbered from 0 in the order of their arrival; a number is never reused, so it serves as a cursor.
#ifndef MG_MONITOR_CLOSED_RING_H
#define MG_MONITOR_CLOSED_RING_H

#include <stddef.h>
#include <stdint.h>

#include "server/monitor/connz.h"
#include "server/monitor/snapshot.h"

#define MG_CLOSED_MAX_SUBS_BYTES (16u * 1024u)       // of one entry's subscription list; what is beyond is left out
#define MG_CLOSED_RING_BYTES (64u * 1024u * 1024u)   // of all entries; the oldest go first

// One connection in one allocation: its numbers, then the strings that are not empty.
struct mg_closed;
struct mg_closed *mg_closed_new(const struct mg_conn_row *row); // copies what it needs; certificates are not kept
void mg_closed_free(struct mg_closed *e);
// Fills row (zeroed by the caller); strings are copied into arena.
void mg_closed_unpack(const struct mg_closed *e, struct mg_conn_row *row, struct mg_arena *arena);

struct mg_closed_ring {
    struct mg_closed **v; // owned; entry `seq` is at seq % cap; grows up to max
    size_t cap, max;
    uint64_t first, next; // numbers of the oldest entry and of the next one
    size_t bytes;
};

void mg_closed_ring_init(struct mg_closed_ring *r, size_t max); // max 0: keeps nothing
void mg_closed_ring_fini(struct mg_closed_ring *r);
void mg_closed_ring_add(struct mg_closed_ring *r, struct mg_closed *e); // takes e
// Shows at most `count` entries, beginning with number `from` (or the oldest), to c. Returns the cursor for the next
// call, r->next when done.
uint64_t mg_closed_ring_visit(const struct mg_closed_ring *r, uint64_t from, size_t count, struct mg_connz *c);
// Adds a row for each of the n keys that names a closed connection which is still there.
void mg_closed_ring_rows(const struct mg_closed_ring *r, const struct mg_conn_key *keys, size_t n,
                         struct mg_conn_rows *rows);

#endif
