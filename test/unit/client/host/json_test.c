// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <stdlib.h>

#include "client/host/json.h"

static midge_str str(const char *s) {
    return (midge_str){s, strlen(s)};
}

static void assert_text(midge_str s, const char *want) {
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

// The kinds of the tokens as letters, '!' for an error.
static void assert_tokens(const char *text, const char *want) {
    char got[128];
    size_t n = 0;
    mgc_json j;
    mgc_json_init(&j, str(text));
    do {
        mgc_json_next(&j);
        got[n++] = "!.{}[]ksntf0"[j.type];
    } while (j.type != MGC_JSON_END && j.type != MGC_JSON_ERROR && n < sizeof got - 1);
    got[n] = '\0';
    assert_string_equal(got, want);
    assert_int_equal(mgc_json_valid(str(text)), got[n - 1] == '.');
}

static void tokens(void **state) {
    (void)state;
    assert_tokens("{}", "{}.");
    assert_tokens(" [ ] ", "[].");
    assert_tokens("{\"a\":1,\"b\":[true,false,null,\"x\"]}", "{knk[tf0s]}.");
    assert_tokens("[[1],{\"a\":{}}]", "[[n]{k{}}].");
    assert_tokens("\t\"s\"\r\n", "s.");
    assert_tokens("-0.5e+3", "n.");
    assert_tokens("0", "n.");
}

static void malformed(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "[1}",
        "{\"a\":1]", "]", "}", "1 2", "[] []", "tru", "truex", "nul", "01", "-", "1.", ".5", "1e", "1e+", "+1",
        "\"", "\"a", "\"\\\"", "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "{\"a\" 1}", "[1 2]", "{\"a\":1 \"b\":2}", "\"\\",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (mgc_json_valid(str(texts[i]))) fail_msg("taken: %s", texts[i]);
    mgc_json j;
    mgc_json_init(&j, str("x"));
    for (int i = 0; i < 3; i++) assert_int_equal(mgc_json_next(&j), MGC_JSON_ERROR);
    assert_false(mgc_json_valid((midge_str){"\"\\\0\"", 4})); // a NUL is no escape
}

static void depth(void **state) {
    (void)state;
    char text[2 * MGC_JSON_DEPTH + 3];
    memset(text, '[', MGC_JSON_DEPTH);
    memset(text + MGC_JSON_DEPTH, ']', MGC_JSON_DEPTH);
    assert_true(mgc_json_valid((midge_str){text, 2 * MGC_JSON_DEPTH}));
    memset(text, '[', MGC_JSON_DEPTH + 1);
    memset(text + MGC_JSON_DEPTH + 1, ']', MGC_JSON_DEPTH + 1);
    assert_false(mgc_json_valid((midge_str){text, 2 * MGC_JSON_DEPTH + 2}));
}

static void unescaped(const char *text, const char *want) {
    mgc_json j;
    char *copy = strdup(text);
    mgc_json_init(&j, str(copy));
    assert_int_equal(mgc_json_next(&j), MGC_JSON_STRING);
    size_t n = mgc_json_unescape(j.text, (char *)(uintptr_t)j.text.p); // in place
    assert_text((midge_str){j.text.p, n}, want);
    free(copy);
}

static void strings(void **state) {
    (void)state;
    unescaped("\"plain\"", "plain");
    unescaped("\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "a\n\t\"\\/\b\f\r");
    unescaped("\"foo.\\u003e\"", "foo.>");
    unescaped("\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac");
    unescaped("\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!");
    unescaped("\"\\ud83d\"", "\xef\xbf\xbd");
    unescaped("\"\\ud83d\\n\"", "\xef\xbf\xbd\n");
    unescaped("\"\\ude00\\ud83dx\"", "\xef\xbf\xbd\xef\xbf\xbdx");
    mgc_json j;
    mgc_json_init(&j, str("{\"na\\u006de\":1}"));
    mgc_json_next(&j);
    mgc_json_next(&j);
    assert_true(mgc_json_is(&j, "name"));
    assert_false(mgc_json_is(&j, "nam"));
    assert_false(mgc_json_is(&j, "na\\u006de"));
}

static bool u64_of(const char *text, uint64_t *v) {
    mgc_json j;
    mgc_json_init(&j, str(text));
    mgc_json_next(&j);
    return mgc_json_uint(&j, v);
}

static bool i64_of(const char *text, int64_t *v) {
    mgc_json j;
    mgc_json_init(&j, str(text));
    mgc_json_next(&j);
    return mgc_json_int(&j, v);
}

static void numbers(void **state) {
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_true(u64_of("18446744073709551615", &u));
    assert_true(u == UINT64_MAX);
    u = 7;
    assert_false(u64_of("18446744073709551616", &u));
    assert_false(u64_of("-1", &u));
    assert_false(u64_of("1.0", &u));
    assert_false(u64_of("1e3", &u));
    assert_false(u64_of("\"1\"", &u));
    assert_false(u64_of("true", &u));
    assert_int_equal(u, 7);
    assert_true(i64_of("-9223372036854775808", &i));
    assert_true(i == INT64_MIN);
    assert_true(i64_of("9223372036854775807", &i));
    assert_true(i == INT64_MAX);
    assert_true(i64_of("-0", &i));
    assert_int_equal(i, 0);
    assert_false(i64_of("9223372036854775808", &i));
    assert_false(i64_of("-9223372036854775809", &i));
    mgc_json j;
    double d = 0;
    bool b = false;
    mgc_json_init(&j, str("[-12.5e-1,true]"));
    mgc_json_next(&j);
    mgc_json_next(&j);
    assert_true(mgc_json_double(&j, &d));
    assert_true(d < -1.2499 && d > -1.2501);
    assert_false(mgc_json_bool(&j, &b));
    mgc_json_next(&j);
    assert_true(mgc_json_bool(&j, &b) && b);
    assert_false(mgc_json_double(&j, &d));
}

static void find_and_skip(void **state) {
    (void)state;
    midge_str text = str("{\"x\":{\"name\":1},"
                         "\"config\":{\"l\":[{}, 1 ,[2]],\"name\":\"S\",\"n\":{}},\"seq\":9007199254740993}");
    mgc_json j;
    uint64_t seq = 0;
    assert_true(mgc_json_find(text, "config.name", &j));
    assert_text(j.text, "S");
    assert_true(mgc_json_find(text, "seq", &j) && mgc_json_uint(&j, &seq));
    assert_true(seq == 9007199254740993u);
    assert_true(mgc_json_find(text, "config.l", &j));
    assert_text(mgc_json_raw(&j), "[{}, 1 ,[2]]");
    assert_int_equal(mgc_json_next(&j), MGC_JSON_KEY);
    assert_text(mgc_json_raw(&j), "\"S\"");
    assert_int_equal(mgc_json_next(&j), MGC_JSON_KEY);
    assert_text(mgc_json_raw(&j), "{}");
    assert_true(mgc_json_find(text, "", &j));
    assert_int_equal(mgc_json_raw(&j).n, text.n);
    assert_false(mgc_json_find(text, "config.missing", &j));
    assert_false(mgc_json_find(text, "seq.x", &j));
    assert_false(mgc_json_find(str("{\"a\":[1,}"), "b", &j));
    mgc_json_init(&j, str("{\"a\":[1,2"));
    mgc_json_next(&j);
    mgc_json_next(&j);
    assert_false(mgc_json_skip(&j));
}

// ---- writer ---------------------------------------------------------------------------------------------------------

static void write_all(mgc_json_out *o) {
    mgc_json_open(o, NULL, '{');
    mgc_json_put_str(o, "s", (midge_str){"a\"\\\n\x01\x7f\xc3\xa9", 8});
    mgc_json_put_cstr(o, "c", NULL);
    mgc_json_put_u64(o, "u", UINT64_MAX);
    mgc_json_put_i64(o, "i", INT64_MIN);
    mgc_json_put_double(o, "d", 0.1);
    mgc_json_put_double(o, "big", 1e300);
    mgc_json_open(o, "list", '[');
    mgc_json_put_bool(o, NULL, true);
    mgc_json_put_bool(o, NULL, false);
    mgc_json_open(o, NULL, '{');
    mgc_json_close(o);
    mgc_json_open(o, NULL, '[');
    mgc_json_close(o);
    mgc_json_close(o);
    mgc_json_key(o, str("k\""));
    mgc_json_put_raw(o, NULL, str("[1]"));
    mgc_json_close(o);
}

static const char all[] = "{\"s\":\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9\",\"c\":null,\"u\":18446744073709551615,"
                          "\"i\":-9223372036854775808,\"d\":0.1,\"big\":1e+300,\"list\":[true,false,{},[]],"
                          "\"k\\\"\":[1]}";

static void written(void **state) {
    (void)state;
    mgc_json_out o;
    midge_str text;
    mgc_json_out_init(&o, NULL, 0);
    write_all(&o);
    assert_int_equal(mgc_json_out_end(&o, &text), 0);
    assert_text(text, all);
    assert_true(mgc_json_valid(text));
    mgc_json_out_fini(&o);
}

static void too_small(void **state) {
    (void)state;
    for (size_t size = 1; size <= sizeof all; size++) {
        char *buf = malloc(size);
        mgc_json_out o;
        midge_str text;
        mgc_json_out_init(&o, buf, size);
        write_all(&o);
        assert_int_equal(mgc_json_out_end(&o, &text), size == sizeof all ? 0 : MIDGE_ETOOLARGE);
        free(buf);
    }
}

static void misuse(void **state) {
    (void)state;
    mgc_json_out o;
    midge_str text;
    char buf[256];
    mgc_json_out_init(&o, buf, sizeof buf);
    mgc_json_open(&o, NULL, '[');
    assert_int_equal(mgc_json_out_end(&o, &text), MIDGE_EINVAL);
    mgc_json_out_init(&o, buf, sizeof buf);
    mgc_json_close(&o);
    assert_int_equal(mgc_json_out_end(&o, &text), MIDGE_EINVAL);
    mgc_json_out_init(&o, buf, sizeof buf);
    for (int i = 0; i <= MGC_JSON_DEPTH; i++) mgc_json_open(&o, NULL, '[');
    assert_int_equal(mgc_json_out_end(&o, &text), MIDGE_EINVAL);
}

static void copied(void **state) {
    (void)state;
    mgc_json_out o;
    midge_str text;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = 2;
    mgc_json_open(&o, NULL, '{');
    assert_int_equal(mgc_json_copy(&o, "a", str("{\"x\\n\":[1,{}],\"y\":\"\\u003e\"}")), 0);
    assert_int_equal(mgc_json_copy(&o, "b", str("[1")), MIDGE_EINVAL);
    assert_int_equal(mgc_json_copy(&o, "b", str("2")), 0);
    mgc_json_close(&o);
    assert_int_equal(mgc_json_out_end(&o, &text), 0);
    assert_text(text, "{\n  \"a\": {\n    \"x\\n\": [\n      1,\n      {}\n    ],\n"
                      "    \"y\": \"\\u003e\"\n  },\n  \"b\": 2\n}");
    mgc_json_out_fini(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),        cmocka_unit_test(malformed), cmocka_unit_test(depth),
        cmocka_unit_test(strings),       cmocka_unit_test(numbers),   cmocka_unit_test(find_and_skip),
        cmocka_unit_test(written),       cmocka_unit_test(too_small), cmocka_unit_test(misuse),
        cmocka_unit_test(copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
