// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/assume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jetstream/store/journal.h"
#include "jetstream/store/run.h"
#include "jetstream/store/segment.h"
#include "jetstream/store/store_impl.h"
#include "server/base/mem.h"

#define RING_FILES_MAX 1024u // a larger number is no file of the ring

struct listing {
    struct mg_manifest *m;
    struct mg_disk *disk;
    uint64_t salt, ring_bytes; // of one file
    uint32_t rings;
};

static void learn_salt(struct listing *l, const char *name, uint64_t magic) {
    struct mg_file *f;
    uint8_t p[MG_FILE_HEAD_BYTES];
    size_t got;
    if (mg_file_open(l->disk, &f, name, MG_FILE_READ, NULL) != 0) return;
    if (mg_file_read(f, p, sizeof(p), 0, &got, NULL) == 0 && got == sizeof(p)) {
        struct mg_file_head h;
        mg_file_head_unpack(&h, p);
        if (h.magic == magic && h.checksum == mg_file_sum(p, MG_FILE_HEAD_SIZE - 8)) l->salt = h.salt;
    }
    mg_file_close(f);
}

static void on_entry(void *arg, const char *entry, uint64_t size, bool dir) {
    struct listing *l = arg;
    enum mg_table_file kind;
    char name[MG_FILE_NAME_MAX];
    uint64_t id;
    if (dir || !mg_table_file_parse(entry, &kind, &id)) return;
    if (id >= l->m->head.next_file) l->m->head.next_file = id + 1;
    mg_table_file_name(name, kind, id);
    learn_salt(l, name, kind == MG_FILE_SEGMENT ? MG_SEGMENT_MAGIC : MG_RUN_MAGIC);
    if (kind == MG_FILE_SEGMENT) {
        mg_manifest_add_segment(l->m, &(struct mg_manifest_segment){.file = id, .size = size});
        return;
    }
    struct mg_manifest_run run = {.file = id, .size = size};
    for (uint32_t i = 0; i < l->m->nruns; i++) {
        if (l->m->runs[i].about.file != id) continue;
        l->m->runs[i].about.flags = MG_MANIFEST_RUN_PRIMARY;
        return;
    }
    run.flags = kind == MG_FILE_RUN_COPY ? MG_MANIFEST_RUN_PRIMARY : 0;
    mg_manifest_add_run(l->m, &run, (mg_slice){NULL, 0}, (mg_slice){NULL, 0});
}

static void on_ring(void *arg, const char *entry, uint64_t size, bool dir) {
    struct listing *l = arg;
    unsigned no;
    if (dir || strncmp(entry, "ring-", 5) != 0 || strlen(entry) != 10 || sscanf(entry + 5, "%5u", &no) != 1) return;
    if (size > l->ring_bytes) l->ring_bytes = size;
    if (no >= l->rings && no < RING_FILES_MAX) l->rings = no + 1;
}

// The size of the ring, and the salt if no table has it. As long as the ring has not come round nothing depends on how
// many files it is to have.
static void learn_ring(struct listing *l) {
    struct mg_manifest_head *h = &l->m->head;
    struct mg_journal_hint hint = {.lapped = true};
    h->page_bytes = MG_DISK_ALIGN;
    if (l->ring_bytes < MG_DISK_ALIGN) l->ring_bytes = MG_RING_FILE;
    h->ring_file_pages = (uint32_t)(l->ring_bytes / MG_DISK_ALIGN);
    bool known = mg_journal_learn(l->disk, h->page_bytes, h->ring_file_pages, l->rings, &hint);
    if (known && l->salt == 0) l->salt = hint.salt;
    uint32_t usual = MG_RING / MG_RING_FILE, files = l->rings;
    if (!hint.lapped && files < usual) files = usual;
    h->ring_pages = (uint64_t)(files < 2 ? 2 : files) * h->ring_file_pages;
}

static int newest_first(const void *a, const void *b) {
    const struct mg_manifest_run_entry *x = a, *y = b;
    return (x->about.file < y->about.file) - (x->about.file > y->about.file);
}

bool mg_manifest_assume(struct mg_disk *d, struct mg_manifest *m) {
    struct listing l = {.m = m, .disk = d};
    m->head.next_file = 1;
    mg_disk_list(d, "segments", on_entry, &l, NULL);
    mg_disk_list(d, "tables", on_entry, &l, NULL);
    mg_disk_list(d, "journal", on_ring, &l, NULL);
    if (m->nruns) qsort(m->runs, m->nruns, sizeof(m->runs[0]), newest_first);
    learn_ring(&l);
    m->head.salt = l.salt;
    memcpy(&m->head.store, &l.salt, sizeof(l.salt));
    return l.salt != 0;
}
