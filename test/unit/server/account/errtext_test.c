// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/errtext.h"

#include "test/unit/cmocka_inc.h"

// Compares and empties.
static void expect(struct mg_buf *b, const char *text) {
    mg_buf_addc(b, '\0');
    assert_string_equal(b->p, text);
    b->len = 0;
}

#define NOQ ((mg_slice){NULL, 0})

static void test_err(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    mg_err_pub(&b, MG_S("Foo.\"x\""));
    expect(&b, "Permissions Violation for Publish to \"Foo.\\\"x\\\"\"");
    mg_err_pub_reply(&b, MG_S("_R_.a"));
    expect(&b, "Permissions Violation for Publish with Reply of \"_R_.a\"");
    mg_err_sub(&b, MG_S("foo.>"), NOQ);
    expect(&b, "Permissions Violation for Subscription to \"foo.>\"");
    mg_err_sub(&b, MG_S("foo"), MG_S("q"));
    expect(&b, "Permissions Violation for Subscription to \"foo\" using queue \"q\"");
    mg_err_sub_tokens(&b, MG_S("a.b.c"));
    expect(&b, "Permissions Violation for Subscription to \"a.b.c\", too many tokens");
    mg_err_sub_removed(&b, MG_S("foo"), NOQ, MG_S("7"));
    expect(&b, "Permissions Violation for Subscription to \"foo\" (sid \"7\")");
    mg_err_sub_removed(&b, MG_S("foo"), MG_S("q"), MG_S("7"));
    expect(&b, "Permissions Violation for Subscription to \"foo\" using queue \"q\" (sid \"7\")");
    mg_buf_fini(&b);
}

static void test_log(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    struct mg_auth_who who = {MG_AUTH_ID_NONE, NOQ};
    mg_log_auth(&b, &who);
    expect(&b, "authentication error");
    who = (struct mg_auth_who){MG_AUTH_ID_USER, MG_S("bob")};
    mg_log_auth(&b, &who);
    expect(&b, "authentication error - User \"bob\"");
    who = (struct mg_auth_who){MG_AUTH_ID_NKEY, MG_S("UABC")};
    mg_log_auth(&b, &who);
    expect(&b, "authentication error - Nkey \"UABC\"");
    who = (struct mg_auth_who){MG_AUTH_ID_TOKEN, NOQ};
    mg_log_auth(&b, &who);
    expect(&b, "authentication error - Token \"[REDACTED]\"");

    mg_log_pub(&b, MG_S("foo"));
    expect(&b, "Publish Violation - Subject \"foo\"");
    mg_log_pub_reply(&b, MG_S("foo"));
    expect(&b, "Publish Violation - Reply \"foo\"");
    mg_log_sub(&b, MG_S("foo"), NOQ, MG_S("1"));
    expect(&b, "Subscription Violation - Subject \"foo\", SID 1");
    mg_log_sub(&b, MG_S("foo"), MG_S("q"), MG_S("1"));
    expect(&b, "Subscription Violation - Subject \"foo\", Queue: \"q\", SID 1");
    mg_log_sub_tokens(&b, MG_S("a.b"), MG_S("1"));
    expect(&b, "Subscription Violation Too Many Tokens - Subject \"a.b\", SID 1");
    mg_buf_fini(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_err), cmocka_unit_test(test_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
