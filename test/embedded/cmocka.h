// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// As much of cmocka as the unit tests of client/core use, for machines that have no cmocka: this folder goes into the
// include path before the system's. A test that fails names the place and the next test runs; the last line of a
// program is `N passed, N failed`.
#ifndef MG_TEST_EMBEDDED_CMOCKA_H
#define MG_TEST_EMBEDDED_CMOCKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func;
    CMFixtureFunction teardown_func;
    void *initial_state;
};

#define cmocka_unit_test(f)                              { #f, f, NULL, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, s, t)         { #f, f, s, t, NULL }
#define cmocka_unit_test_prestate(f, p)                  { #f, f, NULL, NULL, p }
#define cmocka_unit_test_prestate_setup_teardown(f, s, t, p) { #f, f, s, t, p }

int mini_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup, CMFixtureFunction teardown);
#define cmocka_run_group_tests(tests, setup, teardown)                                                               \
    mini_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) cmocka_run_group_tests(tests, setup, teardown)

_Noreturn void mini_fail(const char *file, int line, const char *what);
void mini_equal(bool want, uintmax_t a, uintmax_t b, const char *what, const char *file, int line);
void mini_string(bool want, const char *a, const char *b, const char *what, const char *file, int line);
void mini_memory(const void *a, const void *b, size_t n, const char *what, const char *file, int line);

#define cast_to_largest_integral_type(x) ((uintmax_t)(intmax_t)(x))
#define MINI_EQUAL(want, a, b)                                                                                       \
    mini_equal(want, cast_to_largest_integral_type(a), cast_to_largest_integral_type(b), #a ", " #b, __FILE__, __LINE__)

#define assert_true(c)                ((c) ? (void)0 : mini_fail(__FILE__, __LINE__, #c))
#define assert_false(c)               ((c) ? mini_fail(__FILE__, __LINE__, "not " #c) : (void)0)
#define assert_null(p)                assert_true((p) == NULL)
#define assert_non_null(p)            assert_true((p) != NULL)
#define assert_ptr_equal(a, b)        assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b)    assert_true((const void *)(a) != (const void *)(b))
#define assert_int_equal(a, b)        MINI_EQUAL(true, a, b)
#define assert_int_not_equal(a, b)    MINI_EQUAL(false, a, b)
#define assert_uint_equal(a, b)       MINI_EQUAL(true, a, b)
#define assert_uint_not_equal(a, b)   MINI_EQUAL(false, a, b)
#define assert_in_range(v, low, high) \
    assert_true((uintmax_t)(v) >= (uintmax_t)(low) && (uintmax_t)(v) <= (uintmax_t)(high))
#define assert_return_code(rc, error) assert_true((rc) >= 0)
#define assert_string_equal(a, b)     mini_string(true, a, b, #a ", " #b, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) mini_string(false, a, b, #a ", " #b, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n)  mini_memory(a, b, n, #a ", " #b, __FILE__, __LINE__)
#define fail()                        mini_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...)                 mini_fail(__FILE__, __LINE__, #__VA_ARGS__)
#define print_message(...)            ((void)0)
#define print_error(...)              ((void)0)

#endif
