// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The two slots. Generation g lives in manifest-(g mod 2), so writing one never touches the other, which stays the
// fallback until the write is durable. A slot that cannot be read is either torn (a crash while it was written: the
// other one is what counts) or rotten; both look the same, so the caller hears of it.
#include <stdio.h>

#include "jetstream/store/manifest.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/planted.h"

enum { ALIGN = 4096 };
#define SLOT_MAX ((uint64_t)256 << 20)

static const char *slot_name(int slot) { return slot ? "manifest-1" : "manifest-0"; }

static int read_slot(struct mg_disk *d, int slot, struct mg_manifest *m, struct mg_disk_why *why) {
    struct mg_file *f;
    uint64_t size = 0;
    int err = mg_file_open(d, &f, slot_name(slot), MG_FILE_READ, why);
    if (err) return err;
    err = mg_file_size(f, &size, why);
    if (err == MG_OK && size > SLOT_MAX) err = MG_ECORRUPT;
    if (err == MG_OK) {
        size_t got = 0;
        void *p = mg_disk_alloc(size + ALIGN);
        err = mg_file_read(f, p, size, 0, &got, why);
        if (err == MG_OK) err = mg_manifest_decode(m, p, got);
        bool ours = m->head.generation % 2 == (uint64_t)slot || MG_PLANTED(any_slot);
        if (err == MG_OK && !ours) { // a copy of the other one
            mg_manifest_fini(m);
            err = MG_ECORRUPT;
        }
        mg_disk_free(p);
    }
    mg_file_close(f);
    return err;
}

struct looking {
    bool any;
};

static void on_entry(void *arg, const char *entry, uint64_t size, bool dir) {
    (void)entry;
    (void)size;
    if (!dir) ((struct looking *)arg)->any = true;
}

// Is there any file that only a store has?
static int has_files(struct mg_disk *d, bool *any, struct mg_disk_why *why) {
    static const char *const folders[] = {"journal", "segments", "tables", "lost+found"};
    struct looking l = {false};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int err = mg_disk_list(d, folders[i], on_entry, &l, why);
        if (err && err != MG_ENOTFOUND) return err;
    }
    *any = l.any;
    return MG_OK;
}

static int nothing_usable(struct mg_disk *d, const int errs[2], struct mg_manifest_loaded *out) {
    if (errs[0] == MG_ENOTFOUND || errs[1] == MG_ENOTFOUND) {
        // Without any other file nothing can be lost: at most the very first manifest, which a crash has torn.
        bool any, none = errs[0] == errs[1];
        int err = has_files(d, &any, &out->why);
        if (err) return err;
        if (!any && (none || errs[0] == MG_ECORRUPT || errs[1] == MG_ECORRUPT)) return MG_ENOTFOUND;
        if (none) snprintf(out->why.text, sizeof out->why.text, "there are files of a store, but no manifest");
        if (none) return MG_ECORRUPT;
    }
    int err = errs[0] == MG_ENOTFOUND ? errs[1] : errs[0];
    if (errs[0] == MG_EUNSUPPORTED || errs[1] == MG_EUNSUPPORTED) {
        snprintf(out->why.text, sizeof out->why.text, "the manifest was written by a newer version");
        return MG_EUNSUPPORTED;
    }
    if (err == MG_ECORRUPT)
        snprintf(out->why.text, sizeof out->why.text, "neither manifest-0 nor manifest-1 can be read");
    return err;
}

static bool same_state(const struct mg_manifest *a, const struct mg_manifest *b) {
    bool same = a->head.replay_from == b->head.replay_from && a->nruns == b->nruns && a->nsegments == b->nsegments;
    for (uint32_t i = 0; same && i < a->nruns; i++) same = a->runs[i].about.file == b->runs[i].about.file;
    for (uint32_t i = 0; same && i < a->nsegments; i++) same = a->segments[i].file == b->segments[i].file;
    return same;
}

static bool same_store(const struct mg_manifest *a, const struct mg_manifest *b) {
    return a->head.salt == b->head.salt && memcmp(&a->head.store, &b->head.store, sizeof a->head.store) == 0;
}

