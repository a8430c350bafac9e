// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/nkey.h"

#include <sodium.h>
#include <stdio.h>

#include "server/base/encode.h"
#include "server/base/errors.h"
#include "test/unit/cmocka_inc.h"

// A user key pair that other implementations made: raw seed and public text.
static const char seed_hex[] = "29497ba00f41dd45936b4cc4bda1decb67c128e69fb3d490ee820daf7c318c0a";
static const char user_key[] = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

static void keypair(uint8_t public[32], uint8_t secret[64]) {
    uint8_t seed[32];
    assert_int_equal(sodium_hex2bin(seed, sizeof seed, seed_hex, strlen(seed_hex), NULL, NULL, NULL), 0);
    crypto_sign_seed_keypair(public, secret, seed);
}

static void test_text_form(void **state) {
    (void)state;
    uint8_t public[32], secret[64], raw[32];
    char text[MG_NKEY_PUBLIC + 1];
    keypair(public, secret);
    mg_nkey_encode(MG_NKEY_USER, public, text);
    assert_string_equal(text, user_key);
    assert_int_equal(mg_nkey_decode(MG_NKEY_USER, mg_cstr(user_key), raw), MG_OK);
    assert_memory_equal(raw, public, 32);

    // The first character follows from the kind.
    const enum mg_nkey_kind kinds[] = {MG_NKEY_ACCOUNT, MG_NKEY_CLUSTER,  MG_NKEY_SERVER,
                                       MG_NKEY_OPERATOR, MG_NKEY_USER, MG_NKEY_CURVE};
    for (size_t i = 0; i < 6; i++) {
        mg_nkey_encode(kinds[i], public, text);
        assert_int_equal(text[0], "ACNOUX"[i]);
        assert_int_equal(mg_nkey_decode(kinds[i], mg_cstr(text), raw), MG_OK);
        assert_int_equal(mg_nkey_decode(kinds[(i + 1) % 6], mg_cstr(text), raw), MG_ESYNTAX);
    }
}

static void test_is_user(void **state) {
    (void)state;
    char text[MG_NKEY_PUBLIC + 2];
    assert_true(mg_nkey_is_user(mg_cstr(user_key)));
    assert_false(mg_nkey_is_user(MG_S("")));
    assert_false(mg_nkey_is_user(mg_slice_of(user_key, MG_NKEY_PUBLIC - 1)));
    for (size_t i = 0; i < MG_NKEY_PUBLIC; i++) { // the checksum sees every character
        strcpy(text, user_key);
        text[i] = text[i] == 'B' ? 'C' : 'B';
        assert_false(mg_nkey_is_user(mg_cstr(text)));
    }
    strcpy(text, user_key);
    text[MG_NKEY_PUBLIC] = 'A';
    text[MG_NKEY_PUBLIC + 1] = '\0';
    assert_false(mg_nkey_is_user(mg_cstr(text)));
}

static void test_verify(void **state) {
    (void)state;
    uint8_t public[32], secret[64], sig[64];
    char url[128], std[128];
    mg_slice nonce = MG_S("nxKvXfn5DBE0fBk"), key = mg_cstr(user_key);
    keypair(public, secret);
    // A signature whose two dialects differ in more than the padding shows which one was read.
    crypto_sign_detached(sig, NULL, (const uint8_t *)nonce.p, nonce.n, secret);
    mg_base64url_encode(url, sig, sizeof sig);
    mg_base64_encode(std, sig, sizeof sig);
    assert_true(strpbrk(url, "-_") != NULL);

    assert_true(mg_nkey_verify(key, nonce, mg_cstr(url)));
    assert_true(mg_nkey_verify(key, nonce, mg_cstr(std)));
    assert_false(mg_nkey_verify(key, MG_S("nxKvXfn5DBE0fBl"), mg_cstr(url)));
    assert_false(mg_nkey_verify(key, MG_S(""), mg_cstr(url)));
    assert_false(mg_nkey_verify(key, nonce, MG_S("")));
    assert_false(mg_nkey_verify(key, nonce, mg_slice_of(url, strlen(url) - 4)));
    assert_false(mg_nkey_verify(key, nonce, MG_S("not base64!")));
    char longer[160];
    snprintf(longer, sizeof longer, "%sAAAA", url);
    assert_false(mg_nkey_verify(key, nonce, mg_cstr(longer)));
    sig[5] ^= 1;
    mg_base64url_encode(url, sig, sizeof sig);
    assert_false(mg_nkey_verify(key, nonce, mg_cstr(url)));

    char account[MG_NKEY_PUBLIC + 1]; // right key, wrong kind
    mg_nkey_encode(MG_NKEY_ACCOUNT, public, account);
    assert_false(mg_nkey_verify(mg_cstr(account), nonce, mg_cstr(std)));
}

static void test_nonce(void **state) {
    (void)state;
    const uint8_t zero[MG_NONCE_RANDOM] = {0};
    uint8_t ones[MG_NONCE_RANDOM];
    char text[MG_NONCE_TEXT + 1];
    memset(ones, 0xff, sizeof ones);
    mg_nonce_text(zero, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAA");
    mg_nonce_text(ones, text);
    assert_string_equal(text, "______________8");
}

static void test_identity(void **state) {
    (void)state;
    uint8_t random[MG_IDENTITY_RANDOM], raw[32], check[32];
    for (size_t i = 0; i < sizeof random; i++) random[i] = (uint8_t)i;
    struct mg_server_identity s;
    mg_server_identity_init(&s, random);
    assert_int_equal(s.id[0], 'N');
    assert_int_equal(s.xkey[0], 'X');

    // The published keys belong to the secrets.
    assert_int_equal(mg_nkey_decode(MG_NKEY_SERVER, mg_cstr(s.id), raw), MG_OK);
    uint8_t sig[64];
    crypto_sign_detached(sig, NULL, (const uint8_t *)"x", 1, s.sign_secret);
    assert_int_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"x", 1, raw), 0);
    assert_int_equal(mg_nkey_decode(MG_NKEY_CURVE, mg_cstr(s.xkey), raw), MG_OK);
    crypto_scalarmult_base(check, s.box_secret);
    assert_memory_equal(check, raw, 32);
    mg_server_identity_fini(&s);
    assert_true(sodium_is_zero(s.sign_secret, sizeof s.sign_secret));
}

static int setup(void **state) {
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_form), cmocka_unit_test(test_is_user),  cmocka_unit_test(test_verify),
        cmocka_unit_test(test_nonce),     cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
