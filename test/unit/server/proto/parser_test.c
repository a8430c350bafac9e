// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Every row is fed whole, cut in two at every byte, and byte by byte; the outcome must be the same.
#include "test/unit/cmocka_inc.h"

#include <stdio.h>

#include "test/unit/server/proto/parser_script.h"

#define UNKNOWN "error 2 Unknown Protocol Operation\n"
#define TOO_LONG "error 3 maximum control line exceeded\n"
#define TOO_BIG "error 4 Maximum Payload Violation\n"
#define ARGS "error 5 -\n"
#define NO_HEADERS "error 6 -\n"
#define PONG "PONG\n"

static const struct mg_parse_limits normal = {4096, 1 << 20, true};

static void expect(const struct mg_parse_limits *lim, mg_slice in, size_t first, size_t step, const char *want) {
    struct script s = {.lim = *lim};
    struct mg_buf out = MG_BUF_INIT;
    script_feed(&s, in.p, first, &out);
    for (size_t at = first; at < in.n; at += step)
        script_feed(&s, in.p + at, in.n - at < step ? in.n - at : step, &out);
    mg_buf_addc(&out, '\0');
    if (strcmp(out.p, want) != 0) fail_msg("input %.*s cut at %zu, %zu: got %s", (int)in.n, in.p, first, step, out.p);
    mg_buf_fini(&out);
    script_fini(&s);
}

static void check_lim(const struct mg_parse_limits *lim, mg_slice in, const char *want) {
    for (size_t cut = 0; cut <= in.n; cut++) expect(lim, in, cut, in.n, want);
    expect(lim, in, 0, 1, want);
    expect(lim, in, 0, 3, want);
}

#define CHECK(in, want) check_lim(&normal, MG_S(in), want)

static void publishes(void **state) {
    (void)state;
    CHECK("PUB foo 5\r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n");
    CHECK("pub foo 0\r\n\r\n", "PUB s=\"foo\" r= size=\"0\" 0/0 p=\"\"\n");
    CHECK("PuB\tfoo\t \tbar  \t2 \t\nhi\r\n", "PUB s=\"foo\" r=\"bar\" size=\"2\" 0/2 p=\"hi\"\n");
    CHECK("PUB    foo 1\r\nx\r\nPUB a 1\r\ny\r\n", "PUB s=\"foo\" r= size=\"1\" 0/1 p=\"x\"\n"
                                                   "PUB s=\"a\" r= size=\"1\" 0/1 p=\"y\"\n");
    // sizes stay verbatim
    CHECK("PUB a 0003\r\nabc\r\n", "PUB s=\"a\" r= size=\"0003\" 0/3 p=\"abc\"\n");
    CHECK("PUB a 000000003\r\nabc\r\n", "PUB s=\"a\" r= size=\"000000003\" 0/3 p=\"abc\"\n");
    // a payload may hold anything
    CHECK("PUB a 6\r\n\r\nPUB \r\n", "PUB s=\"a\" r= size=\"6\" 0/6 p=\"\\r\\nPUB \"\n");
    // a subject longer than one step of the line walk, control bytes inside
    CHECK("PUB abcdefghijklmnopqrstuvwxyz.\x01.0123456789 _INBOX.abcdefghijklmnopqrstuvwxyz 3\r\nxyz\r\n",
          "PUB s=\"abcdefghijklmnopqrstuvwxyz.\\x01.0123456789\" r=\"_INBOX.abcdefghijklmnopqrstuvwxyz\" size=\"3\" "
          "0/3 p=\"xyz\"\n");
    // a CR that is not part of the line end belongs to its token
    CHECK("PUB a\rb 1\r\nx\r\n", "PUB s=\"a\\rb\" r= size=\"1\" 0/1 p=\"x\"\n");
    CHECK("PUB \nfoo 1\r\nx\r\n", "PUB s=\"\\nfoo\" r= size=\"1\" 0/1 p=\"x\"\n");
}

