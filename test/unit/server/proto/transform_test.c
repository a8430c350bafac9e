// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/base/errors.h"
#include "server/proto/transform.h"

#define IN "invalid mapping destination: "

static void applies(void **state) {
    (void)state;
    static const struct {
        const char *src, *dest, *subject, *want;
    } rows[] = {
        {"foo", "bar", "foo", "bar"},
        {"foo.*", "bar.$1", "foo.x", "bar.x"},
        {"foo.*.*", "$2.mid.{{wildcard(1)}}", "foo.a.b", "b.mid.a"},
        {"*.*.*", "{{ Wildcard ( 3 ) }}", "a.b.c", "c"},
        {"foo.*", "bar.$", "foo.x", "bar.$"},
        {"foo.*", "$JS.$x.$1", "foo.x", "$JS.$x.x"},
        {"foo.*", "{{}}.{x}.$1", "foo.x", "{{}}.{x}.x"},
        {"foo.*", "bar.$0", "foo.x", "bar.foo"}, // as the reference: below 1 is the first token
        {"foo.*", "bar", "foo.x", "bar"},        // wildcards may be dropped
        {"foo.>", "bar.>", "foo.a.b", "bar.a.b"},
        {"foo.*.>", "x.$1.>", "foo.a.b.c", "x.a.b.c"},
        {">", "pre.>", "a.b", "pre.a.b"},
        {"", "pre.>", "a.b", "pre.a.b"},
        {">", ">", "a.b", "a.b"},
        {"a.>", ">", "a.b.c", "b.c"},
        {"foo", "bar.{{partition(10)}}", "foo", "bar.3"},
        {"foo.bar", "{{partition(10)}}", "foo.bar", "6"},
        {"baz", "{{Partition( 10 )}}", "baz", "0"},
        {"*", "{{partition(10,1)}}", "foo", "3"},
        {"*.*", "{{partition(7,2,1)}}", "foo.bar", "6"},
        {"*.*", "{{partition(10)}}", "foo.bar", "6"},
        {"*", "{{partition(0,1)}}", "foo", "0"},
        {"foo", "{{partition(10,7)}}", "foo", "3"}, // a literal source has no wildcards to name
        {"*", "{{random(1)}}.{{random(0)}}", "foo", "0.0"},
        {"*", "{{split(1,-)}}", "-abc-def--ghij-", "abc.def.ghij"},
        {"*", "{{split(1, ::)}}", "a::b:::::c", "a.b.:c"},
        {"*", "x.{{split(1,-)}}", "abc", "x.abc"},
        {"*", "x.{{split(1,)}}", "ab\xc3\xa4", "x.a.b.\xc3\xa4"},
        {"*", "{{splitFromLeft(1,3)}}", "12345", "123.45"},
        {"*", "{{splitfromright(1,3)}}", "12345", "12.345"},
        {"*", "{{SplitFromLeft(1,5)}}.{{SplitFromRight(1,0)}}", "12345", "12345.12345"},
        {"*", "{{SliceFromLeft(1,3)}}", "1234567890", "123.456.789.0"},
        {"*", "{{sliceFromRight(1,3)}}", "1234567890", "1.234.567.890"},
        {"*", "{{slicefromleft(1,2)}}.{{slicefromright(1,2)}}", "1234", "12.34.12.34"},
        {"*", "{{slicefromleft(1,-2)}}", "1234", "1234"},
        {"*", "{{left(1,3)}}.{{Right(1,2)}}.{{left(1,9)}}", "12345", "123.45.12345"},
    };
    char err[256], out[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_transform *t;
        if (mg_transform_new(mg_cstr(rows[i].src), mg_cstr(rows[i].dest), 0, &t, err, sizeof err) != 0)
            fail_msg("%s -> %s: %s", rows[i].src, rows[i].dest, err);
        mg_slice subject = mg_cstr(rows[i].subject), result;
        assert_true(mg_transform_matches(t, subject));
        size_t want = strlen(rows[i].want);
        assert_int_equal(mg_transform_apply(t, subject, 0x123456789abcdef, out, want, &result), 0);
        if (!mg_slice_eq(result, mg_cstr(rows[i].want)))
            fail_msg("%s -> %s: got %.*s", rows[i].src, rows[i].dest, (int)result.n, result.p);
        assert_int_equal(mg_transform_apply(t, subject, 0, out, want - 1, &result), MG_ERANGE);
        mg_transform_free(t);
    }
}

