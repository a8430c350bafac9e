// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Packed records: they come back as they were, or with an error. Whatever is wrong with the bytes, or with the
// dictionary, no other record comes out.
#include "jetstream/store/packed.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"
#include "test/unit/jetstream/store/mem_file.h"

// What messages of a stream have in common.
#define WORDS "{\"order\":\"created\",\"city\":\"Hamburg\",\"priority\":true,\"amount\":"

static uint8_t *record_of(uint64_t seq, size_t payload, bool noise, bool headers) {
    char *bytes = mg_alloc(payload + 1);
    uint64_t seed = seq;
    for (size_t i = 0; i < payload; i++) bytes[i] = noise ? (char)rnd(&seed) : WORDS[i % (sizeof(WORDS) - 1)];
    struct mg_record_view v = {
        .head = {.type = MG_RECORD_MSG, .flags = MG_RECORD_DEDUPED, .stream = 7, .op = seq + 3, .seq = seq,
                 .time = 1763770000000000000, .term = 2},
        .extra = MG_S("12345678"),
        .subject = MG_S("orders.created.eu"),
        .headers = headers ? MG_S("NATS/1.0\r\nA: b\r\n\r\n") : mg_slice_of(NULL, 0),
        .payload = mg_slice_of(bytes, payload),
    };
    uint8_t *p = mg_alloc(mg_record_view_size(&v));
    mg_record_encode(p, &v);
    mg_free(bytes);
    return p;
}

static mg_slice dictionary(uint8_t **owned) {
    *owned = record_of(1, 300, false, true);
    return mg_slice_of((const char *)*owned + 8, mg_record_length(*owned) - 8);
}

// 0 if the bytes become this record, else the error; fails if they become another one.
static int unpacked(const uint8_t *p, size_t n, const uint8_t *record, mg_slice dict) {
    struct mg_stored s;
    struct mg_record_view v;
    int err = mg_stored_check(&s, p, n);
    if (err) return err;
    assert_true(s.packed);
    uint8_t *out = mg_alloc(s.plain);
    memset(out, 0xee, s.plain);
    err = mg_packed_decode(&v, out, &s, p, dict);
    if (err == 0) {
        assert_int_equal(s.plain, mg_record_length(record));
        assert_memory_equal(out, record, s.plain);
        assert_true(v.payload.p + v.payload.n <= (char *)out + s.plain);
        assert_int_equal(s.seq, v.head.seq);
        assert_int_equal(s.stream, v.head.stream);
    }
    mg_free(out);
    return err;
}

static void comes_back(void **state) {
    (void)state;
    static const size_t sizes[] = {100, 101, 102, 103, 104, 105, 106, 107, 2000, 16280, 16288, 16290, 16384, 40000,
                                   65464, 65536, 131072, 200000, 3000000};
    uint8_t *owned;
    mg_slice dict = dictionary(&owned), none = {NULL, 0};
    for (int with = 0; with < 2; with++) {
        struct mg_compressor *c = mg_compressor_new(with ? dict : none);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct mg_buf out = MG_BUF_INIT;
            struct mg_stored s;
            uint8_t *record = record_of(100 + i, sizes[i], false, i % 2);
            if (mg_packed_encode(c, record, &out)) {
                assert_true(out.len < mg_record_length(record));
                assert_int_equal(out.len % 8, 0);
                const uint8_t *p = (const uint8_t *)out.p;
                assert_int_equal(unpacked(p, out.len, record, with ? dict : none), 0);
                assert_int_equal(mg_stored_check(&s, p, out.len - 8), MG_EAGAIN);
                assert_int_equal(mg_stored_measure(&s, p, MG_PACKED_SIZE), 0);
                assert_int_equal(mg_stored_measure(&s, p, MG_PACKED_SIZE - 1), MG_EAGAIN);
                assert_int_equal(s.length, out.len);
                struct mg_record_view v; // to those who do not know of packing it is damage
                assert_int_not_equal(mg_record_decode(&v, p, out.len), 0);
            } else {
                assert_true(!with && sizes[i] < 200);
            }
            mg_buf_fini(&out);
            mg_free(record);
        }
        mg_compressor_free(c);
    }
    mg_free(owned);
}

