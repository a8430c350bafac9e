// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/segments.h"

#include "jetstream/store/files.h"
#include "jetstream/store/merge.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"
#include "server/shard/loop.h"

#define PIECE (UINT64_C(512) * 1024)

// ---- segments -------------------------------------------------------------------------------------------------------

struct mg_segment_ref *mg_segment_ref_get(struct mg_segment_ref *g) {
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

// A large file is cut piece by piece: the file system frees (and, mounted with `discard`, trims) what goes in one
// step, and the journal waits behind that.
static void shorten(struct mg_store *st, const char *name, uint64_t size) {
    struct mg_file *f;
    if (size <= PIECE || mg_file_open(st->disk, &f, name, MG_FILE_WRITE, NULL) != 0) return;
    int err = 0;
    for (size = (size - 1) / PIECE * PIECE; size > 0 && err == 0; size -= PIECE) {
        err = mg_file_truncate(f, size, NULL);
        mg_thread_breathe();
    }
    mg_file_close(f);
}

static bool unlink_file(struct mg_store *st, const char *name, uint64_t size) {
    struct mg_disk_why why;
    shorten(st, name, size);
    int err = mg_disk_unlink(st->disk, name, &why);
    if (err && err != MG_ENOTFOUND) mg_store_say(st, MG_LOG_WRN, "cannot delete %s: %s", name, why.text);
    return err == 0 || err == MG_ENOTFOUND;
}

void mg_file_overwrite(struct mg_store *st, uint64_t id, uint64_t size) {
    const size_t step = 1024 * 1024;
    char name[MG_FILE_NAME_MAX];
    struct mg_disk_why why = {""};
    struct mg_file *f;
    mg_table_file_name(name, MG_FILE_SEGMENT, id);
    int err = MG_PLANTED(erase_unlinks) ? MG_ENOTFOUND : mg_file_open(st->disk, &f, name, MG_FILE_WRITE, &why);
    if (err == MG_ENOTFOUND) return;
    if (err == 0) {
        char *zeros = mg_zalloc(step);
        for (uint64_t at = 0; at < size && err == 0; at += step)
            err = mg_file_write(f, zeros, size - at < step ? (size_t)(size - at) : step, at, &why);
        if (err == 0) err = mg_file_sync(f, &why);
        mg_free(zeros);
        mg_file_close(f);
    }
    if (err) mg_store_say(st, MG_LOG_ERR, "cannot overwrite %s: %s", name, why.text);
}

static void close_segment(struct mg_parcel *p) {
    struct mg_segment_ref *g = mg_container_of(p, struct mg_segment_ref, parcel);
    mg_segment_pool_close(g);
    if (atomic_load(&g->doomed) && atomic_load(&mg_segment_store(g)->to_erase))
        mg_file_overwrite(mg_segment_store(g), g->id, g->size);
    if (atomic_load(&g->doomed)) {
        char name[MG_FILE_NAME_MAX];
        mg_table_file_name(name, MG_FILE_SEGMENT, g->id);
        if (unlink_file(mg_segment_store(g), name, g->size)) mg_files_unlinked(mg_segment_store(g), g->id);
    }
    mg_segment_pool_give_back(g);
}

void mg_segment_ref_put(struct mg_segment_ref *g) {
    if (g == NULL || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1) return;
    g->parcel.arrived = close_segment;
    mg_store_to_keeper(mg_segment_store(g), &g->parcel);
}

struct mg_segment_ref *mg_segment_ref_new(struct mg_store *st, const struct mg_manifest_segment *about) {
    struct mg_segment_ref *g = mg_segment_pool_take(st);
    atomic_init(&g->refs, 1);
    g->id = about->file;
    g->size = about->size;
    g->foot_sum = about->foot_sum;
    g->messages = about->messages;
    g->sections = about->sections;
    g->age = about->age;
    return g;
}

struct mg_manifest_segment mg_segment_ref_about(const struct mg_segment_ref *g) {
    return (struct mg_manifest_segment){.file = g->id,
                                        .size = g->size,
                                        .foot_sum = g->foot_sum,
                                        .messages = g->messages,
                                        .sections = g->sections,
                                        .age = g->age};
}

// ---- runs -----------------------------------------------------------------------------------------------------------

struct mg_run_ref *mg_run_ref_get(struct mg_run_ref *r) {
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

static void close_run(struct mg_parcel *p) {
    struct mg_run_ref *r = mg_container_of(p, struct mg_run_ref, parcel);
    mg_run_close(r->run);
    mg_file_close(r->main);
    mg_file_close(r->copy);
    r->store->keeping->runs_closed++;
    bool gone = atomic_load(&r->doomed);
    for (int copy = 0; copy <= (int)r->primary && atomic_load(&r->doomed); copy++) {
        char name[MG_FILE_NAME_MAX];
        mg_table_file_name(name, copy ? MG_FILE_RUN_COPY : MG_FILE_RUN, r->id);
        gone &= unlink_file(r->store, name, r->size);
    }
    if (gone) mg_files_unlinked(r->store, r->id);
    mg_free(r);
}

void mg_run_ref_put(struct mg_run_ref *r) {
    if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1) return;
    r->parcel.arrived = close_run;
    mg_store_to_keeper(r->store, &r->parcel);
}

static void open_copy(struct mg_store *st, struct mg_file **out, uint64_t id, bool copy) {
    char name[MG_FILE_NAME_MAX];
    struct mg_disk_why why;
    mg_table_file_name(name, copy ? MG_FILE_RUN_COPY : MG_FILE_RUN, id);
    if (mg_file_open(st->disk, out, name, MG_FILE_READ | MG_FILE_EXACT, &why) != 0) {
        *out = NULL;
        mg_store_say(st, MG_LOG_ERR, "cannot open %s: %s", name, why.text);
    }
}

int mg_run_ref_open(struct mg_run_ref **out, struct mg_store *st, uint64_t id, uint64_t size, uint64_t sum,
                    bool primary) {
    struct mg_run_ref *r = mg_zalloc(sizeof(*r));
    struct mg_blob none = {NULL, NULL};
    open_copy(st, &r->main, id, false);
    if (primary) open_copy(st, &r->copy, id, true);
    int err = r->main || r->copy ? mg_run_open(&r->run, &st->env, r->main ? mg_blob_of_file(r->main) : none,
                                               r->copy ? mg_blob_of_file(r->copy) : none, id, size, sum)
                                 : MG_EIO;
    if (err) {
        mg_store_say(st, MG_LOG_ERR, "table %016llx cannot be read", (unsigned long long)id);
        mg_file_close(r->main);
        mg_file_close(r->copy);
        mg_free(r);
        return err;
    }
    atomic_init(&r->refs, 1);
    r->store = st;
    r->id = id;
    r->size = size;
    r->foot_sum = sum;
    r->primary = primary;
    *out = r;
    return 0;
}

// ---- sets of runs ---------------------------------------------------------------------------------------------------

struct mg_runset *mg_runset_new(struct mg_run_ref *const *runs, uint32_t count) {
    struct mg_runset *s = mg_zalloc(sizeof(*s) + count * sizeof(s->runs[0]));
    atomic_init(&s->refs, 1);
    s->count = count;
    for (uint32_t i = 0; i < count; i++) s->runs[i] = mg_run_ref_get(runs[i]);
    return s;
}

struct mg_runset *mg_runset_ref(struct mg_runset *s) {
    if (s) atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void mg_runset_unref(struct mg_runset *s) {
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1) return;
    for (uint32_t i = 0; i < s->count; i++) mg_run_ref_put(s->runs[i]);
    mg_free(s);
}

struct mg_run_ref **mg_runset_kind(const struct mg_runset *s, bool primary, uint32_t *n) {
    struct mg_run_ref **list = NULL;
    *n = 0;
    for (uint32_t i = 0; s && i < s->count; i++) {
        if (s->runs[i]->primary != primary) continue;
        if (list == NULL) list = mg_alloc(s->count * sizeof(struct mg_run_ref *));
        list[(*n)++] = s->runs[i];
    }
    return list;
}

struct mg_merge *mg_runset_merge(const struct mg_runset *s, bool primary, bool bulk) {
    uint32_t n;
    struct mg_run_ref **list = mg_runset_kind(s, primary, &n);
    if (list == NULL) return NULL;
    struct mg_run **runs = mg_alloc(n * sizeof(struct mg_run *));
    for (uint32_t i = 0; i < n; i++) runs[i] = list[i]->run;
    struct mg_merge *m = mg_merge_new(runs, n, true, bulk);
    mg_free(runs);
    mg_free(list);
    return m;
}

bool mg_runset_may_have(const struct mg_runset *s, mg_slice key) {
    for (uint32_t i = 0; s && i < s->count; i++) {
        if (mg_run_may_have(s->runs[i]->run, key)) return true;
    }
    return false;
}

int mg_runset_get(const struct mg_runset *s, mg_slice key, struct mg_buf *out) {
    for (uint32_t i = 0; s && i < s->count; i++) {
        struct mg_run_hit hit;
        int err = mg_run_get(s->runs[i]->run, key, &hit);
        if (err == MG_ENOTFOUND) continue;
        if (err) return err;
        bool gone = hit.tombstone;
        if (!gone) mg_buf_add_slice(out, hit.value);
        mg_run_hit_release(&hit);
        return gone ? MG_ENOTFOUND : MG_OK;
    }
    return MG_ENOTFOUND;
}