// The same shapes with enough bytes behind them for the short cut that plain messages take.
static void publishes_in_a_full_buffer(void **state) {
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"PUB foo 5\r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"pUb f 0\r\n\r\n", "PUB s=\"f\" r= size=\"0\" 0/0 p=\"\"\n"},
        {"PUB foo bar.baz 0005\r\nhello\r\n", "PUB s=\"foo\" r=\"bar.baz\" size=\"0005\" 0/5 p=\"hello\"\n"},
        {"PUB foo  5\r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB foo 5 \r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB foo 5\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB\tfoo 5\r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB  foo 5\r\nhello\r\n", "PUB s=\"foo\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB \x01 5\r\nhello\r\n", "PUB s=\"\\x01\" r= size=\"5\" 0/5 p=\"hello\"\n"},
        {"PUB 5\r\nhello\r\n", ARGS},
        {"PUB a b c 5\r\nhello\r\n", ARGS},
        {"PUB foo 5x\r\nhello\r\n", ARGS},
        {"PUB foo 5\r\nhelloxx\r\n", UNKNOWN},
        {"PUB foo 5\r\nhello\rx\r\n", UNKNOWN},
        {"PUB foo 1048577\r\n", TOO_BIG},
    };
    char in[256], want[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ok = rows[i].want[0] == 'P';
        snprintf(in, sizeof in, "%sPING%100s\r\n", rows[i].in, "");
        snprintf(want, sizeof want, "%s%s", rows[i].want, ok ? "PING\n" : "");
        check_lim(&normal, mg_cstr(in), want);
    }
    // the verb's blank is a blank, no NUL
    char nul[128] = "PUB";
    memcpy(nul + 4, "foo 5\r\nhello\r\n", 14);
    check_lim(&normal, mg_slice_of(nul, sizeof nul), UNKNOWN);
    const struct mg_parse_limits tight = {7, 4, true};
    check_lim(&tight, MG_S("PUB foobar 1\r\nx\r\nPING                                                           \r\n"),
              TOO_LONG);
    check_lim(&tight, MG_S("PUB foob 5\r\n12345\r\nPING                                                          \r\n"),
              TOO_BIG);
}

static void headers(void **state) {
    (void)state;
    CHECK("HPUB h 4 6\r\njunkhi\r\n", "HPUB s=\"h\" r= hdr=\"4\" size=\"6\" 4/6 p=\"junkhi\"\n");
    CHECK("hpub h rep 12 014\r\nNATS/1.0\r\n\r\nhi\r\n",
          "HPUB s=\"h\" r=\"rep\" hdr=\"12\" size=\"014\" 12/14 p=\"NATS/1.0\\r\\n\\r\\nhi\"\n");
    CHECK("HPUB h 0 2\r\nhi\r\n", "HPUB s=\"h\" r= hdr=\"0\" size=\"2\" 0/2 p=\"hi\"\n");
    CHECK("HPUB h 2 2\r\nhi\r\n", "HPUB s=\"h\" r= hdr=\"2\" size=\"2\" 2/2 p=\"hi\"\n");
    CHECK("HPUB h 3 2\r\n", ARGS);
    CHECK("HPUB h 2\r\n", ARGS);
    CHECK("HPUB h a b 1 2\r\n", ARGS);
    CHECK("HPUB h x 2\r\n", ARGS);
    CHECK("HPUB h 1 x\r\n", ARGS);
    CHECK("HPUB h 1 1048577\r\n", TOO_BIG);
    CHECK("HPUB\r\n", UNKNOWN);
    const struct mg_parse_limits off = {4096, 1 << 20, false};
    check_lim(&off, MG_S("HPUB h 4 6\r\n"), NO_HEADERS);
    check_lim(&off, MG_S("HPUB h\r\n"), NO_HEADERS);
}

static void subscriptions(void **state) {
    (void)state;
    CHECK("SUB foo 1\r\n", "SUB s=\"foo\" q= sid=\"1\"\n");
    CHECK("sub foo.* workers  abc\n", "SUB s=\"foo.*\" q=\"workers\" sid=\"abc\"\n");
    CHECK("SUB\t \tfoo \t1 \r\n", "SUB s=\"foo\" q= sid=\"1\"\n");
    CHECK("SUB foo 1\r\r\n", "SUB s=\"foo\" q= sid=\"1\"\n"); // here CR separates
    CHECK("SUB foo\r1\r\n", "SUB s=\"foo\" q= sid=\"1\"\n");
    CHECK("SUB \nfoo 1\r\n", "SUB s=\"foo\" q= sid=\"1\"\n");
    CHECK("SUB foo\r\n", ARGS);
    CHECK("SUB \r\n", ARGS);
    CHECK("SUB a b c d\r\n", ARGS);
    CHECK("SUB a b c d e f\r\n", ARGS);
    CHECK("SUBX", UNKNOWN);
    CHECK("SUB\r\n", UNKNOWN);
    CHECK("UNSUB 1\r\n", "UNSUB sid=\"1\" max=\n");
    CHECK("unsub 1 10\r\n", "UNSUB sid=\"1\" max=\"10\"\n");
    CHECK("UNSUB 1 junk\r\n", "UNSUB sid=\"1\" max=\"junk\"\n");
    CHECK("UNSUB 1 2 3\r\n", ARGS);
    CHECK("UNSUB \r\n", ARGS);
}

