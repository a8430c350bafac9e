// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// How work and answers travel between shards and the store's threads: a mailbox and the way to wake its owner, who is a
// shard (mg_loop_wake) or one of the store's threads (mg_bell_ring).
#ifndef MG_STORE_INBOX_H
#define MG_STORE_INBOX_H

#include "server/shard/mailbox.h"

struct mg_inbox {
    struct mg_mailbox box;
    void (*ring)(void *arg); // any thread; wakes the owner
    void *arg;
};

// What travels begins with this. Belongs to whoever has it: not to be touched between posting and getting it back.
struct mg_parcel {
    struct mg_mail mail;
    void (*arrived)(struct mg_parcel *p); // what its receiver calls; set by the sender or by whoever answers
};

// Any thread.
static inline void mg_inbox_post(struct mg_inbox *in, struct mg_parcel *p) {
    mg_mailbox_push(&in->box, &p->mail);
    if (mg_mailbox_must_ring(&in->box, MG_ASLEEP)) in->ring(in->arg);
}

// Owner: opens all that has come, in order. False: nothing had.
static inline bool mg_inbox_open(struct mg_inbox *in) {
    struct mg_mail *m = mg_mailbox_drain(&in->box), *next;
    bool any = m != NULL;
    for (; m; m = next) {
        next = m->next;
        struct mg_parcel *p = (struct mg_parcel *)(void *)m;
        p->arrived(p);
    }
    return any;
}

#endif
