// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Connections with TLS: the toy of fake_tls.h, in which a handshake is "HELLO" and cipher text is xored.
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/seam/fake_broker.h"
#include "test/unit/server/seam/fake_tls.h"

#define TLS "tls { cert_file: c, key_file: k, timeout: 2 }"

static void cipher(struct mg_sock *s, const char *text) {
    for (; *text; text++) mg_buf_addc(&s->in, (char)(*text ^ FAKE_KEY));
}

static const char *plain(struct mg_sock *s) {
    for (size_t i = 0; i < s->out.len; i++) s->out.p[i] ^= FAKE_KEY;
    return fake_take(s);
}

static void test_talks(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, TLS);
    struct mg_sock *c = fake_client(&b, 0);
    assert_string_equal(fake_say(&b, c, "HELL"), "");
    assert_string_equal(fake_say(&b, c, "O"), "hello");
    cipher(c, "CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n");
    fake_broker_run(&b);
    assert_string_equal(plain(c), "MSG a 1 1\r\nx\r\nPONG\r\n");
    fake_broker_stop(&b);
}

static void test_reload_without_tls_before_the_handshake(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, TLS);
    struct mg_sock *c = fake_client(&b, 0);
    fake_broker_reload(&b, "");
    assert_string_equal(fake_say(&b, c, "HELLO"), "hello");
    cipher(c, "PING\r\n");
    fake_broker_run(&b);
    assert_string_equal(plain(c), "PONG\r\n");
    fake_broker_stop(&b);
}

// The client has two seconds, but what it waits for a worker does not count.
static void test_waiting_for_a_worker_is_not_the_clients_time(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, TLS);
    struct mg_sock *c = fake_client(&b, 0), *idle = fake_client(&b, 0);
    fake_broker_advance(&b, MG_SEC);
    b.loops[0]->hold_work = true;
    fake_say(&b, c, "HELL");
    fake_broker_advance(&b, 10 * MG_SEC);
    assert_true(idle->closed);
    assert_false(c->closed);
    b.loops[0]->hold_work = false;
    fake_broker_run(&b);
    fake_broker_advance(&b, 900 * MG_MS);
    assert_false(c->closed);
    fake_broker_advance(&b, 200 * MG_MS); // its own two seconds are over
    assert_true(c->closed);
    fake_broker_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talks),
        cmocka_unit_test(test_reload_without_tls_before_the_handshake),
        cmocka_unit_test(test_waiting_for_a_worker_is_not_the_clients_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
