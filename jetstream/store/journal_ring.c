// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The ring's files and the ways of writing to them. Page n is in slot n mod pages of the ring; slots are laid out over
// the files in order.
//
// A commit is durable either because its file was opened O_DIRECT|O_DSYNC (one device write, no page cache) or because
// fdatasync followed. Which is faster depends on file system and device, so both are tried with empty commits, in turn.
// Direct writes stay unless the others are clearly faster: large commits are cheaper without the page cache, and its
// writeback is not in their way. With a sync interval neither is used: bytes go to the page cache and a timer syncs.
#include <stdio.h>

#include "jetstream/store/journal_impl.h"
#include "server/base/errors.h"

#define PROBES 4 // commits for each way

void ring_file_name(char out[32], uint32_t file) { snprintf(out, 32, MG_JOURNAL_DIR "/ring-%05u", file % 100000u); }

static int handle(struct mg_journal *j, struct mg_file **out, uint32_t no, int way, struct mg_disk_why *why) {
    struct ring_file *f = &j->file[no];
    if (f->way[way] == NULL) {
        char name[32];
        ring_file_name(name, no);
        unsigned flags = way == RING_DIRECT ? MG_FILE_WRITE | MG_FILE_DIRECT | MG_FILE_DSYNC : MG_FILE_WRITE;
        int rc = mg_file_open(j->o.disk, &f->way[way], name, flags, why);
        if (rc != 0) return rc;
    }
    *out = f->way[way];
    return 0;
}

int ring_write(struct mg_journal *j, const void *pages, uint64_t first, uint32_t count, struct mg_disk_why *why) {
    const uint8_t *p = pages;
    int way = atomic_load_explicit(&j->way, memory_order_relaxed);
    while (count > 0) {
        uint32_t no = ring_file_of(j, first), at = (uint32_t)(first % j->pages % j->o.file_pages);
        uint32_t n = j->o.file_pages - at < count ? j->o.file_pages - at : count;
        struct mg_file *f;
        int rc = handle(j, &f, no, way, why);
        if (rc == 0) {
            j->file[no].dirty |= way != RING_DIRECT;
            rc = mg_file_write(f, p, (size_t)n * j->o.page_bytes, (uint64_t)at * j->o.page_bytes, why);
        }
        if (rc != 0) return rc;
        p += (size_t)n * j->o.page_bytes;
        first += n;
        count -= n;
    }
    return 0;
}

int ring_mark_dirty(struct mg_journal *j, uint32_t no, struct mg_disk_why *why) {
    struct mg_file *f;
    int rc = handle(j, &f, no, RING_SYNC, why);
    if (rc == 0) j->file[no].dirty = true;
    return rc;
}

int ring_sync(struct mg_journal *j, struct mg_disk_why *why) {
    for (uint32_t no = 0; no < j->files; no++) {
        if (!j->file[no].dirty) continue;
        int rc = MG_PLANTED(ack_before_sync) ? 0 : mg_file_sync(j->file[no].way[RING_SYNC], why);
        if (rc != 0 && MG_PLANTED(sync_again)) rc = mg_file_sync(j->file[no].way[RING_SYNC], why);
        if (rc != 0) return rc;
        j->file[no].dirty = false;
        atomic_fetch_add_explicit(&j->syncs, 1, memory_order_relaxed);
    }
    j->sync_at = MG_NEVER;
    atomic_store_explicit(&j->durable, atomic_load_explicit(&j->head, memory_order_relaxed), memory_order_release);
    return 0;
}

void ring_close(struct mg_journal *j) {
    for (uint32_t no = 0; no < j->files; no++)
        for (int way = 0; way < RING_WAYS; way++) mg_file_close(j->file[no].way[way]);
}

// ---- which way ----------------------------------------------------------------------------------------------------

// A commit of one page: its time is kept if it is the best so far. False: it failed.
static bool probe(struct mg_journal *j, enum ring_way way, struct mg_disk_why *why) {
    atomic_store_explicit(&j->way, (int)way, memory_order_relaxed);
    uint64_t began = mg_bell_clock(), best = atomic_load_explicit(&j->way_ns[way], memory_order_relaxed);
    if (commit_empty(j, MG_PAGE_PROBE, why) != 0) return false;
    uint64_t took = mg_bell_clock() - began + 1;
    if (best == 0 || took < best) atomic_store_explicit(&j->way_ns[way], took, memory_order_relaxed);
    return true;
}

