// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/clock.h"

#include "test/unit/cmocka_inc.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define NOW (1700000000 * SECOND)

static void follows_the_wall(void **state) {
    (void)state;
    struct mg_clock c;
    assert_int_equal(mg_clock_start(&c, 5, NOW, NOW - 10 * SECOND), 0);
    assert_int_equal(c.now, NOW);
    assert_int_equal(mg_clock_move(&c, 5 + (uint64_t)SECOND, NOW + 2 * SECOND), 0);
    assert_int_equal(c.now, NOW + 2 * SECOND);
    assert_int_equal(mg_clock_aging(&c), c.now);
}

static void never_goes_back(void **state) {
    (void)state;
    struct mg_clock c;
    mg_clock_start(&c, 0, NOW, 0);
    int64_t before = c.now;
    for (int i = 1; i < 100; i++) { // the wall clock is 20 s behind: at half speed that takes 40 s
        mg_clock_move(&c, (uint64_t)(i * SECOND), NOW + (i - 20) * SECOND);
        assert_true(c.now > before);
        before = c.now;
    }
    assert_int_equal(c.now, NOW + 79 * SECOND);
    mg_clock_move(&c, (uint64_t)(98 * SECOND), NOW); // a monotonic time of another thread, a bit older
    assert_true(c.now >= before);
}

static void start_behind_the_stored(void **state) {
    (void)state;
    struct mg_clock c;
    assert_int_equal(mg_clock_start(&c, 0, NOW, NOW + 2 * HOUR), -2 * HOUR);
    assert_int_equal(c.now, NOW + 2 * HOUR);
}

static void jump_at_the_start(void **state) {
    (void)state;
    struct mg_clock c;
    assert_int_equal(mg_clock_start(&c, 0, NOW, NOW - 30 * HOUR), 30 * HOUR);
    assert_int_equal(c.now, NOW);
    assert_int_equal(mg_clock_aging(&c), NOW - 30 * HOUR);
    mg_clock_move(&c, MG_CLOCK_GRACE - 1, NOW + 599 * SECOND);
    assert_int_equal(mg_clock_aging(&c), NOW - 30 * HOUR + 599 * SECOND);
    mg_clock_move(&c, MG_CLOCK_GRACE, NOW + 600 * SECOND);
    assert_int_equal(mg_clock_aging(&c), NOW + 600 * SECOND);
}

static void jump_while_running(void **state) {
    (void)state;
    struct mg_clock c;
    mg_clock_start(&c, 0, NOW, NOW);
    assert_int_equal(mg_clock_move(&c, (uint64_t)SECOND, NOW + SECOND + HOUR), 0); // not a jump yet
    assert_int_equal(mg_clock_aging(&c), NOW + SECOND + HOUR);
    assert_int_equal(mg_clock_move(&c, (uint64_t)(2 * SECOND), c.now + SECOND + 2 * HOUR), 2 * HOUR);
    assert_int_equal(mg_clock_aging(&c), c.now - 2 * HOUR);
    // Somebody corrects it: time goes on, ages stay as they were.
    int64_t now = c.now, aging = mg_clock_aging(&c);
    mg_clock_move(&c, (uint64_t)(4 * SECOND), now - 2 * HOUR);
    assert_int_equal(c.now, now + SECOND);
    assert_true(mg_clock_aging(&c) >= aging);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wall),
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(start_behind_the_stored),
        cmocka_unit_test(jump_at_the_start),
        cmocka_unit_test(jump_while_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
