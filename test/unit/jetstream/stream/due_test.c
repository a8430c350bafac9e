// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/stream/due.h"
#include "test/unit/cmocka_inc.h"

static uint64_t next(uint64_t *x) {
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return *x >> 33;
}

static void the_nearest_comes_first(void **state) {
    struct mg_js_dues d = {0};
    uint64_t x = 1;
    (void)state;
    assert_null(mg_js_dues_first(&d));
    for (uint64_t i = 0; i < 1000; i++) mg_js_dues_add(&d, (struct mg_js_due){(int64_t)(next(&x) % 100), i});
    struct mg_js_due last = {-1, 0};
    for (unsigned i = 0; i < 1000; i++) {
        struct mg_js_due one = *mg_js_dues_first(&d);
        assert_true(one.at > last.at || (one.at == last.at && one.seq > last.seq));
        last = one;
        mg_js_dues_pop(&d);
    }
    assert_null(mg_js_dues_first(&d));
    assert_false(d.cut);
    mg_js_dues_fini(&d);
}

static void too_many_leave_a_horizon(void **state) {
    struct mg_js_dues d = {0};
    (void)state;
    for (uint64_t i = MG_JS_DUES_MAX; i > 0; i--) mg_js_dues_add(&d, (struct mg_js_due){(int64_t)i, i});
    assert_true(d.cut);
    assert_int_equal(d.n, MG_JS_DUES_MAX / 2);
    assert_int_equal(d.horizon.at, MG_JS_DUES_MAX / 2 + 1);
    assert_int_equal(mg_js_dues_first(&d)->at, 1);
    uint32_t n = d.n;
    mg_js_dues_add(&d, d.horizon); // behind it: not kept
    assert_int_equal(d.n, n);
    mg_js_dues_add(&d, (struct mg_js_due){0, 1});
    assert_int_equal(d.n, n + 1);
    assert_int_equal(mg_js_dues_first(&d)->at, 0);
    mg_js_dues_fini(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_comes_first),
        cmocka_unit_test(too_many_leave_a_horizon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
