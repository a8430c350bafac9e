// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The files of extents, and the thread that writes them. All of it is the thread's, but before it starts (recovery) and
// after it has ended.
//
// What waits is taken in the order in which it came, as far as there is room, some megabytes at a time: written one
// behind the other, then each file is synced once, then it all goes home. A new file's name is synced before that, too.
// Names of files that were there are synced when this process opens them first: the one that made them may have been
// killed before it could.
//
// A write that finds no space has a known outcome, for nothing speaks of these bytes yet: the publish is refused. The
// same is done before that when less is free than a checkpoint would need for what is held. Any other failure of a
// write or a sync poisons the store, like one of the journal: such a device is not to be trusted with what comes next.
//
// No room: a checkpoint is asked for. What waits while nothing moves for some seconds, or while checkpoints fail, is
// refused.
#include "jetstream/store/extents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "jetstream/store/store_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/bell.h"
#include "server/shard/mbuf.h"

#define FOLDER "extents"
#define FILES_MAX 4096u
#define NAME_MAX_BYTES 24
#define GROUP_BYTES (UINT64_C(8) << 20)       // written between two syncs
#define GROUP_MAX 64u                         // extents
#define PATIENCE_NS UINT64_C(5000000000)
#define POLL_NS UINT64_C(100000000)           // while something waits for a checkpoint
#define ZEROS (1u << 20)

struct extent_file {
    struct mg_file *f;   // NULL: not opened yet
    uint64_t size, used; // bytes in the file; where the next extent begins
    uint32_t live;       // extents in it that are needed
    bool wipe;           // nothing new comes into it until it was overwritten
    bool kept;           // something in it could not be read, or all of it is away: it stays so until the next start
    bool unsynced;
};

struct mg_extents {
    struct mg_store *st;
    struct mg_worker *worker; // NULL: not started, or ended
    struct extent_file *files;
    uint32_t files_len, current;
    uint64_t file_bytes;      // a file takes so much, or one extent
    uint64_t held, most;      // bytes of extents that are needed, and how many that may be
    struct mg_list queue;     // of struct mg_extent: to be written
    bool folder;              // it is there and its own name is durable
    bool names;               // names in it may not be durable
    uint64_t moved_at;        // when something was written last
    uint64_t press_at;        // when a checkpoint may be asked for again
    bool told;                // that there is no space
    struct mg_parcel wipe;
    atomic_bool wipe_out;
    atomic_uint_fast64_t wipe_asked, wiped;
    uint64_t wipe_seen;
    _Atomic uint64_t count, bytes;
};

// ---- files ----------------------------------------------------------------------------------------------------------

static void file_name(char out[NAME_MAX_BYTES], uint32_t no) {
    snprintf(out, NAME_MAX_BYTES, FOLDER "/%05u.ext", (unsigned)no % 100000u);
}

static struct extent_file *add_files(struct mg_extents *x, uint32_t count) {
    x->files = mg_realloc(x->files, count * sizeof(x->files[0]));
    memset(&x->files[x->files_len], 0, (count - x->files_len) * sizeof(x->files[0]));
    x->files_len = count;
    return &x->files[count - 1];
}

static void on_entry(void *arg, const char *entry, uint64_t size, bool dir) {
    struct mg_extents *x = arg;
    char name[NAME_MAX_BYTES];
    unsigned long no = strtoul(entry, NULL, 10);
    if (dir || no >= FILES_MAX) return;
    file_name(name, (uint32_t)no);
    if (strcmp(name + sizeof(FOLDER), entry) != 0) return;
    if (no >= x->files_len) add_files(x, (uint32_t)no + 1);
    x->files[no].size = size;
}

int mg_extents_open(struct mg_store *st) {
    struct mg_extents *x = st->extents = mg_zalloc(sizeof(*x));
    uint64_t ring = st->head.ring_pages * st->head.page_bytes;
    x->st = st;
    x->file_bytes = (uint64_t)st->head.ring_file_pages * st->head.page_bytes;
    x->most = st->o.extent_room ? st->o.extent_room : ring;
    mg_list_init(&x->queue);
    int err = mg_disk_list(st->disk, FOLDER, on_entry, x, NULL);
    return err == MG_ENOTFOUND ? 0 : err;
}

