// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/lost.h"

#include "test/unit/cmocka_inc.h"

static void counts_once(void **state) {
    (void)state;
    struct mg_lost l = {.len = 0};
    assert_int_equal(mg_lost_add(&l, 10, 10, 1), 1);
    assert_int_equal(mg_lost_add(&l, 10, 10, 1), 0);
    assert_int_equal(mg_lost_add(&l, 20, 29, 10), 10);
    assert_int_equal(mg_lost_add(&l, 25, 34, 10), 5);
    assert_int_equal(mg_lost_add(&l, 21, 30, 10), 0);
    assert_int_equal(l.len, 2);
    assert_int_equal(mg_lost_add(&l, 11, 19, 9), 9); // closes the gap
    assert_int_equal(l.len, 1);
    assert_int_equal(l.at[0].first, 10);
    assert_int_equal(l.at[0].last, 34);
    assert_int_equal(l.at[0].count, 25);
    assert_int_equal(mg_lost_add(&l, 100, 199, 7), 7); // a wide range of which few were there
    assert_int_equal(mg_lost_add(&l, 5, 4, 1), 0);
    assert_int_equal(mg_lost_add(&l, 1, 300, 500), 175);
    assert_int_equal(l.len, 1);
}

static void stays_short(void **state) {
    (void)state;
    struct mg_lost l = {.len = 0};
    uint64_t total = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t first = i * 7919 % 100000 * 10 + 1;
        total += mg_lost_add(&l, first, first + 1, 2);
    }
    assert_true(l.len <= MG_LOST_RANGES);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < l.len; i++) {
        sum += l.at[i].count;
        assert_true(l.at[i].first <= l.at[i].last);
        assert_true(i == 0 || l.at[i - 1].last < l.at[i].first);
    }
    assert_int_equal(sum, total);
    assert_true(total > 0 && total <= 2000);
}

static void packs(void **state) {
    (void)state;
    struct mg_lost l = {.len = 0}, again;
    char bytes[MG_LOST_BYTES_MAX];
    for (uint64_t i = 1; i < 500; i += 20) mg_lost_add(&l, i, i + 3, 2);
    size_t n = mg_lost_encode(&l, bytes);
    assert_true(mg_lost_decode(&again, mg_slice_of(bytes, n)));
    assert_memory_equal(&again.at, &l.at, l.len * sizeof(l.at[0]));
    assert_false(mg_lost_decode(&again, mg_slice_of(bytes, n - 1)));
    memset(bytes, 0xff, 8); // first > last
    assert_false(mg_lost_decode(&again, mg_slice_of(bytes, n)));
    assert_true(mg_lost_decode(&again, mg_slice_of(bytes, 0)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_once),
        cmocka_unit_test(stays_short),
        cmocka_unit_test(packs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
