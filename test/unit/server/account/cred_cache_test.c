// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/cred_cache.h"

#include <sodium.h>
#include <stdio.h>

#include "test/unit/cmocka_inc.h"

static const uint8_t key[MG_CRED_KEY] = {1, 2, 3};

static void test_remembers(void **state) {
    (void)state;
    struct mg_cred_cache *c = mg_cred_cache_new(key);
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hash"), MG_S("pw")));
    mg_cred_cache_add(c, MG_S("$2b$hash"), MG_S("pw"));
    assert_true(mg_cred_cache_has(c, MG_S("$2b$hash"), MG_S("pw")));
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hash"), MG_S("pw2")));
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hash2"), MG_S("pw")));
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hashp"), MG_S("w"))); // the same bytes, cut elsewhere
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hash"), (mg_slice){NULL, 0}));
    mg_cred_cache_add(c, MG_S("h"), (mg_slice){NULL, 0});
    assert_true(mg_cred_cache_has(c, MG_S("h"), MG_S("")));
    mg_cred_cache_clear(c);
    assert_false(mg_cred_cache_has(c, MG_S("$2b$hash"), MG_S("pw")));
    mg_cred_cache_free(c);
    mg_cred_cache_free(NULL);
}

static void test_bounded(void **state) {
    (void)state;
    struct mg_cred_cache *c = mg_cred_cache_new(key);
    char pw[32];
    int kept = 0;
    for (int i = 0; i < 5000; i++) {
        snprintf(pw, sizeof pw, "%d", i);
        mg_cred_cache_add(c, MG_S("h"), mg_cstr(pw));
        assert_true(mg_cred_cache_has(c, MG_S("h"), mg_cstr(pw))); // the newest always stays
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(pw, sizeof pw, "%d", i);
        kept += mg_cred_cache_has(c, MG_S("h"), mg_cstr(pw));
    }
    assert_in_range(kept, 900, 1024);
    mg_cred_cache_free(c);
}

static int setup(void **state) {
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_remembers), cmocka_unit_test(test_bounded)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
