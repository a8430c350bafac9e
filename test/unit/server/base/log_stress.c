// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The log's ring with real threads, for the thread sanitizer: several producers, a consumer that sleeps and is woken.
// Every line comes out once and in its producer's order, or is counted as dropped.
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/log.h"

#define PRODUCERS 4
#define LINES 20000

struct stress {
    struct mg_log log;
    sem_t bell;
    atomic_bool finished;
    int next[PRODUCERS]; // the consumer's: the smallest number that may come
    uint64_t seen, dropped;
    bool failed;
};

struct producer {
    struct stress *s;
    int id;
};

static void ring_bell(void *arg) { sem_post(&((struct stress *)arg)->bell); }

static void *produce(void *arg) {
    struct producer *p = arg;
    char pad[400];
    for (int i = 0; i < (int)sizeof(pad) - 1; i++) pad[i] = 'p';
    pad[sizeof(pad) - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        mg_log_inf(&p->s->log, "%d %d %s", p->id, i, i % 16 == 0 ? pad : ""); // every 16th is too long for a slot
        if (i % 8 == 0) sched_yield(); // gives the consumer a chance to be in the way
    }
    return NULL;
}

static void check(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    struct stress *s = arg;
    int id, n;
    char line[64];
    snprintf(line, sizeof(line), "%.*s", (int)(text.n < 63 ? text.n : 63), text.p);
    if (level != MG_LOG_INF || wall_ns <= 0 || sscanf(line, "%d %d", &id, &n) != 2 || id < 0 || id >= PRODUCERS ||
        n < s->next[id]) {
        s->failed = true;
        return;
    }
    s->next[id] = n + 1;
    s->seen++;
}

static void *consume(void *arg) {
    struct stress *s = arg;
    for (;;) {
        while (mg_log_pop(&s->log, check, s)) continue;
        s->dropped += mg_log_take_dropped(&s->log);
        if (!mg_log_sleep(&s->log)) continue;
        if (atomic_load(&s->finished)) break;
        while (sem_wait(&s->bell) != 0) continue;
    }
    mg_log_drain(&s->log, check, s);
    s->dropped += mg_log_take_dropped(&s->log);
    return NULL;
}

int main(void) {
    static struct stress s;
    pthread_t threads[PRODUCERS], consumer;
    struct producer producers[PRODUCERS];
    mg_log_init(&s.log, 64);
    s.log.wake = ring_bell;
    s.log.hook_arg = &s;
    sem_init(&s.bell, 0, 0);
    pthread_create(&consumer, NULL, consume, &s);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&s, i};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    for (int i = 0; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
    atomic_store(&s.finished, true);
    sem_post(&s.bell);
    pthread_join(consumer, NULL);
    mg_log_fini(&s.log);
    bool ok = !s.failed && s.seen + s.dropped == (uint64_t)PRODUCERS * LINES && s.seen > 0;
    printf("%llu lines, %llu dropped: %s\n", (unsigned long long)s.seen, (unsigned long long)s.dropped, ok ? "ok" : "FAILED");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
