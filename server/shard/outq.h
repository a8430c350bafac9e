// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a connection has still to send: a queue of bytes, most of them written straight into chunks, large payloads by
// reference. An empty queue owns no memory.
//
//   head                                     open
//   +--------+   +---------+   +--------+   +--------...
//   | inline |-->| refer   |-->| inline |-->| inline        nodes, in sending order; an inline node's bytes follow it
//   +--------+   +---------+   +--------+   +--------...    in the same chunk, a referring one points elsewhere
//   \_________ chunk ___________________/    \__ chunk
//
// A reference is to an mbuf (counted), or to the shard's read slab, whose bytes go away when the next read begins: what
// the socket did not take by then is moved into mbufs (mg_outq_settle), each message once however many queues hold it.
#ifndef MG_SHARD_OUTQ_H
#define MG_SHARD_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "server/base/slice.h"
#include "server/shard/mbuf.h"

struct mg_onode;
struct mg_ochunk;

#define MG_OUT_CLASSES 4
#define MG_OUT_PROMOTIONS 256

// The chunks of one shard's queues, and what was copied out of its read slab.
struct mg_outpool {
    struct mg_ochunk *free[MG_OUT_CLASSES]; // 1, 4, 16, 64 KB
    size_t cached;                          // bytes in the free lists
    struct {
        const char *slab;
        struct mg_mbuf *mbuf;
    } promoted[MG_OUT_PROMOTIONS]; // slab bytes that have a copy; valid until mg_outpool_slab_done
    unsigned npromoted;
};

void mg_outpool_init(struct mg_outpool *p);
void mg_outpool_fini(struct mg_outpool *p);
// The slab is about to be overwritten: forgets the copies made of it (queues keep their references).
void mg_outpool_slab_done(struct mg_outpool *p);

struct mg_outq {
    char *cur, *end; // room in the open inline node
    struct mg_onode *head, *open;
    struct mg_ochunk *first, *last;
    size_t pending;  // bytes not sent yet, without those in the open node beyond `counted`
    char *counted;   // bytes of the open node up to here are in `pending`
    bool slab;       // some node refers to the slab
};

// Frees everything, sent or not.
void mg_outq_fini(struct mg_outq *q, struct mg_outpool *p);
static inline bool mg_outq_empty(const struct mg_outq *q) { return q->head == NULL; }
// Bytes to send.
static inline size_t mg_outq_pending(const struct mg_outq *q) { return q->pending + (size_t)(q->cur - q->counted); }

char *mg_outq_more(struct mg_outq *q, struct mg_outpool *p, size_t n); // slow path of reserve
// Room for n contiguous bytes (n <= 64 KB - 64); write there, then commit the end of what was written.
static inline char *mg_outq_reserve(struct mg_outq *q, struct mg_outpool *p, size_t n) {
    return (size_t)(q->end - q->cur) >= n ? q->cur : mg_outq_more(q, p, n);
}
static inline void mg_outq_commit(struct mg_outq *q, char *end) { q->cur = end; }
// Appends any number of bytes by copy.
void mg_outq_copy(struct mg_outq *q, struct mg_outpool *p, const char *bytes, size_t n);
// Appends bytes by reference: of mbuf (a reference is taken), or of the slab when mbuf is NULL.
void mg_outq_refer(struct mg_outq *q, struct mg_outpool *p, const char *bytes, size_t n, struct mg_mbuf *mbuf);

// Fills up to max iovecs with the next bytes to send. Returns how many.
int mg_outq_iovecs(struct mg_outq *q, struct iovec *iov, int max);
// The first n bytes were sent.
void mg_outq_sent(struct mg_outq *q, struct mg_outpool *p, size_t n);
// Turns references to the slab into references to copies of it.
void mg_outq_settle(struct mg_outq *q, struct mg_outpool *p);

#endif
