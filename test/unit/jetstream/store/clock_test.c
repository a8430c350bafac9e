// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/clock.h"

#include "test/unit/cmocka_inc.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define NOW (1700000000 * SECOND)

static const struct mg_clock_lag no_lag = {0, 0};

static void follows_the_wall(void **state) {
    (void)state;
    struct mg_clock c;
    assert_int_equal(mg_clock_start(&c, 5, NOW, NOW - 10 * SECOND, no_lag), 0);
    assert_int_equal(c.now, NOW);
    assert_int_equal(mg_clock_move(&c, 5 + (uint64_t)SECOND, NOW + 2 * SECOND), 0);
    assert_int_equal(c.now, NOW + 2 * SECOND);
    assert_int_equal(mg_clock_aging(&c), c.now);
}

static void never_goes_back(void **state) {
    (void)state;
    struct mg_clock c;
    mg_clock_start(&c, 0, NOW, 0, no_lag);
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
    assert_int_equal(mg_clock_start(&c, 0, NOW, NOW + 2 * HOUR, no_lag), -2 * HOUR);
    assert_int_equal(c.now, NOW + 2 * HOUR);
}

static void jump_at_the_start(void **state) {
    (void)state;
    struct mg_clock c;
    assert_int_equal(mg_clock_start(&c, 0, NOW, NOW - 30 * HOUR, no_lag), 30 * HOUR);
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
    mg_clock_start(&c, 0, NOW, NOW, no_lag);
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

static uint64_t seconds(int64_t n) { return (uint64_t)(n * SECOND); }

// A jump that was taken back in time: nothing ever gets old by it. Then it comes again, and that is news.
static void corrected_in_time(void **state) {
    (void)state;
    struct mg_clock c;
    mg_clock_start(&c, 0, NOW, NOW, no_lag);
    mg_clock_move(&c, seconds(1), NOW + SECOND + 50 * HOUR);
    for (int64_t i = 2; i < 4000; i++) {
        int64_t wall = NOW + i * SECOND, before = c.now;
        assert_int_equal(mg_clock_move(&c, seconds(i), wall), 0);
        assert_true(c.now >= before);
        assert_true(mg_clock_aging(&c) <= wall);
    }
    assert_true(mg_clock_aging(&c) >= NOW + 1990 * SECOND);
    assert_true(mg_clock_move(&c, seconds(4000), NOW + 4000 * SECOND + 50 * HOUR) > 0);
    assert_true(mg_clock_aging(&c) <= NOW + 4000 * SECOND + HOUR); // an hour is no jump
    mg_clock_move(&c, seconds(4600), NOW + 4600 * SECOND + 50 * HOUR);
    assert_int_equal(mg_clock_aging(&c), NOW + 4600 * SECOND + 50 * HOUR);
}

// A start in between changes nothing of it.
static void jump_and_start(void **state) {
    (void)state;
    struct mg_clock c;
    mg_clock_start(&c, 0, NOW, NOW, no_lag);
    mg_clock_move(&c, seconds(1), NOW + 50 * HOUR);
    struct mg_clock_lag lag = mg_clock_lag(&c);
    assert_int_equal(mg_clock_start(&c, 7, NOW + 50 * HOUR + 100 * SECOND, NOW + 50 * HOUR, lag), 0);
    assert_true(mg_clock_aging(&c) <= NOW + 101 * SECOND);
    mg_clock_move(&c, 7 + seconds(599), NOW + 50 * HOUR + 699 * SECOND);
    assert_true(mg_clock_aging(&c) <= NOW + 700 * SECOND);
    mg_clock_move(&c, 7 + seconds(601), NOW + 50 * HOUR + 701 * SECOND);
    assert_int_equal(mg_clock_aging(&c), NOW + 50 * HOUR + 701 * SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wall),
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(start_behind_the_stored),
        cmocka_unit_test(jump_at_the_start),
        cmocka_unit_test(jump_while_running),
        cmocka_unit_test(corrected_in_time),
        cmocka_unit_test(jump_and_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
