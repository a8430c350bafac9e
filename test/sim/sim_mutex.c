// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A lock of the simulator: one thread, and nobody switches fibers while holding one. So it only watches its users.
#include "server/shard/mutex.h"

#include "server/base/assert.h"

void mg_mutex_init(struct mg_mutex *m) { m->impl[0] = 0; }
void mg_mutex_fini(struct mg_mutex *m) { mg_assert(m->impl[0] == 0); }

void mg_mutex_lock(struct mg_mutex *m) {
    mg_assert(m->impl[0] == 0);
    m->impl[0] = 1;
}

void mg_mutex_unlock(struct mg_mutex *m) {
    mg_assert(m->impl[0] == 1);
    m->impl[0] = 0;
}
