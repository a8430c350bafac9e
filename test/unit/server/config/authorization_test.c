// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// authorization blocks, users and permissions (spec/accounts-security.md 3, 6, 7.1, 25).
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/config/fake_source.h"

#define UKEY "UADRIIJOHNEFKYTPPSEZNI5QXXFNPZHR7YFRQJJSH5GFSZTTQCGZUQLX"

static void single_user_and_token(void **state) {
    (void)state;
    struct mg_options *o = load_ok("authorization {user: ivan, password: pwd, timeout: 1}");
    assert_true(o->auth_block);
    assert_string_equal(o->user, "ivan");
    assert_string_equal(o->password, "pwd");
    assert_null(o->token);
    assert_true(o->auth_timeout_s > 0.99 && o->auth_timeout_s < 1.01);
    mg_options_free(o);

    o = load_ok("authorization {token: $2a$11$PWIFAL8RsWyGI3jVZtO9Nu8.6jOxzxfZo7c/W0eLk017hjgUKWrhy, timeout: "
                "\"500ms\"}");
    assert_string_equal(o->token, "$2a$11$PWIFAL8RsWyGI3jVZtO9Nu8.6jOxzxfZo7c/W0eLk017hjgUKWrhy");
    assert_null(o->user);
    assert_true(o->auth_timeout_s > 0.49 && o->auth_timeout_s < 0.51);
    mg_options_free(o);

    o = load_ok("authorization {\n  username derek\n  pass \xc2\xa7"
                "12\xc2\xa7\n timeout 0.25\n proxy_required true }");
    assert_string_equal(o->user, "derek");
    assert_string_equal(o->password, "\xc2\xa7"
                                     "12\xc2\xa7");
    assert_true(o->proxy_required);
    mg_options_free(o);

    o = load_ok("authorization {user: u, password: \"\"}");
    assert_null(o->password);
    mg_options_free(o);
}

static void users(void **state) {
    (void)state;
    struct mg_options *o = load_ok("authorization {\n"
                                   "  PASS: secret\n"
                                   "  users = [\n"
                                   "    {user: a, password: $PASS}\n"
                                   "    {username: b, pass: x, permissions: {publish: \"foo\", subscribe: \"bar\"}}\n"
                                   "    {nkey: " UKEY ", clients: [standard, WEBSOCKET]}\n"
                                   "    {user: c, permission: {}, proxy_required: true}\n"
                                   "  ]\n"
                                   "  default_permissions {publish: {deny: \"$O.>\"}}\n"
                                   "}");
    assert_int_equal(o->nusers, 4);
    assert_string_equal(o->users[0].user, "a");
    assert_string_equal(o->users[0].password, "secret");
    assert_null(o->users[0].nkey);
    assert_string_equal(o->users[0].perms->pub_deny.v[0].subject, "$O.>"); // the default, whatever the order
    assert_string_equal(o->users[1].perms->pub_allow.v[0].subject, "foo");
    assert_string_equal(o->users[1].perms->sub_allow.v[0].subject, "bar");
    assert_int_equal(o->users[1].perms->pub_deny.n, 0); // own permissions replace the default
    assert_null(o->users[2].user);
    assert_string_equal(o->users[2].nkey, UKEY);
    assert_int_equal(o->users[2].conn_types, MG_CONN_STANDARD | MG_CONN_WEBSOCKET);
    assert_int_equal(o->users[2].perms->pub_deny.n, 1);
    assert_int_equal(o->users[0].conn_types, 0);
    assert_non_null(o->users[3].perms); // {} counts as having permissions
    assert_int_equal(o->users[3].perms->pub_deny.n, 0);
    assert_string_equal(o->users[3].password, "");
    assert_true(o->users[3].proxy_required);
    mg_options_free(o);

    o = load_ok("authorization {users: []}");
    assert_int_equal(o->nusers, 0);
    mg_options_free(o);
}

