// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Subscriptions that reach their maximum, and what may come behind that in the same read.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "test/unit/server/seam/fake_broker.h"

#define QUIET "CONNECT {\"verbose\":false}\r\n"

static void test_unsub_after_the_last_message(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, "");
    struct mg_sock *c = fake_client(&b, 0);
    assert_string_equal(fake_say(&b, c, QUIET "SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nUNSUB 1\r\nPUB a 1\r\ny\r\n"),
                        "MSG a 1 1\r\nx\r\n");
    assert_string_equal(fake_say(&b, c, "PUB a 1\r\nz\r\n"), "");
    fake_broker_stop(&b);
}

static void test_sid_is_free_after_the_last_message(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, "");
    struct mg_sock *c = fake_client(&b, 0);
    assert_string_equal(fake_say(&b, c, QUIET "SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nSUB b 1\r\nPUB b 1\r\ny\r\n"),
                        "MSG a 1 1\r\nx\r\nMSG b 1 1\r\ny\r\n");
    assert_string_equal(fake_say(&b, c, "PUB a 1\r\nz\r\nPUB b 1\r\nz\r\n"), "MSG b 1 1\r\nz\r\n");
    fake_broker_stop(&b);
}

// What is dropped for a slow consumer is not delivered, so it is not the last message either.
static void test_dropped_is_not_the_last(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, "max_payload: 3000\nmax_pending: 4000\nno_fast_producer_stall: true\n");
    struct mg_sock *slow = fake_client(&b, 0), *pub = fake_client(&b, 0);
    fake_say(&b, slow, QUIET "SUB big 1\r\nSUB a 2\r\nUNSUB 2 1\r\n");
    slow->window = 0;
    char big[3200];
    int n = snprintf(big, sizeof(big), "PUB big 3000\r\n%03000d\r\n", 0);
    assert_true(n > 3000);
    fake_say(&b, pub, QUIET);
    fake_say(&b, pub, big);
    fake_say(&b, pub, "PUB a 1\r\nx\r\nPUB a 1\r\ny\r\n");
    slow->window = SIZE_MAX;
    fake_broker_run(&b);
    assert_non_null(strstr(fake_take(slow), "MSG big 1 3000\r\n"));
    fake_say(&b, pub, "PUB a 1\r\nz\r\nPUB a 1\r\nt\r\n");
    assert_string_equal(fake_take(slow), "MSG a 2 1\r\nz\r\n");
    fake_broker_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsub_after_the_last_message),
        cmocka_unit_test(test_sid_is_free_after_the_last_message),
        cmocka_unit_test(test_dropped_is_not_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
