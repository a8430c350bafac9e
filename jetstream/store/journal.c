// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The journal's face: opening and closing, the account of free pages, and what may be asked from any thread.
//
// The account: `free` is pages of the ring less those between tail and head less those that submitted batches will need
// at most. Submit takes from it (and refuses below the floor of the batch's class), a commit gives back what its
// batches did not need, recycling gives back what it freed. So no batch that was accepted can find the ring full.
// Floors: the lowest pages are for seals and fences, above them are those that only deletes, acks and configuration may
// use.
#include "jetstream/store/journal_impl.h"

#include <stdio.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define BUFFER_BYTES (4u << 20) // pages under construction, what is written at once; less if the ring is small

const char *mg_damage_text(enum mg_damage_cause cause) {
    switch (cause) {
#define X(name, text)                                                                                                  \
    case MG_DAMAGE_##name: return text;
        MG_DAMAGE_CAUSES(X)
#undef X
    }
    return "damaged";
}

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high) { return v < low ? low : v > high ? high : v; }

static void ring_the_bell(void *journal) {
    struct mg_journal *j = journal;
    mg_bell_ring(&j->bell);
}

static struct mg_journal *create(const struct mg_journal_options *o) {
    mg_assert(o->page_bytes >= MG_PAGE_BYTES_MIN && o->page_bytes <= MG_PAGE_BYTES_MAX);
    mg_assert((o->page_bytes & (o->page_bytes - 1)) == 0 && o->files > 0 && o->file_pages > 0);
    uint64_t pages = (uint64_t)o->files * o->file_pages;
    mg_assert(pages >= 16 && pages <= UINT32_MAX);
    struct mg_journal *j = mg_zalloc(sizeof(*j) + o->files * sizeof(j->file[0]));
    j->o = *o;
    j->files = o->files;
    j->pages = pages;
    j->body = o->page_bytes - mg_page_head_bytes(o->page_bytes);
    j->floor[MG_BATCH_RESERVED] = (int64_t)clamp(pages / 64, 2, 64);
    j->floor[MG_BATCH_NORMAL] = j->floor[MG_BATCH_RESERVED] + (int64_t)clamp(pages / 16, 2, 1024);
    j->bad_max = (uint32_t)(j->body / MG_BAD_PAGES_SIZE);
    j->buffer_pages = (uint32_t)clamp(pages / 8, 1, BUFFER_BYTES / o->page_bytes);
    j->in.ring = ring_the_bell;
    j->in.arg = j;
    j->waiting_end = &j->waiting;
    j->sync_at = MG_NEVER;
    mg_bell_init(&j->bell);
    mg_bell_init(&j->grow_bell);
    return j;
}

static void destroy(struct mg_journal *j) {
    ring_close(j);
    mg_bell_fini(&j->bell);
    mg_bell_fini(&j->grow_bell);
    mg_disk_free(j->buffer);
    mg_free(j->bad);
    mg_free(j);
}

static int make_directory(struct mg_journal *j, struct mg_disk_why *why) {
    int rc = mg_disk_mkdir(j->o.disk, MG_JOURNAL_DIR, why);
    if (rc == MG_EEXISTS) rc = 0;
    return rc == 0 ? mg_disk_sync_dir(j->o.disk, "", why) : rc;
}

static int start_service(struct mg_journal *j, struct mg_disk_why *why) {
    if (atomic_load(&j->file[ring_file_of(j, atomic_load(&j->head))].ready)) ring_calibrate(j, why);
    if (atomic_load(&j->poisoned)) return MG_EIO;
    int rc = grow_start(j, why);
    if (rc == 0) rc = mg_thread_start(&j->committer, "midge-commit", commit_main, j);
    return rc;
}

int mg_journal_open(struct mg_journal **out, const struct mg_journal_options *o, struct mg_disk_why *why) {
    struct mg_journal *j = create(o);
    int rc = o->look_only ? 0 : make_directory(j, why);
    if (rc == 0) j->buffer = mg_disk_alloc((size_t)j->buffer_pages * o->page_bytes);
    if (rc == 0) rc = recover(j, why);
    if (rc == 0 && !o->look_only) rc = start_service(j, why);
    if (rc != 0) {
        grow_stop(j);
        destroy(j);
        return rc;
    }
    *out = j;
    return 0;
}