static int open_folder(struct mg_extents *x, struct mg_disk_why *why) {
    if (x->folder) return 0;
    int err = mg_disk_mkdir(x->st->disk, FOLDER, why);
    if (err == 0 || err == MG_EEXISTS) err = mg_disk_sync_dir(x->st->disk, "", why);
    x->folder = err == 0;
    return err;
}

static int open_file(struct mg_extents *x, uint32_t no, struct mg_disk_why *why) {
    struct extent_file *f = &x->files[no];
    const unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE;
    char name[NAME_MAX_BYTES];
    if (f->f) return 0;
    file_name(name, no);
    int err = open_folder(x, why);
    if (err == 0) err = mg_file_open(x->st->disk, &f->f, name, flags | MG_FILE_DIRECT, why);
    if (err == MG_EUNSUPPORTED || err == MG_EINVAL) err = mg_file_open(x->st->disk, &f->f, name, flags, why);
    if (err == 0) err = mg_file_size(f->f, &f->size, why);
    if (err == 0) x->names = true;
    return err;
}

// Where the next extent goes. In an empty file there is always room.
static uint32_t pick(struct mg_extents *x, uint64_t n) {
    uint32_t best = UINT32_MAX;
    if (x->current < x->files_len) {
        const struct extent_file *f = &x->files[x->current];
        if (!f->wipe && !f->kept && f->used > 0 && f->used + n <= x->file_bytes) return x->current;
    }
    // The smallest that need not grow, else the one that has to grow least.
    for (uint32_t i = 0; i < x->files_len; i++) {
        const struct extent_file *f = &x->files[i];
        if (f->live > 0 || f->wipe || f->kept) continue;
        const struct extent_file *b = best < UINT32_MAX ? &x->files[best] : NULL;
        bool better = b == NULL || (f->size >= n ? b->size < n || f->size < b->size : f->size > b->size);
        if (better) best = i;
    }
    if (best < UINT32_MAX) {
        x->files[best].used = 0;
    } else if (x->files_len < FILES_MAX) {
        best = x->files_len;
        add_files(x, best + 1);
    }
    return best;
}

// ---- writing --------------------------------------------------------------------------------------------------------

static uint64_t hash_of(const struct mg_extents *x, const void *bytes, size_t n) {
    return XXH3_64bits_withSeed(bytes, n, x->st->env.salt);
}

static void no_space(struct mg_extents *x, const struct mg_extent *e, const char *why) {
    if (!x->told)
        mg_store_say(x->st, MG_LOG_ERR, "A publish of %llu KB is refused: %s", (unsigned long long)e->room >> 10, why);
    x->told = true;
}

static void failed(struct mg_extents *x, const struct mg_disk_why *why) {
    mg_store_say(x->st, MG_LOG_ERR, "a large payload could not be written: %s; nothing is accepted any more",
                 why->text);
    mg_store_poisoned(x->st);
}

// The checkpoint will copy what is held.
static bool has_space(struct mg_extents *x, const struct mg_extent *e) {
    struct mg_disk_space space;
    return mg_disk_space(x->st->disk, &space, NULL) != 0 || space.free >= x->held + 2 * e->room;
}

static void take(struct mg_extents *x, struct mg_extent *e) {
    struct extent_file *f = &x->files[e->at.file];
    e->placed = true;
    x->held += e->room;
    f->live++;
}

static void give_back(struct mg_extents *x, struct mg_extent *e) {
    struct extent_file *f = &x->files[e->at.file];
    mg_assert(e->placed && f->live > 0 && x->held >= e->room);
    e->placed = false;
    x->held -= e->room;
    // The last one in its file, if it was refused: what comes takes its place.
    if (f->used == e->at.offset + e->room) f->used = e->at.offset;
    if (--f->live == 0) f->used = 0;
}

static void copy(struct mg_extent *e) {
    size_t n = e->headers.n + e->payload.n;
    e->memory = mg_disk_alloc(e->front + e->room + MG_RECORD_ALIGN);
    e->body = e->memory + e->front;
    if (e->headers.n) memcpy(e->body, e->headers.p, e->headers.n);
    if (e->payload.n) memcpy(e->body + e->headers.n, e->payload.p, e->payload.n);
    memset(e->body + n, 0, e->room - n + MG_RECORD_ALIGN);
    e->headers.p = (const char *)e->body;
    e->payload.p = e->headers.p + e->headers.n;
    mg_mbuf_unref(e->source);
    e->source = NULL;
}

