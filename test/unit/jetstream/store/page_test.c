// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/page.h"

#include "test/unit/cmocka_inc.h"

#define SALT UINT64_C(0x1234567890abcdef)

static struct mg_page sample(void) {
    return (struct mg_page){
        .page = 1000, .commit = 50, .first_page = 900, .incarnation = 3, .unsynced = 2, .index = 1, .count = 4,
        .first = 72, .used = 100, .kind = MG_PAGE_RECORDS};
}

static void a_sealed_page_is_valid(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MAX];
    for (size_t size = MG_PAGE_BYTES_MIN; size <= MG_PAGE_BYTES_MAX; size *= 2) {
        struct mg_page in = sample(), out;
        memset(p, 0xaa, size);
        mg_page_seal(p, size, &in, SALT);
        assert_memory_equal(p, "MIDGEJ\1\0", 8);
        assert_int_equal(p[64 + 99], 0xaa);
        assert_int_equal(p[64 + 100], 0); // what was in the buffer before does not go to disk
        assert_int_equal(mg_page_check(&out, p, size, SALT), MG_PAGE_VALID);
        assert_memory_equal(&in, &out, sizeof(in));
        assert_int_equal(mg_page_check(&out, p, size, SALT + 1), MG_PAGE_BAD);
    }
}

static void zeros_are_zero_and_nothing_else(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MIN] = {0};
    struct mg_page out;
    assert_int_equal(mg_page_check(&out, p, sizeof(p), 0), MG_PAGE_ZERO);
    for (size_t i = 0; i < sizeof(p); i++) {
        p[i] = 1;
        assert_int_equal(mg_page_check(&out, p, sizeof(p), 0), MG_PAGE_BAD);
        p[i] = 0;
    }
}

static void each_flipped_bit_is_found(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MIN] = {0};
    struct mg_page in = sample(), out;
    mg_page_seal(p, sizeof(p), &in, SALT);
    for (size_t bit = 0; bit < sizeof(p) * 8; bit += bit < 200 * 8 ? 1 : 61) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(mg_page_check(&out, p, sizeof(p), SALT), MG_PAGE_BAD);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

// The checksum matches, but the numbers are impossible.
static void nonsense_is_bad(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MIN] = {0};
    struct mg_page good = sample(), out;
#define WITH(change)                                                                                                   \
    do {                                                                                                               \
        struct mg_page h = good;                                                                                       \
        change;                                                                                                        \
        mg_page_seal(p, sizeof(p), &h, SALT);                                                                          \
        assert_int_equal(mg_page_check(&out, p, sizeof(p), SALT), MG_PAGE_BAD);                                        \
    } while (0)
    WITH(h.first = 10);
    WITH(h.first = 64 + 100);
    WITH(h.page = UINT64_MAX);
    WITH(h.commit = UINT64_MAX);
    WITH(h.first_page = 1000); // the commit's first page is 999
    WITH(h.unsynced = 1000);
    WITH(h.count = UINT32_MAX);
    WITH(h.kind = 0);
    WITH(h.kind = 5);
#undef WITH
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_page_is_valid),
        cmocka_unit_test(zeros_are_zero_and_nothing_else),
        cmocka_unit_test(each_flipped_bit_is_found),
        cmocka_unit_test(nonsense_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
