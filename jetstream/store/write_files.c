// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Writing one immutable file: created, filled by large direct writes (plain ones where the file system cannot), synced,
// opened for reading. What fails is deleted; nobody has named it yet.
#include "jetstream/store/files.h"
#include "jetstream/store/keeper.h"
#include "jetstream/store/store_impl.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

static int create(struct mg_store *st, struct mg_file **out, const char *name) {
    struct mg_disk_why why;
    const unsigned flags = MG_FILE_WRITE | MG_FILE_CREATE | MG_FILE_EMPTY;
    int err = mg_file_open(st->disk, out, name, flags | MG_FILE_DIRECT, &why);
    if (err == MG_EUNSUPPORTED || err == MG_EINVAL) err = mg_file_open(st->disk, out, name, flags, &why);
    if (err) {
        *out = NULL;
        mg_store_say(st, MG_LOG_ERR, "cannot create %s: %s", name, why.text);
    }
    return err;
}

static int sync_and_close(struct mg_store *st, struct mg_file *f, const char *name, int err) {
    struct mg_disk_why why;
    if (f == NULL) return err;
    if (err == 0 && !MG_PLANTED(bytes_not_synced)) {
        err = mg_file_sync(f, &why);
        if (err) mg_store_say(st, MG_LOG_ERR, "cannot sync %s: %s", name, why.text);
    }
    mg_file_close(f);
    if (err) mg_disk_unlink(st->disk, name, NULL);
    return err;
}

int mg_segment_write_open(struct mg_segment_write *w, struct mg_store *st, uint64_t id,
                          void (*section)(void *arg, uint32_t ordinal, const struct mg_section *section), void *arg) {
    char name[MG_FILE_NAME_MAX];
    *w = (struct mg_segment_write){.st = st, .id = id};
    mg_table_file_name(name, MG_FILE_SEGMENT, id);
    int err = create(st, &w->file, name);
    if (err) return err;
    struct mg_segment_options o = {.env = &st->env, .file = id, .section = section, .arg = arg,
                                  .section_messages = st->o.section_messages, .dict_bytes = st->o.dict_bytes};
    mg_file_writer_init(&w->writer, mg_blob_of_file(w->file), 0);
    w->builder = mg_segment_builder_new(&o, &w->writer);
    return 0;
}

// What cannot be opened now is not named by a manifest.
static int open_written(struct mg_segment_ref **out, const struct mg_segment_write *w,
                        const struct mg_segment_summary *sum) {
    const struct mg_segment *open;
    struct mg_segment_ref *g = mg_segment_ref_new(
        w->st, &(struct mg_manifest_segment){.file = w->id, .size = sum->size, .foot_sum = sum->foot_sum,
                                             .messages = sum->messages, .sections = sum->sections});
    int err = mg_segment_use(g, &open);
    if (err) {
        mg_segment_ref_put(g);
        return err;
    }
    mg_segment_unuse(g);
    *out = g;
    return 0;
}

int mg_segment_write_close(struct mg_segment_write *w, int err, bool (*keep)(void *arg), void *arg,
                           struct mg_segment_ref **out) {
    char name[MG_FILE_NAME_MAX];
    struct mg_segment_summary sum = {0};
    *out = NULL;
    if (w->file == NULL) return err;
    if (err == 0) err = mg_segment_builder_finish(w->builder, &sum);
    mg_segment_builder_free(w->builder);
    mg_file_writer_fini(&w->writer);
    atomic_fetch_add(&w->st->keeping->segment_bytes, sum.size);
    mg_table_file_name(name, MG_FILE_SEGMENT, w->id);
    bool wanted = err == 0 && keep(arg);
    int rc = sync_and_close(w->st, w->file, name, wanted ? 0 : err ? err : MG_EEOF);
    if (err || !wanted) return err;
    return rc ? rc : open_written(out, w, &sum);
}

int mg_run_write_open(struct mg_run_write *w, struct mg_store *st, uint64_t id, bool primary) {
    char name[MG_FILE_NAME_MAX];
    *w = (struct mg_run_write){.st = st, .id = id, .primary = primary};
    mg_table_file_name(name, MG_FILE_RUN, id);
    int err = create(st, &w->main, name);
    if (err) return err;
    mg_table_file_name(name, MG_FILE_RUN_COPY, id);
    if (primary) err = create(st, &w->copy, name);
    if (err) {
        mg_table_file_name(name, MG_FILE_RUN, id);
        sync_and_close(st, w->main, name, err);
        w->main = NULL;
        return err;
    }
    struct mg_run_options o = {.env = &st->env, .file = id};
    mg_file_writer_init(&w->writer, mg_blob_of_file(w->main), 0);
    if (primary) w->writer.twin = mg_blob_of_file(w->copy);
    w->builder = mg_run_builder_new(&o, &w->writer);
    return 0;
}

int mg_run_write_finish(struct mg_run_write *w, int err, struct mg_run_summary *sum, struct mg_run_ref **out) {
    char name[MG_FILE_NAME_MAX];
    *out = NULL;
    mg_run_builder_free(w->builder);
    mg_file_writer_fini(&w->writer);
    mg_table_file_name(name, MG_FILE_RUN, w->id);
    err = sync_and_close(w->st, w->main, name, err);
    if (w->copy) {
        mg_table_file_name(name, MG_FILE_RUN_COPY, w->id);
        err = sync_and_close(w->st, w->copy, name, err);
    }
    if (err == 0) err = mg_run_ref_open(out, w->st, w->id, sum->size, sum->foot_sum, w->primary);
    if (err == 0) (*out)->warm = mg_run_warm((*out)->run);
    mg_run_summary_fini(sum);
    return err;
}

int mg_run_write_close(struct mg_run_write *w, int err, struct mg_run_ref **out) {
    struct mg_run_summary sum = {0};
    *out = NULL;
    if (w->main == NULL) return err;
    if (err == 0) err = mg_run_builder_finish(w->builder, &sum);
    return mg_run_write_finish(w, err, &sum, out);
}
