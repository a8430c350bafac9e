// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/encode.h"

#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"

// RFC 4648, section 10; padding removed for base32.
static const struct {
    const char *plain, *b64, *b32;
} rfc[] = {
    {"", "", ""},
    {"f", "Zg==", "MY"},
    {"fo", "Zm8=", "MZXQ"},
    {"foo", "Zm9v", "MZXW6"},
    {"foob", "Zm9vYg==", "MZXW6YQ"},
    {"fooba", "Zm9vYmE=", "MZXW6YTB"},
    {"foobar", "Zm9vYmFy", "MZXW6YTBOI"},
};

static void test_rfc_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rfc / sizeof rfc[0]; i++) {
        const uint8_t *plain = (const uint8_t *)rfc[i].plain;
        size_t n = strlen(rfc[i].plain), got;
        char text[64];
        uint8_t back[64];

        assert_int_equal(mg_base64_encode(text, plain, n), MG_BASE64_PAD_LEN(n));
        assert_string_equal(text, rfc[i].b64);
        assert_int_equal(mg_base64_decode(mg_cstr(text), back, n, &got), MG_OK);
        assert_int_equal(got, n);
        assert_memory_equal(back, plain, n);

        assert_int_equal(mg_base32_encode(text, plain, n), MG_BASE32_LEN(n));
        assert_string_equal(text, rfc[i].b32);
        assert_int_equal(mg_base32_decode(mg_cstr(text), back, n, &got), MG_OK);
        assert_int_equal(got, n);
        assert_memory_equal(back, plain, n);
    }
}

static void test_url_alphabet(void **state) {
    (void)state;
    const uint8_t bytes[] = {0xfb, 0xff, 0xfe, 0x3f};
    char text[16];
    uint8_t back[4];
    size_t n;
    assert_int_equal(mg_base64url_encode(text, bytes, 4), MG_BASE64_LEN(4));
    assert_string_equal(text, "-__-Pw");
    assert_int_equal(mg_base64url_decode(MG_S("-__-Pw"), back, sizeof back, &n), MG_OK);
    assert_memory_equal(back, bytes, 4);
    assert_int_equal(mg_base64url_decode(MG_S("+//+Pw"), back, sizeof back, &n), MG_ESYNTAX);
    assert_int_equal(mg_base64url_decode(MG_S("-__-Pw=="), back, sizeof back, &n), MG_ESYNTAX);
    assert_int_equal(mg_base64_decode(MG_S("+//+Pw"), back, sizeof back, &n), MG_ESYNTAX); // padding is missing
}

static void test_refuses(void **state) {
    (void)state;
    uint8_t out[8];
    size_t n;
    const char *bad32[] = {"my", "M", "MY=", "M1", "MZ", "MZXW6Y0B", "MZX W6", "MZXW6A"};
    for (size_t i = 0; i < sizeof bad32 / sizeof bad32[0]; i++)
        assert_int_equal(mg_base32_decode(mg_cstr(bad32[i]), out, sizeof out, &n), MG_ESYNTAX);
    assert_int_equal(mg_base32_decode(MG_S("MZXW6YTBOI"), out, 5, &n), MG_ERANGE);
    assert_int_equal(mg_base32_decode(mg_slice_of("M\0", 2), out, sizeof out, &n), MG_ESYNTAX);

    const char *bad64[] = {"Z", "Zg", "Zg=", "Zm9v\n", "Zg==Zg==", "Zh==", "Zm 9v"};
    for (size_t i = 0; i < sizeof bad64 / sizeof bad64[0]; i++)
        assert_int_equal(mg_base64_decode(mg_cstr(bad64[i]), out, sizeof out, &n), MG_ESYNTAX);
    assert_int_equal(mg_base64_decode(MG_S("Zm9vYmFyZm9vYmFy"), out, 8, &n), MG_ERANGE);
}

// The writers are handed every length, the readers get back what was written.
static void test_round_trip(void **state) {
    (void)state;
    uint8_t bytes[70], back[70];
    char text[140];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t got;
        assert_int_equal(mg_base32_decode(mg_slice_of(text, mg_base32_encode(text, bytes, n)), back, n, &got), MG_OK);
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
        assert_int_equal(mg_base64url_encode(text, bytes, n), MG_BASE64_LEN(n));
        assert_int_equal(mg_base64url_decode(mg_cstr(text), back, n, &got), MG_OK);
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void base62(void **state) {
    char text[9] = "........";
    (void)state;
    mg_base62_digits(text, 8, 61 + 62 * (10 + 62 * 36));
    assert_string_equal(text, "zAa00000");
    mg_base62_digits(text, 2, 62);
    assert_string_equal(text, "01a00000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base62),
        cmocka_unit_test(test_rfc_vectors),
        cmocka_unit_test(test_url_alphabet),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
