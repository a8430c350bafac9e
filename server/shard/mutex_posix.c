// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/shard/mutex.h"

#include <pthread.h>

#include "server/base/assert.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct mg_mutex), "no room for a mutex");

static pthread_mutex_t *impl(struct mg_mutex *m) { return (pthread_mutex_t *)(void *)m->impl; }

void mg_mutex_init(struct mg_mutex *m) { mg_assert(pthread_mutex_init(impl(m), NULL) == 0); }
void mg_mutex_fini(struct mg_mutex *m) { mg_assert(pthread_mutex_destroy(impl(m)) == 0); }
void mg_mutex_lock(struct mg_mutex *m) { mg_assert(pthread_mutex_lock(impl(m)) == 0); }
void mg_mutex_unlock(struct mg_mutex *m) { mg_assert(pthread_mutex_unlock(impl(m)) == 0); }
