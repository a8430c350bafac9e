// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/proto/headers.h"

static void finds_values(void **state) {
    (void)state;
    mg_slice block = MG_S("NATS/1.0\r\nA: 1\r\nNats-Msg-Id:   x y \r\nEmpty:\r\nnats-msg-id: low\r\n"
                          "A: 2\r\nB:3\rx\r\n\r\n");
    static const struct {
        const char *key, *want;
    } rows[] = {
        {"A", "1"}, {"Nats-Msg-Id", "x y "}, {"nats-msg-id", "low"}, {"Empty", ""}, {"B", "3\rx"},
        {"C", NULL}, {"Nats-Msg", NULL}, {"Msg-Id", NULL}, {"NATS/1.0", NULL}, {"", NULL}, {"a", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mg_slice v = MG_S("unset");
        assert_int_equal(mg_hdr_get(block, mg_cstr(rows[i].key), &v), rows[i].want != NULL);
        assert_true(mg_slice_eq(v, mg_cstr(rows[i].want ? rows[i].want : "unset")));
    }
}

static void survives_odd_blocks(void **state) {
    (void)state;
    mg_slice v;
    assert_false(mg_hdr_get(MG_S(""), MG_S("A"), &v));
    assert_false(mg_hdr_get(MG_S("A: 1"), MG_S("A"), &v)); // the first line is none
    assert_false(mg_hdr_get(MG_S("NATS/1.0\r\n"), MG_S("A"), &v));
    assert_false(mg_hdr_get(MG_S("NATS/1.0\r\nA"), MG_S("A"), &v));
    assert_false(mg_hdr_get(MG_S("NATS/1.0\nA: 1\n\n"), MG_S("A"), &v));
    assert_true(mg_hdr_get(MG_S("NATS/1.0\r\nA:  cut"), MG_S("A"), &v));
    assert_true(mg_slice_eq(v, MG_S("cut")));
    assert_true(mg_hdr_get(MG_S("\r\nA:"), MG_S("A"), &v));
    assert_int_equal(v.n, 0);
}

static void reads_status(void **state) {
    (void)state;
    static const struct {
        const char *block;
        bool ok;
        const char *status, *description;
    } rows[] = {
        {"NATS/1.0\r\n\r\n", true, "", ""},
        {"NATS/1.0 503\r\n\r\n", true, "503", ""},
        {"NATS/1.0 404 No Messages\r\n\r\n", true, "404", "No Messages"},
        {"NATS/1.0  100  Idle Heartbeat\r\nA: b\r\n\r\n", true, "100", "Idle Heartbeat"},
        {"NATS/1.0x\r\n\r\n", false, "", ""},
        {"HTTP/1.0 200\r\n\r\n", false, "", ""},
        {"", false, "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mg_slice s, d;
        assert_int_equal(mg_hdr_status(mg_cstr(rows[i].block), &s, &d), rows[i].ok);
        assert_true(mg_slice_eq(s, mg_cstr(rows[i].status)));
        assert_true(mg_slice_eq(d, mg_cstr(rows[i].description)));
    }
}

static void writes_no_responders(void **state) {
    (void)state;
    static const char want[] = "HMSG _INBOX.x 7 39 39\r\nNATS/1.0 503\r\nNats-Subject: foo.bar\r\n\r\n\r\n";
    char out[sizeof want - 1];
    memset(out, '?', sizeof out);
    size_t len = mg_hdr_write_503(out, sizeof out - 1, MG_S("_INBOX.x"), MG_S("7"), MG_S("foo.bar"));
    assert_int_equal(len, sizeof out);
    assert_int_equal(out[0], '?');
    assert_int_equal(mg_hdr_write_503(out, sizeof out, MG_S("_INBOX.x"), MG_S("7"), MG_S("foo.bar")), sizeof out);
    assert_memory_equal(out, want, sizeof out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values),
        cmocka_unit_test(survives_odd_blocks),
        cmocka_unit_test(reads_status),
        cmocka_unit_test(writes_no_responders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
