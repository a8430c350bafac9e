// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Deliveries to those who read and to those who do not (spec/client-protocol.md A11).
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "test/unit/server/seam/fake_broker.h"

#define QUIET "CONNECT {\"verbose\":false}\r\n"
#define LIMITS "max_payload: 3000\nmax_pending: 4000\n"

static void publish(struct mg_sock *s, const char *subject, int size) {
    char text[6000];
    snprintf(text, sizeof(text), "PUB %s %d\r\n%0*d\r\n", subject, size, size, 0);
    fake_send(s, text);
}

static size_t count(const char *text, const char *what) {
    size_t n = 0;
    while ((text = strstr(text, what)) != NULL) n++, text++;
    return n;
}

// One read of the broker holds much more than max_pending, and the subscriber takes everything at once.
static void test_who_reads_is_not_slow(void **state) {
    (void)state;
    for (unsigned shard = 0; shard < 2; shard++) {
        struct fake_broker b;
        fake_broker_start(&b, 2, "max_payload: 5000\nmax_pending: 40000\n");
        struct mg_sock *sub = fake_client(&b, shard), *pub = fake_client(&b, 0);
        fake_say(&b, sub, QUIET "SUB a 1\r\nPING\r\n");
        fake_say(&b, pub, QUIET "PING\r\n");
        for (int i = 0; i < 100; i++) publish(pub, "a", 5000);
        fake_broker_run(&b);
        assert_int_equal(count(fake_take(sub), "MSG a 1 5000\r\n"), 100);
        assert_int_equal(b.cores[shard]->counters.slow_consumers, 0);
        fake_broker_stop(&b);
    }
}

static void test_what_goes_over_the_limit_closes(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, LIMITS);
    struct mg_sock *sub = fake_client(&b, 0), *pub = fake_client(&b, 0);
    fake_say(&b, sub, QUIET "SUB a 1\r\n");
    sub->window = 0;
    publish(pub, "a", 2000);
    fake_broker_run(&b);
    assert_false(sub->closed);
    publish(pub, "a", 2500);
    fake_broker_run(&b);
    assert_true(sub->closed);
    assert_int_equal(b.cores[0]->counters.slow_consumers, 1);
    fake_broker_advance(&b, 60 * MG_SEC);
    assert_int_equal(b.cores[0]->counters.slow_consumers, 1);
    fake_broker_stop(&b);
}

static void test_deadline(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, "write_deadline: \"2s\"");
    struct mg_sock *sub = fake_client(&b, 0), *pub = fake_client(&b, 0);
    fake_say(&b, sub, QUIET "SUB a 1\r\n");
    sub->window = 10;
    publish(pub, "a", 2000);
    fake_broker_run(&b);
    fake_broker_advance(&b, 1900 * MG_MS);
    assert_false(sub->closed);
    fake_broker_advance(&b, 200 * MG_MS);
    assert_true(sub->closed);
    assert_int_equal(b.cores[0]->counters.slow_consumers, 1);
    fake_broker_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_reads_is_not_slow),
        cmocka_unit_test(test_what_goes_over_the_limit_closes),
        cmocka_unit_test(test_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
