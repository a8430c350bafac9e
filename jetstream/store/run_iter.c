// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Walking a range of a run. Three nested positions: a part in the top, a block in the part's index, a row in the block.
//
//   step: next row in the block, else next line of the index, else next part
//
// Blocks are taken from a window, a piece of the file that was read ahead; the first one after a seek comes through the
// cache instead, for short ranges end there. A damaged block becomes a gap: from its first key (or the key that was
// looked for) up to the first key of the block behind it. What always holds: rows and gaps come in ascending order, and
// together they cover all keys from the seek on.
#include "jetstream/store/run_impl.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

enum { AHEAD_FIRST = 64 * 1024, AHEAD_MAX = 256 * 1024 };

struct mg_run_iter {
    const struct mg_run *r;
    bool bulk;
    bool fresh; // the next block is the first one after a seek
    bool done;
    struct mg_block_iter top, index, rows;
    struct run_part part;    // block NULL: none
    struct mg_block *data;   // holds the block if it is not in the window
    bool in_block;           // rows stands on a row or before the first one
    uint8_t *window;         // owned, ahead_max bytes
    uint64_t window_at;
    size_t window_len, ahead, ahead_max;
    struct mg_row row;
    struct mg_run_gap gap;
};

struct mg_run_iter *mg_run_iter_new(const struct mg_run *r, bool bulk) {
    struct mg_run_iter *it = mg_zalloc(sizeof *it);
    it->r = r;
    it->bulk = bulk;
    it->done = true;
    it->ahead_max = AHEAD_MAX;
    mg_block_iter_init(&it->top);
    mg_block_iter_init(&it->index);
    mg_block_iter_init(&it->rows);
    mg_block_iter_set(&it->top, &r->parts);
    return it;
}

void mg_run_iter_ahead(struct mg_run_iter *it, size_t bytes) { it->ahead_max = bytes; }

static void leave_block(struct mg_run_iter *it) {
    mg_block_unref(it->data);
    it->data = NULL;
    it->in_block = false;
}

void mg_run_iter_free(struct mg_run_iter *it) {
    if (!it) return;
    leave_block(it);
    run_part_release(&it->part);
    mg_block_iter_fini(&it->top);
    mg_block_iter_fini(&it->index);
    mg_block_iter_fini(&it->rows);
    mg_buf_fini(&it->gap.low);
    mg_buf_fini(&it->gap.high);
    mg_free(it->window);
    mg_free(it);
}

const struct mg_row *mg_run_iter_row(const struct mg_run_iter *it) { return &it->row; }
const struct mg_run_gap *mg_run_iter_gap(const struct mg_run_iter *it) { return &it->gap; }

// ---- blocks

static bool in_window(const struct mg_run_iter *it, uint64_t at, uint64_t size) {
    return at >= it->window_at && at - it->window_at <= it->window_len && size <= it->window_len - (at - it->window_at);
}

// Reads ahead from `at`. Failing is no fault: the block is then read by itself.
static void fill_window(struct mg_run_iter *it, uint64_t at) {
    const struct mg_frame_file *f = &it->r->file;
    if (!it->window) it->window = mg_alloc(it->ahead_max);
    if (it->bulk && it->window_len && f->main.ops && f->main.ops->forget)
        f->main.ops->forget(f->main.handle, it->window_at, it->window_len);
    uint64_t n = f->size - at;
    if (n > it->ahead) n = it->ahead;
    it->window_len = f->main.ops && mg_blob_read(&f->main, it->window, n, at) == MG_OK ? n : 0;
    it->window_at = at;
    uint64_t left = f->size - at - it->window_len;
    if (it->window_len && it->window_len == it->ahead_max && left && f->main.ops->expect) // and the next one
        f->main.ops->expect(f->main.handle, at + it->window_len, left < it->ahead_max ? left : it->ahead_max);
    it->ahead = it->ahead < it->ahead_max / 2 ? it->ahead * 2 : it->ahead_max;
}

// The payload of a data frame; it->data holds it unless it stands in the window.
static int load_payload(struct mg_run_iter *it, uint64_t at, uint32_t length, mg_slice *payload) {
    const struct mg_frame_file *f = &it->r->file;
    uint64_t size = mg_frame_size(length);
    bool alone = it->fresh && !it->bulk;
    if (!alone && !in_window(it, at, size) && size <= it->ahead_max) fill_window(it, at);
    if (in_window(it, at, size)) {
        const uint8_t *p = it->window + (at - it->window_at);
        *payload = mg_slice_of((const char *)p + MG_FRAME_HEAD_SIZE, length);
        if (mg_frame_check(f, p, at, length, MG_FRAME_DATA) == MG_OK) return MG_OK;
    }
    int err = mg_frame_read(f, at, length, MG_FRAME_DATA, &it->data);
    if (err == MG_OK) *payload = mg_slice_of((const char *)it->data->data, length);
    return err;
}

