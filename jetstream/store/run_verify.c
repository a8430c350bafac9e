// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/run_impl.h"

#include "server/base/errors.h"
#include "server/base/planted.h"

// One pass over a run: every frame of every copy, past the cache.
struct pass {
    const struct mg_run *r;
    int (*pace)(void *arg, size_t bytes);
    void *arg;
    int err;  // the first fault
    int stop; // what pace said
};

static void found(struct pass *p, int which, uint64_t at, uint64_t bytes, uint32_t kind, int err) {
    const struct mg_fault fault = {
        .file = p->r->file.id, .at = at, .bytes = bytes, .kind = kind, .err = err, .copy = which == 1};
    mg_frame_report(&p->r->file, &fault);
    if (p->err == MG_OK) p->err = err;
}

static void check_frame(struct pass *p, uint64_t at, uint32_t length, uint32_t kind) {
    for (int which = 0; which < 2 - MG_PLANTED(scrub_one_copy) && p->stop == MG_OK; which++) {
        struct mg_block *b;
        int err = mg_frame_read_copy(&p->r->file, which, at, length, kind, &b);
        if (err == MG_OK) mg_block_unref(b);
        if (err && !(err == MG_ENOTFOUND && which == 1)) found(p, which, at, mg_frame_size(length), kind, err);
        if (p->pace) p->stop = p->pace(p->arg, mg_frame_size(length));
    }
}

static void check_head(struct pass *p) {
    const struct mg_frame_file *f = &p->r->file;
    for (int which = 0; which < 2 - MG_PLANTED(scrub_one_copy); which++) {
        const struct mg_blob *blob = which ? &f->copy : &f->main;
        uint8_t head[MG_FILE_HEAD_BYTES];
        if (!blob->ops) continue;
        int err = mg_blob_read(blob, head, sizeof head, 0);
        if (err == MG_OK) err = mg_file_head_check(head, f->env, f->id, MG_RUN_MAGIC, MG_RUN_VERSION);
        if (err) found(p, which, 0, sizeof head, MG_FRAME_FILE_HEAD, err);
    }
}

static void check_foots(struct pass *p) {
    struct mg_frame_file f = p->r->file;
    uint8_t foot[MG_RUN_FOOT_SIZE];
    const struct mg_foot_want want = {MG_RUN_MAGIC, MG_RUN_VERSION, sizeof foot, p->r->foot.checksum};
    for (int which = 0; which < 2 - MG_PLANTED(scrub_one_copy); which++) {
        struct mg_frame_file one = f;
        one.main = which ? f.copy : f.main;
        one.copy = (struct mg_blob){0};
        for (uint64_t i = 0; i < 2 && one.main.ops; i++) {
            int err = mg_file_foot_check(&one, i, &want, foot);
            if (err) found(p, which, f.size - (i + 1) * MG_FOOT_BYTES, MG_FOOT_BYTES, MG_FRAME_FOOT, err);
        }
    }
}

static void check_part(struct pass *p, const struct mg_row *top_row) {
    struct run_part part;
    run_part_load(p->r, top_row, &part);
    check_frame(p, part.ref.offset, part.ref.length, MG_FRAME_PART);
    struct mg_block_iter it;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &part.blocks);
    int err;
    for (err = mg_block_iter_first(&it); err == MG_OK && p->stop == MG_OK; err = mg_block_iter_next(&it)) {
        uint64_t at;
        uint32_t length;
        if (run_block_place(&part, &it.row, &at, &length) == MG_OK)
            check_frame(p, at, length, MG_FRAME_DATA);
        else // where it was is known only roughly
            found(p, 0, part.ref.data, part.ref.offset - part.ref.data, MG_FRAME_DATA, MG_ECORRUPT);
    }
    if (err == MG_ECORRUPT) found(p, 0, part.ref.offset, mg_frame_size(part.ref.length), MG_FRAME_PART, err);
    mg_block_iter_fini(&it);
    run_part_release(&part);
}

int mg_run_verify(const struct mg_run *r, int (*pace)(void *arg, size_t bytes), void *arg) {
    struct pass p = {.r = r, .pace = pace, .arg = arg};
    check_head(&p);
    check_foots(&p);
    check_frame(&p, r->foot.top, r->foot.top_length, MG_FRAME_TOP);
    check_frame(&p, r->foot.top_copy, r->foot.top_length, MG_FRAME_TOP);
    struct mg_block_iter it;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &r->parts);
    for (int err = mg_block_iter_first(&it); err == MG_OK && p.stop == MG_OK; err = mg_block_iter_next(&it))
        check_part(&p, &it.row);
    mg_block_iter_fini(&it);
    return p.stop ? p.stop : p.err;
}
