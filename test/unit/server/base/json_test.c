// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "server/base/errors.h"
#include "server/base/json.h"

static void expect_text(struct mg_buf *b, const char *want) {
    mg_buf_addc(b, '\0');
    assert_string_equal(b->p, want);
    mg_buf_fini(b);
}

static void write_sample(struct mg_jw *w) {
    mg_jw_obj(w);
    mg_jw_kstr(w, "s", "x");
    mg_jw_kuint(w, "u", UINT64_MAX);
    mg_jw_kint(w, "i", INT64_MIN);
    mg_jw_key(w, "empty");
    mg_jw_obj(w);
    mg_jw_end_obj(w);
    mg_jw_key(w, "list");
    mg_jw_arr(w);
    mg_jw_bool(w, true);
    mg_jw_null(w);
    mg_jw_arr(w);
    mg_jw_end_arr(w);
    mg_jw_raw(w, MG_S("{\"r\":1}"));
    mg_jw_end_arr(w);
    mg_jw_kbool(w, "b", false);
    mg_jw_kstr(w, "nil", NULL);
    mg_jw_end_obj(w);
}

static void writes_compact(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &b, 0);
    write_sample(&w);
    expect_text(&b, "{\"s\":\"x\",\"u\":18446744073709551615,\"i\":-9223372036854775808,\"empty\":{},"
                    "\"list\":[true,null,[],{\"r\":1}],\"b\":false,\"nil\":\"\"}");
}

static void writes_pretty(void **state) {
    (void)state;
    struct mg_buf b = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &b, 2);
    write_sample(&w);
    expect_text(&b, "{\n  \"s\": \"x\",\n  \"u\": 18446744073709551615,\n  \"i\": -9223372036854775808,\n  "
                    "\"empty\": {},\n"
                    "  \"list\": [\n    true,\n    null,\n    [],\n    {\"r\":1}\n  ],\n  \"b\": false,\n  "
                    "\"nil\": \"\"\n}");
}

static void escapes_strings(void **state) {
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"plain", "\"plain\""},
        {"\"\\/\n\r\t\b\f\x01\x7f", "\"\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\x7f\""},
        {"foo.> <&", "\"foo.\\u003e \\u003c\\u0026\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\""},
        {"a\xff\xc3", "\"a\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf b = MG_BUF_INIT;
        struct mg_jw w;
        mg_jw_init(&w, &b, 0);
        mg_jw_cstr(&w, rows[i].in);
        expect_text(&b, rows[i].want);
    }
}

static void writes_floats(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *want;
    } rows[] = {
        {0, "0"}, {1, "1"}, {1.5, "1.5"}, {-2.25, "-2.25"}, {0.1, "0.1"}, {100, "100"},
        {123456789.125, "123456789.125"},
        {0.000001, "0.000001"}, {0.0000012, "0.0000012"}, {0.0000001, "1e-7"}, {1.25e-9, "1.25e-9"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"}, {3.0000000000000004, "3.0000000000000004"}, {1.0 / 3, "0.3333333333333333"},
        {DBL_MAX, "1.7976931348623157e+308"}, {0.05, "0.05"}, {-0.5, "-0.5"}, {HUGE_VAL, "0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_buf b = MG_BUF_INIT;
        struct mg_jw w;
        mg_jw_init(&w, &b, 0);
        mg_jw_float(&w, rows[i].v);
        expect_text(&b, rows[i].want);
    }
}

static void checks_grammar(void **state) {
    (void)state;
    static const char *good[] = {"{}", " [ ] ", "null", "true", "\"\"", "0", "-0", "10", "-1.5e+10", "1E5",
                                 "{\"a\":[1,{\"b\":null}]}",
                                 "\"\\u00e4\\n\\/\\\"\"", "[1 , 2]", "\t{\r\n\"a\" : 1 }\n", "\"\xff\""};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!mg_json_valid(mg_cstr(good[i]))) fail_msg("refused %s", good[i]);
    static const char *bad[] = {"", " ", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "01", "1.", ".5", "+1",
                                "-", "1e", "1e+", "tru", "nul", "\"abc", "\"\n\"", "\"\\x\"", "\"\\u12\"",
                                "\"\\u12g4\"", "{} {}", "{}x",
                                "[1 2]", "\xef\xbb\xbf{}", "'a'", "{\"a\":}", "[,1]", "\"\\u0000\"", "NaN", "\v1",
                                "{\"a\":1 \"b\":2}", "\"\\"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mg_json_valid(mg_cstr(bad[i]))) fail_msg("accepted %s", bad[i]);
        assert_null(mg_json_parse(mg_cstr(bad[i])));
    }
    char deep[200];
    for (size_t depth = 60; depth < 70; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        assert_int_equal(mg_json_valid(mg_slice_of(deep, 2 * depth)), depth <= 64);
    }
    assert_false(mg_json_valid(mg_slice_of("1\0", 2)));
}

