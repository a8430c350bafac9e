// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The ballast: made, given up, made again.
//
// Its bytes are written, not only allocated or left out, and they do not compress: the room must really be taken. It is
// filled under another name, so that a file named `ballast` is a whole one.
#include "jetstream/store/space.h"

#include <stdio.h>

#include "jetstream/store/keeper.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/shard/bell.h"

#define BALLAST "ballast"
#define UNFINISHED "ballast.new"
#define STEP (256u * 1024)
#define TRY_AGAIN_NS UINT64_C(1000000000)

// A full ring of records with what finds them, and its rows.
static uint64_t ballast_bytes(const struct mg_store *st) {
    if (st->o.ballast_bytes == MG_NO_BALLAST) return 0;
    uint64_t n = st->o.ballast_bytes ? st->o.ballast_bytes : st->head.ring_pages * st->head.page_bytes / 4 * 5;
    return (n + STEP - 1) / STEP * STEP;
}

static bool is_off(const struct mg_store *st) { return st->o.ballast_bytes == MG_NO_BALLAST; }

static bool is_missing(const struct mg_store *st) {
    return !is_off(st) && st->keeping->ballast_wanted && !st->keeping->ballast;
}

static void written(struct mg_parcel *p) { mg_container_of(p, struct mg_keeper, room)->ballast_wanted = true; }

static void journal_full(struct mg_parcel *p) {
    struct mg_keeper *k = mg_container_of(p, struct mg_keeper, full);
    atomic_store(&k->full_out, false);
    if (!atomic_load(&k->closing)) mg_space_give_up(k->store); // else there may be no parts to tell any more
}

void mg_space_start(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    struct mg_file *f;
    struct mg_journal_state state;
    uint64_t size = 0;
    k->room.arrived = written;
    k->full.arrived = journal_full;
    if (is_off(st)) return;
    mg_journal_state(st->journal, &state);
    if (state.head > 0) mg_space_written(st);
    if (mg_file_open(st->disk, &f, BALLAST, MG_FILE_READ, NULL) != 0) return;
    k->ballast = mg_file_size(f, &size, NULL) == 0 && size >= ballast_bytes(st);
    mg_file_close(f);
}

void mg_space_written(struct mg_store *st) {
    if (atomic_exchange(&st->written, true)) return;
    if (st->keeper == NULL) {
        st->keeping->ballast_wanted = true; // it does not run yet
    } else {
        mg_worker_post(st->keeper, &st->keeping->room);
    }
}

void mg_space_of_journal(struct mg_store *st, bool full) {
    // The keeper may be in the middle of a long write, and the disk full, not full and full again meanwhile.
    if (full && st->keeper && !atomic_exchange(&st->keeping->full_out, true))
        mg_worker_post(st->keeper, &st->keeping->full);
    if (!full) mg_store_tell_parts(st);
}

static void refuse(struct mg_store *st, const char *why) {
    if (atomic_exchange(&st->refuse, MG_ENOSPC) != 0) return;
    mg_store_say(st, MG_LOG_ERR, "The disk is full (%s): publishes are refused until %llu MB are free", why,
                 (unsigned long long)((ballast_bytes(st) + MG_RING_FILE) >> 20));
    mg_store_tell_parts(st);
}

bool mg_space_give_up(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    struct mg_disk_why why;
    refuse(st, "a write of the store found no space");
    k->ballast_wanted = !is_off(st);
    k->ballast_next = mg_bell_clock() + TRY_AGAIN_NS;
    if (!k->ballast) return false;
    k->ballast = false;
    int err = mg_disk_unlink(st->disk, BALLAST, &why);
    if (err) mg_store_say(st, MG_LOG_ERR, "cannot give up the ballast: %s", why.text);
    return err == 0;
}

// ---- making it ------------------------------------------------------------------------------------------------------

static void fill_with_noise(uint64_t *p, size_t n) {
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = x;
    }
}

static int fill(struct mg_store *st, struct mg_file *f, struct mg_disk_why *why) {
    uint64_t *noise = mg_disk_alloc(STEP), size = ballast_bytes(st);
    int err = 0;
    fill_with_noise(noise, STEP / sizeof(*noise));
    for (uint64_t at = 0; at < size && err == 0; at += STEP) {
        noise[0] = at; // no two blocks are the same
        err = mg_file_write(f, noise, STEP, at, why);
        if (atomic_load(&st->keeping->closing)) err = MG_ECLOSED;
    }
    if (err == 0) err = mg_file_sync(f, why);
    mg_disk_free(noise);
    return err;
}

static int create(struct mg_store *st, struct mg_disk_why *why) {
    const unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY;
    struct mg_file *f;
    int err = mg_file_open(st->disk, &f, UNFINISHED, flags | MG_FILE_DIRECT, why);
    if (err == MG_EUNSUPPORTED) err = mg_file_open(st->disk, &f, UNFINISHED, flags, why);
    if (err) return err;
    err = fill(st, f, why);
    mg_file_close(f);
    if (err == 0) err = mg_disk_rename(st->disk, UNFINISHED, BALLAST, why);
    if (err == 0) err = mg_disk_sync_dir(st->disk, "", why);
    if (err) mg_disk_unlink(st->disk, UNFINISHED, NULL);
    return err;
}

// Without a margin it would take away the room that was given up a moment ago.
static int check_room(struct mg_store *st, struct mg_disk_why *why) {
    struct mg_disk_space space;
    if (atomic_load(&st->refuse) == 0) return 0;
    if (atomic_load(&st->stuck)) return MG_ENOSPC;
    int err = mg_disk_space(st->disk, &space, why);
    if (err == 0 && space.free < ballast_bytes(st) + MG_RING_FILE) err = MG_ENOSPC;
    return err;
}

uint64_t mg_space_idle(struct mg_store *st) {
    struct mg_keeper *k = st->keeping;
    struct mg_disk_why why = {""};
    if ((!is_missing(st) && !atomic_load(&st->refuse)) || atomic_load(&k->closing) || atomic_load(&st->poisoned))
        return MG_NEVER;
    if (mg_bell_clock() < k->ballast_next) return k->ballast_next;
    int err = check_room(st, &why);
    if (err == 0 && is_missing(st)) {
        err = create(st, &why);
        k->ballast = err == 0;
    }
    if (err == 0) {
        k->ballast_told = false;
        if (atomic_exchange(&st->refuse, 0))
            mg_store_say(st, MG_LOG_INF, "The disk has room again: publishes are taken");
        mg_store_tell_parts(st);
        return MG_NEVER;
    }
    if (err == MG_ENOSPC)
        refuse(st, "there is no room for the ballast");
    else if (err != MG_ECLOSED && !k->ballast_told)
        mg_store_say(st, MG_LOG_WRN, "cannot make the ballast: %s", why.text);
    k->ballast_told = true;
    k->ballast_next = mg_bell_clock() + TRY_AGAIN_NS;
    return k->ballast_next;
}
