// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The seam, part 3: how a thread without an event loop sleeps. Such threads do blocking work (server/shard/disk.h);
// they get it through a mailbox and sleep on a bell. bell_posix.c implements it over a semaphore, test/sim with
// coroutines.
//
// The owner of mailbox and bell:                          A producer:
//
//     if (mg_mailbox_sleep(&box, MG_ASLEEP))                  mg_mailbox_push(&box, mail);
//         mg_bell_wait(&bell, until);                         if (mg_mailbox_must_ring(&box, MG_ASLEEP))
//     mg_mailbox_awake(&box);                                     mg_bell_ring(&bell);
//     mail = mg_mailbox_drain(&box);
#ifndef MG_SHARD_BELL_H
#define MG_SHARD_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/shard/loop.h"

// Owned by the thread that waits; lives until after the last ring.
struct mg_bell {
    void *impl[8]; // the implementation's
};

void mg_bell_init(struct mg_bell *b);
void mg_bell_fini(struct mg_bell *b); // nobody may wait for it or ring it any more

// Any thread, any number of times. Never blocks.
void mg_bell_ring(struct mg_bell *b);

// Owner: blocks until somebody has rung since the last wait or the monotonic time `until` (ns, MG_NEVER: no limit) has
// come. A ring that came before the wait counts, several rings may count as one, and it may wake without a reason.
// True: rung.
bool mg_bell_wait(struct mg_bell *b, uint64_t until);

// Monotonic ns, the clock of mg_loop_clock, for threads without a loop.
uint64_t mg_bell_clock(void);

#endif
