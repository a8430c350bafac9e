// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/worker.h"

#include "server/base/list.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "server/shard/loop.h"

// Readers of old messages and the keeper's files must not slow down a publish. They do not starve: a shard waits for
// the keeper when the ring is full.
#define NICE 5

struct mg_worker {
    struct mg_inbox inbox;
    struct mg_bell bell;
    struct mg_thread *thread;
    struct mg_parcel stop;
    bool stopping;
    uint64_t (*idle)(void *arg);
    void *arg;
};

static void ring(void *arg) { mg_bell_ring(&((struct mg_worker *)arg)->bell); }

static void sleep_until(struct mg_worker *w, uint64_t until) {
    if (mg_mailbox_sleep(&w->inbox.box, MG_ASLEEP)) mg_bell_wait(&w->bell, until);
    mg_mailbox_awake(&w->inbox.box);
}

void mg_worker_wait_until(struct mg_worker *w, uint64_t until) {
    if (mg_inbox_open(&w->inbox)) return;
    sleep_until(w, until);
    mg_inbox_open(&w->inbox);
}

void mg_worker_wait(struct mg_worker *w) { mg_worker_wait_until(w, MG_NEVER); }

static void run(void *arg) {
    struct mg_worker *w = arg;
    mg_thread_yield_to_others(NICE);
    mg_thread_prompt(); // a breath costs what is left of the slice
    while (!w->stopping) {
        if (mg_inbox_open(&w->inbox)) continue;
        sleep_until(w, w->idle ? w->idle(w->arg) : MG_NEVER);
    }
    mg_inbox_open(&w->inbox);
}

int mg_worker_start(struct mg_worker **out, const char *name, uint64_t (*idle)(void *arg), void *arg) {
    struct mg_worker *w = mg_zalloc(sizeof(*w));
    mg_bell_init(&w->bell);
    w->inbox.ring = ring;
    w->inbox.arg = w;
    w->idle = idle;
    w->arg = arg;
    *out = w; // the thread may look at it
    int err = mg_thread_start(&w->thread, name, run, w);
    if (err) {
        *out = NULL;
        mg_bell_fini(&w->bell);
        mg_free(w);
    }
    return err;
}

void mg_worker_post(struct mg_worker *w, struct mg_parcel *p) { mg_inbox_post(&w->inbox, p); }

static void stop(struct mg_parcel *p) { mg_container_of(p, struct mg_worker, stop)->stopping = true; }

void mg_worker_stop(struct mg_worker *w) {
    if (w == NULL) return;
    w->stop.arrived = stop;
    mg_worker_post(w, &w->stop);
    mg_thread_join(w->thread);
}

void mg_worker_free(struct mg_worker *w) {
    if (w == NULL) return;
    mg_inbox_open(&w->inbox);
    mg_bell_fini(&w->bell);
    mg_free(w);
}
