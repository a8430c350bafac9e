// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/conn/trace.h"
#include "test/unit/cmocka_inc.h"

#define PREFIX "127.0.0.1:4242 - cid:5"

struct fixture {
    struct mg_log log;
    struct mg_buf text;
};

static void capture(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    struct fixture *f = arg;
    (void)wall_ns;
    assert_int_equal(level, MG_LOG_TRC);
    mg_buf_add_slice(&f->text, text);
}

static void begin(struct fixture *f, bool headers, int64_t max) {
    *f = (struct fixture){.text = MG_BUF_INIT};
    mg_log_init(&f->log, 0);
    f->log.sink = capture;
    f->log.sink_arg = f;
    mg_log_set_flags(&f->log, false, true, false, headers, max);
}

static void expect_line(struct fixture *f, const char *want) {
    mg_buf_addc(&f->text, '\0');
    assert_string_equal(f->text.p, want);
    f->text.len = 0;
}

static void operations(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false, 0);
    mg_trace_op(&f.log, PREFIX, MG_TRACE_IN, MG_S("SUB"), MG_S("foo.> q 1"));
    expect_line(&f, PREFIX " - <<- [SUB foo.> q 1]");
    mg_trace_op(&f.log, PREFIX, MG_TRACE_IN, MG_S("PING"), MG_S(""));
    expect_line(&f, PREFIX " - <<- [PING]");
    mg_trace_op(&f.log, PREFIX, MG_TRACE_OUT, MG_S("MSG bar 2 2"), MG_S(""));
    expect_line(&f, PREFIX " - ->> [MSG bar 2 2]");
    mg_trace_op(&f.log, PREFIX, MG_TRACE_INNER, MG_S("DELSUB"), MG_S("1"));
    expect_line(&f, PREFIX " - <-> [DELSUB 1]");
    mg_buf_fini(&f.text);
}

static void payloads(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, false, 0);
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S("hi"), 0);
    expect_line(&f, PREFIX " - <<- MSG_PAYLOAD: [\"hi\"]");
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_OUT, MG_S("NATS/1.0\r\nA: b\r\n\r\n\"x\""), 18);
    expect_line(&f, PREFIX " - ->> MSG_PAYLOAD: [\"NATS/1.0\\r\\nA: b\\r\\n\\r\\n\\\"x\\\"\"]");
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S(""), 0);
    expect_line(&f, "");
    mg_buf_fini(&f.text);

    begin(&f, false, 3);
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S("abc"), 0);
    expect_line(&f, PREFIX " - <<- MSG_PAYLOAD: [\"abc\"]");
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S("abcd"), 0);
    expect_line(&f, PREFIX " - <<- MSG_PAYLOAD: [\"abc...\"]");
    mg_buf_fini(&f.text);

    begin(&f, true, 0); // headers only
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S("NATS/1.0\r\nA: b\r\n\r\nx"), 18);
    expect_line(&f, PREFIX " - <<- MSG_PAYLOAD: [\"NATS/1.0\\r\\nA: b\"]");
    mg_trace_payload(&f.log, PREFIX, MG_TRACE_IN, MG_S("hi"), 0);
    expect_line(&f, "");
    mg_buf_fini(&f.text);
}

static void secrets_are_redacted(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"verbose\":false,\"user\":\"a\",\"pass\":\"b\"}",
         "{\"verbose\":false,\"user\":\"a\",\"pass\":\"[REDACTED]\"}"},
        {"{\"nkey\":\"U\",\"sig\":\"s\",\"auth_token\":\"x\",\"jwt\":\"j\"}",
         "{\"nkey\":\"[REDACTED]\",\"sig\":\"[REDACTED]\",\"auth_token\":\"[REDACTED]\",\"jwt\":\"j\"}"},
        {"{\"password\" : \"s,e}c\\\"ret\",\"x\":1}", "{\"password\" : \"[REDACTED]\",\"x\":1}"},
        {"{\"passphrase\":\"p\"}", "{\"passphrase\":\"[REDACTED]\"}"},
        {"{\"proxy_sig\":\"p\",\"design\":\"kept\",\"signal\":\"kept\"}",
         "{\"proxy_sig\":\"[REDACTED]\",\"design\":\"kept\",\"signal\":\"kept\"}"},
        {"{\"pass\":\"\"}", "{\"pass\":\"[REDACTED]\"}"},
        {"{pass=secret}", "{pass=[REDACTED]}"},
        {"{\"pass\":\"unterminated", "{\"pass\":\"[REDACTED]"},
        {"{\"pass\":\"ends with\\", "{\"pass\":\"[REDACTED]"},
        {"{\"pass\":12345,\"x\":1}", "{\"pass\":[REDACTED],\"x\":1}"},
        {"{\"auth_token\":\"t\",\"auth_token2\":\"t\"}",
         "{\"auth_token\":\"[REDACTED]\",\"auth_token2\":\"[REDACTED]\"}"},
        {"{\"PASS\":\"secret\"}", "{\"PASS\":\"[REDACTED]\"}"}, // keys match in any case
        {"{\"sign\":\"b\",\"nkeys\":\"c\"}", "{\"sign\":\"b\",\"nkeys\":\"c\"}"},
        {"{\"name\":\"passenger\",\"lang\":\"c\"}", "{\"name\":\"passenger\",\"lang\":\"c\"}"},
        {"{\"pass\":", "{\"pass\":[REDACTED]"},
        {"pass", "pass"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_buf out = MG_BUF_INIT;
        mg_trace_redact(&out, mg_cstr(cases[i][0]));
        mg_buf_addc(&out, '\0');
        assert_string_equal(out.p, cases[i][1]);
        mg_buf_fini(&out);
    }
    struct fixture f;
    begin(&f, false, 0);
    mg_trace_connect(&f.log, PREFIX, MG_S("{\"pass\":\"b\"}"));
    expect_line(&f, PREFIX " - <<- [CONNECT {\"pass\":\"[REDACTED]\"}]");
    mg_buf_fini(&f.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),
        cmocka_unit_test(payloads),
        cmocka_unit_test(secrets_are_redacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
