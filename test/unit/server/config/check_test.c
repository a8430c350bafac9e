// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Cross-option checks and start-up warnings.
#include "test/unit/cmocka_inc.h"

#include "server/config/check.h"
#include "test/unit/server/config/fake_source.h"

static void conflicts(void **state) {
    (void)state;
    static const struct {
        const char *text, *want; // NULL: fine
        int rc;
    } cases[] = {
        {"port: 4222", NULL, MG_OK},
        {"max_payload: 2mb, max_pending: 1mb", "max_payload (2097152) cannot be higher than max_pending (1048576)",
         MG_EINVAL},
        {"lame_duck_duration: \"30s\", lame_duck_grace_period: \"30s\"",
         "lame duck grace period (30s) should be strictly lower than lame duck duration (30s)", MG_EINVAL},
        {"no_auth_user: x", "no_auth_user: \"x\" present, but users/nkeys are not defined", MG_EINVAL},
        {"no_auth_user: x, authorization {users: [ {user: y} ]}",
         "no_auth_user: \"x\" not present as user or nkey in authorization block or account configuration", MG_EINVAL},
        {"no_auth_user: y, authorization {users: [ {user: y} ]}", NULL, MG_OK},
        {"http: 1, https: 2", "can't specify both HTTP (1) and HTTPs (2) ports", MG_EINVAL},
        {"https: 2", "TLS cert and key required for HTTPS", MG_EINVAL},
        {"https: 2, tls {cert_file: c, key_file: k}", NULL, MG_OK},
        {"system_account: SYS", "error resolving system account: account missing", MG_EINVAL},
        {"system_account: \"$SYS\"", NULL, MG_OK},
        {"System: SYS", NULL, MG_OK}, // only the exact lower-case key counts
        {"cluster {port: 1}, jetstream: true", NULL, MG_OK},
        {"accounts [ A ]", "\"accounts\" is not supported yet, and starting without it would weaken security",
         MG_EUNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_options *o = load_ok(cases[i].text);
        char err[256] = "";
        int rc = mg_options_check(o, err, sizeof(err));
        if (rc != cases[i].rc) print_error("config: %s: %s\n", cases[i].text, err);
        assert_int_equal(rc, cases[i].rc);
        assert_string_equal(err, cases[i].want ? cases[i].want : "");
        mg_options_free(o);
    }
}

static void built_by_hand(void **state) {
    (void)state;
    struct mg_options *o = mg_options_new();
    char err[256] = "";
    mg_str_set(&o->server_name, "a b");
    assert_int_equal(mg_options_check(o, err, sizeof(err)), MG_EINVAL);
    assert_string_equal(err, "server name cannot contain spaces");
    mg_str_set(&o->server_name, NULL);
    o->users = mg_zalloc(2 * sizeof(*o->users));
    o->nusers = 2;
    mg_str_set(&o->users[0].user, "x");
    mg_str_set(&o->users[1].user, "x");
    assert_int_equal(mg_options_check(o, err, sizeof(err)), MG_EINVAL);
    assert_string_equal(err, "Duplicate user \"x\" detected");
    mg_options_free(o);
}

static void warnings(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"authorization {user: a, password: b}", "Plaintext passwords detected, use nkeys or bcrypt\n"},
        {"authorization {token: b}", "Plaintext passwords detected, use nkeys or bcrypt\n"},
        {"authorization {users: [ {user: a, password: b} ]}", "Plaintext passwords detected, use nkeys or bcrypt\n"},
        {"authorization {user: a, password: '$2b$11$abc'}", ""},
        {"authorization {user: a, password: $2a$11$abc}", ""},
        {"authorization {user: a, password: '$2b$1$abc'}", "Plaintext passwords detected, use nkeys or bcrypt\n"},
        {"max_payload: 8mb", ""},
        {"max_payload: 9mb", "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor "
                             "performance\n"},
        {"mqtt {port: 1}", "\"mqtt\" is configured but not supported yet: it has no effect\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_options *o = load_ok(cases[i].text);
        struct mg_config_report r = {0};
        struct mg_buf b = MG_BUF_INIT;
        mg_options_warnings(o, &r);
        assert_false(mg_config_report_has_errors(&r));
        mg_config_report_text(&r, &b);
        mg_buf_addc(&b, '\0');
        assert_string_equal(b.p, cases[i].want);
        mg_buf_fini(&b);
        mg_config_report_fini(&r);
        mg_options_free(o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conflicts),
        cmocka_unit_test(built_by_hand),
        cmocka_unit_test(warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