static void a_dictionary_helps_small_ones(void **state) {
    (void)state;
    uint8_t *owned, *record = record_of(5, 150, false, false);
    struct mg_buf out = MG_BUF_INIT;
    struct mg_compressor *c = mg_compressor_new(dictionary(&owned));
    assert_true(mg_packed_encode(c, record, &out));
    assert_true(out.len * 2 < mg_record_length(record));
    mg_compressor_free(c);
    mg_buf_fini(&out);
    mg_free(owned);
    mg_free(record);
}

static void noise_stays_as_it_is(void **state) {
    (void)state;
    uint8_t *owned;
    struct mg_compressor *c = mg_compressor_new(dictionary(&owned));
    struct mg_buf out = MG_BUF_INIT;
    static const size_t sizes[] = {1000, 70000, 300000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *record = record_of(9, sizes[i], true, false);
        assert_false(mg_packed_encode(c, record, &out));
        struct mg_stored s;
        assert_int_equal(mg_stored_check(&s, record, mg_record_length(record)), 0);
        assert_true(!s.packed && s.seq == 9 && s.stream == 7 && s.length == s.plain);
        mg_free(record);
    }
    mg_compressor_free(c);
    mg_buf_fini(&out);
    mg_free(owned);
}

// Each bit, also behind a checksum that is right again.
static void damage_is_an_error(void **state) {
    (void)state;
    uint8_t *owned;
    mg_slice dict = dictionary(&owned);
    struct mg_compressor *c = mg_compressor_new(dict);
    static const size_t sizes[] = {180, 17000};
    for (size_t k = 0; k < 2; k++) {
        struct mg_buf out = MG_BUF_INIT;
        uint8_t *record = record_of(77, sizes[k], false, true);
        assert_true(mg_packed_encode(c, record, &out));
        uint8_t *p = (uint8_t *)out.p;
        for (size_t bit = 0; bit < out.len * 8; bit++) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(unpacked(p, out.len, record, dict), 0);
            uint64_t was = mg_get_u64(p);
            if (bit >= 64) {
                mg_put_u64(p, mg_record_checksum(p, out.len));
                struct mg_stored s;
                if (mg_stored_measure(&s, p, out.len) == 0 && s.packed) unpacked(p, out.len, record, dict);
                mg_put_u64(p, was);
            }
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(unpacked(p, out.len, record, dict), 0);
        mg_buf_fini(&out);
        mg_free(record);
    }
    mg_compressor_free(c);
    mg_free(owned);
}

static void another_dictionary_is_an_error(void **state) {
    (void)state;
    uint8_t *owned, *other = record_of(2, 300, true, true), *record = record_of(78, 120, false, true);
    mg_slice dict = dictionary(&owned);
    struct mg_compressor *c = mg_compressor_new(dict);
    struct mg_buf out = MG_BUF_INIT;
    assert_true(mg_packed_encode(c, record, &out));
    const uint8_t *p = (const uint8_t *)out.p;
    assert_int_equal(unpacked(p, out.len, record, mg_slice_of((const char *)other + 8, dict.n)), MG_ECORRUPT);
    assert_int_equal(unpacked(p, out.len, record, mg_slice_of((const char *)owned, dict.n)), MG_ECORRUPT);
    assert_int_equal(unpacked(p, out.len, record, mg_slice_of(NULL, 0)), MG_ECORRUPT);
    mg_compressor_free(c);
    mg_buf_fini(&out);
    mg_free(owned);
    mg_free(other);
    mg_free(record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),           cmocka_unit_test(a_dictionary_helps_small_ones),
        cmocka_unit_test(noise_stays_as_it_is), cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(another_dictionary_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
