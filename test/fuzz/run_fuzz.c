// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A run whose bytes are wrong behind right checksums: every key, ranges, a merge with an intact run, a check. And any
// bytes as a block of rows. Nothing may crash, read outside or go on for ever.
#include <stdio.h>

#include "jetstream/store/merge.h"
#include "test/fuzz/sealed.h"

enum { ROWS = 120, FILE_ID = 7 };

static void build(struct mem_file *mem, const struct mg_table_env *env, uint64_t id, struct mg_run_summary *sum) {
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(mem), 4096);
    struct mg_run_builder *b = mg_run_builder_new(&(struct mg_run_options){env, id, 200, 40}, &w);
    for (int i = 0; i < ROWS; i++) {
        char key[16], value[32];
        int k = snprintf(key, sizeof key, "k%03d", i * 2), v = snprintf(value, sizeof value, "value of %d", i);
        const struct mg_row row = {{key, (size_t)k}, {value, (size_t)v}, i % 9 == 0};
        mg_assert(mg_run_builder_add(b, &row) == MG_OK);
    }
    mg_assert(mg_run_builder_finish(b, sum) == MG_OK);
    mg_run_builder_free(b);
    mg_file_writer_fini(&w);
}

static void look(struct mg_run *r, struct mg_run *other) {
    for (int i = 0; i < ROWS * 2; i++) {
        char key[16];
        struct mg_run_hit hit;
        int k = snprintf(key, sizeof key, "k%03d", i);
        if (mg_run_get(r, mg_slice_of(key, (size_t)k), &hit) == MG_OK) mg_run_hit_release(&hit);
    }
    struct mg_run *runs[2] = {r, other};
    struct mg_merge *m = mg_merge_new(runs, 2, false, false);
    int err = mg_merge_seek(m, MG_S("k01"));
    for (int steps = 0; err != MG_ENOTFOUND; steps++, err = mg_merge_next(m))
        mg_assert(steps < 20000);
    mg_merge_free(m);
    mg_run_verify(r, NULL, NULL);
}

static void any_block(const uint8_t *data, size_t size) {
    struct mg_block_view v;
    struct mg_block_iter it;
    if (mg_block_view_init(&v, data, size)) return;
    mg_block_iter_init(&it);
    mg_block_iter_set(&it, &v);
    for (int err = mg_block_iter_first(&it); err == MG_OK; err = mg_block_iter_next(&it)) {
        struct mg_block_iter other;
        mg_block_iter_init(&other);
        mg_block_iter_set(&other, &v);
        mg_block_iter_seek(&other, it.row.key);
        mg_block_iter_floor(&other, it.row.key);
        mg_block_iter_fini(&other);
    }
    mg_block_iter_fini(&it);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 400) return 0;
    if (data[0] & 2) {
        any_block(data + 1, size - 1);
        return 0;
    }
    const struct mg_table_env env = {.salt = 5, .cache = data[0] & 4 ? mg_blockcache_new(1 << 16) : NULL};
    struct mem_file a = {0}, b = {0};
    struct mg_run_summary sa, sb;
    struct mg_run *r, *other;
    build(&a, &env, FILE_ID, &sa);
    build(&b, &env, FILE_ID + 1, &sb);
    struct sealed_file f = {.env = &env, .mem = &a, .file = FILE_ID, .foot_size = MG_RUN_FOOT_SIZE};
    sealed_find(&f);
    sealed_change(&f, data + 1, size - 1, !(data[0] & 1));
    mg_assert(mg_run_open(&other, &env, mem_blob(&b), (struct mg_blob){0}, FILE_ID + 1, sb.size, 0) == MG_OK);
    if (mg_run_open(&r, &env, mem_blob(&a), (struct mg_blob){0}, FILE_ID, sa.size, 0) == MG_OK) {
        look(r, other);
        mg_run_close(r);
    }
    mg_run_close(other);
    mg_blockcache_free(env.cache);
    mg_run_summary_fini(&sa);
    mg_run_summary_fini(&sb);
    mem_free(&a);
    mem_free(&b);
    return 0;
}