static void reads_members_in_order(void **state) {
    (void)state;
    // not NUL-terminated: the slice ends before the junk
    const char text[] = "{\"b\":true,\"s\":\"x\\u00e41-2\",\"n\":null,\"a\":[7,\"8\",[9],{\"k\":10}],\"z\":-11}junk";
    struct mg_json *doc = mg_json_parse(mg_slice_of(text, sizeof(text) - 5));
    assert_non_null(doc);
    assert_int_equal(mg_json_type(doc), MG_JSON_OBJECT);
    const struct mg_json *v = mg_json_first(doc);
    bool b = false;
    assert_string_equal(mg_json_key(v), "b");
    assert_true(mg_json_bool(v, &b));
    assert_true(b);
    assert_null(mg_json_str(v));
    v = mg_json_next(v);
    assert_string_equal(mg_json_str(v), "x\xc3\xa4" "1-2");
    assert_false(mg_json_bool(v, &b));
    v = mg_json_next(v);
    assert_int_equal(mg_json_type(v), MG_JSON_NULL);
    v = mg_json_next(v);
    assert_int_equal(mg_json_type(v), MG_JSON_ARRAY);
    int64_t n = 0;
    const struct mg_json *item = mg_json_first(v);
    assert_string_equal(mg_json_key(item), "");
    assert_int_equal(mg_json_int(item, &n), 0);
    assert_int_equal(n, 7);
    item = mg_json_next(item);
    assert_int_equal(mg_json_int(item, &n), MG_ERANGE);
    item = mg_json_next(item);
    assert_int_equal(mg_json_int(mg_json_first(item), &n), 0);
    assert_int_equal(n, 9);
    item = mg_json_next(item);
    assert_int_equal(mg_json_int(mg_json_first(item), &n), 0);
    assert_int_equal(n, 10);
    assert_null(mg_json_next(item));
    v = mg_json_next(v);
    assert_string_equal(mg_json_key(v), "z");
    assert_int_equal(mg_json_int(v, &n), 0);
    assert_int_equal(n, -11);
    assert_null(mg_json_next(v));
    mg_json_free(doc);
}

static void mends_surrogates(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},        // a pair
        {"\"a\\ud83d\"", "a\xef\xbf\xbd"},                   // the first half alone
        {"\"\\uDE00b\"", "\xef\xbf\xbd" "b"},                // the second
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\\\\ud83d\"", "\\ud83d"},                        // an escaped backslash, no escape
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_json *doc = mg_json_parse(mg_cstr(rows[i][0]));
        assert_non_null(doc);
        assert_string_equal(mg_json_str(doc), rows[i][1]);
        mg_json_free(doc);
    }
}

static void integers_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int ierr;
        int64_t i;
        int uerr;
        uint64_t u;
    } rows[] = {
        {"9007199254740993", 0, 9007199254740993, 0, 9007199254740993u},
        {"9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
        {"9223372036854775808", MG_ERANGE, 0, 0, 9223372036854775808u},
        {"18446744073709551615", MG_ERANGE, 0, 0, UINT64_MAX},
        {"18446744073709551616", MG_ERANGE, 0, MG_ERANGE, 0},
        {"-9223372036854775808", 0, INT64_MIN, MG_ERANGE, 0},
        {"-9223372036854775809", MG_ERANGE, 0, MG_ERANGE, 0},
        {"1.0", MG_ERANGE, 0, MG_ERANGE, 0},
        {"1e3", MG_ERANGE, 0, MG_ERANGE, 0},
        {"true", MG_ERANGE, 0, MG_ERANGE, 0},
        {"null", MG_ERANGE, 0, MG_ERANGE, 0},
        {"\"1\"", MG_ERANGE, 0, MG_ERANGE, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_json *doc = mg_json_parse(mg_cstr(rows[i].text));
        assert_non_null(doc);
        int64_t s = 0;
        uint64_t u = 0;
        assert_int_equal(mg_json_int(doc, &s), rows[i].ierr);
        assert_int_equal(mg_json_uint(doc, &u), rows[i].uerr);
        assert_true(s == rows[i].i);
        assert_true(u == rows[i].u);
        mg_json_free(doc);
    }
    mg_json_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_compact),     cmocka_unit_test(writes_pretty),  cmocka_unit_test(escapes_strings),
        cmocka_unit_test(writes_floats),      cmocka_unit_test(checks_grammar),
        cmocka_unit_test(reads_members_in_order),
        cmocka_unit_test(mends_surrogates),   cmocka_unit_test(integers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