static void bare_operations(void **state) {
    (void)state;
    CHECK("PING\r\nPONG\r\n+OK\r\n", "PING\nPONG\nOK\n");
    CHECK("PINGxyz\r\npOnG \n+oK junk\nping\n", "PING\nPONG\nOK\nPING\n");
    CHECK("PIN", "");
    CHECK("PING abc", "");
    CHECK("PINX", UNKNOWN);
    CHECK("PANG", UNKNOWN);
    CHECK("+OX", UNKNOWN);
}

static void texts(void **state) {
    (void)state;
    CHECK("CONNECT {\"a\":1}\r\nPING\r\n", "CONNECT a=\"{\\\"a\\\":1}\"\nPING\n");
    CHECK("connect{}\n", "CONNECT a=\"{}\"\n");
    CHECK("CONNECT \t {} \r\n", "CONNECT a=\"{} \"\n");
    CHECK("CONNECT\r\n", "CONNECT a=\"\\r\"\n");
    CHECK("INFO {}\r\n", "INFO a=\"{}\"\n");
    CHECK("-ERR 'bad'\r\n", "ERR a=\"'bad'\"\n");
    CHECK("-ERR\r\n", UNKNOWN);
    CHECK("-ERX", UNKNOWN);
}

static void unknown_operations(void **state) {
    (void)state;
    static const char *wrong[] = {"\r\n", "\n", " PING\r\n", "MSG a 1 2\r\n", "RMSG", "LMSG", "RS+ a", "LS+", "A+ a",
                                  "HMSG a", "PUX", "PUBX", "PUB\r\n", "CONNEXT", "UNSUX", "INFX", "GET / HTTP/1.1\r\n",
                                  "\x80",
                                  "0"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        check_lim(&normal, mg_cstr(wrong[i]), UNKNOWN);
        char after[64];
        snprintf(after, sizeof after, "PONG\r\n%s", wrong[i]);
        check_lim(&normal, mg_cstr(after), PONG UNKNOWN);
    }
}

static void bad_arguments(void **state) {
    (void)state;
    CHECK("PUB foo\r\n", ARGS);
    CHECK("PUB \r\n", ARGS);
    CHECK("PUB a b c 1\r\n", ARGS);
    CHECK("PUB a -1\r\n", ARGS);
    CHECK("PUB a +1\r\n", ARGS);
    CHECK("PUB a 1.5\r\n", ARGS);
    CHECK("PUB a 0000000001\r\n", ARGS);
    CHECK("PUB a 9999999999999999999999\r\n", ARGS);
    CHECK("PUB a 1\r\r\n", ARGS); // the first CR belongs to the size
}

static void payload_terminators(void **state) {
    (void)state;
    CHECK("PUB a 2\r\nhi\n", UNKNOWN);
    CHECK("PUB a 2\r\nhix", UNKNOWN);
    CHECK("PUB a 2\r\nhi\rx", UNKNOWN);
    CHECK("PUB a 0\r\nx", UNKNOWN);
    CHECK("PUB a 2\r\nhi\r", "");
    CHECK("PUB a 2\r\nhi", "");
    CHECK("PUB a 2\r\n", "");
}

static void control_line_limit(void **state) {
    (void)state;
    const struct mg_parse_limits ten = {10, 100, true};
    check_lim(&ten, MG_S("SUB foo 1\r\nSUB 12345678 1\r\n"),
              "SUB s=\"foo\" q= sid=\"1\"\nSUB s=\"12345678\" q= sid=\"1\"\n");
    check_lim(&ten, MG_S("SUB 123456789 1\r\n"), TOO_LONG);
    check_lim(&ten, MG_S("SUB 12345678901"), TOO_LONG);   // without a line end
    check_lim(&ten, MG_S("SUB 1234567890"), "");          // not yet
    check_lim(&ten, MG_S("SUB 12345678 1\r"), "");        // the CR may be the line end
    check_lim(&ten, MG_S("SUB 12345678 1\rx"), TOO_LONG); // it was not
    check_lim(&ten, MG_S("CONNECT {\"a\":1234}\r\nCONNECT {\"a\":12345}\r\n"),
              "CONNECT a=\"{\\\"a\\\":1234}\"\n" TOO_LONG);
    check_lim(&ten, MG_S("HPUB 1234567 1 1\r\n"), TOO_LONG);
    // blanks before the argument and what PING swallows do not count
    check_lim(&ten, MG_S("SUB                  foo 1\r\n"), "SUB s=\"foo\" q= sid=\"1\"\n");
    check_lim(&ten, MG_S("PING                      \r\n"), "PING\n");
}

