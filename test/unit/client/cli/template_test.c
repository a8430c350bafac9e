// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/unit/cmocka_inc.h"

#define NOW 1700000000123456789 // 2023-11-14T22:13:20Z

static char err[256];

static char *fill(const char *text) {
    cli_template t = {.count = 7, .request = MIDGE_STR("ask"), .random = 1, .unix_ns = NOW, .counts = true};
    size_t n;
    return cli_template_fill(&t, midge_cstr(text), &n, err, sizeof err);
}

static void expect(const char *text, const char *want) {
    char *have = fill(text);
    if (have == NULL) fail_msg("%s: %s", text, err);
    assert_string_equal(have, want);
    free(have);
}

static void expect_wrong(const char *text, const char *why) {
    char *have = fill(text);
    assert_null(have);
    if (strstr(err, why) == NULL) fail_msg("%s: %s", text, err);
}

static void names(void **state) {
    (void)state;
    expect("", "");
    expect("plain } { text", "plain } { text");
    expect("{{Count}} {{.Count}} {{Cnt}} {{.Cnt}} {{ Count }}", "7 7 7 7 7");
    expect("{{Unix}} {{.UnixNano}}", "1700000000 1700000000123456789");
    expect("a{{.Request}}b", "aaskb");
}

static void zone(const char *name) {
    setenv("TZ", name, 1);
    tzset();
}

static void times(void **state) {
    (void)state;
    zone("UTC");
    expect("{{TimeStamp}} {{Time}}", "2023-11-14T22:13:20Z 10:13PM");
    zone("IST-5:30");
    expect("{{.TimeStamp}} {{.Time}}", "2023-11-15T03:43:20+05:30 3:43AM");
    zone("NST+3:30");
    expect("{{TimeStamp}}", "2023-11-14T18:43:20-03:30");
    zone("AAA+10:10");
    expect("{{Time}}", "12:03PM");
}

static void blanks_are_trimmed(void **state) {
    (void)state;
    expect("a  {{- Count -}}  b", "a7b");
    expect("a  {{- Count }}  b", "a7  b");
    expect("a  {{ Count -}}\n\tb", "a  7b");
    expect("{{- Count -}}", "7");
}

static void randoms(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        char *text = fill("{{Random 3 5}}");
        size_t n = strlen(text);
        assert_in_range(n, 3, 5);
        for (size_t k = 0; k < n; k++)
            assert_true(isalnum((unsigned char)text[k]));
        free(text);
    }
    char *text = fill("{{Random 4 4}}{{Random 2 0}}");
    assert_in_range(strlen(text), 4, 6);
    free(text);
    char *id = fill("{{ID}}{{.ID}}");
    assert_int_equal(strlen(id), 44);
    assert_int_not_equal(memcmp(id, id + 22, 22), 0);
    free(id);
}

static void mistakes(void **state) {
    (void)state;
    expect_wrong("a {{nothing}}", "{{nothing}} is unknown");
    expect_wrong("{{.Foo}}", "{{Foo}} is unknown");
    expect_wrong("{{Count", "{{ without }}");
    expect_wrong("{{ }}", "nothing stands in");
    expect_wrong("{{Count 1}}", "takes no argument");
    expect_wrong("{{Random}}", "two numbers");
    expect_wrong("{{Random 1}}", "two numbers");
    expect_wrong("{{Random a b}}", "two numbers");
    expect_wrong("{{Random -1 2}}", "two numbers");
    expect_wrong("{{Random 1 999999999999}}", "at most");
    expect_wrong("{{Random 1 2 3 4}}", "too many words");
    expect_wrong("{{Subject}}", "unknown"); // known to --translate only
}

static void of_translate(void **state) {
    cli_template t = {.subject = "a.b", .stream = ""};
    size_t n;
    (void)state;
    char *text = cli_template_fill(&t, MIDGE_STR("jq {{Subject}}{{Stream}}"), &n, err, sizeof err);
    assert_string_equal(text, "jq a.b");
    free(text);
    assert_null(cli_template_fill(&t, MIDGE_STR("{{Count}}"), &n, err, sizeof err));
}

static void any_bytes(void **state) {
    cli_template t = {.counts = true};
    size_t n;
    (void)state;
    char *text = cli_template_fill(&t, MIDGE_STR("a\0{{Count}}\0b"), &n, err, sizeof err);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "a\0" "0\0b", 5);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),    cmocka_unit_test(times),        cmocka_unit_test(blanks_are_trimmed),
        cmocka_unit_test(randoms),  cmocka_unit_test(mistakes),     cmocka_unit_test(of_translate),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
