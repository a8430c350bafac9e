// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/keeper.h"

#include "jetstream/store/space.h"
#include "jetstream/store/store_impl.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"

static void pressed(struct mg_parcel *p) {
    struct mg_keeper *k = mg_container_of(p, struct mg_keeper, press);
    struct mg_store *st = k->store;
    // From here on it can be asked for again: what the committer has to say during the checkpoint must not be lost.
    atomic_store(&st->pressed, false);
    k->again = true;
    if (k->busy) return; // opened from inside of a checkpoint that waits for something
    k->busy = true;
    while (k->again && !atomic_load(&k->closing) && !atomic_load(&st->poisoned)) {
        k->again = false;
        mg_checkpoint(st);
        if (!atomic_load(&k->closing)) mg_merge_runs(st);
    }
    k->busy = false;
}

static uint64_t idle(void *arg) { return mg_space_idle(arg); }

void mg_store_press(struct mg_store *st) {
    if (st->keeper == NULL || atomic_exchange(&st->pressed, true)) return;
    mg_worker_post(st->keeper, &st->keeping->press);
}

int mg_keeper_start(struct mg_store *st) {
    st->keeping->store = st;
    st->keeping->press.arrived = pressed;
    mg_space_start(st);
    return mg_worker_start(&st->keeper, "store-keep", idle, st);
}

void mg_keeper_stop(struct mg_store *st) {
    atomic_store(&st->pressed, true); // from here on nobody presses
    mg_worker_stop(st->keeper);
    atomic_store(&st->keeping->ended, true);
}

// Before the keeper runs and after it has ended, the caller is the only thread.
void mg_store_to_keeper(struct mg_store *st, struct mg_parcel *p) {
    if (st->keeper && !atomic_load(&st->keeping->ended)) {
        mg_worker_post(st->keeper, p);
    } else {
        p->arrived(p);
    }
}

static void nothing(struct mg_parcel *p) { (void)p; }

void mg_keeper_wake(struct mg_store *st) {
    if (st->keeper == NULL) return;
    st->keeping->wake.arrived = nothing;
    mg_worker_post(st->keeper, &st->keeping->wake);
}

void mg_keeper_sleep(struct mg_store *st, uint64_t ns) {
    uint64_t until = mg_bell_clock() + ns;
    while (mg_bell_clock() < until && !atomic_load(&st->keeping->closing)) mg_worker_wait_until(st->keeper, until);
}
