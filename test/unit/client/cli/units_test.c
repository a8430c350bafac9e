// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/units.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "test/unit/cmocka_inc.h"

static void check(cli_text text, const char *expected) {
    assert_string_equal(text.s, expected);
}

static void counts(void **state) {
    (void)state;
    check(cli_count(0), "0");
    check(cli_count(999), "999");
    check(cli_count(1000), "1,000");
    check(cli_count(1234567), "1,234,567");
    check(cli_count(UINT64_MAX), "18,446,744,073,709,551,615");
    check(cli_count_signed(-1), "-1");
    check(cli_count_signed(-100), "-100");
    check(cli_count_signed(-1000), "-1,000");
    check(cli_count_signed(INT64_MIN), "-9,223,372,036,854,775,808");
    check(cli_count_signed(INT64_MAX), "9,223,372,036,854,775,807");
}

static void decimals(void **state) {
    (void)state;
    check(cli_decimal(0, 2), "0");
    check(cli_decimal(1.5, 2), "1.5");
    check(cli_decimal(1234.5678, 2), "1,234.56"); // cut, as the nats command does
    check(cli_decimal(1234.999, 0), "1,234");
    check(cli_decimal(0.239, 2), "0.23");
    check(cli_decimal(1.15, 2), "1.15");
    check(cli_decimal(100, 3), "100");
    check(cli_decimal(-1234.5, 1), "-1,234.5");
    check(cli_decimal(1e300, 2), "1e+300");
    check(cli_decimal((double)NAN, 2), signbit((double)NAN) ? "-nan" : "nan");
}

static void bytes(void **state) {
    (void)state;
    check(cli_bytes(0), "0 B");
    check(cli_bytes(9), "9 B");
    check(cli_bytes(10), "10 B");
    check(cli_bytes(128), "128 B");
    check(cli_bytes(1023), "1023 B");
    check(cli_bytes(1024), "1.0 KiB");
    check(cli_bytes(1536), "1.5 KiB");
    check(cli_bytes(10188), "9.9 KiB");
    check(cli_bytes(10189), "10 KiB"); // 9.95 is 10 when rounded
    check(cli_bytes(82854982), "79 MiB");
    check(cli_bytes(1024 * 1024 - 1), "1024 KiB");
    check(cli_bytes(1ull << 30), "1.0 GiB");
    check(cli_bytes(1ull << 50), "1.0 PiB");
    check(cli_bytes(UINT64_MAX), "16 EiB");
}

static void rates(void **state) {
    (void)state;
    check(cli_byte_rate(341.0 * 1024 * 1024), "341 MiB/sec");
    check(cli_byte_rate(-1), "0 B/sec");
    check(cli_byte_rate(1e30), "0 B/sec");
    check(cli_msg_rate(2794891.9), "2,794,891 msgs/sec");
    check(cli_msg_rate(1.7e19), "17,000,000,000,000,000,000 msgs/sec");
}

static void durations(void **state) {
    (void)state;
    check(cli_duration(0), "0s");
    check(cli_duration(1499), "1\u00b5s");
    check(cli_duration(404 * CLI_US + 501), "405\u00b5s");
    check(cli_duration(12 * CLI_MS + 400 * CLI_US), "12ms");
    check(cli_duration(1500 * CLI_MS), "1.50s");
    check(cli_duration(59 * CLI_SEC + 994 * CLI_MS), "59.99s");
    check(cli_duration(181 * CLI_SEC), "3m1s");
    check(cli_duration(4 * 3600 * CLI_SEC + 181 * CLI_SEC), "4h3m1s");
    check(cli_duration(2 * 86400 * CLI_SEC + 1500 * CLI_MS), "2d0h0m1s");
    check(cli_duration(366 * 86400 * CLI_SEC), "1y1d0h0m0s");
    check(cli_duration(INT64_MAX), "never");
    check(cli_duration(-5 * CLI_SEC), "-5s");
}

static void exact_durations(void **state) {
    (void)state;
    check(cli_duration_exact(0), "0s");
    check(cli_duration_exact(1), "1ns");
    check(cli_duration_exact(1500), "1.5\u00b5s");
    check(cli_duration_exact(2250000), "2.25ms");
    check(cli_duration_exact(1000000001), "1.000000001s");
    check(cli_duration_exact(61500 * CLI_MS), "1m1.5s");
    check(cli_duration_exact(52 * 3600 * CLI_SEC + 1), "52h0m0.000000001s");
    check(cli_duration_exact(-1500), "-1.5\u00b5s");
    check(cli_duration_exact(INT64_MIN), "-2562047h47m16.854775808s");
}