void mg_journal_close(struct mg_journal *j) {
    if (j == NULL) return;
    atomic_store(&j->stopping, true);
    if (j->committer) {
        mg_bell_ring(&j->bell);
        mg_thread_join(j->committer);
    }
    grow_stop(j);
    destroy(j);
}

// ---- any thread ---------------------------------------------------------------------------------------------------

uint64_t mg_journal_max_batch(const struct mg_journal *j) { return j->pages / 4 * j->body; }

int mg_journal_submit(struct mg_journal *j, struct mg_batch *b) {
    mg_assert(b->bytes > 0 && b->home != NULL && !j->o.look_only);
    if (atomic_load_explicit(&j->poisoned, memory_order_relaxed)) return MG_EPOISONED;
    if (b->bytes > mg_journal_max_batch(j)) return MG_EINVAL;
    int error = atomic_load_explicit(&j->grow_error, memory_order_relaxed);
    // What makes room may still come in: there may be pages left, and if not it waits.
    if (error != 0 && !(error == MG_ENOSPC && b->class == MG_BATCH_RESERVED)) return error;
    b->charged = (uint32_t)((b->bytes + j->body - 1) / j->body);
    if (atomic_fetch_sub(&j->free, b->charged) - b->charged < j->floor[b->class]) {
        atomic_fetch_add(&j->free, b->charged);
        if (j->o.pressure && !atomic_exchange(&j->pressed, true)) j->o.pressure(j->o.arg);
        return MG_EFULL;
    }
    mg_inbox_post(&j->in, &b->parcel);
    return 0;
}

uint64_t mg_journal_room(struct mg_journal *j, enum mg_batch_class class) {
    int64_t n = atomic_load_explicit(&j->free, memory_order_relaxed) - j->floor[class];
    return n > 0 ? (uint64_t)n * j->body : 0;
}

void mg_journal_recycle(struct mg_journal *j, uint64_t page) {
    uint64_t tail = atomic_load(&j->tail);
    mg_assert(page <= atomic_load(&j->durable));
    // Also when nothing was freed: whoever needs pages must be able to ask again.
    atomic_store(&j->pressed, false);
    if (page <= tail) return;
    if (MG_PLANTED(early_recycle)) tail -= tail > 20 ? 20 : tail; // what is in use counts as free
    atomic_store(&j->tail, page);
    atomic_fetch_add(&j->free, (int64_t)(page - tail));
    if (atomic_load(&j->wipe_to) > page) mg_bell_ring(&j->bell);
}

void mg_journal_sync_soon(struct mg_journal *j) {
    atomic_store(&j->sync_wanted, true);
    mg_bell_ring(&j->bell);
}

void mg_journal_wipe(struct mg_journal *j, uint64_t page) {
    uint64_t to = atomic_load(&j->wipe_to);
    while (to < page && !atomic_compare_exchange_weak(&j->wipe_to, &to, page)) continue;
    mg_bell_ring(&j->bell);
}

void mg_journal_state(struct mg_journal *j, struct mg_journal_state *out) {
    *out = (struct mg_journal_state){
        .head = atomic_load(&j->head),
        .durable = atomic_load(&j->durable),
        .tail = atomic_load(&j->tail),
        .pages = j->pages,
        .commits = atomic_load(&j->commits),
        .syncs = atomic_load(&j->syncs),
        .seals = atomic_load(&j->seals),
        .record_bytes = atomic_load(&j->record_bytes),
        .page_bytes = atomic_load(&j->page_bytes),
        .commit_ns = atomic_load(&j->commit_ns),
        .incarnation = j->incarnation,
        .page_size = j->o.page_bytes,
        .poisoned = atomic_load(&j->poisoned),
    };
}

void mg_journal_histograms(const struct mg_journal *j, uint64_t ns[MG_JOURNAL_BUCKETS],
                           uint64_t bytes[MG_JOURNAL_BUCKETS]) {
    for (int i = 0; i < MG_JOURNAL_BUCKETS; i++) {
        ns[i] = atomic_load_explicit(&j->ns_buckets[i], memory_order_relaxed);
        bytes[i] = atomic_load_explicit(&j->bytes_buckets[i], memory_order_relaxed);
    }
}
