// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/buf.h"

#include "test/unit/cmocka_inc.h"

static void expect_quoted(const char *in, size_t n, const char *want) {
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_add_quoted(&b, mg_slice_of(in, n));
    mg_buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    mg_buf_fini(&b);
}

static void test_quoted(void **state) {
    (void)state;
    expect_quoted("foo.bar", 7, "\"foo.bar\"");
    expect_quoted("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    expect_quoted("\n\r\t\x01\x7f", 5, "\"\\n\\r\\t\\x01\\x7f\"");
    expect_quoted("\xc3\xa9\xff", 3, "\"\xc3\xa9\\xff\"");
    expect_quoted("", 0, "\"\"");
}

static void test_grows(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    for (int i = 0; i < 1000; i++) mg_buf_addf(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(b.p, "0,1,2,", 6);
    mg_buf_fini(&b);
    assert_null(b.p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quoted), cmocka_unit_test(test_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