static void times(void **state) {
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    check(cli_time(0), "1970-01-01 00:00:00");
    check(cli_time(1136214245 * CLI_SEC + 999), "2006-01-02 15:04:05");
    check(cli_time(-1), "1969-12-31 23:59:59");
}

static void duration_is(const char *text, int64_t expected) {
    int64_t ns = 77;
    assert_int_equal(cli_parse_duration(text, &ns), 0);
    assert_int_equal(ns, expected);
}

static void durations_are_read(void **state) {
    (void)state;
    duration_is("0", 0);
    duration_is("0s", 0);
    duration_is("1ns", 1);
    duration_is("1.5us", 1500);
    duration_is("2\u00b5s", 2000);
    duration_is("2\u03bcs", 2000);
    duration_is("300ms", 300 * CLI_MS);
    duration_is("1h30m", 5400 * CLI_SEC);
    duration_is("2d4h3m1.5s", (2 * 86400 + 4 * 3600 + 181) * CLI_SEC + 500 * CLI_MS);
    duration_is("1y", 365 * 86400 * CLI_SEC);
    duration_is("1M", 30 * 86400 * CLI_SEC);
    duration_is("1m1.1w", 60 * CLI_SEC + 665280 * CLI_SEC);
    duration_is("-1m1d", -86460 * CLI_SEC);
    duration_is("+5s", 5 * CLI_SEC);
    duration_is(".5s", 500 * CLI_MS);
    duration_is("0.1234567891s", 123456789);
}

static void durations_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",   "5",   "s",      "-",   "5x",   "1h5",  "1 h", " 1h",
                                      "1h ", "1.h.", "1..5s", ".s", "--1s", "9999999999999999999s", "300y"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = 77;
        assert_int_equal(cli_parse_duration(bad[i], &ns), -1);
        assert_int_equal(ns, 77);
    }
}

// What is printed exactly is read back exactly.
static void durations_survive(void **state) {
    (void)state;
    static const int64_t values[] = {1,       999,          1000,          123456,        999999999,
                                     CLI_SEC, 61 * CLI_SEC, 3661000000001, 99 * 365 * (86400 * CLI_SEC)};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        duration_is(cli_duration_exact(values[i]).s, values[i]);
        duration_is(cli_duration_exact(-values[i]).s, -values[i]);
    }
}

static void sizes_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"0", 0},          {"128", 128},      {"128B", 128},    {"1k", 1024},         {"1KB", 1024},
                {"2KiB", 2048},    {"3m", 3 << 20},   {"1GB", 1 << 30}, {"1tib", 1ll << 40},  {"007", 7},
                {"8388607T", 8388607ll << 40}, {"9223372036854775807", INT64_MAX}};
    static const char *const bad[] = {"", "B", "-1", "1.5K", "1 K", "1X", "1KBB", "1IB", "8388608T",
                                      "9223372036854775808", "1KiBs"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t n = 77;
        assert_int_equal(cli_parse_bytes(good[i].text, &n), 0);
        assert_int_equal(n, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t n = 77;
        assert_int_equal(cli_parse_bytes(bad[i], &n), -1);
        assert_int_equal(n, 77);
    }
}

static void integers_are_read(void **state) {
    (void)state;
    int64_t n = 0;
    assert_int_equal(cli_parse_int("1,000_000", 0, INT64_MAX, &n), 0);
    assert_int_equal(n, 1000000);
    assert_int_equal(cli_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &n), 0);
    assert_true(n == INT64_MIN);
    assert_int_equal(cli_parse_int("+7", 0, 7, &n), 0);
    static const char *const bad[] = {"", "-", "1.5", "0x1", "1,", ",1", "8", "-1", "9223372036854775808", "1 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(cli_parse_int(bad[i], 0, 7, &n), -1);
    assert_int_equal(n, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(decimals),
        cmocka_unit_test(bytes),
        cmocka_unit_test(rates),
        cmocka_unit_test(durations),
        cmocka_unit_test(exact_durations),
        cmocka_unit_test(times),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(durations_are_refused),
        cmocka_unit_test(durations_survive),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(integers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
