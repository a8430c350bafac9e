// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// mappings blocks (spec/accounts-security.md 13).
#include "test/unit/cmocka_inc.h"

#include "test/unit/server/config/fake_source.h"

static void values(void **state) {
    (void)state;
    struct mg_options *o = load_ok("mappings {\n"
                                   "  z.*: \"y.$1\"\n"
                                   "  a: {destination: b, weight: 50%, cluster: west}\n"
                                   "  c: [ {dest: d, weight: 60}, {dest: e, weight: 40}\n"
                                   "       {dest: f, weight: 100, cluster: east} ]\n"
                                   "}");
    assert_int_equal(o->nmappings, 3);
    assert_string_equal(o->mappings[0].src, "z.*"); // in the order of the file
    assert_string_equal(o->mappings[0].dest[0].subject, "y.$1");
    assert_int_equal(o->mappings[0].dest[0].weight, 100);
    assert_null(o->mappings[0].dest[0].cluster);
    assert_int_equal(o->mappings[1].dest[0].weight, 50);
    assert_string_equal(o->mappings[1].dest[0].cluster, "west");
    assert_int_equal(o->mappings[2].ndest, 3);
    assert_string_equal(o->mappings[2].dest[1].subject, "e");
    mg_options_free(o);
}

static void errors(void **state) {
    (void)state;
    static const struct {
        const char *member, *want;
    } cases[] = {
        {"\"a b\": c", ":1:10: Subject \"a b\" is not a valid subject"},
        {"a: 3", ":1:10: Expected an entry for the mapping destination"},
        {"a: {dest: b}", ":1:10: Missing weight for mapping destination \"b\""},
        {"a: {dest: b, weight: 101}", ":1:23: Invalid weight 101 for mapping destination"},
        {"a: {dest: b, weight: -1}", ":1:23: Invalid weight -1 for mapping destination"},
        {"a: {dest: b, weight: \"101%\"}", ":1:23: Invalid weight 101 for mapping destination"},
        {"a: {dest: b, weight: 5x}", ":1:23: Invalid weight \"5x\" for mapping destination"},
        {"a: {dest: b, weight: 1.5}", ":1:23: Unknown entry type for weight of 1.5"},
        {"a: {foo: 1}", ":1:14: Unknown field \"foo\" for mapping destination"},
        {"a: {weight: 5}", ":1:10: Error adding mapping for \"a\" : invalid mapping destination: invalid transform"},
        {"a: [ {dest: x, weight: 60}, {dest: y, weight: 50} ]",
         ":1:10: Error adding mapping for \"a\" : total weight needs to be <= 100"},
        {"a: [ {dest: x, weight: 10}, {dest: x, weight: 10} ]",
         ":1:10: Error adding mapping for \"a\" : duplicate entry for \"x\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256], want[256];
        snprintf(text, sizeof(text), "maps  {  %s }", cases[i].member);
        snprintf(want, sizeof(want), "%s\n", cases[i].want);
        expect_report(text, want);
    }
    expect_report("mappings: 3", ":1:1: interface conversion: interface {} is int64, not map[string]interface {}\n");
}

// Refuses every destination that contains "bad".
static int check_mapping(void *ctx, const char *src, const char *dest, char *err, size_t n) {
    (void)ctx;
    if (strstr(dest, "bad") == NULL) return MG_OK;
    snprintf(err, n, "no way from %s", src);
    return MG_EINVAL;
}

static void validator(void **state) {
    (void)state;
    struct mg_config_source src = {.check_mapping = check_mapping};
    struct mg_config_report report = {0};
    struct mg_options *o;
    static const char text[] = "mappings {a: good, b: bad1\nc: {dest: bad2, weight: 5}}";
    assert_int_equal(mg_config_load_text(&src, text, strlen(text), &o, &report), MG_ESYNTAX);
    assert_null(o);
    assert_int_equal(report.n, 2);
    assert_string_equal(report.v[0].text, ":1:20: Error adding mapping for \"b\" to \"bad1\" : no way from b");
    assert_string_equal(report.v[1].text, ":2:1: Error adding mapping for \"c\" : no way from c");
    mg_config_report_fini(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(errors),
        cmocka_unit_test(validator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