// Enters the block that the index stands on; rows stands before its first row.
static int enter_block(struct mg_run_iter *it) {
    uint64_t at;
    uint32_t length;
    mg_slice payload;
    struct mg_block_view view;
    mg_thread_breathe();
    int err = run_block_place(&it->part, &it->index.row, &at, &length);
    if (err == MG_OK) err = load_payload(it, at, length, &payload);
    if (err == MG_OK) err = mg_block_view_init(&view, payload.p, payload.n);
    it->fresh = false;
    if (err) return err;
    mg_block_iter_set(&it->rows, &view);
    it->in_block = true;
    return MG_OK;
}

static void enter_part(struct mg_run_iter *it) {
    run_part_release(&it->part);
    run_part_load(it->r, &it->top.row, &it->part);
    mg_block_iter_set(&it->index, &it->part.blocks);
}

// Puts the index on the next block, maybe of the next part. False: there is none.
static bool next_block(struct mg_run_iter *it) {
    leave_block(it);
    if (mg_block_iter_next(&it->index) == MG_OK) return true;
    while (mg_block_iter_next(&it->top) == MG_OK) {
        enter_part(it);
        if (mg_block_iter_first(&it->index) == MG_OK) return true;
    }
    it->done = true;
    run_part_release(&it->part);
    mg_free(it->window);
    it->window = NULL;
    it->window_len = 0;
    return false;
}

// The keys from `low` on that the block before the next one holds are lost.
static int make_gap(struct mg_run_iter *it, mg_slice low, int err) {
    it->gap.low.len = it->gap.high.len = 0;
    mg_buf_add_slice(&it->gap.low, low);
    it->gap.endless = !next_block(it);
    if (!it->gap.endless) mg_buf_add_slice(&it->gap.high, it->index.row.key);
    return err == MG_EIO ? MG_EIO : MG_ECORRUPT;
}

// ---- steps

static int step(struct mg_run_iter *it) {
    while (!it->done) {
        if (!it->in_block) {
            int err = enter_block(it);
            if (err) return make_gap(it, it->index.row.key, err);
        }
        // A new set leaves `next` at 0, so the first step finds the first row.
        int err = mg_block_iter_next(&it->rows);
        if (err == MG_OK) {
            it->row = it->rows.row;
            return MG_OK;
        }
        if (err == MG_ECORRUPT) {
            if (it->rows.key.len) mg_buf_addc(&it->rows.key, 0); // the next possible key
            return make_gap(it, it->rows.key.len ? mg_buf_slice(&it->rows.key) : it->index.row.key, err);
        }
        next_block(it);
    }
    return MG_ENOTFOUND;
}

int mg_run_iter_next(struct mg_run_iter *it) { return step(it); }

static int seek_in_block(struct mg_run_iter *it, mg_slice key) {
    int err = enter_block(it);
    if (err == MG_OK) err = mg_block_iter_seek(&it->rows, key);
    if (err == MG_OK) {
        it->row = it->rows.row;
        return MG_OK;
    }
    if (err == MG_ENOTFOUND) {
        next_block(it);
        return step(it);
    }
    return make_gap(it, mg_key_cmp(it->index.row.key, key) < 0 ? key : it->index.row.key, err);
}

int mg_run_iter_seek(struct mg_run_iter *it, mg_slice key) {
    leave_block(it);
    it->fresh = true;
    it->window_len = 0;
    it->ahead = it->bulk || it->ahead_max < AHEAD_FIRST ? it->ahead_max : AHEAD_FIRST;
    int err = key.n ? mg_block_iter_floor(&it->top, key) : MG_ENOTFOUND;
    if (err) err = mg_block_iter_first(&it->top);
    it->done = err != MG_OK;
    if (it->done) return MG_ENOTFOUND; // no rows at all
    enter_part(it);
    err = key.n ? mg_block_iter_floor(&it->index, key) : MG_ENOTFOUND;
    if (err) err = mg_block_iter_first(&it->index);
    if (err) return make_gap(it, it->top.row.key, err); // unreachable while parts are not empty
    return key.n ? seek_in_block(it, key) : step(it);
}
