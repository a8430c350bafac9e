// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The thread that makes the ring's files during the first lap, one ahead of need. A file is filled with zeros by real
// writes (space that is only allocated costs milliseconds at each first write), synced, renamed to its name, and its
// directory is synced: only then may a commit go there. A crash leaves at most a file with another name behind, which
// is emptied when its turn comes.
//
// If it cannot, the reason stands in grow_error and new batches are refused with it. When the disk is full the
// committer waits and the thread tries again every second; any other error ends the thread, and the journal is poisoned
// when the file is needed.
#include <stdio.h>
#include <string.h>

#include "jetstream/store/journal_impl.h"
#include "server/base/errors.h"

#define FILL_AT_ONCE (256u << 10) // commits wait behind it
#define TRY_AGAIN_NS UINT64_C(1000000000)

// Writes zeros to [from, bytes of a file) and syncs.
static int fill(struct mg_journal *j, struct mg_file *f, uint64_t from, struct mg_disk_why *why) {
    uint64_t end = ring_file_bytes(j);
    size_t step = end - from < FILL_AT_ONCE ? (size_t)(end - from) : FILL_AT_ONCE;
    void *zeros = mg_disk_alloc(step);
    memset(zeros, 0, step);
    int rc = 0;
    while (rc == 0 && from < end && !atomic_load(&j->grow_stopping)) {
        size_t n = end - from < step ? (size_t)(end - from) : step;
        rc = mg_file_write(f, zeros, n, from, why);
        from += n;
    }
    if (rc == 0) rc = from < end ? MG_ECLOSED : MG_PLANTED(file_not_synced) ? 0 : mg_file_sync(f, why);
    mg_disk_free(zeros);
    return rc;
}

// A file that was cut short keeps what it has.
static int lengthen(struct mg_journal *j, const char *name, struct mg_disk_why *why) {
    struct mg_file *f;
    uint64_t size = 0;
    int rc = mg_file_open(j->o.disk, &f, name, MG_FILE_WRITE, why);
    if (rc != 0) return rc;
    rc = mg_file_size(f, &size, why);
    if (rc == 0 && size < ring_file_bytes(j)) rc = fill(j, f, size, why);
    mg_file_close(f);
    return rc;
}

static int create(struct mg_journal *j, const char *name, struct mg_disk_why *why) {
    char temp[40];
    snprintf(temp, sizeof(temp), "%s.new", name);
    struct mg_file *f;
    unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY;
    int rc = mg_file_open(j->o.disk, &f, temp, flags | MG_FILE_DIRECT, why);
    if (rc == MG_EUNSUPPORTED) rc = mg_file_open(j->o.disk, &f, temp, flags, why);
    if (rc != 0) return rc;
    rc = fill(j, f, 0, why);
    mg_file_close(f);
    return rc == 0 ? mg_disk_rename(j->o.disk, temp, name, why) : rc;
}

// The name of the next file is there before this one is used, and never without this one: so a file that somebody
// removes is missed, even the last one. Behind the ring's last file it stays as it is, empty.
static int mark_next(struct mg_journal *j, uint32_t no, struct mg_disk_why *why) {
    struct mg_file *f;
    char name[32], temp[40];
    ring_file_name(name, no);
    if (no < j->files && mg_file_open(j->o.disk, &f, name, MG_FILE_READ, NULL) == 0) {
        mg_file_close(f);
        return 0;
    }
    snprintf(temp, sizeof(temp), "%s.new", name);
    int rc = mg_file_open(j->o.disk, &f, temp, MG_FILE_WRITE | MG_FILE_CREATE, why);
    if (rc == 0) mg_file_close(f);
    return rc;
}

