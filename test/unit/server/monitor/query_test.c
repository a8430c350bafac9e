// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/query.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "test/unit/cmocka_inc.h"

static void values(void **state) {
    (void)state;
    static const struct {
        const char *query, *want; // for "x"
    } cases[] = {
        {"x=1", "1"},          {"a=2&x=1&x=3", "1"}, {"x=a+b%2Bc", "a b+c"}, {"%78=1", "1"},  {"x", ""},
        {"x=", ""},            {"x=a=b", "a=b"},     {"", NULL},             {"xx=1", NULL},  {"&&=&x=1&", "1"},
        {"x=%zz&x=2", "2"},    {"x=1;y=2", NULL},    {"x=%4", NULL},         {"a=%zz&x=1", "1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mg_buf out = MG_BUF_INIT;
        assert_int_equal(mg_query_get(mg_cstr(cases[i].query), "x", &out), cases[i].want != NULL);
        if (cases[i].want != NULL) assert_string_equal(out.p, cases[i].want);
        mg_buf_fini(&out);
    }
    assert_null(mg_query_dup(MG_S("x="), "x"));
    char *s = mg_query_dup(MG_S("x=%24G"), "x");
    assert_string_equal(s, "$G");
    mg_free(s);
}

static void expect_error(struct mg_buf *err, const char *want) {
    mg_buf_addc(err, '\0');
    assert_string_equal(err->p, want);
    err->len = 0;
}

static void booleans(void **state) {
    (void)state;
    static const char *const yes[] = {"b=1", "b=t", "b=T", "b=true", "b=True", "b=TRUE"};
    static const char *const no[] = {"", "b=", "b=0", "b=f", "b=F", "b=false", "b=False", "b=FALSE"};
    struct mg_buf err = MG_BUF_INIT;
    bool v;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        assert_int_equal(mg_query_bool(mg_cstr(yes[i]), "b", &v, &err), MG_OK);
        assert_true(v);
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        assert_int_equal(mg_query_bool(mg_cstr(no[i]), "b", &v, &err), MG_OK);
        assert_false(v);
    }
    assert_int_equal(mg_query_bool(MG_S("b=yes%22"), "b", &v, &err), MG_EINVAL);
    expect_error(&err, "Error decoding boolean for 'b': strconv.ParseBool: parsing \"yes\\\"\": invalid syntax");
    mg_buf_fini(&err);
}

static void integers(void **state) {
    (void)state;
    struct mg_buf err = MG_BUF_INIT;
    int64_t i;
    uint64_t u;
    assert_int_equal(mg_query_int(MG_S("n=-12"), "n", &i, &err), MG_OK);
    assert_int_equal(i, -12);
    assert_int_equal(mg_query_int(MG_S("n=%2B7"), "n", &i, &err), MG_OK);
    assert_int_equal(i, 7);
    assert_int_equal(mg_query_int(MG_S("n=-9223372036854775808"), "n", &i, &err), MG_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(mg_query_int(MG_S(""), "n", &i, &err), MG_OK);
    assert_int_equal(i, 0);
    assert_int_equal(mg_query_int(MG_S("n=x"), "n", &i, &err), MG_EINVAL);
    expect_error(&err, "Error decoding int for 'n': strconv.Atoi: parsing \"x\": invalid syntax");
    assert_int_equal(mg_query_int(MG_S("n=-"), "n", &i, &err), MG_EINVAL);
    assert_int_equal(mg_query_int(MG_S("n=9223372036854775808"), "n", &i, &err), MG_EINVAL);
    expect_error(&err, "Error decoding int for 'n': strconv.Atoi: parsing \"9223372036854775808\": value out of range");
    assert_int_equal(mg_query_uint(MG_S("n=18446744073709551615"), "n", &u, &err), MG_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(mg_query_uint(MG_S("n=18446744073709551616"), "n", &u, &err), MG_EINVAL);
    assert_int_equal(mg_query_uint(MG_S("n=-1"), "n", &u, &err), MG_EINVAL);
    expect_error(&err, "Error decoding uint64 for 'n': strconv.ParseUint: parsing \"-1\": invalid syntax");
    mg_buf_fini(&err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(booleans),
        cmocka_unit_test(integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
