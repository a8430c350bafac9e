// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/size.h"

#include "test/unit/cmocka_inc.h"

#define MB (UINT64_C(1) << 20)

static struct mg_store_options sized(uint64_t memory) {
    struct mg_store_options o = {.parts = 3};
    mg_store_size(&o, memory);
    assert_int_equal(o.parts, 3);
    return o;
}

static uint64_t sum(const struct mg_store_options *o) {
    return o->ring_bytes + 2 * o->cache_bytes + o->rows_bytes + o->queue_bytes;
}

// The sizes leave a quarter for what has none of its own, never shrink when there is more, and are all there is at 0.
static void sizes_stay_within_the_limit(void **state) {
    (void)state;
    struct mg_store_options last = sized(0);
    for (uint64_t memory = MG_STORE_MEMORY_MIN; memory < (UINT64_C(64) << 30); memory += memory / 50 + 4097) {
        struct mg_store_options o = sized(memory);
        assert_true(sum(&o) <= memory / 4 * 3);
        assert_true(o.ring_bytes >= last.ring_bytes && o.cache_bytes >= last.cache_bytes);
        assert_true(o.rows_bytes >= last.rows_bytes && o.queue_bytes >= last.queue_bytes);
        assert_int_equal(o.ring_bytes, UINT64_C(8) * o.ring_file_bytes);
        assert_int_equal(o.ring_file_bytes % MB, 0);
        last = o;
    }
}

static void sizes_at_some_limits(void **state) {
    (void)state;
    static const struct {
        uint64_t memory, ring, cache, rows, queue;
    } rows[] = {
        {1, 8, 8, 8, 16},         {64, 8, 8, 8, 16},        {127, 8, 15, 15, 31},     {128, 16, 16, 16, 32},
        {256, 32, 32, 32, 64},    {511, 56, 63, 63, 127},   {512, 64, 64, 64, 128},   {4096, 64, 512, 512, 128},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_store_options o = sized(rows[i].memory * MB);
        assert_int_equal(o.ring_bytes, rows[i].ring * MB);
        assert_int_equal(o.cache_bytes / MB, rows[i].cache);
        assert_int_equal(o.rows_bytes / MB, rows[i].rows);
        assert_int_equal(o.queue_bytes / MB, rows[i].queue);
    }
}

static void share_of_a_machine(void **state) {
    (void)state;
    static const struct {
        uint64_t machine, ring;
    } rows[] = {{0, 8}, {128, 8}, {256, 8}, {512, 8}, {1024, 32}, {1950, 64}, {2048, 64}, {1u << 20, 64}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(sized(mg_store_memory(rows[i].machine * MB)).ring_bytes, rows[i].ring * MB);
    uint64_t last = 0;
    for (uint64_t machine = 0; machine < 4096 * MB; machine += 7 * MB) {
        uint64_t memory = mg_store_memory(machine);
        assert_true(memory >= last && memory >= MG_STORE_MEMORY_MIN && memory <= MG_STORE_MEMORY_FULL);
        assert_true(memory <= machine / 3 || memory == MG_STORE_MEMORY_MIN);
        last = memory;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_stay_within_the_limit),
        cmocka_unit_test(sizes_at_some_limits),
        cmocka_unit_test(share_of_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
