// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/config/nkey_text.h"

#define USER "UADRIIJOHNEFKYTPPSEZNI5QXXFNPZHR7YFRQJJSH5GFSZTTQCGZUQLX"
#define ACCOUNT "AAHBWKBVIJHVY2LWQOIJ3KVXYTI5527YAUJB6LBZIZJWA3L2Q6KKCZUB"

static void validity(void **state) {
    (void)state;
    assert_true(mg_nkey_text_valid(MG_S(USER), MG_NKEY_PREFIX_USER));
    assert_true(mg_nkey_text_valid(MG_S(ACCOUNT), MG_NKEY_PREFIX_ACCOUNT));
    assert_false(mg_nkey_text_valid(MG_S(USER), MG_NKEY_PREFIX_ACCOUNT));
    assert_false(mg_nkey_text_valid(MG_S(USER "A"), MG_NKEY_PREFIX_USER));
    assert_false(mg_nkey_text_valid(mg_slice_of(USER, 55), MG_NKEY_PREFIX_USER));
    assert_false(mg_nkey_text_valid(MG_S(""), MG_NKEY_PREFIX_USER));
    // Any changed character breaks alphabet, prefix or checksum.
    for (size_t i = 0; i < sizeof(USER) - 1; i++) {
        char text[] = USER;
        text[i] = text[i] == 'B' ? 'C' : 'B';
        assert_false(mg_nkey_text_valid(mg_cstr(text), MG_NKEY_PREFIX_USER));
        text[i] = '1';
        assert_false(mg_nkey_text_valid(mg_cstr(text), MG_NKEY_PREFIX_USER));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(validity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