// Finds a place for it.
static int place(struct mg_extents *x, struct mg_extent *e) {
    struct mg_disk_why why = {"there are too many files"};
    if (atomic_load(&x->st->poisoned)) return MG_EIO;
    if (!has_space(x, e)) {
        no_space(x, e, "too little of the disk is free");
        return MG_ENOSPC;
    }
    uint32_t no = pick(x, e->room);
    int err = no == UINT32_MAX ? MG_EIO : open_file(x, no, &why);
    if (err == MG_ENOSPC) {
        no_space(x, e, why.text);
        return err;
    }
    if (err) {
        failed(x, &why);
        return MG_EIO;
    }
    e->at.file = x->current = no;
    e->at.offset = x->files[no].used;
    copy(e);
    e->at.hash = hash_of(x, e->body, (size_t)e->at.headers_len + e->at.payload_len);
    x->files[no].used += e->room;
    take(x, e);
    return 0;
}

// Writes extents that lie one behind the other in a file.
static void write_run(struct mg_extents *x, struct mg_extent *const *list, unsigned n) {
    struct mg_disk_why why = {""};
    struct mg_span spans[GROUP_MAX];
    struct extent_file *f = &x->files[list[0]->at.file];
    uint64_t end = list[n - 1]->at.offset + list[n - 1]->room;
    for (unsigned i = 0; i < n; i++) spans[i] = (struct mg_span){list[i]->body, list[i]->room};
    int err = mg_file_writev(f->f, spans, n, list[0]->at.offset, &why);
    if (err == 0) {
        if (f->size < end) f->size = end;
        f->unsynced = true;
        x->told = false;
        return;
    }
    if (err == MG_ENOSPC) {
        // A part of it may be there: this room is worth more to others.
        if (end > f->size) mg_file_truncate(f->f, f->size, NULL);
        no_space(x, list[0], why.text);
    } else {
        failed(x, &why);
        err = MG_EIO;
    }
    for (unsigned i = 0; i < n; i++) {
        list[i]->err = err;
        give_back(x, list[i]);
    }
}

static void write_placed(struct mg_extents *x, struct mg_extent *const *list, unsigned n) {
    for (unsigned from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n; to++) {
            const struct mg_extent *a = list[to - 1], *b = list[to];
            if (a->at.file != b->at.file || a->at.offset + a->room != b->at.offset) break;
        }
        write_run(x, list + from, to - from);
    }
}

static int sync_all(struct mg_extents *x) {
    struct mg_disk_why why = {""};
    int err = 0;
    for (uint32_t i = 0; i < x->files_len && err == 0; i++) {
        if (!x->files[i].unsynced) continue;
        x->files[i].unsynced = false;
        if (!MG_PLANTED(extent_not_synced)) err = mg_file_sync(x->files[i].f, &why);
    }
    if (err == 0 && x->names && !MG_PLANTED(extent_unnamed)) err = mg_disk_sync_dir(x->st->disk, FOLDER, &why);
    x->names = false;
    if (err) failed(x, &why);
    return err;
}

static void send_home(struct mg_extent *e, int err) {
    if (err) e->err = err;
    e->parcel.arrived = e->back;
    mg_inbox_post(&e->part->inbox, &e->parcel);
}

static void send_all_home(struct mg_list *list, int err) {
    while (!mg_list_empty(list)) {
        struct mg_extent *e = mg_container_of(list->next, struct mg_extent, link);
        mg_list_remove(&e->link);
        send_home(e, err);
    }
}

static bool fits(const struct mg_extents *x, const struct mg_extent *e) {
    return x->held == 0 || x->held + e->room <= x->most;
}

