// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/json.h"

#include <stdlib.h>
#include <string.h>

#include "test/unit/cmocka_inc.h"

typedef struct sink {
    char *text;
    size_t n;
    cli_json j;
} sink;

static void open_sink(sink *s, unsigned indent) {
    *s = (sink){.text = NULL};
    s->j = (cli_json){.out = open_memstream(&s->text, &s->n), .indent = indent};
}

static void expect(sink *s, const char *want) {
    fclose(s->j.out);
    assert_string_equal(s->text, want);
    free(s->text);
}

static void writes_lines(void **state) {
    sink s;
    (void)state;
    open_sink(&s, 0);
    cli_json_begin(&s.j, NULL, '{');
    cli_json_string(&s.j, "a", "x");
    cli_json_string(&s.j, "none", NULL);
    cli_json_uint(&s.j, "u", UINT64_MAX);
    cli_json_int(&s.j, "i", INT64_MIN);
    cli_json_bool(&s.j, "b", true);
    cli_json_begin(&s.j, "list", '[');
    cli_json_end(&s.j, ']');
    cli_json_begin(&s.j, "o", '{');
    cli_json_raw(&s.j, "r", "null");
    cli_json_end(&s.j, '}');
    cli_json_end(&s.j, '}');
    expect(&s, "{\"a\":\"x\",\"none\":\"\",\"u\":18446744073709551615,\"i\":-9223372036854775808,\"b\":true,"
               "\"list\":[],\"o\":{\"r\":null}}\n");
}

static void writes_indented(void **state) {
    sink s;
    (void)state;
    open_sink(&s, 2);
    cli_json_begin(&s.j, NULL, '[');
    cli_json_begin(&s.j, NULL, '{');
    cli_json_seconds(&s.j, "a", 893973);
    cli_json_seconds(&s.j, "b", 500000000);
    cli_json_seconds(&s.j, "c", 2000000000);
    cli_json_seconds(&s.j, "d", 0);
    cli_json_end(&s.j, '}');
    cli_json_string(&s.j, NULL, "x");
    cli_json_end(&s.j, ']');
    expect(&s, "[\n  {\n    \"a\": 0.000893973,\n    \"b\": 0.5,\n    \"c\": 2,\n    \"d\": 0\n  },\n  \"x\"\n]\n");
}

static void escapes(void **state) {
    sink s;
    (void)state;
    open_sink(&s, 0);
    cli_json_quote(s.j.out, MIDGE_STR("\"\\\b\t\n\f\r\x01\x7f/\u00e9\U0001f600"));
    expect(&s, "\"\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u007f/\u00e9\U0001f600\"");
    open_sink(&s, 0);
    cli_json_quote(s.j.out, MIDGE_STR("a\xff\xc0\xaf\xed\xa0\x80z\xe2\x82"));
    expect(&s, "\"a\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffdz\\ufffd\\ufffd\"");
}

static void utf8(void **state) {
    (void)state;
    assert_true(cli_utf8_valid(MIDGE_STR("")));
    assert_true(cli_utf8_valid(MIDGE_STR("a\0\u07ff\uffff\U0010ffff")));
    static const char *const bad[] = {"\x80", "\xc1\x81", "\xe0\x9f\x80", "\xed\xa0\x80", "\xf0\x8f\x80\x80",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cli_utf8_valid(midge_cstr(bad[i])));
}

static void base64(void **state) {
    static const char *const pairs[][2] = {{"", ""},          {"f", "Zg=="},        {"fo", "Zm8="},
                                           {"foo", "Zm9v"},   {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        sink s;
        open_sink(&s, 0);
        cli_base64_write(s.j.out, midge_cstr(pairs[i][0]));
        expect(&s, pairs[i][1]);
        size_t n = cli_base64_read(pairs[i][1], strlen(pairs[i][1]), out);
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], n);
    }
    assert_int_equal(cli_base64_read("Zm\r\n9v\n", 7, out), 3);
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Z===", "Zg==Zg==", "Zm9-", "Zm9v Zm9v"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(cli_base64_read(bad[i], strlen(bad[i]), out) == SIZE_MAX);
}

// "name=value;" of every member.
static bool walk(const char *text, char bracket, char *out) {
    cli_json_reader r;
    midge_str name, value;
    *out = '\0';
    if (!cli_json_enter(&r, midge_cstr(text), bracket)) return false;
    while (cli_json_next(&r, &name, &value))
        sprintf(out + strlen(out), "%.*s=%.*s;", (int)name.n, name.n > 0 ? name.p : "", (int)value.n, value.p);
    return cli_json_done(&r);
}

static void reads(void **state) {
    char out[512];
    (void)state;
    assert_true(walk(" { \"a\" : \"x\\\"}\" , \"b\":[1,{\"c\":\"]\"}], \"d\":-1.5e3,\"e\":null } \n", '{', out));
    assert_string_equal(out, "a=\"x\\\"}\";b=[1,{\"c\":\"]\"}];d=-1.5e3;e=null;");
    assert_true(walk("{}", '{', out));
    assert_string_equal(out, "");
    assert_true(walk("[\"a\", [], 2]", '[', out));
    assert_string_equal(out, "=\"a\";=[];=2;");
    static const char *const bad[] = {"",         "[]",        "{",          "{\"a\"",     "{\"a\":",     "{\"a\":1",
                                      "{\"a\":}", "{a:1}",     "{\"a\":1,}", "{\"a\":1}x", "{\"a\":\"b}",
                                      "{1:2}",    "{\"a\":[}", "{\"a\":1 \"b\":2}",
                                      "{\"a\"}",  "{\"a\":1]", "{\"a\":\"\n\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (walk(bad[i], '{', out)) fail_msg("accepted: %s", bad[i]);
}

static void unquotes(void **state) {
    char out[128];
    (void)state;
    assert_int_equal(cli_json_unquote(MIDGE_STR("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\""), out), 9);
    assert_string_equal(out, "a\"\\/\b\f\n\r\t");
    assert_int_equal(cli_json_unquote(MIDGE_STR("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\""), out), 1 + 2 + 3 + 4);
    assert_string_equal(out, "A\u00e9\u20ac\U0001f600");
    cli_json_unquote(MIDGE_STR("\"\\ud83dx\""), out);
    assert_string_equal(out, "\ufffdx");
    static const char *const bad[] = {"", "\"", "x", "1", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(cli_json_unquote(midge_cstr(bad[i]), out) == SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_lines), cmocka_unit_test(writes_indented), cmocka_unit_test(escapes),
        cmocka_unit_test(utf8),         cmocka_unit_test(base64),          cmocka_unit_test(reads),
        cmocka_unit_test(unquotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
