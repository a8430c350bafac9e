// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/sizefmt.h"

static void sizes(void **state) {
    (void)state;
    static const struct {
        int64_t bytes;
        const char *want;
    } rows[] = {{-1, "-1 B"},          {0, "0 B"},
                {1023, "1023 B"},      {1024, "1.00 KB"},
                {2000, "1.95 KB"},     {200000000, "190.73 MB"},
                {1 << 30, "1.00 GB"},  {INT64_C(1) << 40, "1.00 TB"},
                {INT64_MAX, "8.00 EB"}};
    char buf[40];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(mg_fmt_size(buf, rows[i].bytes), rows[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
