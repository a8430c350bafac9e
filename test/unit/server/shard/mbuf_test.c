// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/shard/mbuf.h"

static void test_lives_as_long_as_it_is_held(void **state) {
    (void)state;
    struct mg_mbuf *m = mg_mbuf_new(5);
    assert_int_equal(m->len, 0);
    assert_int_equal(m->cap, 5);
    memcpy(m->data, "hello", 5);
    m->len = 5;
    assert_ptr_equal(mg_mbuf_ref(m), m);
    mg_mbuf_unref(m);
    assert_memory_equal(m->data, "hello", 5); // the address sanitizer would object
    mg_mbuf_unref(m);
    mg_mbuf_unref(NULL);
}

static void test_grows_with_its_bytes(void **state) {
    (void)state;
    struct mg_mbuf *m = mg_mbuf_new(4);
    memcpy(m->data, "abcd", 4);
    m->len = 4;
    m = mg_mbuf_grow(m, 100000);
    assert_int_equal(m->cap, 100000);
    assert_int_equal(m->len, 4);
    assert_memory_equal(m->data, "abcd", 4);
    m->data[99999] = 'z';
    mg_mbuf_unref(m);
}

static void test_may_be_empty(void **state) {
    (void)state;
    struct mg_mbuf *m = mg_mbuf_new(0);
    assert_int_equal(m->cap, 0);
    mg_mbuf_unref(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_as_long_as_it_is_held),
        cmocka_unit_test(test_grows_with_its_bytes),
        cmocka_unit_test(test_may_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
