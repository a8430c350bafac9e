// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/host/encode.h"

static void hash_is(const void *data, size_t n, size_t step, const char *hex) {
    mgc_sha256 h;
    uint8_t digest[32];
    char text[65];
    mgc_sha256_init(&h);
    for (size_t at = 0; at < n; at += step)
        mgc_sha256_update(&h, (const char *)data + at, n - at < step ? n - at : step);
    mgc_sha256_final(&h, digest);
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

// The vectors of FIPS 180-4, each in pieces of all sizes.
static void sha256(void **state) {
    (void)state;
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    hash_is("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_is("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t step = 1; step <= 56; step++)
        hash_is(two, 56, step, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    static const size_t steps[] = {1, 63, 64, 65, 1000, 1000000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        hash_is(million, 1000000, steps[i], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void encodes(const char *data, size_t n, bool url, const char *want) {
    char text[64], back[64];
    mgc_base64_encode(data, n, url, text);
    assert_int_equal(MGC_BASE64_SIZE(n), strlen(want));
    assert_memory_equal(text, want, strlen(want));
    assert_int_equal(mgc_base64_decode((midge_str){want, strlen(want)}, back), n);
    assert_memory_equal(back, data, n);
}

static void base64(void **state) {
    (void)state;
    char out[16];
    encodes("", 0, false, "");
    encodes("f", 1, false, "Zg==");
    encodes("fo", 2, false, "Zm8=");
    encodes("foo", 3, false, "Zm9v");
    encodes("foobar", 6, false, "Zm9vYmFy");
    encodes("\xfb\xff\xbf", 3, false, "+/+/");
    encodes("\xfb\xff\xbf", 3, true, "-_-_");
    assert_int_equal(mgc_base64_decode((midge_str){"Zg", 2}, out), 1);
    assert_int_equal(mgc_base64_decode((midge_str){"Z", 1}, out), -1);
    assert_int_equal(mgc_base64_decode((midge_str){"Zg=", 3}, out), -1);
    assert_int_equal(mgc_base64_decode((midge_str){"Z===", 4}, out), -1);
    assert_int_equal(mgc_base64_decode((midge_str){"Zm 9", 4}, out), -1);
    assert_int_equal(mgc_base64_decode((midge_str){"Zm\0v", 4}, out), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha256), cmocka_unit_test(base64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
