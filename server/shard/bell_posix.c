// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/shard/bell.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "server/base/assert.h"

_Static_assert(sizeof(sem_t) <= sizeof(struct mg_bell), "a semaphore fits into a bell");

static sem_t *sem_of(struct mg_bell *b) { return (sem_t *)(void *)b->impl; }

void mg_bell_init(struct mg_bell *b) {
    int rc = sem_init(sem_of(b), 0, 0);
    mg_assert(rc == 0);
}

void mg_bell_fini(struct mg_bell *b) { sem_destroy(sem_of(b)); }

// The count could only overflow if it is positive, and then the bell is rung. (To look at it first and not to post
// would lose rings where loads overtake stores.)
void mg_bell_ring(struct mg_bell *b) { sem_post(sem_of(b)); }

bool mg_bell_wait(struct mg_bell *b, uint64_t until) {
    const struct timespec at = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    int rc;
    do {
        rc = until == MG_NEVER ? sem_wait(sem_of(b)) : sem_clockwait(sem_of(b), CLOCK_MONOTONIC, &at);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) return false;
    while (sem_trywait(sem_of(b)) == 0) continue;
    return true;
}

uint64_t mg_bell_clock(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
