// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/page.h"

#include <xxhash.h>

#include "test/unit/cmocka_inc.h"

#define SALT UINT64_C(0x1234567890abcdef)

static struct mg_page sample(size_t size) {
    return (struct mg_page){
        .page = 1000, .commit = 50, .first_page = 900, .incarnation = 3, .unsynced = 2, .index = 1, .count = 4,
        .first = (uint16_t)(mg_page_head_bytes(size) + 8), .used = 100, .kind = MG_PAGE_RECORDS};
}

static void a_sealed_page_is_valid(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MAX];
    for (size_t size = MG_PAGE_BYTES_MIN; size <= MG_PAGE_BYTES_MAX; size *= 2) {
        struct mg_page in = sample(size), out;
        memset(p, 0xaa, size);
        mg_page_seal(p, size, &in, SALT);
        assert_memory_equal(p, "MIDGEJ\2\0", 8);
        size_t body = mg_page_head_bytes(size);
        assert_int_equal(p[body + 99], 0xaa);
        assert_int_equal(p[body + 100], 0); // what was in the buffer before does not go to disk
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
    struct mg_page in = sample(sizeof(p)), out;
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
    struct mg_page good = sample(sizeof(p)), out;
#define WITH(change)                                                                                                   \
    do {                                                                                                               \
        struct mg_page h = good;                                                                                       \
        change;                                                                                                        \
        mg_page_seal(p, sizeof(p), &h, SALT);                                                                          \
        assert_int_equal(mg_page_check(&out, p, sizeof(p), SALT), MG_PAGE_BAD);                                        \
    } while (0)
    WITH(h.first = 10);
    WITH(h.first = (uint16_t)(mg_page_head_bytes(sizeof(p)) + 100));
    WITH(h.page = UINT64_MAX);
    WITH(h.commit = UINT64_MAX);
    WITH(h.first_page = 1000); // the commit's first page is 999
    WITH(h.unsynced = 1000);
    WITH(h.count = UINT32_MAX);
    WITH(h.kind = 0);
    WITH(h.kind = 5);
#undef WITH
}

// A whole page of records, of each size: they come back as they were.
static void marks_leave_no_trace(void **state) {
    (void)state;
    uint8_t in[MG_PAGE_BYTES_MAX], p[MG_PAGE_BYTES_MAX], plain[MG_PAGE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(in); i++) in[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t size = MG_PAGE_BYTES_MIN; size <= MG_PAGE_BYTES_MAX; size *= 2) {
        size_t body = mg_page_head_bytes(size);
        struct mg_page head = sample(size), out;
        head.used = (uint16_t)(size - body);
        memcpy(p, in, size);
        mg_page_seal(p, size, &head, SALT);
        assert_int_equal(mg_page_check(&out, p, size, SALT), MG_PAGE_VALID);
        const uint8_t *records = mg_page_open(plain, p, size, &out);
        assert_ptr_equal(records, plain + body);
        assert_memory_equal(records, in + body, size - body);
    }
}

// As they were written before there were marks.
static void pages_without_marks_are_read(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MIN] = {0}, plain[MG_PAGE_BYTES_MIN];
    struct mg_page head = sample(sizeof(p)), out;
    head.first = 64;
    head.used = sizeof(p) - 64;
    head.version = 1;
    memcpy(head.magic.b, MG_PAGE_MAGIC, 6);
    mg_page_pack(p, &head);
    for (size_t i = 64; i < sizeof(p); i++) p[i] = (uint8_t)(i * 7 + i / 256);
    mg_put_u64(p + MG_AT(page, checksum), XXH3_64bits_withSeed(p + 16, sizeof(p) - 16, SALT));
    assert_int_equal(mg_page_check(&out, p, sizeof(p), SALT), MG_PAGE_VALID);
    const uint8_t *records = mg_page_open(plain, p, sizeof(p), &out);
    assert_ptr_equal(records, plain + 64);
    assert_memory_equal(records, p + 64, sizeof(p) - 64);
    mg_put_u16(p + MG_AT(page, version), MG_PAGE_VERSION);
    assert_int_equal(mg_page_check(&out, p, sizeof(p), SALT), MG_PAGE_BAD);
}

#define RING 100u
static void seal(uint8_t *p, uint64_t number, uint32_t incarnation) {
    struct mg_page head = sample(MG_PAGE_BYTES_MIN);
    head.page = number;
    head.incarnation = incarnation;
    head.first_page = 0;
    mg_page_seal(p, MG_PAGE_BYTES_MIN, &head, SALT);
}
static bool torn(const uint8_t *p, uint64_t number, uint32_t incarnation) {
    return mg_page_torn(p, MG_PAGE_BYTES_MIN, SALT, number, RING, incarnation);
}

static void a_sector_of_before_is_proof(void **state) {
    (void)state;
    uint8_t now[MG_PAGE_BYTES_MIN] = {0}, cut_off[sizeof(now)] = {0}, lap[sizeof(now)] = {0}, p[sizeof(now)];
    const uint8_t zeros[sizeof(now)] = {0};
    seal(now, 1050, 7);
    seal(cut_off, 1050, 6);
    seal(lap, 950, 4);
    for (size_t at = 0; at < sizeof(p); at += 512) {
        const uint8_t *const earlier[] = {cut_off, lap};
        for (unsigned i = 0; i < 2; i++) {
            memcpy(p, now, sizeof(p));
            memcpy(p + at, earlier[i] + at, 512);
            assert_true(torn(p, 1050, 7));
            memset(p + (at + 512) % sizeof(p), 0x11, 512);
            assert_true(torn(p, 1050, 7));
        }
        memcpy(p, now, sizeof(p));
        memcpy(p + at, zeros + at, 512);
        assert_false(torn(p, 1050, 7));
        assert_false(torn(zeros, 50, 7));
        seal(p, 50, 7);
        memcpy(p + at, zeros + at, 512);
        assert_true(torn(p, 50, 7)); // in the first lap zeros are what was before
        assert_true(torn(p, 50, 6)); // a start was writing its first page
        assert_false(torn(p, 50, 5));
    }
}

// However it rots, a page that was written is never taken for one that was not.
static void rot_is_no_proof(void **state) {
    (void)state;
    uint8_t p[MG_PAGE_BYTES_MIN] = {0};
    for (unsigned lap = 0; lap < 2; lap++) {
        uint64_t number = lap ? 1050 : 50;
        seal(p, number, 300);
        assert_false(torn(p, number, 300));
        for (size_t bit = 0; bit < sizeof(p) * 8; bit += bit < 100 * 8 || bit % 4096 > 4050 ? 1 : 61) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(torn(p, number, 300));
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t at = 0; at < sizeof(p); at += 512) {
            memset(p + at, (int)(0x51 + at / 512), 512);
            assert_false(torn(p, number, 300));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_page_is_valid),
        cmocka_unit_test(zeros_are_zero_and_nothing_else),
        cmocka_unit_test(each_flipped_bit_is_found),
        cmocka_unit_test(nonsense_is_bad),
        cmocka_unit_test(marks_leave_no_trace),
        cmocka_unit_test(pages_without_marks_are_read),
        cmocka_unit_test(a_sector_of_before_is_proof),
        cmocka_unit_test(rot_is_no_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
