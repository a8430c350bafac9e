// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Passwords that are checked on a worker thread, and a configuration that changes meanwhile.
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/seam/fake_broker.h"

#define HASH_A "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" // secret
#define HASH_B "$2b$04$bbcdefghijklmnopqrstuucXVddwCcIMOT0d2FEScJJ4my8.mweHK" // secret, with another salt
#define HASH_C "$2b$04$cbcdefghijklmnopqrstuucXVddwCcIMOT0d2FEScJJ4my8.mweHK" // of nothing
#define USERS(hash, deny) \
    "authorization { users: [ { user: u, password: \"" hash "\", permissions: { publish: { deny: \"" deny "\" } } } ] }"
#define CONNECT "CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"secret\"}\r\n"

static void test_password(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, USERS(HASH_A, "x"));
    struct mg_sock *c = fake_client(&b, 0);
    b.loops[0]->hold_work = true;
    assert_string_equal(fake_say(&b, c, CONNECT "PING\r\n"), "");
    b.loops[0]->hold_work = false;
    assert_string_equal(fake_say(&b, c, "PUB x 0\r\n\r\n"),
                        "PONG\r\n-ERR 'Permissions Violation for Publish to \"x\"'\r\n");
    fake_broker_stop(&b);
}

// The user that the worker's verdict names belongs to the old configuration.
static void test_reload_while_a_password_is_checked(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, USERS(HASH_A, "x"));
    struct mg_sock *c = fake_client(&b, 0);
    b.loops[0]->hold_work = true;
    assert_string_equal(fake_say(&b, c, CONNECT "PING\r\n"), "");
    fake_broker_reload(&b, USERS(HASH_A, "y"));
    b.loops[0]->hold_work = false;
    fake_broker_run(&b);
    assert_string_equal(fake_say(&b, c, "PUB x 0\r\n\r\nPUB y 0\r\n\r\n"),
                        "PONG\r\n-ERR 'Permissions Violation for Publish to \"y\"'\r\n");
    fake_broker_stop(&b);
}

// A password that was changed twice while the worker was busy with the first change.
static void test_reload_twice(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, USERS(HASH_A, "x"));
    struct mg_sock *c = fake_client(&b, 0);
    assert_string_equal(fake_say(&b, c, CONNECT "PING\r\n"), "PONG\r\n");
    b.loops[0]->hold_work = true;
    fake_broker_reload(&b, USERS(HASH_B, "x"));
    fake_broker_reload(&b, USERS(HASH_A, "y"));
    assert_string_equal(fake_say(&b, c, "PING\r\n"), "");
    b.loops[0]->hold_work = false;
    assert_string_equal(fake_say(&b, c, "PUB x 0\r\n\r\nPUB y 0\r\n\r\n"),
                        "PONG\r\n-ERR 'Permissions Violation for Publish to \"y\"'\r\n");
    b.loops[0]->hold_work = true;
    fake_broker_reload(&b, USERS(HASH_B, "x"));
    fake_broker_reload(&b, USERS(HASH_C, "x"));
    b.loops[0]->hold_work = false;
    assert_string_equal(fake_say(&b, c, "PING\r\n"), "-ERR 'Authorization Violation'\r\n");
    assert_true(c->closed);
    fake_broker_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_reload_while_a_password_is_checked),
        cmocka_unit_test(test_reload_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
