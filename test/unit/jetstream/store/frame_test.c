// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Frames that are whole but not where they belong, and the cache of frames.
#include "test/unit/cmocka_inc.h"

#include "test/unit/jetstream/store/mem_file.h"

static const struct mg_table_env env = {.salt = 3};

// The same bytes at another place, in another file, of another kind or store, are not this frame.
static void a_frame_belongs_to_its_place(void **state) {
    (void)state;
    struct mem_file mem = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&mem), 4096);
    uint64_t a = mg_frame_write(&w, &env, 7, MG_FRAME_DATA, MG_S("one payload"));
    uint64_t b = mg_frame_write(&w, &env, 7, MG_FRAME_DATA, MG_S("two payload"));
    mg_file_write_align(&w, 4096);
    assert_int_equal(mg_file_writer_finish(&w), MG_OK);
    struct mg_frame_file f = {.env = &env, .main = mem_blob(&mem), .id = 7, .size = mem.n};
    struct mg_block *block;
    assert_int_equal(mg_frame_read(&f, b, 11, MG_FRAME_DATA, &block), MG_OK);
    assert_memory_equal(block->data, "two payload", 11);
    mg_block_unref(block);
    assert_int_equal(mg_frame_read(&f, a, 11, MG_FRAME_PART, &block), MG_ECORRUPT);
    assert_int_equal(mg_frame_read(&f, a, 10, MG_FRAME_DATA, &block), MG_ECORRUPT);
    assert_int_equal(mg_frame_read(&f, 4096, 11, MG_FRAME_DATA, &block), MG_ECORRUPT);
    memcpy(mem.p + b, mem.p + a, b - a);
    assert_int_equal(mg_frame_read(&f, b, 11, MG_FRAME_DATA, &block), MG_ECORRUPT);
    f.id = 8;
    assert_int_equal(mg_frame_read(&f, a, 11, MG_FRAME_DATA, &block), MG_ECORRUPT);
    f.id = 7;
    const struct mg_table_env other = {.salt = 4};
    f.env = &other;
    assert_int_equal(mg_frame_read(&f, a, 11, MG_FRAME_DATA, &block), MG_ECORRUPT);
    mg_file_writer_fini(&w);
    mem_free(&mem);
}

// Two pointers to one place with different lengths: one is wrong, and whoever followed it holds nothing.
static void a_wrong_pointer_holds_no_block(void **state) {
    (void)state;
    struct mg_table_env cached = {.salt = 3, .cache = mg_blockcache_new(1 << 16)};
    struct mem_file mem = {0};
    struct mg_file_writer w;
    mg_file_writer_init(&w, mem_blob(&mem), 4096);
    uint64_t a = mg_frame_write(&w, &cached, 7, MG_FRAME_DATA, MG_S("one payload"));
    mg_file_write_align(&w, 4096);
    assert_int_equal(mg_file_writer_finish(&w), MG_OK);
    struct mg_frame_file f = {.env = &cached, .main = mem_blob(&mem), .id = 7, .size = mem.n};
    struct mg_block *right, *wrong;
    assert_int_equal(mg_frame_read(&f, a, 11, MG_FRAME_DATA, &right), MG_OK);
    wrong = right;
    assert_int_equal(mg_frame_read(&f, a, 10, MG_FRAME_DATA, &wrong), MG_ECORRUPT);
    assert_null(wrong);
    wrong = right;
    assert_int_equal(mg_frame_read(&f, 4096, 11, MG_FRAME_DATA, &wrong), MG_ECORRUPT);
    assert_null(wrong);
    mg_block_unref(right);
    mg_blockcache_free(cached.cache);
    mg_file_writer_fini(&w);
    mem_free(&mem);
}

static void the_cache_is_bounded(void **state) {
    (void)state;
    struct mg_blockcache *c = mg_blockcache_new(256 * 1024);
    struct mg_blockcache_stats st;
    for (uint64_t i = 0; i < 1000; i++) {
        struct mg_block *b = mg_block_new(i % 3, i * 8, 1000);
        memset(b->data, (int)i, 1000);
        mg_blockcache_put(c, b);
        mg_block_unref(b);
        b = mg_blockcache_get(c, i % 3, i * 8);
        assert_non_null(b);
        assert_int_equal(b->data[999], (uint8_t)i);
        mg_block_unref(b);
        mg_blockcache_stats(c, &st);
        assert_true(st.bytes <= 256 * 1024);
    }
    assert_true(st.evictions > 500);
    mg_blockcache_drop(c, 0);
    for (uint64_t i = 0; i < 1000; i += 3)
        assert_null(mg_blockcache_get(c, 0, i * 8));
    struct mg_block *held = mg_blockcache_get(c, 999 % 3 + 1, 997 * 8);
    assert_non_null(held);
    mg_blockcache_free(c);
    assert_int_equal(held->data[0], (uint8_t)997); // who holds one may go on reading
    mg_block_unref(held);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_belongs_to_its_place),
        cmocka_unit_test(a_wrong_pointer_holds_no_block),
        cmocka_unit_test(the_cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