static void matches(void **state) {
    (void)state;
    struct mg_transform *t;
    char err[256];
    assert_int_equal(mg_transform_new(MG_S("foo.*"), MG_S("bar.$1"), 0, &t, err, sizeof err), 0);
    assert_true(mg_transform_matches(t, MG_S("foo.x")));
    assert_false(mg_transform_matches(t, MG_S("foo")));
    assert_false(mg_transform_matches(t, MG_S("foo.x.y")));
    assert_false(mg_transform_matches(t, MG_S("bar.x")));
    mg_transform_free(t);
    mg_transform_free(NULL);
}

static void draws_random_numbers(void **state) {
    (void)state;
    struct mg_transform *t;
    char err[256], out[64];
    bool seen[4] = {false}, differ = false;
    assert_int_equal(mg_transform_new(MG_S("foo"), MG_S("{{random(4)}}.{{Random(4)}}"), 0, &t, err, sizeof err), 0);
    for (uint64_t i = 0; i < 64; i++) {
        mg_slice r;
        assert_int_equal(mg_transform_apply(t, MG_S("foo"), i * 0x9e3779b97f4a7c15u, out, sizeof out, &r), 0);
        assert_int_equal(r.n, 3);
        assert_in_range(out[0], '0', '3');
        assert_in_range(out[2], '0', '3');
        seen[out[0] - '0'] = true;
        differ |= out[0] != out[2];
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3] && differ);
    mg_transform_free(t);
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *src, *dest;
        unsigned flags;
        const char *err;
    } rows[] = {
        {"foo", "", 0, "invalid subject"},
        {"foo..bar", "x", 0, "invalid subject"},
        {"foo", "bar.*", 0, "invalid subject"},
        {"foo.>", "bar", 0, "invalid subject"},
        {"foo", "bar.>", 0, "invalid subject"},
        {"foo.>.x", "bar.>", 0, "invalid subject"},
        {"foo", "bar.$1", 0, IN "wildcard index out of range in $1"},
        {"foo", "{{wildcard(1)}}", 0, IN "wildcard index out of range in {{wildcard(1)}}"},
        {"foo", "{{left(1,2)}}", 0, IN "wildcard index out of range in {{left(1,2)}}"},
        {"foo.*", "bar.$2", 0, IN "wildcard index out of range in $2: [2]"},
        {"foo.>", "$1.>", 0, IN "wildcard index out of range in $1: [1]"},
        {"*", "{{wildcard(2)}}", 0, IN "wildcard index out of range in {{wildcard(2)}}: [2]"},
        {"*", "{{partition(2,1,3)}}", 0, IN "wildcard index out of range in {{partition(2,1,3)}}: [3]"},
        {"*", "{{wildcard()}}", 0, IN "not enough arguments passed to the function in {{wildcard()}}"},
        {"*", "{{wildcard(1,2)}}", 0, IN "too many arguments passed to the function in {{wildcard(1,2)}}"},
        {"*", "{{wildcard(x)}}", 0, IN "function argument is invalid or in the wrong format in {{wildcard(x)}}"},
        {"*", "{{partition()}}", 0, IN "function argument is invalid or in the wrong format in {{partition()}}"},
        {"*", "{{partition(3,x)}}", 0, IN "function argument is invalid or in the wrong format in {{partition(3,x)}}"},
        {"*", "{{partition(9999999999)}}", 0,
         IN "function argument is invalid or in the wrong format in {{partition(9999999999)}}"},
        {"*", "{{split(1)}}", 0, IN "not enough arguments passed to the function in {{split(1)}}"},
        {"*", "{{split(1,-,-)}}", 0, IN "too many arguments passed to the function in {{split(1,-,-)}}"},
        {"*", "{{split(1,- )}}", 0, IN "function argument is invalid or in the wrong format in {{split(1,- )}}"},
        {"*", "{{split(x,-)}}", 0, IN "function argument is invalid or in the wrong format in {{split(x,-)}}"},
        {"*", "{{sliceFromLeft(1)}}", 0, IN "not enough arguments passed to the function in {{sliceFromLeft(1)}}"},
        {"*", "{{left(1,2,3)}}", 0, IN "too many arguments passed to the function in {{left(1,2,3)}}"},
        {"*", "{{left(1,x)}}", 0, IN "function argument is invalid or in the wrong format in {{left(1,x)}}"},
        {"*", "{{random(1,2)}}", 0, IN "not enough arguments passed to the function in {{random(1,2)}}"},
        {"*", "{{nope(1)}}", 0, IN "unknown function in {{nope(1)}}"},
        {"*", "{{WILDCARD(1)}}", 0, IN "unknown function in {{WILDCARD(1)}}"},
        {"*", "{{wildcard1}}", 0, IN "unknown function in {{wildcard1}}"},
        {"*", "{{wildcard(1}}", 0, IN "unknown function in {{wildcard(1}}"},
        // mappings
        {"foo bar", "x", MG_TRANSFORM_MAPPING, "invalid subject"},
        {"*", "{{left(1,2)}}", MG_TRANSFORM_MAPPING, IN "unknown function in {{left(1,2)}}"},
        {"*", "{{right(1,2)}}", MG_TRANSFORM_MAPPING, IN "unknown function in {{right(1,2)}}"},
        {"*", "a..b", MG_TRANSFORM_MAPPING, IN "invalid transform"},
        {"*", "a.>.b", MG_TRANSFORM_MAPPING, IN "invalid transform in b"},
        {"*", "a b", MG_TRANSFORM_MAPPING, IN "invalid transform"},
        {"*", "a.*", MG_TRANSFORM_MAPPING, "invalid subject"},
        // imports
        {"*", "{{partition(2,1)}}", MG_TRANSFORM_REVERSIBLE,
         IN "the only mapping function allowed for import transforms is {{Wildcard()}} in {{partition(2,1)}}"},
        {"*.*", "x.$1", MG_TRANSFORM_REVERSIBLE, IN "not using all of the token wildcard(s) in x.$1"},
    };
    char err[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mg_transform *t;
        int rc = mg_transform_new(mg_cstr(rows[i].src), mg_cstr(rows[i].dest), rows[i].flags, &t, err, sizeof err);
        if (rc != MG_ESYNTAX || strcmp(err, rows[i].err) != 0) fail_msg("%s -> %s: %s", rows[i].src, rows[i].dest, err);
        assert_null(t);
    }
    char tiny[8];
    assert_int_equal(mg_transform_check("*", "{{nope(1)}}", false, tiny, sizeof tiny), MG_ESYNTAX);
    assert_string_equal(tiny, "invalid");
    assert_int_equal(mg_transform_check("*", "{{left(1,2)}}", false, err, sizeof err), 0);
    assert_int_equal(mg_transform_check("*", "{{left(1,2)}}", true, err, sizeof err), MG_ESYNTAX);
    assert_int_equal(mg_transform_check("*.*", "{{wildcard(2)}}.$1", true, err, sizeof err), 0);
    assert_string_equal(err, "");
}

static void limits_arguments(void **state) {
    (void)state;
    char dest[256] = "{{partition(3", err[512];
    for (size_t i = 0; i < 70; i++) strcat(dest, ",1");
    strcat(dest, ")}}");
    assert_int_equal(mg_transform_check("*", dest, true, err, sizeof err), MG_ESYNTAX);
    static char huge[70000];
    memset(huge, 'a', sizeof huge - 1);
    assert_int_equal(mg_transform_check(huge, "x", true, err, sizeof err), MG_ESYNTAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applies), cmocka_unit_test(matches),         cmocka_unit_test(draws_random_numbers),
        cmocka_unit_test(refuses), cmocka_unit_test(limits_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
