// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What came while others were being counted: how much of it a count up to some number has not seen.
#include "test/unit/cmocka_inc.h"

#include "jetstream/stream/later.h"

static void nothing_came(void **state) {
    (void)state;
    struct mg_js_later l = {0};
    assert_int_equal(mg_js_later_than(&l, 0), 0);
    mg_js_later_gone(&l, 7);
    assert_int_equal(mg_js_later_than(&l, UINT64_MAX), 0);
    mg_js_later_fini(&l);
}

// The count may have gone further than it said when it began: what it has seen by then is not added again.
static void above_the_bound(void **state) {
    (void)state;
    struct mg_js_later l = {0};
    for (uint64_t seq = 10; seq <= 20; seq += 2) mg_js_later_add(&l, seq);
    assert_int_equal(mg_js_later_than(&l, 9), 6);
    assert_int_equal(mg_js_later_than(&l, 10), 5);
    assert_int_equal(mg_js_later_than(&l, 11), 5);
    assert_int_equal(mg_js_later_than(&l, 19), 1);
    assert_int_equal(mg_js_later_than(&l, 20), 0);
    mg_js_later_fini(&l);
}

static void gone_again(void **state) {
    (void)state;
    struct mg_js_later l = {0};
    for (uint64_t seq = 10; seq <= 20; seq += 2) mg_js_later_add(&l, seq);
    mg_js_later_gone(&l, 10);
    mg_js_later_gone(&l, 16);
    mg_js_later_gone(&l, 16); // told twice
    mg_js_later_gone(&l, 17); // of another subject
    mg_js_later_gone(&l, 9);
    mg_js_later_gone(&l, 21);
    assert_int_equal(mg_js_later_than(&l, 9), 4);
    assert_int_equal(mg_js_later_than(&l, 14), 2);
    mg_js_later_gone(&l, 20);
    assert_int_equal(mg_js_later_than(&l, 14), 1);
    mg_js_later_add(&l, 22);
    assert_int_equal(mg_js_later_than(&l, 14), 2);
    mg_js_later_fini(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_came),
        cmocka_unit_test(above_the_bound),
        cmocka_unit_test(gone_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
