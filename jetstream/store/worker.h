// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A thread of the store that does blocking jobs, one after the other: a reader or the keeper.
#ifndef MG_JETSTREAM_STORE_WORKER_H
#define MG_JETSTREAM_STORE_WORKER_H

#include <stdint.h>

#include "jetstream/store/inbox.h"

struct mg_worker;

// `idle`, if not NULL, is called when there is nothing to do; it returns until when to sleep (monotonic ns).
int mg_worker_start(struct mg_worker **out, const char *name, uint64_t (*idle)(void *arg), void *arg);
// Any thread: p->arrived runs on the worker.
void mg_worker_post(struct mg_worker *w, struct mg_parcel *p);
// The worker itself, from inside of a job: sleeps until something has arrived and opens it.
void mg_worker_wait(struct mg_worker *w);
void mg_worker_wait_until(struct mg_worker *w, uint64_t until); // or until a monotonic time, ns
// Finishes what was posted before and ends the thread. What is posted later stays in the inbox. NULL is fine.
void mg_worker_stop(struct mg_worker *w);
// Opens what is in the inbox of a worker that has stopped, and frees it. Nobody may post any more. NULL is fine.
void mg_worker_free(struct mg_worker *w);

#endif