int grow_now(struct mg_journal *j, uint32_t no, struct mg_disk_why *why) {
    char name[32];
    ring_file_name(name, no);
    int rc = lengthen(j, name, why);
    if (rc == MG_ENOTFOUND) rc = create(j, name, why);
    // Also after lengthen: the name may be from a time when this failed.
    if (rc == 0 && !MG_PLANTED(no_directory_sync)) rc = mg_disk_sync_dir(j->o.disk, MG_JOURNAL_DIR, why);
    if (rc == 0) rc = mark_next(j, no + 1, why);
    if (rc == 0 && !MG_PLANTED(no_directory_sync)) rc = mg_disk_sync_dir(j->o.disk, MG_JOURNAL_DIR, why);
    if (rc == 0) atomic_store(&j->file[no].ready, true);
    return rc;
}

// The first file below `to` that is not there; `to` if all are.
static uint32_t first_missing(struct mg_journal *j, uint32_t to) {
    for (uint32_t no = 0; no < to; no++)
        if (!atomic_load(&j->file[no].ready)) return no;
    return to;
}

static void grow_main(void *arg) {
    struct mg_journal *j = arg;
    uint32_t missing;
    while (!atomic_load(&j->grow_stopping) && (missing = first_missing(j, j->files)) < j->files) {
        uint64_t until = MG_NEVER;
        if (missing < atomic_load(&j->grow_to)) {
            int rc = grow_now(j, missing, NULL);
            int before = atomic_exchange(&j->grow_error, rc);
            mg_bell_ring(&j->bell);
            if (j->o.space && (before == MG_ENOSPC) != (rc == MG_ENOSPC)) j->o.space(j->o.arg, rc == MG_ENOSPC);
            if (rc == 0) continue;
            if (rc != MG_ENOSPC) return;
            until = mg_bell_clock() + TRY_AGAIN_NS;
        }
        if (!atomic_load(&j->grow_stopping)) mg_bell_wait(&j->grow_bell, until);
    }
}

void grow_ask(struct mg_journal *j, uint32_t files) {
    if (files > j->files) files = j->files;
    if (files <= atomic_load(&j->grow_to)) return;
    atomic_store(&j->grow_to, files);
    mg_bell_ring(&j->grow_bell);
}

int grow_start(struct mg_journal *j, struct mg_disk_why *why) {
    if (first_missing(j, j->files) == j->files) return 0;
    int rc = mg_thread_start(&j->grower, "midge-ring", grow_main, j);
    if (rc != 0 && why) snprintf(why->text, sizeof(why->text), "cannot start a thread");
    return rc;
}

void grow_stop(struct mg_journal *j) {
    if (j->grower == NULL) return;
    atomic_store(&j->grow_stopping, true);
    mg_bell_ring(&j->grow_bell);
    mg_thread_join(j->grower);
    j->grower = NULL;
}

// ---- a store without a journal ------------------------------------------------------------------------------------

static void on_any(void *arg, const char *entry, uint64_t size, bool dir) {
    (void)size;
    if (!dir && strncmp(entry, "ring-", 5) == 0) *(bool *)arg = true;
}

int mg_journal_look(struct mg_disk *d, struct mg_disk_why *why) {
    bool any = false;
    int rc = mg_disk_list(d, MG_JOURNAL_DIR, on_any, &any, why);
    return rc == 0 && !any ? MG_ENOTFOUND : rc;
}

int mg_journal_mark(struct mg_disk *d, struct mg_disk_why *why) {
    struct mg_file *f;
    char name[32], temp[40];
    int rc = mg_disk_mkdir(d, MG_JOURNAL_DIR, why);
    if (rc == 0 || rc == MG_EEXISTS) rc = mg_journal_look(d, why);
    if (rc != MG_ENOTFOUND) return rc;
    ring_file_name(name, 0);
    snprintf(temp, sizeof(temp), "%s.new", name);
    rc = mg_file_open(d, &f, temp, MG_FILE_WRITE | MG_FILE_CREATE, why);
    if (rc != 0) return rc;
    mg_file_close(f);
    rc = mg_disk_sync_dir(d, MG_JOURNAL_DIR, why);
    return rc == 0 ? mg_disk_sync_dir(d, "", why) : rc;
}
