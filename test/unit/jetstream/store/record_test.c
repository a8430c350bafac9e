// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/record.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static struct mg_record_view sample(size_t payload) {
    static char bytes[70000];
    memset(bytes, 'p', sizeof(bytes));
    return (struct mg_record_view){
        .head = {.type = MG_RECORD_MSG, .flags = 3, .stream = 7, .op = 9, .seq = 11, .time = -5, .term = 2,
                 .key_id = 1},
        .extra = MG_S("abc"),
        .subject = MG_S("orders.new"),
        .headers = MG_S("NATS/1.0\r\n\r\n"),
        .payload = mg_slice_of(bytes, payload),
    };
}

static void what_was_encoded_is_decoded(void **state) {
    (void)state;
    for (size_t n = 0; n < 70000; n = n < 40 ? n + 1 : n * 3) {
        struct mg_record_view in = sample(n), out;
        size_t length = mg_record_view_size(&in);
        uint8_t *p = mg_alloc(length + 1);
        memset(p, 0xee, length + 1);
        assert_int_equal(mg_record_encode(p, &in), length);
        assert_int_equal(length % 8, 0);
        assert_int_equal(p[length], 0xee);
        assert_int_equal(mg_record_length(p), length);
        assert_int_equal(mg_record_decode(&out, p, length + 1), 0);
        assert_memory_equal(&out.head, &in.head, sizeof(in.head));
        assert_true(mg_slice_eq(out.extra, in.extra) && mg_slice_eq(out.subject, in.subject));
        assert_true(mg_slice_eq(out.headers, in.headers) && mg_slice_eq(out.payload, in.payload));
        mg_record_borrow(&out, p);
        assert_ptr_equal(out.payload.p + out.payload.n, (char *)p + 64 + 3 + 10 + 12 + n);
        mg_free(p);
    }
}

static void it_may_be_written_around_its_body(void **state) {
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        struct mg_record_view v = sample(n);
        uint8_t straight[1024], around[1024] = {0};
        size_t at = 1 + v.extra.n + v.subject.n + MG_RECORD_SIZE; // 1: need not be aligned
        mg_record_encode(straight, &v);
        memcpy(around + at, v.headers.p, v.headers.n);
        memcpy(around + at + v.headers.n, v.payload.p, n);
        v.headers.p = (const char *)around + at;
        v.payload.p = v.headers.p + v.headers.n;
        size_t length = mg_record_encode_around(around + 1, &v);
        assert_int_equal(length, mg_record_view_size(&v));
        assert_memory_equal(around + 1, straight, length);
    }
}

static void the_same_record_has_the_same_bytes(void **state) {
    (void)state;
    // The layout of version 1, for good.
    static const uint8_t known[] = {
        88,   0,    0,    0,    1,    3,    10,   0,    // length, type, flags, length of the subject
        7,    0,    0,    0,    0,    0,    0,    0,    // stream
        9,    0,    0,    0,    0,    0,    0,    0,    // op
        11,   0,    0,    0,    0,    0,    0,    0,    // seq
        0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // time
        2,    0,    0,    0,    0,    0,    0,    0,    // term, length of the headers
        9,    0,    0,    0,    1,    0,    0,    0,    // length of the payload, key, length of the extra
        'o',  'r',  'd',  'e',  'r',  's',  '.',  'n',  'e', 'w', 'p', 'p', 'p', 'p', 'p', 'p', 'p', 'p', 'p', 0,
        0, 0, 0, 0,
    };
    struct mg_record_view v = sample(9);
    v.extra = v.headers = mg_slice_of(NULL, 0);
    uint8_t p[256];
    assert_int_equal(mg_record_encode(p, &v), 88);
    assert_memory_equal(p + 8, known, sizeof(known));
}

static void each_flipped_bit_is_found(void **state) {
    (void)state;
    struct mg_record_view v = sample(21), out;
    uint8_t p[256];
    size_t length = mg_record_encode(p, &v);
    for (size_t bit = 0; bit < length * 8; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int rc = mg_record_decode(&out, p, sizeof(p));
        assert_true(rc == MG_ECORRUPT || rc == MG_EAGAIN);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(mg_record_decode(&out, p, length), 0);
}

static void a_part_is_not_a_record(void **state) {
    (void)state;
    struct mg_record_view v = sample(100), out;
    uint8_t p[512];
    uint32_t measured = 0;
    size_t length = mg_record_encode(p, &v);
    for (size_t n = 0; n < length; n++) assert_int_equal(mg_record_decode(&out, p, n), MG_EAGAIN);
    assert_int_equal(mg_record_measure(&measured, p, 63), MG_EAGAIN);
    assert_int_equal(mg_record_measure(&measured, p, 64), 0);
    assert_int_equal(measured, length);
}

static void impossible_lengths_are_refused(void **state) {
    (void)state;
    uint8_t p[64];
    struct mg_record_view out;
    memset(p, 0, sizeof(p));
    assert_int_equal(mg_record_decode(&out, p, 64), MG_ECORRUPT);
    memset(p, 0xff, sizeof(p));
    assert_int_equal(mg_record_decode(&out, p, 64), MG_ECORRUPT);
    struct mg_record_view v = sample(0);
    v.extra = v.subject = v.headers = mg_slice_of(NULL, 0);
    assert_int_equal(mg_record_encode(p, &v), 64);
    mg_put_u32(p + MG_AT(record, payload_len), UINT32_MAX);
    mg_put_u32(p + MG_AT(record, headers_len), 1);
    assert_int_equal(mg_record_decode(&out, p, 64), MG_ECORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_encoded_is_decoded),
        cmocka_unit_test(it_may_be_written_around_its_body),   cmocka_unit_test(the_same_record_has_the_same_bytes),
        cmocka_unit_test(each_flipped_bit_is_found),     cmocka_unit_test(a_part_is_not_a_record),
        cmocka_unit_test(impossible_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
