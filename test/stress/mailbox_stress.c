// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The real mailbox under real threads: producers push and ring, one consumer drains and sleeps on an eventfd.
//
//  - Nothing is lost, doubled or reordered per producer.
//  - A push that was complete before a drain began is in that drain or in an earlier one. Each producer counts its
//    completed pushes in a word of its own, after the push; the consumer reads all words before it drains and must then
//    have at least so many. A queue whose push is two stores fails this at once.
//  - No wake-up is lost: the consumer sleeps without a timeout, and the last producer waits after each letter until it
//    has arrived, so that its next push meets the consumer on its way to sleep and nobody else can wake it. A lost
//    wake-up is a hang, which the alarm ends.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/list.h"
#include "server/base/planted.h"
#include "server/shard/mailbox.h"

#define PRODUCERS 3
#define RING_OF 64 // letters that a producer has under way at most
#define CACHE_LINE 64
#ifndef ALARM
#define ALARM 100 // seconds a round
#endif
#ifndef ROUNDS
#define ROUNDS 1 // a planted bug gets more: real threads do not always meet in the bad way
#endif

struct letter {
    struct mg_mail mail;
    unsigned from;
    uint64_t seq;
    atomic_bool taken; // the consumer is done with it
};

struct producer {
    _Alignas(CACHE_LINE) _Atomic uint64_t pushed; // complete ones
    struct stress *stress;
    pthread_t thread;
    unsigned id;
    uint64_t rng;
    struct letter letters[RING_OF];
};

struct stress {
    struct mg_mailbox box;
    int bell;
    uint64_t count; // letters of each producer, roughly
    _Alignas(CACHE_LINE) _Atomic uint64_t received[PRODUCERS];
    struct producer producers[PRODUCERS];
    uint64_t sleeps, rings, drains;
};

#ifdef MG_PLANTED_BUGS
// This program is built with a bug to show that it finds it.
bool mg_planted_on(int bug) { return bug == MG_PLANTED_STRESS; }
#endif

static _Noreturn void fail(const char *what, unsigned producer, uint64_t got, uint64_t expected) {
    fprintf(stderr, "mailbox_stress: FAILED: %s: producer %u, %llu, expected %llu\n", what, producer,
            (unsigned long long)got, (unsigned long long)expected);
    _exit(1);
}

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void wait_until(const _Atomic uint64_t *word, uint64_t least) {
    while (atomic_load_explicit(word, memory_order_acquire) < least) sched_yield();
}

// The first producer goes on alone when the others have finished.
static uint64_t letters_of(const struct stress *st, unsigned producer) {
    return producer == 0 ? st->count + st->count / 2 : st->count;
}

static void *produce(void *arg) {
    struct producer *p = arg;
    struct stress *st = p->stress;
    for (uint64_t n = 1; n <= letters_of(st, p->id); n++) {
        struct letter *l = &p->letters[n % RING_OF];
        while (!atomic_load_explicit(&l->taken, memory_order_acquire)) sched_yield();
        atomic_store_explicit(&l->taken, false, memory_order_relaxed);
        l->from = p->id;
        l->seq = n;
        mg_mailbox_push(&st->box, &l->mail);
        if (mg_mailbox_must_ring(&st->box, MG_ASLEEP)) {
            uint64_t one = 1;
            if (write(st->bell, &one, sizeof(one)) != sizeof(one)) fail("the bell cannot be rung", p->id, 0, 0);
        }
        atomic_store(&p->pushed, n);
        if (n > st->count || next_random(&p->rng) % 512 == 0) wait_until(&st->received[p->id], n);
        else if (next_random(&p->rng) % 64 == 0) sched_yield();
    }
    return NULL;
}

static void take(struct stress *st, struct mg_mail *m) {
    while (m) {
        struct letter *l = mg_container_of(m, struct letter, mail);
        m = m->next;
        unsigned from = l->from;
        uint64_t expected = atomic_load_explicit(&st->received[from], memory_order_relaxed) + 1;
        if (l->seq != expected) fail("out of order", from, l->seq, expected);
        atomic_store_explicit(&l->taken, true, memory_order_release);
        atomic_store_explicit(&st->received[from], expected, memory_order_release);
    }
}

static void drain_and_check(struct stress *st) {
    uint64_t before[PRODUCERS];
    for (unsigned i = 0; i < PRODUCERS; i++) before[i] = atomic_load(&st->producers[i].pushed);
    take(st, mg_mailbox_drain(&st->box));
    st->drains++;
    for (unsigned i = 0; i < PRODUCERS; i++)
        if (st->received[i] < before[i]) fail("a complete push is hidden", i, st->received[i], before[i]);
}

static bool all_received(struct stress *st) {
    for (unsigned i = 0; i < PRODUCERS; i++)
        if (st->received[i] < letters_of(st, i)) return false;
    return true;
}

static void consume(struct stress *st) {
    while (!all_received(st)) {
        drain_and_check(st);
        if (all_received(st) || !mg_mailbox_sleep(&st->box, st->drains % 2 ? MG_ASLEEP : MG_STARVED)) continue;
        st->sleeps++;
        struct pollfd pfd = {.fd = st->bell, .events = POLLIN};
        if (poll(&pfd, 1, -1) != 1) fail("poll", 0, 0, 0);
        uint64_t rings;
        if (read(st->bell, &rings, sizeof(rings)) != sizeof(rings)) fail("read", 0, 0, 0);
        st->rings += rings;
        mg_mailbox_awake(&st->box);
    }
}

static void run_once(uint64_t count, unsigned round) {
    struct stress *st = aligned_alloc(CACHE_LINE, sizeof(*st));
    memset(st, 0, sizeof(*st));
    st->count = count;
    st->bell = eventfd(0, EFD_CLOEXEC);
    alarm(ALARM); // a hang is a lost wake-up
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct producer *p = &st->producers[i];
        p->stress = st;
        p->id = i;
        p->rng = 88172645463325252u + i + round * PRODUCERS;
        for (unsigned k = 0; k < RING_OF; k++) p->letters[k].taken = true;
        if (pthread_create(&p->thread, NULL, produce, p) != 0) fail("pthread_create", i, 0, 0);
    }
    consume(st);
    for (unsigned i = 0; i < PRODUCERS; i++) pthread_join(st->producers[i].thread, NULL);
    if (!mg_mailbox_empty(&st->box)) fail("letters are left", 0, 0, 0);
    printf("%llu drains, %llu sleeps, %llu rings\n", (unsigned long long)st->drains,
           (unsigned long long)st->sleeps, (unsigned long long)st->rings);
    close(st->bell);
    free(st);
}

int main(int argc, char **argv) {
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    for (unsigned round = 0; round < ROUNDS; round++) run_once(count, round);
    return 0;
}