// A failed probe poisons the journal like any failed commit; a file system without direct writes is not a failure.
void ring_calibrate(struct mg_journal *j, struct mg_disk_why *why) {
    struct mg_file *f;
    if (j->calibrated) return;
    j->calibrated = true;
    atomic_store_explicit(&j->way, RING_SYNC, memory_order_relaxed);
    if (j->o.sync_ns != 0) return;
    uint32_t no = ring_file_of(j, atomic_load_explicit(&j->head, memory_order_relaxed));
    bool direct = handle(j, &f, no, RING_DIRECT, why) == 0;
    bool room = atomic_load(&j->free) > j->floor[MG_BATCH_NORMAL] + (int64_t)(j->pages / 4) + RING_WAYS * PROBES;
    // Probes wait for no file: where they would run into one that is not made yet, there are none.
    uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
    room &= (bool)atomic_load(&j->file[ring_file_of(j, head + RING_WAYS * PROBES - 1)].ready);
    if (!room || !direct) {
        if (direct) atomic_store_explicit(&j->way, RING_DIRECT, memory_order_relaxed);
        return;
    }
    for (int i = 0; i < RING_WAYS * PROBES; i++)
        if (!probe(j, i % 2 ? RING_DIRECT : RING_SYNC, why)) return;
    uint64_t ns = atomic_load_explicit(&j->way_ns[RING_DIRECT], memory_order_relaxed);
    uint64_t other = atomic_load_explicit(&j->way_ns[RING_SYNC], memory_order_relaxed);
    atomic_store_explicit(&j->way, other < ns * 3 / 4 ? RING_SYNC : RING_DIRECT, memory_order_relaxed);
}

static const char *cache_text(const struct mg_disk_about *about) {
    if (about->cache == MG_CACHE_UNKNOWN) return "write cache unknown";
    if (about->cache == MG_CACHE_WRITE_THROUGH) return "no volatile write cache";
    return about->fua == 1 ? "volatile write cache, FUA" : "volatile write cache, flushed at each commit";
}

void mg_journal_describe(struct mg_journal *j, char *out, size_t cap) {
    struct mg_disk_about about;
    mg_disk_describe(j->o.disk, &about);
    double us[RING_WAYS];
    for (int way = 0; way < RING_WAYS; way++) us[way] = (double)atomic_load(&j->way_ns[way]) / 1000;
    char how[160];
    bool direct = atomic_load(&j->way) == RING_DIRECT;
    if (j->o.sync_ns != 0)
        snprintf(how, sizeof(how), "synced every %.3f s, not before acknowledgements", (double)j->o.sync_ns / 1e9);
    else if (us[RING_DIRECT] > 0 && us[RING_SYNC] > 0)
        snprintf(how, sizeof(how), "commits by %s (%.0f us against %.0f us by %s)",
                 direct ? "O_DIRECT|O_DSYNC" : "fdatasync", direct ? us[RING_DIRECT] : us[RING_SYNC],
                 direct ? us[RING_SYNC] : us[RING_DIRECT], direct ? "fdatasync" : "O_DIRECT|O_DSYNC");
    else
        snprintf(how, sizeof(how), "commits by %s (not measured)", direct ? "O_DIRECT|O_DSYNC" : "fdatasync");
    snprintf(out, cap, "Journal of %.0f MB: %s; %s on %s, %s%s", (double)(j->pages * j->o.page_bytes) / 1048576, how,
             about.fs, about.device[0] ? about.device : "an unknown device", cache_text(&about),
             about.volatile_fs ? "; THIS FILE SYSTEM IS IN MEMORY" : "");
}

// ---- without a manifest -------------------------------------------------------------------------------------------

// The first page of a file that names its own salt.
static bool learn(struct mg_file *f, uint32_t page_bytes, uint32_t file_pages, uint64_t slot, uint8_t *page,
                  struct mg_journal_hint *out) {
    for (uint32_t i = 0; i < file_pages; i++) {
        struct mg_page h;
        size_t got = 0;
        bool read = mg_file_read(f, page, page_bytes, i * (uint64_t)page_bytes, &got, NULL) == 0 && got == page_bytes;
        if (!read || !mg_page_names_itself(&h, page, page_bytes)) continue;
        *out = (struct mg_journal_hint){.salt = h.salt, .lapped = h.page != slot + i};
        return true;
    }
    return false;
}

bool mg_journal_learn(struct mg_disk *d, uint32_t page_bytes, uint32_t file_pages, uint32_t files,
                      struct mg_journal_hint *out) {
    uint8_t *page = mg_disk_alloc(page_bytes);
    bool found = false;
    for (uint32_t no = 0; no < files && !found; no++) {
        char name[32];
        struct mg_file *f;
        ring_file_name(name, no);
        if (mg_file_open(d, &f, name, MG_FILE_READ, NULL) != 0) continue;
        found = learn(f, page_bytes, file_pages, (uint64_t)no * file_pages, page, out);
        mg_file_close(f);
    }
    mg_disk_free(page);
    return found;
}
