// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The list of removed messages in a record: replay must not need the messages themselves to keep the counters right.
//
//   varint count, then for each: varint (seq - previous seq, zigzag), varint size, varint subject length + 1, subject
//
// Length 0 (no subject) means that the message is in the journal, too, later than the last checkpoint: its own record
// names the subject. An empty subject and size 0: the message was damaged, nothing is known of it but its number.
#ifndef MG_JETSTREAM_STORE_REMOVAL_H
#define MG_JETSTREAM_STORE_REMOVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"

struct mg_removal {
    uint64_t seq;
    uint32_t size; // as the stream's bytes count it
    bool named;    // subject is given
    mg_slice subject;
};

// A list that is being written: entries in any order.
struct mg_removals {
    struct mg_buf buf; // the entries, without the count
    uint32_t count;
    uint64_t previous;
};
void mg_removals_clear(struct mg_removals *l);
void mg_removals_fini(struct mg_removals *l);
void mg_removals_add(struct mg_removals *l, const struct mg_removal *r);
// Keeps the first n entries.
void mg_removals_cut(struct mg_removals *l, uint32_t n);
// Writes the whole list behind what is in out.
void mg_removals_encode(const struct mg_removals *l, struct mg_buf *out);

// Walks an encoded list; any bytes are safe. Start with mg_removal_walk_of.
struct mg_removal_walk {
    const uint8_t *p, *end;
    uint32_t left;
    uint64_t previous;
    bool bad; // malformed: what was given so far is all that could be read
};
struct mg_removal_walk mg_removal_walk_of(mg_slice list);
bool mg_removal_next(struct mg_removal_walk *w, struct mg_removal *out);

#endif
