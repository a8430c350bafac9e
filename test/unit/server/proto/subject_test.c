// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/unit/cmocka_inc.h"

#include "server/proto/subject.h"

static void validity(void **state) {
    (void)state;
    // subject, SUB, strict, literal token rule, pedantic publish, tokens
    static const struct {
        const char *s;
        bool valid, strict, literal, publish;
        size_t tokens;
    } rows[] = {
        {"", false, false, true, false, 0},
        {"foo", true, true, true, true, 1},
        {"foo.bar.baz", true, true, true, true, 3},
        {".", false, false, true, false, 2},
        {".foo", false, false, true, false, 2},
        {"foo.", false, false, true, false, 2},
        {"foo..bar", false, false, true, false, 3},
        {"*", true, true, false, false, 1},
        {">", true, true, false, false, 1},
        {"foo.*", true, true, false, false, 2},
        {"foo.*.bar", true, true, false, false, 3},
        {"foo.>", true, true, false, false, 2},
        {">.foo", false, false, false, false, 2},
        {"foo.>.bar", false, false, false, false, 3},
        {">.", false, false, false, false, 2},
        {"foo.bar,*,>,baz", true, true, true, true, 2},
        {"foo*.>bar.**.>>", true, true, true, true, 4},
        {"foo bar", true, false, true, true, 1},
        {"foo.b\tr", true, false, true, true, 2},
        {"a\nb", true, false, true, true, 1},
        {"a\rb", true, false, true, true, 1},
        {"\f", true, false, true, true, 1},
        {"\x01\x7f.\xc3\xa4\xff", true, true, true, true, 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mg_slice s = mg_cstr(rows[i].s);
        assert_int_equal(mg_subject_valid(s), rows[i].valid);
        assert_int_equal(mg_subject_valid_strict(s), rows[i].strict);
        assert_int_equal(mg_subject_is_literal(s), rows[i].literal);
        assert_int_equal(mg_subject_valid_literal(s), rows[i].publish);
        assert_int_equal(mg_subject_tokens(s), rows[i].tokens);
    }
    assert_false(mg_subject_valid((mg_slice){NULL, 0}));
    assert_true(mg_subject_is_literal((mg_slice){NULL, 0}));
    assert_int_equal(mg_subject_literal_prefix((mg_slice){NULL, 0}), 0);
    assert_int_equal(mg_subject_literal_prefix(MG_S("a.b.c")), 5);
    assert_int_equal(mg_subject_literal_prefix(MG_S("a.b.*.d")), 4);
    assert_int_equal(mg_subject_literal_prefix(MG_S("a.b*.>")), 5);
    assert_int_equal(mg_subject_literal_prefix(MG_S(">")), 0);
}

static void matching(void **state) {
    (void)state;
    static const struct {
        const char *literal, *pattern;
        bool match;
    } rows[] = {
        {"foo", "foo", true},          {"foo", "bar", false},         {"foo", "fo", false},
        {"fo", "foo", false},          {"foo", "*", true},            {"foo", ">", true},
        {"foo.bar", "foo", false},     {"foo", "foo.bar", false},     {"foo.bar", "foo.*", true},
        {"foo.bar", "*.bar", true},    {"foo.bar", "*.*", true},      {"foo.bar", "*", false},
        {"foo.bar", ">", true},        {"foo.bar", "foo.>", true},    {"foo", "foo.>", false},
        {"foo.bar.baz", "foo.>", true}, {"foo.bar.baz", "foo.*", false}, {"foo.bar.baz", "*.bar.*", true},
        {"foo.bar.baz", "*.baz.*", false}, {"a.b", "a.b.>", false},   {"a.b", "a.*.>", false},
        // A8: wildcards of a published subject are plain tokens
        {"foo.*", "foo.*", true},      {"foo.*", "foo.>", true},      {"foo.*", ">", true},
        {"foo.*", "foo.bar", false},   {"foo.>", "foo.>", true},      {"foo.>", "foo.*", true},
        {"*", "foo", false},           {">", "*", true},
        // only whole tokens are wildcards
        {"foox", "foo*", false},       {"foo*", "foo*", true},        {"foo>", "foo>", true},
        {"foo.x", "foo>", false},      {"a.b", "a.>b", false},        {"ab", "*b", false},
        // empty tokens match nothing
        {"", ">", false},              {"", "*", false},              {"foo.", "foo.*", false},
        {"foo.", "foo.>", false},      {"foo..bar", "foo.>", false},  {"foo..bar", "foo.*.bar", false},
        {".foo", ">", false},          {".foo", "*.foo", false},      {"foo.bar.", "foo.>", false},
        {"foo..", "foo..", false},     {"foo", "", false},            {"foo.", "foo.", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (mg_subject_match(mg_cstr(rows[i].literal), mg_cstr(rows[i].pattern)) != rows[i].match)
            fail_msg("%s against %s", rows[i].literal, rows[i].pattern);
}

static void subsets(void **state) {
    (void)state;
    static const struct {
        const char *sub, *pattern;
        bool subset;
    } rows[] = {
        {"foo.bar", "foo.bar", true}, {"foo.*", ">", true},      {"foo.*", "*.*", true},     {"foo.*", "foo.*", true},
        {"foo.*", "foo.>", true},     {"foo.*", "foo.bar", false}, {"foo.>", "foo.>", true}, {"foo.>", ">", true},
        {"foo.>", "foo.*", false},    {"foo.>", "*.>", true},    {"foo.bar", "foo", false},  {"foo", "foo.>", false},
        {"foo", "foo.bar", false},    {"*", "foo", false},       {"", ">", false},           {"", "", false},
        {"foo.bar", "*.baz", false},  {">", "*", false},         {"a..b", ">", true},        {"a..b", "a.*.b", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (mg_subject_subset(mg_cstr(rows[i].sub), mg_cstr(rows[i].pattern)) != rows[i].subset)
            fail_msg("%s in %s", rows[i].sub, rows[i].pattern);
}

static void collisions(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool collide;
    } rows[] = {
        {"foo", "foo", true},        {"foo", "bar", false},       {"foo.*", "foo.bar", true}, {"foo.*", "*.bar", true},
        {"foo.*", "*.*", true},      {"foo.*", "foo.*.*", false}, {"foo.*", "foo.>", true},   {"foo", "foo.>", false},
        {"foo.>", "*.bar.>", true},  {"foo.>", "bar.>", false},   {">", "a.b.c", true},       {"*.a", "*.b", false},
        {"a.*.c", "a.b.*", true},    {"a.*.c", "a.b.d", false},   {"a.>", "*", false},        {"foo*", "foox", false},
        {"", "", false},             {"", ">", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(mg_subject_collide(mg_cstr(rows[i].a), mg_cstr(rows[i].b)), rows[i].collide);
        assert_int_equal(mg_subject_collide(mg_cstr(rows[i].b), mg_cstr(rows[i].a)), rows[i].collide);
    }
}

static void token_walk(void **state) {
    (void)state;
    static const char *want[] = {"", "a", "bc", ""};
    struct mg_tokens it = mg_tokens_of(MG_S(".a.bc."));
    mg_slice tok;
    for (size_t i = 0; i < 4; i++) {
        assert_true(mg_tokens_next(&it, &tok));
        assert_true(mg_slice_eq(tok, mg_cstr(want[i])));
    }
    assert_false(mg_tokens_next(&it, &tok));
    assert_false(mg_tokens_next(&it, &tok));
    it = mg_tokens_of(MG_S(""));
    assert_false(mg_tokens_next(&it, &tok));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity),   cmocka_unit_test(matching),   cmocka_unit_test(subsets),
        cmocka_unit_test(collisions), cmocka_unit_test(token_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