static void payload_limit(void **state) {
    (void)state;
    const struct mg_parse_limits five = {100, 5, true}, none = {100, -1, true};
    check_lim(&five, MG_S("PUB a 5\r\n12345\r\nPUB a 6\r\n"), "PUB s=\"a\" r= size=\"5\" 0/5 p=\"12345\"\n" TOO_BIG);
    check_lim(&five, MG_S("HPUB a 1 6\r\n"), TOO_BIG);
    check_lim(&none, MG_S("PUB a 999999999\r\n123"), "");
}

// What a flood of bytes without a verdict leaves to keep.
static void floods_are_dropped(void **state) {
    (void)state;
    static const struct {
        const char *in;
        size_t kept;
    } rows[] = {{"PINGxxxxxxxxxxxxxxxxxxx", 0}, {"SUB                    ", 0}, {"CONNECT     ", 0}, {"PUB   foo", 3},
                {"PU", 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct script s = {.lim = normal};
        struct mg_buf out = MG_BUF_INIT;
        script_feed(&s, rows[i].in, strlen(rows[i].in), &out);
        assert_int_equal(s.kept.len, rows[i].kept);
        assert_int_equal(out.len, 0);
        script_fini(&s);
    }
}

static void announces_need(void **state) {
    (void)state;
    struct mg_parser st = {0};
    struct mg_cmd cmd;
    size_t used, need;
    const char *in = "PUB foo 1000\r\nxyz";
    assert_int_equal(mg_parse(&st, &normal, in, 9, &cmd, &used, &need), MG_PARSE_PARTIAL);
    assert_int_equal(used, 4);
    assert_int_equal(need, 0);
    assert_int_equal(mg_parse(&st, &normal, in + 4, 13, &cmd, &used, &need), MG_PARSE_PARTIAL);
    assert_int_equal(used, 0);
    assert_int_equal(need, 10 + 1000 + 2);
    assert_false(mg_parser_at_verb(&st));
}

static void log_texts(void **state) {
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"PUB foo\r\n", "processPub Parse Error: \"foo\""},
        {"PUB foo x\r\n", "processPub Bad or Missing Size: \"foo x\""},
        {"HPUB foo 1\r\n", "processHeaderPub Parse Error: \"foo 1\""},
        {"HPUB foo x 1\r\n", "processHeaderPub Bad or Missing Header Size: \"foo x 1\""},
        {"HPUB foo 1 x\r\n", "processHeaderPub Bad or Missing Total Size: \"foo 1 x\""},
        {"HPUB foo 2 1\r\n", "processHeaderPub Header Size larger then TotalSize: \"foo 2 1\""},
        {"SUB foo\r\n", "processSub Parse Error: \"foo\""},
        {"UNSUB 1 2 3\r\n", "processUnsub Parse Error: \"1 2 3\""},
        {"PUB foo 1001\r\n", "maximum payload exceeded: 1001 vs 1000"},
        {"BAD\r\n", "Client parser ERROR, proto='\"BAD\\r\\n\"...'"},
        {"SUB 12345678901234567 1\r\n",
         "maximum control line exceeded: max_control_line 16, Buffer len 19 (snip: \"12345678901234567 1\"...)"},
    };
    const struct mg_parse_limits lim = {16, 1000, true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_parser st = {0};
        struct mg_cmd cmd;
        size_t used, need;
        enum mg_parse r = mg_parse(&st, &lim, rows[i].in, strlen(rows[i].in), &cmd, &used, &need);
        struct mg_buf out = MG_BUF_INIT;
        mg_parse_log_text(r, &lim, &cmd, &out);
        mg_buf_addc(&out, '\0');
        assert_string_equal(out.p, rows[i].want);
        mg_buf_fini(&out);
    }
}

static void sizes(void **state) {
    (void)state;
    assert_int_equal(mg_parse_size(MG_S("0")), 0);
    assert_int_equal(mg_parse_size(MG_S("999999999")), 999999999);
    assert_int_equal(mg_parse_size(MG_S("0999999999")), -1);
    assert_int_equal(mg_parse_size(MG_S("")), -1);
    assert_int_equal(mg_parse_size(MG_S("1/")), -1);
    assert_int_equal(mg_parse_size(MG_S("1:")), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes),          cmocka_unit_test(publishes_in_a_full_buffer),
        cmocka_unit_test(headers),            cmocka_unit_test(subscriptions),
        cmocka_unit_test(bare_operations),    cmocka_unit_test(texts),
        cmocka_unit_test(unknown_operations), cmocka_unit_test(bad_arguments),
        cmocka_unit_test(payload_terminators), cmocka_unit_test(control_line_limit),
        cmocka_unit_test(payload_limit),      cmocka_unit_test(floods_are_dropped),
        cmocka_unit_test(announces_need),     cmocka_unit_test(log_texts),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
