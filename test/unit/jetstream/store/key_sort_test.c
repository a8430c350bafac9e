// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/key_sort.h"

#include <string.h>

#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static struct mg_sort_item item(const char *p, size_t n) { return (struct mg_sort_item){.key = mg_slice_of(p, n)}; }

static void test_order_is_that_of_bytes(void **state) {
    (void)state;
    struct mg_sort_item in[] = {item("ab\xff", 3),         item("ab", 2),
                                item("ab\0", 3),           item("abc", 3),
                                item("ab\0\0", 4),         item("abcdefghijkl", 12),
                                item("abcdefghijkk", 12),  item("abcdefghij", 10)};
    const struct mg_sort_item want[] = {in[1], in[2], in[4], in[3], in[7], in[6], in[5], in[0]};
    mg_key_sort(in, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(in[i].key.n, want[i].key.n);
        assert_ptr_equal(in[i].key.p, want[i].key.p);
    }
}

static void test_nothing_in_common(void **state) {
    (void)state;
    struct mg_sort_item in[] = {item("b", 1), item("", 0), item("a", 1)};
    mg_key_sort(in, 0);
    mg_key_sort(in, 1);
    assert_int_equal(in[0].key.p[0], 'b');
    mg_key_sort(in, 3);
    assert_int_equal(in[0].key.n, 0);
    assert_int_equal(in[1].key.p[0], 'a');
    assert_int_equal(in[2].key.p[0], 'b');
}

// Keys of few letters and different lengths, so that all kinds of ties happen.
static void test_random_keys(void **state) {
    (void)state;
    enum { N = 2000 };
    static char text[N][24];
    static struct mg_sort_item in[N];
    uint64_t seed = 42;
    for (size_t i = 0; i < N; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t n = 4 + (seed >> 40) % 20;
        memset(text[i], 'x', sizeof(text[i]));
        for (size_t k = 4; k < n; k++) text[i][k] = "\x00\x01\xff"[(seed >> (k + 20)) % 3];
        in[i] = (struct mg_sort_item){.key = mg_slice_of(text[i], n), .item = text[i]};
    }
    mg_key_sort(in, N);
    for (size_t i = 0; i < N; i++) {
        assert_ptr_equal(in[i].item, in[i].key.p);
        if (i == 0) continue;
        mg_slice a = in[i - 1].key, b = in[i].key;
        int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
        assert_true(c < 0 || (c == 0 && a.n <= b.n));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_that_of_bytes),
        cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_random_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
