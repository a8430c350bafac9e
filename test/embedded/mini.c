// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Runs the tests of one program; see cmocka.h beside it. It writes through mini_write alone, which is the semihosting
// of bare.c or, under an operating system, fputs.
#include <setjmp.h>

#include <cmocka.h>

#if __STDC_HOSTED__
#include <stdio.h>
static void mini_write(const char *text) { fputs(text, stdout); }
#else
void mini_write(const char *text);
#endif

static jmp_buf out_of_test;

static void write_number(uintmax_t n) {
    char digits[21];
    size_t at = sizeof(digits) - 1;

    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    mini_write(digits + at);
}

void mini_fail(const char *file, int line, const char *what) {
    mini_write(file);
    mini_write(":");
    write_number((uintmax_t)line);
    mini_write(": failed: ");
    mini_write(what);
    mini_write("\n");
    longjmp(out_of_test, 1);
}

void mini_equal(bool want, uintmax_t a, uintmax_t b, const char *what, const char *file, int line) {
    if ((a == b) == want) return;
    write_number(a);
    mini_write(want ? " is not " : " is ");
    write_number(b);
    mini_write("\n");
    mini_fail(file, line, what);
}

void mini_string(bool want, const char *a, const char *b, const char *what, const char *file, int line) {
    if ((strcmp(a, b) == 0) == want) return;
    mini_write("\"");
    mini_write(a);
    mini_write(want ? "\" is not \"" : "\" is \"");
    mini_write(b);
    mini_write("\"\n");
    mini_fail(file, line, what);
}

void mini_memory(const void *a, const void *b, size_t n, const char *what, const char *file, int line) {
    if (memcmp(a, b, n) != 0) mini_fail(file, line, what);
}

static bool run_one(const struct CMUnitTest *test, void **state) {
    if (setjmp(out_of_test) != 0) {
        mini_write("in ");
        mini_write(test->name);
        mini_write("\n");
        return false;
    }
    if (test->initial_state) *state = test->initial_state;
    if (test->setup_func && test->setup_func(state) != 0) mini_fail(test->name, 0, "setup");
    test->test_func(state);
    if (test->teardown_func && test->teardown_func(state) != 0) mini_fail(test->name, 0, "teardown");
    return true;
}

int mini_run(const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup, CMFixtureFunction teardown) {
    size_t passed = 0;
    void *state = NULL;

    if (setup && setup(&state) != 0) return 1;
    for (size_t i = 0; i < n; i++) {
        void *own = state;
        passed += run_one(&tests[i], &own);
    }
    if (teardown) teardown(&state);
    write_number(passed);
    mini_write(" passed, ");
    write_number(n - passed);
    mini_write(" failed\n");
    return passed == n ? 0 : 1;
}