static void user_errors(void **state) {
    (void)state;
    expect_report("authorization {users: 3}", ":1:16: Expected users field to be an array, got 3\n");
    expect_report("authorization {users: [ 4 ]}", ":1:25: Expected user entry to be a map/struct, got 4\n");
    expect_report("authorization {users: [ {password: x} ]}", ":1:25: User entry requires a user\n");
    expect_report("authorization {users: [ {nkey: UABC} ]}", ":1:25: Not a valid public nkey for a user\n");
    expect_report("authorization {users: [ {nkey: " UKEY ", user: a} ]}",
                  ":1:25: Nkey users do not take usernames or passwords\n");
    expect_report("authorization {users: [ {user: a, foo: 1} ]}", ":1:35: unknown field \"foo\"\n");
    expect_report("authorization {users: [ {user: a}, {user: b}, {user: a} ]}", ":1:1: Duplicate user \"a\" "
                                                                                "detected\n");
    expect_report("authorization {users: [ {nkey: " UKEY "}, {nkey: " UKEY "} ]}",
                  ":1:1: Duplicate nkey \"" UKEY "\" detected\n");
    expect_report("authorization {users: [ {user: a, clients: [x, STANDARD, y]} ]}",
                  ":1:35: invalid connection types [\"X\" \"Y\"]\n");
    expect_report("authorization {user: a, password: b, token: c}", ":1:1: Cannot have a user/pass and token\n");
    expect_report("authorization {user: a, users: []}", ":1:1: Can not have a single user/pass and a users array\n");
    expect_report("authorization {token: a, users: []}", ":1:1: Can not have a token and a users array\n");
    expect_report("authorization {foo: 1}", ":1:16: unknown field \"foo\"\n");
    expect_report("authorization: 3", ":1:1: interface conversion: interface {} is int64, not map[string]interface "
                                      "{}\n");
    expect_report("authorization {timeout: true}", ":1:16: error parsing authorization config, 'timeout' wrong type\n");
    expect_report("authorization {timeout: \"3x\"}",
                  ":1:16: error parsing authorization config, 'timeout' time: invalid duration \"3x\"\n");
    expect_report("authorization {timeout: 1m}",
                  ":1:16: invalid use of field \"timeout\": timeout of 1000000 (1000000.000000 seconds) is high, "
                  "consider "
                  "keeping it under 60 seconds. possibly caused by unquoted duration; use '1m' instead of 1m, for "
                  "example\n");
}

// The permissions of one user, as a config gives them.
static struct mg_permissions *perms_of(const char *text, struct mg_options **o) {
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_addf(&b, "authorization {users: [ {user: a, permissions: %s} ]}", text);
    mg_buf_addc(&b, '\0');
    *o = load_ok(b.p);
    mg_buf_fini(&b);
    return (*o)->users[0].perms;
}

static void permissions(void **state) {
    (void)state;
    struct mg_options *o;
    struct mg_permissions *p = perms_of("{pub: [a, b.*], sub: {allow: \"c.>\", deny: [d]}}", &o);
    assert_true(p->pub_allow_set && p->sub_allow_set);
    assert_int_equal(p->pub_allow.n, 2);
    assert_string_equal(p->pub_allow.v[1].subject, "b.*");
    assert_string_equal(p->sub_allow.v[0].subject, "c.>");
    assert_string_equal(p->sub_deny.v[0].subject, "d");
    assert_false(p->allow_responses);
    mg_options_free(o);

    p = perms_of("{subscribe: [\"q A\", \"foo.*  *.prod\", plain], export: [\"last wins\"]}", &o);
    assert_int_equal(p->sub_allow.n, 1); // an alias replaces
    assert_string_equal(p->sub_allow.v[0].subject, "last");
    assert_string_equal(p->sub_allow.v[0].queue, "wins");
    mg_options_free(o);

    p = perms_of("{subscribe: [\"q A\", \"foo.*  *.prod\", plain]}", &o);
    assert_string_equal(p->sub_allow.v[0].queue, "A");
    assert_string_equal(p->sub_allow.v[1].subject, "foo.*");
    assert_string_equal(p->sub_allow.v[1].queue, "*.prod");
    assert_null(p->sub_allow.v[2].queue);
    mg_options_free(o);

    p = perms_of("{publish: [], subscribe: {}}", &o); // empty lists allow everything
    assert_false(p->pub_allow_set || p->sub_allow_set);
    mg_options_free(o);

    p = perms_of("{subscribe: foo, allow_responses: true}", &o);
    assert_true(p->allow_responses && p->pub_allow_set);
    assert_int_equal(p->pub_allow.n, 0); // nothing but replies
    assert_int_equal(p->resp_max, 1);
    assert_int_equal(p->resp_expires_ns, 120 * (int64_t)MG_SEC);
    mg_options_free(o);

    p = perms_of("{publish_allow_responses: {max: 5, expires: \"1m\"}, publish: foo}", &o);
    assert_int_equal(p->pub_allow.n, 1);
    assert_int_equal(p->resp_max, 5);
    assert_int_equal(p->resp_expires_ns, 60 * (int64_t)MG_SEC);
    mg_options_free(o);

    p = perms_of("{allow_responses: {max_msgs: 0, ttl: \"0s\"}}", &o); // 0: default
    assert_int_equal(p->resp_max, 1);
    assert_int_equal(p->resp_expires_ns, 120 * (int64_t)MG_SEC);
    mg_options_free(o);

    p = perms_of("{allow_responses: {max_responses: -1, expiration: \"-1s\"}}", &o); // negative: no limit
    assert_true(p->resp_max < 0 && p->resp_expires_ns < 0);
    mg_options_free(o);

    p = perms_of("{allow_responses: false}", &o);
    assert_false(p->allow_responses || p->pub_allow_set);
    mg_options_free(o);
}

