// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Building a run, row by row in the order of the keys:
//
//   row -> data block (16 KB) -> frame -> line in the index of the part +
//       -> hash                                                         +-> part frame -> line in the top
// In memory: one block, the index and the hashes of one part, the top. What always holds: nothing is written twice or
// out of order, so the writer may be a direct one.
#include "jetstream/store/run.h"

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/loop.h"

enum {
    BLOCK_BYTES = 16 * 1024,
    PART_ROWS = 13000,             // a filter of 16 KB
    PART_INDEX_BYTES = 16 * 1024,
    PART_DATA_BYTES = 64 * 1024 * 1024, // offsets within a part have 32 bits
};

struct mg_run_builder {
    struct mg_run_options o;
    struct mg_file_writer *w;
    struct mg_block_builder data, index, top;
    struct mg_buf first; // key of the data block
    struct mg_buf part_first;
    struct mg_buf payload; // scratch
    uint64_t part_data;    // offset of the part's first data frame
    uint64_t *hashes;      // of the part's rows
    uint32_t nhashes, cap_hashes, parts;
    struct mg_run_summary sum;
};

void mg_run_summary_fini(struct mg_run_summary *s) {
    mg_buf_fini(&s->min_key);
    mg_buf_fini(&s->max_key);
}

struct mg_run_builder *mg_run_builder_new(const struct mg_run_options *o, struct mg_file_writer *w) {
    mg_assert(mg_file_writer_at(w) == 0);
    struct mg_run_builder *b = mg_zalloc(sizeof *b);
    b->o = *o;
    if (b->o.block_bytes == 0) b->o.block_bytes = BLOCK_BYTES;
    if (b->o.part_rows == 0) b->o.part_rows = PART_ROWS;
    b->w = w;
    mg_block_builder_init(&b->data);
    mg_block_builder_init(&b->index);
    mg_block_builder_init(&b->top);
    mg_file_head_write(w, o->env, o->file, MG_RUN_MAGIC, MG_RUN_VERSION);
    b->part_data = mg_file_writer_at(w);
    return b;
}

void mg_run_builder_free(struct mg_run_builder *b) {
    if (!b) return;
    mg_block_builder_fini(&b->data);
    mg_block_builder_fini(&b->index);
    mg_block_builder_fini(&b->top);
    mg_buf_fini(&b->first);
    mg_buf_fini(&b->part_first);
    mg_buf_fini(&b->payload);
    mg_run_summary_fini(&b->sum);
    mg_free(b->hashes);
    mg_free(b);
}

static void end_block(struct mg_run_builder *b) {
    if (b->data.rows == 0) return;
    mg_thread_breathe();
    mg_slice payload = mg_block_builder_finish(&b->data);
    uint64_t at = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_DATA, payload);
    const struct mg_run_block ref = {(uint32_t)(at - b->part_data), (uint32_t)payload.n};
    char value[MG_RUN_BLOCK_SIZE];
    mg_run_block_pack(value, &ref);
    const struct mg_row row = {mg_buf_slice(&b->first), {value, sizeof value}, false};
    if (b->index.rows == 0) {
        b->part_first.len = 0;
        mg_buf_add_slice(&b->part_first, row.key);
    }
    mg_block_builder_add(&b->index, &row);
    mg_block_builder_reset(&b->data);
}

static void add_filter(struct mg_run_builder *b, uint32_t lines) {
    size_t n = (size_t)lines * MG_BLOOM_LINE;
    mg_buf_reserve(&b->payload, n);
    uint8_t *filter = (uint8_t *)b->payload.p + b->payload.len;
    memset(filter, 0, n);
    for (uint32_t i = 0; i < b->nhashes; i++)
        mg_bloom_add(filter, lines, b->hashes[i]);
    b->payload.len += n;
}

static void end_part(struct mg_run_builder *b) {
    if (b->index.rows == 0) return;
    const struct mg_run_part_head head = {mg_bloom_lines(b->nhashes), b->index.rows};
    char packed[MG_RUN_PART_HEAD_SIZE], value[MG_RUN_PART_SIZE];
    mg_run_part_head_pack(packed, &head);
    b->payload.len = 0;
    mg_buf_add(&b->payload, packed, sizeof packed);
    add_filter(b, head.lines);
    mg_buf_add_slice(&b->payload, mg_block_builder_finish(&b->index));
    uint64_t at = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_PART, mg_buf_slice(&b->payload));
    const struct mg_run_part part = {b->part_data, at, (uint32_t)b->payload.len, b->nhashes};
    mg_run_part_pack(value, &part);
    const struct mg_row row = {mg_buf_slice(&b->part_first), {value, sizeof value}, false};
    mg_block_builder_add(&b->top, &row);
    mg_block_builder_reset(&b->index);
    b->nhashes = 0;
    b->parts++;
    b->part_data = mg_file_writer_at(b->w);
}

