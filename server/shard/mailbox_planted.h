// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A deliberate bug (base/planted.h): the mailbox as a queue of the kind in which a push is two stores. Between them the
// chain is cut, and what others have pushed completely in the meantime cannot be reached. Only mailbox.h includes this.
#ifndef MG_SHARD_MAILBOX_PLANTED_H
#define MG_SHARD_MAILBOX_PLANTED_H

#include <stdint.h>

#include "server/shard/loop.h"

#define MG_PLANTED_CUT ((struct mg_mail *)(uintptr_t)1)

static inline void mg_planted_hidden_push(struct mg_mailbox *mb, struct mg_mail *m) {
    __atomic_store_n(&m->next, MG_PLANTED_CUT, __ATOMIC_RELAXED);
    struct mg_mail *head = atomic_exchange(&mb->head, m);
    mg_loop_switch_point();
    __atomic_store_n(&m->next, head, __ATOMIC_RELEASE);
}

// Somebody is between the two stores.
static inline bool mg_planted_hidden(struct mg_mailbox *mb) {
    for (struct mg_mail *m = atomic_load(&mb->head); m; m = __atomic_load_n(&m->next, __ATOMIC_ACQUIRE))
        if (m == MG_PLANTED_CUT) return true;
    return false;
}

#endif
