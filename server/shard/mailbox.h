// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The mailbox of a shard: a linearizable stack that many threads push to and one drains.
//
//   head -> newest -> ... -> oldest -> NULL        push: compare-and-swap on head; drain: exchange(NULL), reverse
//
// A push that has returned is seen by every later drain. (Vyukov's two-store queue does not give that: a producer
// preempted between its stores hides later, completed pushes of others, and a reaction would overtake its cause.)
//
// Sleep and wake: the owner announces sleep in `sleeping`, then looks at `head` once more; a producer pushes, then
// looks at `sleeping`. Both are sequentially consistent, so at least one of them sees the other (Dekker). Only the
// producer that takes the flag away rings.
#ifndef MG_SHARD_MAILBOX_H
#define MG_SHARD_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/base/planted.h"

struct mg_mail {
    struct mg_mail *next;
};

enum mg_sleep {
    MG_AWAKE = 0,
    MG_ASLEEP = 1,  // rung by data
    MG_STARVED = 2, // asleep with inputs that wait for credit: rung by returned credit too
};

struct mg_mailbox {
    _Atomic(struct mg_mail *) head;
    char pad[64 - sizeof(void *)]; // producers write head, the owner writes sleeping: two cache lines
    _Atomic int sleeping;
};

#ifdef MG_PLANTED_BUGS
#include "server/shard/mailbox_planted.h"
#endif

static inline void mg_mailbox_push(struct mg_mailbox *mb, struct mg_mail *m) {
#ifdef MG_PLANTED_BUGS
    if (MG_PLANTED(hidden_push)) {
        mg_planted_hidden_push(mb, m);
        return;
    }
#endif
    struct mg_mail *head = atomic_load_explicit(&mb->head, memory_order_relaxed);
    do {
        m->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&mb->head, &head, m, memory_order_seq_cst, memory_order_relaxed));
}

static inline bool mg_mailbox_empty(struct mg_mailbox *mb) {
    return atomic_load_explicit(&mb->head, memory_order_seq_cst) == NULL;
}

// Takes everything, oldest first.
static inline struct mg_mail *mg_mailbox_drain(struct mg_mailbox *mb) {
    if (atomic_load_explicit(&mb->head, memory_order_acquire) == NULL) return NULL;
#ifdef MG_PLANTED_BUGS
    if (MG_PLANTED(hidden_push) && mg_planted_hidden(mb)) return NULL;
#endif
    struct mg_mail *m = atomic_exchange_explicit(&mb->head, NULL, memory_order_seq_cst);
    if (MG_PLANTED(newest_first)) return m;
    struct mg_mail *out = NULL;
    while (m) {
        struct mg_mail *next = m->next;
        m->next = out;
        out = m;
        m = next;
    }
    return out;
}

// Owner: about to block. False: something arrived meanwhile, do not block.
static inline bool mg_mailbox_sleep(struct mg_mailbox *mb, enum mg_sleep how) {
    atomic_store_explicit(&mb->sleeping, how, memory_order_seq_cst);
    if (mg_mailbox_empty(mb) || MG_PLANTED(blind_sleep)) return true;
    atomic_store_explicit(&mb->sleeping, MG_AWAKE, memory_order_relaxed);
    return false;
}

static inline void mg_mailbox_awake(struct mg_mailbox *mb) {
    if (atomic_load_explicit(&mb->sleeping, memory_order_relaxed) != MG_AWAKE)
        atomic_store_explicit(&mb->sleeping, MG_AWAKE, memory_order_relaxed);
}

// Producer: after a push. True: the owner sleeps at least as deep as `level` and it is this caller who must ring.
static inline bool mg_mailbox_must_ring(struct mg_mailbox *mb, enum mg_sleep level) {
    int s = atomic_load_explicit(&mb->sleeping, memory_order_seq_cst);
    if (s == MG_AWAKE || s < (int)level) return false;
    return atomic_exchange_explicit(&mb->sleeping, MG_AWAKE, memory_order_seq_cst) != MG_AWAKE;
}

#endif
