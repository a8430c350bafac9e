// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "test/unit/cmocka_inc.h"

static void close_to(double value, double expected, double part) {
    if (fabs(value - expected) > expected * part)
        fail_msg("%f is not %f", value, expected);
}

static void empty(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    assert_int_equal(cli_histogram_count(h), 0);
    assert_int_equal(cli_histogram_min(h), 0);
    assert_int_equal(cli_histogram_max(h), 0);
    assert_int_equal(cli_histogram_at(h, 50), 0);
    assert_true(cli_histogram_mean(h) == 0 && cli_histogram_stddev(h) == 0);
    cli_histogram_free(h);
    cli_histogram_free(NULL);
}

static void one_to_a_thousand(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    for (uint64_t i = 1; i <= 1000; i++)
        cli_histogram_add(h, i);
    assert_int_equal(cli_histogram_count(h), 1000);
    assert_int_equal(cli_histogram_min(h), 1);
    assert_int_equal(cli_histogram_max(h), 1000);
    assert_int_equal(cli_histogram_at(h, 0), 1);
    assert_int_equal(cli_histogram_at(h, 50), 500);
    assert_int_equal(cli_histogram_at(h, 99.9), 999);
    assert_int_equal(cli_histogram_at(h, 100), 1000);
    close_to(cli_histogram_mean(h), 500.5, 1e-9);
    close_to(cli_histogram_stddev(h), 288.675, 1e-5);
    assert_int_equal(cli_histogram_between(h, 10, 20), 10);
    cli_histogram_free(h);
}

// Each value alone comes back within 0.1 %, on every octave and around its edges.
static void precision(void **state) {
    (void)state;
    for (unsigned bit = 0; bit < 40; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)delta;
            cli_histogram *h = cli_histogram_new();
            cli_histogram_add(h, value);
            cli_histogram_add(h, UINT64_C(1) << 41);
            uint64_t at = cli_histogram_at(h, 50);
            assert_true(at >= value && at - value <= value / 1000);
            cli_histogram_free(h);
        }
    }
}

static void beyond_the_top(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    cli_histogram_add(h, UINT64_C(1) << 50);
    cli_histogram_add(h, 5);
    assert_int_equal(cli_histogram_max(h), UINT64_C(1) << 50);
    assert_int_equal(cli_histogram_at(h, 100), UINT64_C(1) << 50);
    assert_int_equal(cli_histogram_at(h, 50), 5);
    cli_histogram_free(h);
}

static void several_at_once(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    cli_histogram_add_n(h, 7, 0); // nothing
    assert_int_equal(cli_histogram_min(h), 0);
    cli_histogram_add_n(h, 10, 3);
    cli_histogram_add_n(h, 20, 1);
    assert_int_equal(cli_histogram_count(h), 4);
    assert_int_equal(cli_histogram_min(h), 10);
    assert_int_equal(cli_histogram_at(h, 75), 10);
    assert_int_equal(cli_histogram_at(h, 90), 20);
    assert_true(cli_histogram_mean(h) == 12.5);
    cli_histogram_free(h);
}

static void merged(void **state) {
    (void)state;
    cli_histogram *all = cli_histogram_new(), *a = cli_histogram_new(), *b = cli_histogram_new(),
                  *sum = cli_histogram_new();
    srand(1);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = (uint64_t)rand() % 1000000 + 100;
        cli_histogram_add(all, value);
        cli_histogram_add(i % 3 ? a : b, value);
    }
    cli_histogram_merge(sum, a);
    cli_histogram_merge(sum, b);
    assert_int_equal(cli_histogram_count(sum), 10000);
    assert_int_equal(cli_histogram_min(sum), cli_histogram_min(all));
    assert_int_equal(cli_histogram_max(sum), cli_histogram_max(all));
    for (int p = 0; p <= 100; p++)
        assert_int_equal(cli_histogram_at(sum, p), cli_histogram_at(all, p));
    close_to(cli_histogram_mean(sum), cli_histogram_mean(all), 1e-12);
    cli_histogram_free(all);
    cli_histogram_free(a);
    cli_histogram_free(b);
    cli_histogram_free(sum);
}

static char *drawn(const cli_histogram *h, const char *colour) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cli_histogram_draw(h, 60, colour, out);
    fclose(out);
    return text;
}

static void drawing(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    char *text = drawn(h, "");
    assert_string_equal(text, "");
    free(text);
    for (int i = 0; i < 8; i++)
        cli_histogram_add(h, 41000);
    for (int i = 0; i < 4; i++)
        cli_histogram_add(h, 55000);
    text = drawn(h, "");
    assert_string_equal(text, "    40\u00b5s \u2502████████████████████████████             8  66.7%\n"
                              "    50\u00b5s \u2502██████████████                           4  33.3%\n");
    free(text);
    text = drawn(h, "\x1b[36m");
    assert_non_null(strstr(text, " \u2502\x1b[36m██████████████\x1b[0m  "));
    free(text);
    // Whatever the range: few rows, and no value is lost.
    cli_histogram_add(h, 1);
    cli_histogram_add(h, UINT64_C(1) << 39);
    text = drawn(h, "");
    size_t rows = 0;
    for (const char *p = text; *p; p++)
        rows += *p == '\n';
    assert_true(rows > 5 && rows <= 18);
    free(text);
    cli_histogram_free(h);
}

static void percentile_table(void **state) {
    (void)state;
    cli_histogram *h = cli_histogram_new();
    for (uint64_t i = 1; i <= 100; i++)
        cli_histogram_add(h, i * 10);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cli_histogram_write(h, out);
    fclose(out);
    const char *head = "Value    Percentile    TotalCount    1/(1-Percentile)\n\n"
                       "0.000100    0.100000        10            1.111111\n"
                       "0.000250    0.250000        25            1.333333\n";
    const char *end = "0.001000    1.000000        100            10000000.000000\n";
    assert_true(strncmp(text, head, strlen(head)) == 0);
    assert_string_equal(text + size - strlen(end), end);
    free(text);
    cli_histogram_free(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(one_to_a_thousand),
        cmocka_unit_test(precision),
        cmocka_unit_test(beyond_the_top),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(merged),
        cmocka_unit_test(drawing),
        cmocka_unit_test(percentile_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
