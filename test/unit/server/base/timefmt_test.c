// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/errors.h"
#include "server/base/timefmt.h"

static void times(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {INT64_MIN, "0001-01-01T00:00:00Z"},
        {1767323045120000000, "2026-01-02T03:04:05.12Z"},
        {1709210096000000001, "2024-02-29T12:34:56.000000001Z"},
        {951868799999999999, "2000-02-29T23:59:59.999999999Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {-86400000000000, "1969-12-31T00:00:00Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z"},
    };
    char buf[40];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(mg_fmt_time(buf, rows[i].ns), rows[i].want);
}

static void uptimes(void **state) {
    (void)state;
    static const struct {
        uint64_t secs;
        const char *want;
    } rows[] = {
        {0, "0s"}, {59, "59s"}, {60, "1m0s"}, {3600, "1h0m0s"}, {86400 + 2 * 3600 + 3 * 60 + 4, "1d2h3m4s"},
        {365 * 86400 + 1, "1y0d0h0m1s"}, {364 * 86400, "364d0h0m0s"},
    };
    char buf[40];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(mg_fmt_uptime(buf, rows[i].secs * 1000000000 + 999999999), rows[i].want);
    assert_string_equal(mg_fmt_uptime(buf, UINT64_MAX), "584y343d23h34m33s");
}

static void durations(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0s"}, {950, "950ns"}, {95500, "95.5\xc2\xb5s"}, {1234000, "1.234ms"}, {1500000000, "1.5s"},
        {62500000000, "1m2.5s"}, {3600000000000, "1h0m0s"}, {-1, "-1ns"}, {1000, "1\xc2\xb5s"}, {1000001, "1.000001ms"},
        {999999999, "999.999999ms"}, {-90000000000, "-1m30s"}, {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"}, {10000000000, "10s"}, {600000000000, "10m0s"},
    };
    char buf[40];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(mg_fmt_duration(buf, rows[i].ns), rows[i].text);
        int64_t back = 1;
        assert_int_equal(mg_parse_duration(rows[i].text, &back), 0);
        assert_true(back == rows[i].ns);
    }
}

static void parsing(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"300ms", 300000000}, {"1h2m", 3720000000000}, {"-1.5s", -1500000000}, {"0", 0}, {"+5s", 5000000000}, {"-0", 0},
        {".5s", 500000000}, {"1.s", 1000000000}, {"2m", 120000000000}, {"1h30m10s", 5410000000000},
        {"1us1\xc2\xb5s1\xce\xbcs", 3000}, {"0.000000001s", 1}, {"0.3333333333333333333h", 1200000000000 - 1},
        {"9223372036854775807ns", INT64_MAX}, {"-9223372036854775808ns", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = 7;
        assert_int_equal(mg_parse_duration(good[i].text, &ns), 0);
        assert_true(ns == good[i].ns);
    }
    static const char *bad[] = {"", "3", "-", "s", ".s", "1x", "1h 2m", "-.s", "1.5", "1s2", "--1s", " 1s", "1S"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = 7;
        assert_int_equal(mg_parse_duration(bad[i], &ns), MG_ESYNTAX);
        assert_int_equal(ns, 7);
    }
    static const char *big[] = {"9223372036854775808ns", "-9223372036854775809ns", "3000000h",
                                "9999999999999999999999999h",
                                "9223372036s9223372036s", "2562047h47m16.854775808s"};
    for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
        int64_t ns = 7;
        assert_int_equal(mg_parse_duration(big[i], &ns), MG_ERANGE);
        assert_int_equal(ns, 7);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(uptimes),
        cmocka_unit_test(durations),
        cmocka_unit_test(parsing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
