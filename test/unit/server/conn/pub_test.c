// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// PUB: long subjects and replies, as far as they go.
#include "test/unit/cmocka_inc.h"

#include "server/base/buf.h"
#include "test/unit/server/seam/fake_broker.h"

#define QUIET "CONNECT {\"verbose\":false}\r\n"

static void add_many(struct mg_buf *b, char c, size_t n) {
    while (n-- > 0) mg_buf_addc(b, c);
}

static const char *text_of(struct mg_buf *b) {
    mg_buf_addc(b, '\0');
    return b->p;
}

// A mapping that makes a subject longer than the default control line.
static void test_long_mapped_subject(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 1, "max_control_line: 16384\nmappings { \"a.*\": \"mapped.$1\" }\n");
    struct mg_sock *c = fake_client(&b, 0);
    fake_say(&b, c, QUIET "SUB mapped.* 1\r\n");
    struct mg_buf sent = MG_BUF_INIT, want = MG_BUF_INIT;
    mg_buf_adds(&sent, "PUB a.");
    add_many(&sent, 'x', 8000);
    mg_buf_adds(&sent, " 2\r\nhi\r\n");
    mg_buf_adds(&want, "MSG mapped.");
    add_many(&want, 'x', 8000);
    mg_buf_adds(&want, " 1 2\r\nhi\r\n");
    assert_string_equal(fake_say(&b, c, text_of(&sent)), text_of(&want));
    mg_buf_fini(&sent);
    mg_buf_fini(&want);
    fake_broker_stop(&b);
}

// The longest that a control line can be: subject, reply and sid, on this shard and from another one.
static void test_longest_control_line(void **state) {
    (void)state;
    struct fake_broker b;
    fake_broker_start(&b, 2, "max_control_line: 100000\n");
    struct mg_sock *here = fake_client(&b, 0), *there = fake_client(&b, 1);
    struct mg_buf text = MG_BUF_INIT;
    mg_buf_adds(&text, QUIET "SUB > ");
    add_many(&text, 's', 29000);
    mg_buf_adds(&text, "\r\nPING\r\n");
    fake_say(&b, here, text_of(&text));
    fake_say(&b, there, text.p);
    text.len = 0;
    mg_buf_adds(&text, "PUB ");
    add_many(&text, 'x', 15000);
    mg_buf_addc(&text, ' ');
    add_many(&text, 'r', 15000);
    mg_buf_adds(&text, " 1000\r\n");
    add_many(&text, 'p', 1000);
    mg_buf_adds(&text, "\r\n");
    size_t size = 4 + 15001 + 29001 + 15001 + 6 + 1002;
    assert_int_equal(strlen(fake_say(&b, here, text_of(&text))), size);
    assert_int_equal(strlen(fake_take(there)), size);
    mg_buf_fini(&text);
    fake_broker_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_mapped_subject),
        cmocka_unit_test(test_longest_control_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