// False: nothing waits, or nothing that there is room for.
static bool write_group(struct mg_extents *x) {
    struct mg_extent *group[GROUP_MAX], *placed[GROUP_MAX];
    unsigned n = 0, ok = 0;
    for (uint64_t bytes = 0; !mg_list_empty(&x->queue) && bytes < GROUP_BYTES && n < GROUP_MAX; n++) {
        struct mg_extent *e = mg_container_of(x->queue.next, struct mg_extent, link);
        if (!fits(x, e)) break;
        mg_list_remove(&e->link);
        bytes += e->room;
        group[n] = e;
        e->err = place(x, e);
        if (e->err == 0) placed[ok++] = e;
    }
    if (n == 0) return false;
    write_placed(x, placed, ok);
    int err = sync_all(x) ? MG_EIO : 0;
    x->moved_at = mg_bell_clock();
    for (unsigned i = 0; i < n; i++) {
        if (err == 0 && group[i]->err == 0) {
            atomic_fetch_add(&x->count, 1);
            atomic_fetch_add(&x->bytes, group[i]->room);
        }
        send_home(group[i], err);
    }
    return true;
}

// What waits for room: a checkpoint makes some. Returns until when to wait.
static uint64_t wait_for_room(struct mg_extents *x) {
    struct mg_store *st = x->st;
    uint64_t now = mg_bell_clock();
    bool waits = !mg_list_empty(&x->queue);
    if ((waits || x->held > x->most / 2) && now >= x->press_at) {
        x->press_at = now + POLL_NS;
        mg_store_press(st);
    }
    if (!waits) return MG_NEVER;
    const struct mg_extent *e = mg_container_of(x->queue.next, struct mg_extent, link);
    uint64_t since = e->since > x->moved_at ? e->since : x->moved_at;
    if (atomic_load(&st->poisoned)) send_all_home(&x->queue, MG_EIO);
    else if (atomic_load(&st->stuck) || now >= since + PATIENCE_NS) send_all_home(&x->queue, MG_EFULL);
    return mg_list_empty(&x->queue) ? MG_NEVER : now + POLL_NS;
}

// ---- erasing --------------------------------------------------------------------------------------------------------

static void overwrite(struct mg_extents *x, uint32_t no) {
    struct mg_disk_why why = {""};
    int err = open_file(x, no, &why);
    struct extent_file *f = &x->files[no];
    uint8_t *zeros = mg_disk_alloc(ZEROS);
    memset(zeros, 0, ZEROS);
    for (uint64_t at = 0; at < f->size && err == 0; at += ZEROS)
        err = mg_file_write(f->f, zeros, f->size - at < ZEROS ? (size_t)(f->size - at) : ZEROS, at, &why);
    if (err == 0) err = mg_file_sync(f->f, &why);
    mg_disk_free(zeros);
    if (err) mg_store_say(x->st, MG_LOG_ERR, "extents could not be overwritten: %s", why.text);
}

// Files that are still needed are overwritten when a checkpoint has freed them.
static uint64_t wipe_files(struct mg_extents *x) {
    bool needed = false;
    for (uint32_t i = 0; i < x->files_len; i++) {
        struct extent_file *f = &x->files[i];
        if (f->wipe && f->live == 0 && !atomic_load(&x->st->keeping->closing)) {
            if (f->size) overwrite(x, i);
            x->files[i].wipe = false;
            x->files[i].used = 0;
        }
        needed |= x->files[i].wipe;
    }
    if (!needed) {
        atomic_store(&x->wiped, x->wipe_seen);
        return MG_NEVER;
    }
    mg_store_press_soon(x->st);
    return mg_bell_clock() + POLL_NS;
}

static void wipe_all(struct mg_parcel *p) {
    struct mg_extents *x = mg_container_of(p, struct mg_extents, wipe);
    atomic_store(&x->wipe_out, false);
    x->wipe_seen = atomic_load(&x->wipe_asked);
    if (MG_PLANTED(erase_spares_extents)) return;
    for (uint32_t i = 0; i < x->files_len; i++) x->files[i].wipe = x->files[i].size > 0;
}

uint64_t mg_extents_wipe(struct mg_store *st) {
    struct mg_extents *x = st->extents;
    uint64_t n = atomic_fetch_add(&x->wipe_asked, 1) + 1;
    if (!atomic_exchange(&x->wipe_out, true)) {
        x->wipe.arrived = wipe_all;
        mg_worker_post(x->worker, &x->wipe);
    }
    return n;
}

uint64_t mg_extents_wiped(const struct mg_store *st) { return atomic_load(&st->extents->wiped); }

// ---- the thread -----------------------------------------------------------------------------------------------------

static uint64_t idle(void *arg) {
    struct mg_extents *x = arg;
    if (write_group(x)) return 0;
    uint64_t room = wait_for_room(x), wipe = wipe_files(x);
    return room < wipe ? room : wipe;
}

