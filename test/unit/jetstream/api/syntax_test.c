// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The texts of errors are in test/data/js_api/json.txt; here is what a line of text cannot hold, and the walking.
#include "test/unit/cmocka_inc.h"

#include "jetstream/api/syntax.h"

static void ends_behind_the_last_value(void **state) {
    (void)state;
    mg_slice text = MG_S(" {\"a\":[]}\t\r\n12 \"x\"null "), value;
    static const char *const want[] = {"{\"a\":[]}", "12", "\"x\"", "null"};
    struct mg_buf err = MG_BUF_INIT;
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mg_syntax_next(text, &at, &value, &err), MG_SYNTAX_VALUE);
        assert_true(mg_slice_eq(value, mg_cstr(want[i])));
    }
    assert_int_equal(mg_syntax_next(text, &at, &value, &err), MG_SYNTAX_END);
    at = 0;
    assert_int_equal(mg_syntax_next(MG_S(""), &at, &value, &err), MG_SYNTAX_END);
    mg_buf_fini(&err);
}

// 10,000 levels are Go's limit, and no recursion here.
static void has_a_depth(void **state) {
    (void)state;
    static char text[20002];
    for (size_t depth = 10000; depth <= 10001; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct mg_buf err = MG_BUF_INIT;
        mg_slice value;
        size_t at = 0;
        enum mg_syntax got = mg_syntax_next(mg_slice_of(text, 2 * depth), &at, &value, &err);
        assert_int_equal(got, depth == 10000 ? MG_SYNTAX_VALUE : MG_SYNTAX_BAD);
        if (got == MG_SYNTAX_BAD)
            assert_true(mg_slice_eq(mg_buf_slice(&err), MG_S("exceeded max depth at offset 10001")));
        mg_buf_fini(&err);
    }
}

static void shows_bytes_as_go_does(void **state) {
    (void)state;
    static const struct {
        char c;
        const char *text;
    } rows[] = {{'a', "'a'"},       {'\'', "'\\''"},    {'"', "'\"'"},       {'\\', "'\\\\'"},
                {'\t', "'\\t'"},    {'\x7f', "'\\x7f'"}, {'\x80', "'\\u0080'"}, {'\xad', "'\\u00ad'"},
                {'\xff', "'\xc3\xbf'"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf out = MG_BUF_INIT;
        mg_syntax_quote(&out, rows[i].c);
        assert_true(mg_slice_eq(mg_buf_slice(&out), mg_cstr(rows[i].text)));
        mg_buf_fini(&out);
    }
}

static void walks_members(void **state) {
    (void)state;
    mg_slice text = MG_S("{ \"a\\\"}\" : [ 1 , {\"x\":\"]\"} ] , \"b\":-1.5e3,\"\":{}}"), key, value;
    static const char *const want[] = {"a\\\"}", "[ 1 , {\"x\":\"]\"} ]", "b", "-1.5e3", "", "{}"};
    struct mg_members it = mg_members_of(text);
    for (size_t i = 0; i < 6; i += 2) {
        assert_true(mg_members_next(&it, &key, &value));
        assert_true(mg_slice_eq(key, mg_cstr(want[i])) && mg_slice_eq(value, mg_cstr(want[i + 1])));
    }
    assert_false(mg_members_next(&it, &key, &value));
    it = mg_members_of(MG_S("[ ]"));
    assert_false(mg_members_next(&it, &key, &value));
    it = mg_members_of(MG_S("[ \"a,\" , null]"));
    assert_true(mg_members_next(&it, &key, &value) && mg_slice_eq(value, MG_S("\"a,\"")));
    assert_true(mg_members_next(&it, &key, &value) && mg_slice_eq(value, MG_S("null")));
    assert_false(mg_members_next(&it, &key, &value));
}

static void unescapes(void **state) {
    (void)state;
    static const struct {
        const char *inside, *text; // NULL: refused
    } rows[] = {
        {"a\\b\\f\\n\\r\\t\\\"\\\\\\/", "a\b\f\n\r\t\"\\/"},
        {"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\\ud83dx", "\xef\xbf\xbdx"},
        {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\\u0000", NULL},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf out = MG_BUF_INIT;
        assert_int_equal(mg_syntax_unescape(mg_cstr(rows[i].inside), &out), rows[i].text != NULL);
        if (rows[i].text != NULL) assert_true(mg_slice_eq(mg_buf_slice(&out), mg_cstr(rows[i].text)));
        mg_buf_fini(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_behind_the_last_value), cmocka_unit_test(has_a_depth),
        cmocka_unit_test(shows_bytes_as_go_does),     cmocka_unit_test(walks_members),
        cmocka_unit_test(unescapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
