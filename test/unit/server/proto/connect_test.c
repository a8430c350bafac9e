// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/errors.h"
#include "server/proto/connect.h"

static void starts_with_defaults(void **state) {
    (void)state;
    struct mg_connect c;
    mg_connect_init(&c);
    assert_true(c.verbose && c.pedantic && c.echo);
    assert_false(c.headers || c.no_responders || c.tls_required || c.new_account);
    assert_int_equal(c.protocol, 0);
    assert_string_equal(c.name, "");
    assert_string_equal(c.remote_account, "");
    assert_null(c.text);
    assert_int_equal(mg_connect_decode(&c, MG_S("{}")), 0); // what is absent stays
    assert_true(c.verbose && c.pedantic && c.echo);
    assert_null(c.text);
    mg_connect_fini(&c);
}

static void reads_every_field(void **state) {
    (void)state;
    struct mg_connect c;
    mg_connect_init(&c);
    mg_slice text = MG_S(
        "{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"tls_required\":true,\"headers\":true,"
        "\"no_responders\":true,\"new_account\":true,\"protocol\":1,\"name\":\"n\",\"lang\":\"c\",\"version\":\"3.1\","
        "\"user\":\"u\","
        "\"pass\":\"p\",\"auth_token\":\"t\",\"nkey\":\"U\",\"sig\":\"s\",\"jwt\":\"j\",\"proxy_sig\":\"ps\","
        "\"account\":\"a\","
        "\"remote_account\":\"ra\",\"import\":{},\"export\":null,\"other\":[1,{}]}");
    assert_int_equal(mg_connect_decode(&c, text), 0);
    assert_false(c.verbose || c.pedantic || c.echo);
    assert_true(c.tls_required && c.headers && c.no_responders && c.new_account);
    assert_int_equal(c.protocol, 1);
    const char *strings[] = {c.name, c.lang, c.version, c.user, c.pass, c.auth_token, c.nkey, c.sig, c.jwt,
                             c.proxy_sig, c.account, c.remote_account};
    const char *want[] = {"n", "c", "3.1", "u", "p", "t", "U", "s", "j", "ps", "a", "ra"};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) assert_string_equal(strings[i], want[i]);
    mg_connect_fini(&c);
    assert_string_equal(c.user, "");
    assert_true(c.verbose);
}

static void follows_go_rules(void **state) {
    (void)state;
    struct mg_connect c;
    mg_connect_init(&c);
    // any case, the last duplicate, null leaves
    assert_int_equal(mg_connect_decode(&c, MG_S("{\"VERBOSE\":false,\"Name\":\"a\",\"naMe\":\"b\",\"echo\":null,"
                                                "\"user\":null}")), 0);
    assert_false(c.verbose);
    assert_true(c.echo);
    assert_string_equal(c.name, "b");
    assert_string_equal(c.user, "");
    // a second CONNECT merges
    assert_int_equal(mg_connect_decode(&c, MG_S("{\"lang\":\"x\",\"protocol\":-5}")), 0);
    assert_false(c.verbose);
    assert_string_equal(c.name, "b");
    assert_string_equal(c.lang, "x");
    assert_int_equal(c.protocol, -5);
    assert_int_equal(mg_connect_decode(&c, MG_S("{\"name\":\"\"}")), 0);
    assert_string_equal(c.name, "");
    assert_string_equal(c.lang, "x");
    assert_int_equal(mg_connect_decode(&c, MG_S(" null ")), 0);
    assert_string_equal(c.lang, "x");
    mg_connect_fini(&c);
}

static void refuses(void **state) {
    (void)state;
    static const char *bad[] = {
        "", "\r", "{", "[]", "1", "\"x\"", "{\"verbose\":1}", "{\"verbose\":\"true\"}", "{\"protocol\":\"1\"}",
        "{\"protocol\":1.5}",
        "{\"protocol\":true}", "{\"protocol\":99999999999999999999}", "{\"name\":1}", "{\"user\":{}}", "{\"import\":1}",
        "{\"name\":\"keep me not\",\"user\":1}", "{\"user\":\"admin\\u0000x\"}", "{} {}", "{\"a\":1,}",
    };
    struct mg_connect c;
    mg_connect_init(&c);
    assert_int_equal(mg_connect_decode(&c, MG_S("{\"name\":\"first\",\"verbose\":false}")), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mg_connect_decode(&c, mg_cstr(bad[i])) != MG_ESYNTAX) fail_msg("accepted %s", bad[i]);
        assert_string_equal(c.name, "first");
        assert_string_equal(c.user, "");
        assert_false(c.verbose);
    }
    mg_connect_fini(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_with_defaults), cmocka_unit_test(reads_every_field), cmocka_unit_test(follows_go_rules),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