static void add_hash(struct mg_run_builder *b, uint64_t hash) {
    if (b->nhashes == b->cap_hashes) {
        b->cap_hashes = b->cap_hashes ? b->cap_hashes * 2 : 256;
        b->hashes = mg_realloc(b->hashes, b->cap_hashes * sizeof *b->hashes);
    }
    b->hashes[b->nhashes++] = hash;
}

int mg_run_builder_add(struct mg_run_builder *b, const struct mg_row *row) {
    if (row->key.n == 0 || row->key.n > MG_ROW_KEY_MAX || row->value.n > MG_ROW_VALUE_MAX) return MG_ERANGE;
    if (b->sum.rows && mg_key_cmp(mg_buf_slice(&b->sum.max_key), row->key) >= 0) return MG_EINVAL;
    if (b->data.rows == 0) {
        b->first.len = 0;
        mg_buf_add_slice(&b->first, row->key);
    }
    if (b->sum.rows == 0) mg_buf_add_slice(&b->sum.min_key, row->key);
    b->sum.max_key.len = 0;
    mg_buf_add_slice(&b->sum.max_key, row->key);
    mg_block_builder_add(&b->data, row);
    add_hash(b, mg_bloom_hash(row->key, b->o.env->salt));
    b->sum.rows++;
    b->sum.tombstones += row->tombstone;
    b->sum.row_bytes += row->key.n + row->value.n;
    if (mg_block_builder_size(&b->data) >= b->o.block_bytes) {
        end_block(b);
        if (b->nhashes >= b->o.part_rows || mg_block_builder_size(&b->index) >= PART_INDEX_BYTES ||
            mg_file_writer_at(b->w) - b->part_data >= PART_DATA_BYTES)
            end_part(b);
    }
    return b->w->err;
}

int mg_run_builder_finish(struct mg_run_builder *b, struct mg_run_summary *out) {
    end_block(b);
    end_part(b);
    const struct mg_run_top top = {(uint32_t)b->sum.max_key.len, 0};
    char head[MG_RUN_TOP_SIZE];
    mg_run_top_pack(head, &top);
    b->payload.len = 0;
    mg_buf_add(&b->payload, head, sizeof head);
    mg_buf_add_slice(&b->payload, mg_buf_slice(&b->sum.max_key));
    mg_buf_add_slice(&b->payload, mg_block_builder_finish(&b->top));
    struct mg_run_foot foot = {.magic = MG_RUN_MAGIC, .version = MG_RUN_VERSION, .file = b->o.file};
    foot.salt = b->o.env->salt;
    foot.rows = b->sum.rows;
    foot.tombstones = b->sum.tombstones;
    foot.row_bytes = b->sum.row_bytes;
    foot.top_length = (uint32_t)b->payload.len;
    foot.parts = b->parts;
    foot.top = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_TOP, mg_buf_slice(&b->payload));
    mg_file_write_align(b->w, MG_FOOT_BYTES); // the copy is in other sectors
    foot.top_copy = mg_frame_write(b->w, b->o.env, b->o.file, MG_FRAME_TOP, mg_buf_slice(&b->payload));
    foot.size = (mg_file_writer_at(b->w) + 3 * MG_FOOT_BYTES - 1) / MG_FOOT_BYTES * MG_FOOT_BYTES;
    uint8_t packed[MG_RUN_FOOT_SIZE];
    mg_run_foot_pack(packed, &foot);
    int err = mg_file_foot_write(b->w, packed, sizeof packed);
    mg_assert(mg_file_writer_at(b->w) == foot.size);
    b->sum.file = b->o.file;
    b->sum.size = foot.size;
    b->sum.foot_sum = mg_get_u64(packed + sizeof packed - 8);
    *out = b->sum;
    b->sum = (struct mg_run_summary){0};
    return err;
}