static void permission_errors(void **state) {
    (void)state;
    static const struct {
        const char *perms, *want; // place and text
    } cases[] = {
        {"3", "35: Expected permissions to be a map/struct, got 3"},
        {"{publish: \"a b\"}", "49: subject \"a b\" is not a valid subject"},
        {"{publish: \"a..b\"}", "49: subject \"a..b\" is not a valid subject"},
        {"{publish: \">.a\"}", "49: subject \">.a\" is not a valid subject"},
        {"{publish: \"\"}", "49: subject \"\" is not a valid subject"},
        {"{subscribe: \"a b c\"}", "49: subject \"a b c\" is not a valid subject"},
        {"{subscribe: \"a. b\"}", "49: subject \"a.\" is not a valid subject"},
        {"{subscribe: \"a b.\"}", "49: queue \"b.\" is not a valid queue"},
        {"{subscribe: 3}", "49: Expected subject permissions to be a subject, or array of subjects, got int64"},
        {"{subscribe: [ 3 ]}", "62: Subject in permissions array cannot be cast to string"},
        {"{foo: 1}", "49: Unknown field \"foo\" parsing permissions"},
        {"{publish: {foo: 1}}", "59: Unknown field name \"foo\" parsing subject permissions, only 'allow' or 'deny' "
                                "are permitted"},
        {"{allow_responses: 3}", "49: error parsing response permissions, expected a boolean or a map"},
        {"{allow_responses: {foo: 1}}", "67: Unknown field \"foo\" parsing permissions"},
        {"{allow_responses: {max: x}}", "67: interface conversion: interface {} is string, not int64"},
        {"{allow_responses: {ttl: 3}}", "67: error parsing expires, not a duration string"},
        {"{allow_responses: {ttl: 3x}}", "67: error parsing expires: time: invalid duration \"3x\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_buf text = MG_BUF_INIT, want = MG_BUF_INIT;
        mg_buf_addf(&text, "authorization {users: [ {user: a, permissions: %s} ]}", cases[i].perms);
        mg_buf_addf(&want, ":1:%s\n", cases[i].want);
        mg_buf_addc(&text, '\0');
        mg_buf_addc(&want, '\0');
        expect_report(text.p, want.p);
        mg_buf_fini(&text);
        mg_buf_fini(&want);
    }
}

static void callout(void **state) {
    (void)state;
    struct mg_options *o = load_ok("authorization {auth_callout {issuer: "
                                   "AAHBWKBVIJHVY2LWQOIJ3KVXYTI5527YAUJB6LBZIZJWA3L2Q6KKCZUB, auth_users: [a]}}");
    assert_int_equal(o->ninactive, 1);
    assert_string_equal(o->inactive[0].name, "auth_callout");
    assert_true(o->inactive[0].refuse);
    mg_options_free(o);
    expect_report("authorization {auth_callout {issuer: x, auth_users: [a]}}",
                  ":1:30: Expected callout user to be a valid public account nkey, got \"x\"\n");
    expect_report("authorization {auth_callout {}}",
                  ":1:16: Authorization callouts require an issuer to be specified\n");
    expect_report("authorization {auth_callout {foo: 1}}",
                  ":1:30: Unknown field \"foo\" parsing authorization callout\n"
                  ":1:16: Authorization callouts require an issuer to be specified\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_user_and_token), cmocka_unit_test(users),
        cmocka_unit_test(user_errors),           cmocka_unit_test(permissions),
        cmocka_unit_test(permission_errors),     cmocka_unit_test(callout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