static void arrived(struct mg_parcel *p) {
    struct mg_extent *e = mg_container_of(p, struct mg_extent, parcel);
    struct mg_extents *x = e->part->store->extents;
    if (!e->written) {
        copy(e);
        send_home(e, 0);
        return;
    }
    e->since = mg_bell_clock();
    mg_list_push_back(&x->queue, &e->link);
}

static void free_extent(struct mg_extent *e) {
    mg_mbuf_unref(e->source);
    mg_disk_free(e->memory);
    mg_free(e);
}

static void released(struct mg_parcel *p) {
    struct mg_extent *e = mg_container_of(p, struct mg_extent, parcel), *next;
    struct mg_extents *x = e->part->store->extents;
    for (; e; e = next) {
        next = e->next;
        if (e->placed) {
            give_back(x, e);
            x->press_at = 0; // a checkpoint has ended
        }
        free_extent(e);
    }
}

int mg_extents_start(struct mg_store *st) {
    return mg_worker_start(&st->extents->worker, "store-extent", idle, st->extents);
}

void mg_extents_stop(struct mg_store *st) {
    struct mg_extents *x = st->extents;
    if (x == NULL || x->worker == NULL) return;
    mg_worker_stop(x->worker);
    mg_worker_free(x->worker);
    x->worker = NULL;
    send_all_home(&x->queue, MG_ECLOSED);
}

void mg_extents_close(struct mg_store *st) {
    struct mg_extents *x = st->extents;
    if (x == NULL) return;
    for (uint32_t i = 0; i < x->files_len; i++) mg_file_close(x->files[i].f);
    mg_free(x->files);
    mg_free(x);
    st->extents = NULL;
}

struct mg_extent_counters mg_extents_counters(const struct mg_store *st) {
    const struct mg_extents *x = st->extents;
    return (struct mg_extent_counters){.extents = atomic_load(&x->count), .bytes = atomic_load(&x->bytes)};
}

void mg_extents_post(struct mg_store *st, struct mg_extent *e) {
    e->parcel.arrived = arrived;
    mg_worker_post(st->extents->worker, &e->parcel);
}

void mg_extents_release(struct mg_store *st, struct mg_extent *e) {
    e->parcel.arrived = released;
    if (st->extents->worker) mg_worker_post(st->extents->worker, &e->parcel);
    else released(&e->parcel);
}

// ---- recovery -------------------------------------------------------------------------------------------------------

static int read_bytes(struct mg_store *st, const struct mg_extent_place *at, uint8_t *p, size_t n) {
    char name[NAME_MAX_BYTES];
    struct mg_file *f;
    size_t got = 0;
    file_name(name, at->file);
    if (mg_file_open(st->disk, &f, name, MG_FILE_READ, NULL) != 0) return MG_EIO;
    int err = mg_file_read(f, p, n, at->offset, &got, NULL);
    mg_file_forget(f, at->offset, n);
    mg_file_close(f);
    return err ? MG_EIO : got == n ? 0 : MG_ECORRUPT;
}

uint8_t *mg_extents_read(struct mg_store *st, struct mg_extent *e, int *err) {
    struct mg_extents *x = st->extents;
    const struct mg_extent_place *at = &e->at;
    size_t n = (size_t)at->headers_len + at->payload_len;
    *err = MG_ECORRUPT;
    if (at->file >= FILES_MAX) return NULL;
    if (at->file >= x->files_len) add_files(x, at->file + 1); // it is away: its name stays free for it
    struct extent_file *f = &x->files[at->file];
    if (n == 0 || n > f->size || at->offset > f->size - n) {
        f->kept = true;
        return NULL;
    }
    uint8_t *p = mg_alloc(n);
    *err = read_bytes(st, at, p, n);
    if (*err == 0 && hash_of(x, p, n) != at->hash && !MG_PLANTED(extent_unchecked)) *err = MG_ECORRUPT;
    if (*err) {
        f->kept = true;
        mg_free(p);
        return NULL;
    }
    e->room = (n + MG_DISK_ALIGN - 1) & ~(uint64_t)(MG_DISK_ALIGN - 1);
    if (f->used < at->offset + e->room) f->used = at->offset + e->room;
    take(x, e);
    return p;
}
