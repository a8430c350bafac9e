// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The messages of a consumer that were delivered and not yet acknowledged, and those that were given up.
//
//   log     by stream sequence: messages are delivered in ascending order, so a new one goes to the end and the log is
//           always sorted. What is removed leaves a hole; holes are squeezed out when they are the majority.
//
//             holes and given up | first live                                    appended here
//             [ -  -  P  - |  41  -  43  44  P  46 ... ] <----
//
//   queue   what is to be delivered again, in order: a ring of sequence numbers. An entry knows its ticket, so leaving
//           the queue is a hole in the ring.
//   heap    when entries are due, the earliest on top. It is corrected late: a node that says less than its entry is
//           moved when it comes up, one whose entry has gone is dropped then. For each live entry outside of the queue
//           there is a node that is not later than the entry. So an acknowledgement does not touch the heap.
//
// Append: O(1), as due times nearly always ascend. Find and remove: O(log n). 32 bytes an entry and 16 in the heap.
// A zeroed struct is empty. Pointers to entries are valid until the next change.
#ifndef MG_JETSTREAM_CONSUMER_PENDING_H
#define MG_JETSTREAM_CONSUMER_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Times are kept in whole milliseconds, rounded up: that is how they are stored.
#define MG_JS_NEVER INT64_MAX
#define MG_JS_MS INT64_C(1000000)

enum mg_js_entry_state { MG_JS_ENTRY_GONE, MG_JS_ENTRY_LIVE, MG_JS_ENTRY_PARKED };

struct mg_js_entry {
    uint64_t seq;    // of the stream
    uint64_t dseq;   // of the consumer, at the first delivery
    int64_t due;     // when it is to be delivered again, ns, a multiple of 1 ms; MG_JS_NEVER
    uint32_t count : 30; // deliveries
    uint32_t state : 2;  // live; parked: max_deliver was reached, not pending any more, a late acknowledgement is taken
    uint32_t ticket; // in the queue; 0: not in it
};

struct mg_js_due {
    int64_t due;
    uint64_t seq;
};

struct mg_js_entries {
    struct mg_js_entry *log; // owned
    uint32_t len, cap;
    uint32_t first_used;     // nothing but holes stands before it
    uint32_t first_live;     // no live entry stands before it
    struct mg_js_due *heap;  // owned
    uint32_t heap_len, heap_cap;
    uint64_t *ring;          // owned; 0: hole
    uint32_t ring_cap;       // a power of two
    uint32_t head, tail;     // tickets [head, tail)
};

struct mg_js_pending {
    struct mg_js_entries *in; // owned; NULL: there have been none
    uint32_t live, parked;
    uint32_t redelivered;     // live or parked with a count above 1
    uint32_t queued;
};

#define MG_JS_PENDING_MAX (1u << 25) // entries, live and parked

static inline int64_t mg_js_round_ms(int64_t ns) {
    if (ns > MG_JS_NEVER - MG_JS_MS) return MG_JS_NEVER;
    int64_t rest = ns % MG_JS_MS;
    return rest > 0 ? ns + MG_JS_MS - rest : ns - rest;
}

size_t mg_js_pending_memory(const struct mg_js_pending *p); // bytes, without the allocator's
void mg_js_pending_fini(struct mg_js_pending *p); // frees and zeroes: also how everything is dropped
// seq is greater than that of every entry.
struct mg_js_entry *mg_js_pending_append(struct mg_js_pending *p, uint64_t seq, uint64_t dseq, int64_t due,
                                         uint32_t count, enum mg_js_entry_state state);
struct mg_js_entry *mg_js_pending_find(const struct mg_js_pending *p, uint64_t seq); // live or parked; NULL
struct mg_js_entry *mg_js_pending_first(struct mg_js_pending *p);              // the first live one; NULL
// The first live or parked one with a number of at least seq; NULL.
struct mg_js_entry *mg_js_pending_from(struct mg_js_pending *p, uint64_t seq);
void mg_js_pending_remove(struct mg_js_pending *p, struct mg_js_entry *e);
void mg_js_pending_park(struct mg_js_pending *p, struct mg_js_entry *e);
void mg_js_pending_count(struct mg_js_pending *p, struct mg_js_entry *e, uint32_t count);
// A live entry is due at another time.
void mg_js_pending_due(struct mg_js_pending *p, struct mg_js_entry *e, int64_t due);
int64_t mg_js_pending_latest(const struct mg_js_pending *p); // of all due times; 0 without live entries. O(n)

// ---- what is to be delivered again ----------------------------------------------------------------------------------

void mg_js_pending_enqueue(struct mg_js_pending *p, struct mg_js_entry *e); // to the end, unless it is in the queue
void mg_js_pending_dequeue(struct mg_js_pending *p, struct mg_js_entry *e); // if it is in the queue
struct mg_js_entry *mg_js_pending_next(struct mg_js_pending *p);            // the head of the queue, stays there; NULL
// When the next entry outside of the queue is due; MG_JS_NEVER.
int64_t mg_js_pending_wake(struct mg_js_pending *p);
// Puts all that are due at `now` at the end of the queue, by ascending number. How many.
uint32_t mg_js_pending_expire(struct mg_js_pending *p, int64_t now);
// An entry of the queue, counted from its end: 1 is the last. NULL: it has left.
struct mg_js_entry *mg_js_pending_queued(struct mg_js_pending *p, uint32_t from_end);

#endif