// Whose files these are nobody can tell: the greater generation says nothing then.
static int two_stores(struct mg_manifest slots[2], struct mg_manifest_loaded *out) {
    for (int i = 0; i < 2; i++) {
        mg_manifest_fini(&slots[i]);
        out->slots[i] = MG_SLOT_DAMAGED;
    }
    out->used = -1;
    snprintf(out->why.text, sizeof out->why.text, "manifest-0 and manifest-1 are of two different stores");
    return MG_ECORRUPT;
}

int mg_manifest_load(struct mg_disk *d, struct mg_manifest *m, struct mg_manifest_loaded *out) {
    struct mg_manifest slots[2] = {{.nruns = 0}, {.nruns = 0}};
    int errs[2];
    *out = (struct mg_manifest_loaded){.used = -1};
    for (int i = 0; i < 2; i++) {
        errs[i] = read_slot(d, i, &slots[i], &out->why);
        out->slots[i] = errs[i] == MG_OK             ? MG_SLOT_VALID
                        : errs[i] == MG_ENOTFOUND    ? MG_SLOT_MISSING
                        : errs[i] == MG_EUNSUPPORTED ? MG_SLOT_NEWER
                                                     : MG_SLOT_DAMAGED;
        if (errs[i]) continue;
        out->generations[i] = slots[i].head.generation;
        if (out->used < 0 || out->generations[i] > out->generations[out->used]) out->used = i;
    }
    if (out->used < 0) return nothing_usable(d, errs, out);
    // What a newer version wrote last counts; the older slot is no longer true.
    if (out->slots[1 - out->used] == MG_SLOT_NEWER) {
        mg_manifest_fini(&slots[out->used]);
        return nothing_usable(d, errs, out);
    }
    bool both = out->slots[1 - out->used] == MG_SLOT_VALID;
    if (both && !same_store(&slots[0], &slots[1])) return two_stores(slots, out);
    out->same = both && same_state(&slots[0], &slots[1]);
    *m = slots[out->used];
    mg_manifest_fini(&slots[1 - out->used]);
    return MG_OK;
}

static int write_slot(struct mg_disk *d, const char *name, const struct mg_buf *bytes, struct mg_disk_why *why) {
    struct mg_file *f;
    size_t n = (bytes->len + ALIGN - 1) / ALIGN * ALIGN;
    int err = mg_file_open(d, &f, name, MG_FILE_WRITE | MG_FILE_CREATE, why);
    if (err) return err;
    char *p = mg_disk_alloc(n);
    memcpy(p, bytes->p, bytes->len);
    memset(p + bytes->len, 0, n - bytes->len);
    err = mg_file_write(f, p, n, 0, why);
    if (err == MG_OK) err = mg_file_truncate(f, n, why);
    if (err == MG_OK) err = mg_file_sync(f, why);
    mg_disk_free(p);
    mg_file_close(f);
    return err;
}

static int settle_slot(struct mg_disk *d, const char *name, struct mg_disk_why *why) {
    struct mg_file *f;
    int err = mg_file_open(d, &f, name, MG_FILE_WRITE, why);
    if (err) return err == MG_ENOTFOUND ? MG_OK : err;
    err = mg_file_sync(f, why);
    mg_file_close(f);
    return err;
}

int mg_manifest_settle(struct mg_disk *d, int slot, struct mg_disk_why *why) {
    int err = settle_slot(d, slot_name(slot), why);
    return err ? err : mg_disk_sync_dir(d, "", why);
}

int mg_manifest_store(struct mg_disk *d, struct mg_manifest *m, struct mg_disk_why *why) {
    struct mg_buf bytes = MG_BUF_INIT;
    m->head.generation++;
    mg_manifest_encode(m, &bytes);
    int err = mg_manifest_settle(d, (int)((m->head.generation + 1) % 2), why);
    if (err == MG_OK) err = write_slot(d, slot_name((int)(m->head.generation % 2)), &bytes, why);
    // The name is new twice in a store's life; asking each time costs nothing when nothing is to be done.
    if (err == MG_OK) err = mg_disk_sync_dir(d, "", why);
    if (err) m->head.generation--;
    mg_buf_fini(&bytes);
    return err;
}
