// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "client/port/conn.h"
#include "test/unit/cmocka_inc.h"

#include <string.h>

static char why[256];

// The connection that these URLs make, not begun.
static midge_conn *conn_of(const char *servers) {
    midge_conn *c = midge_conn_new(&(midge_options){.servers = servers}, why, sizeof why);
    assert_non_null(c);
    return c;
}

static void same(midge_str got, const char *want) {
    assert_int_equal(got.n, strlen(want));
    if (got.n > 0) assert_memory_equal(got.p, want, got.n);
}

static void credentials_in_urls(void **state) {
    static const struct {
        const char *url, *user, *password, *token;
    } cases[] = {
        {"nats://h", "", "", ""},
        {"nats://u:p@h", "u", "p", ""},
        {"nats://s3cret@h", "", "", "s3cret"},
        {"nats://u:@h", "u", "", ""}, // an empty password is one
        {"nats://h,nats://u:p@i,nats://v:q@j", "u", "p", ""},
        {"nats://a%40b:p%3Aq%2f%25@h", "a@b", "p:q/%", ""},
        {"nats://t%3D%3d@h", "", "", "t=="},
        {"nats://u:p@ss@h", "u", "p@ss", ""},
        {"nats://u+v:a%zz%4@h", "u+v", "a%zz%4", ""}, // no escapes: as it stands
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        midge_conn *c = conn_of(cases[i].url);
        same(c->config.user, cases[i].user);
        same(c->config.password, cases[i].password);
        same(c->config.token, cases[i].token);
        midge_conn_free(c);
    }
}

static void flags_before_urls(void **state) {
    midge_options o = {.servers = "nats://u:p@h", .user = "other", .password = "word"};
    midge_conn *c = midge_conn_new(&o, why, sizeof why);
    (void)state;
    assert_non_null(c);
    same(c->config.user, "other");
    same(c->config.password, "word");
    midge_conn_free(c);
}

static void bad_urls(void **state) {
    static const char *const urls[] = {",", "http://h", "nats://", "nats://h:0", "nats://h:65536", "nats://[::1",
                                       "a b"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_null(midge_conn_new(&(midge_options){.servers = urls[i]}, why, sizeof why));
        assert_non_null(strstr(why, "nats://host:port"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_in_urls),
        cmocka_unit_test(flags_before_urls),
        cmocka_unit_test(bad_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
