// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/table.h"

#include <stdlib.h>

#include "test/unit/cmocka_inc.h"

static void check(const cli_table *t, cli_table_style style, const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cli_table_write(t, &style, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static cli_table *sample(const char *title) {
    cli_table *t = cli_table_new(title);
    CLI_TABLE_HEADERS(t, "Name", "Count");
    CLI_TABLE_ROW(t, "a", "1");
    cli_table_separator(t);
    CLI_TABLE_ROW(t, "gr\u00fc\u00dfe", "12");
    CLI_TABLE_FOOTER(t, NULL, "13");
    cli_table_align_right(t, 1);
    return t;
}

static void rounded(void **state) {
    (void)state;
    cli_table *t = sample("Sums");
    assert_int_equal(cli_table_rows(t), 2);
    check(t, (cli_table_style){0},
          "╭───────────────╮\n"
          "│      Sums     │\n"
          "├───────┬───────┤\n"
          "│ Name  │ Count │\n"
          "├───────┼───────┤\n"
          "│ a     │     1 │\n"
          "├───────┼───────┤\n"
          "│ grüße │    12 │\n"
          "├───────┼───────┤\n"
          "│       │    13 │\n"
          "╰───────┴───────╯\n");
    cli_table_free(t);
}

static void long_title_widens(void **state) {
    (void)state;
    cli_table *t = cli_table_new("A long title");
    CLI_TABLE_ROW(t, "a", "b");
    check(t, (cli_table_style){0},
          "╭──────────────╮\n"
          "│ A long title │\n"
          "├───┬──────────┤\n"
          "│ a │ b        │\n"
          "╰───┴──────────╯\n");
    cli_table_free(t);
}

static void cells_of_several_lines(void **state) {
    (void)state;
    cli_table *t = cli_table_new(NULL);
    CLI_TABLE_ROW(t, "one\nthree", "x");
    CLI_TABLE_ROW(t, "short");
    check(t, (cli_table_style){0},
          "╭───────┬───╮\n"
          "│ one   │ x │\n"
          "│ three │   │\n"
          "│ short │   │\n"
          "╰───────┴───╯\n");
    check(t, (cli_table_style){.format = CLI_TABLE_CSV}, "\"one\nthree\",x\nshort,\n");
    check(t, (cli_table_style){.format = CLI_TABLE_TSV}, "one three\tx\nshort\t\n");
    cli_table_free(t);
}

static void for_programs(void **state) {
    (void)state;
    cli_table *t = sample("Sums");
    CLI_TABLE_ROW(t, "a,\"b\"|c", "\t");
    check(t, (cli_table_style){.format = CLI_TABLE_CSV},
          "Name,Count\na,1\ngr\u00fc\u00dfe,12\n\"a,\"\"b\"\"|c\",\t\n,13\n");
    check(t, (cli_table_style){.format = CLI_TABLE_TSV},
          "Name\tCount\na\t1\ngr\u00fc\u00dfe\t12\na,\"b\"|c\t \n\t13\n");
    check(t, (cli_table_style){.format = CLI_TABLE_MARKDOWN},
          "# Sums\n| Name | Count |\n| --- | ---:|\n| a | 1 |\n"
          "| gr\u00fc\u00dfe | 12 |\n| a,\"b\"\\|c | \t |\n|  | 13 |\n");
    cli_table_free(t);
}

static void cut_to_the_terminal(void **state) {
    (void)state;
    cli_table *t = cli_table_new(NULL);
    CLI_TABLE_ROW(t, "abcdef");
    check(t, (cli_table_style){.width = 5}, "╭────\n│ abc\n╰────\n");
    cli_table_free(t);
}

static void coloured_borders(void **state) {
    (void)state;
    cli_table *t = cli_table_new(NULL);
    CLI_TABLE_ROW(t, "a");
    check(t, (cli_table_style){.color = "red"},
          "\x1b[31m╭\x1b[0m\x1b[31m───\x1b[0m\x1b[31m╮\x1b[0m\n"
          "\x1b[31m│\x1b[0m a \x1b[31m│\x1b[0m\n"
          "\x1b[31m╰\x1b[0m\x1b[31m───\x1b[0m\x1b[31m╯\x1b[0m\n");
    cli_table_free(t);
}

static void nothing_is_nothing(void **state) {
    (void)state;
    cli_table *t = cli_table_new("Title");
    check(t, (cli_table_style){0}, "");
    cli_table_separator(t); // no row is above it
    CLI_TABLE_ROW(t, "a");
    check(t, (cli_table_style){0}, "╭───────╮\n│ Title │\n├───────┤\n│ a     │\n╰───────╯\n");
    cli_table_free(t);
    cli_table_free(NULL);
}

static void widths(void **state) {
    (void)state;
    assert_int_equal(cli_text_width(""), 0);
    assert_int_equal(cli_text_width("abc"), 3);
    assert_int_equal(cli_text_width("\u00b5s"), 2);
    assert_int_equal(cli_text_width("\u4f60\u597d"), 4);
    assert_int_equal(cli_text_width("e\u0301"), 1);
    assert_int_equal(cli_text_width("\U0001f600"), 2);
    assert_int_equal(cli_text_width("\xff\xc3"), 2);
}

static void formats(void **state) {
    (void)state;
    assert_int_equal(cli_table_format_of(NULL), CLI_TABLE_ROUNDED);
    assert_int_equal(cli_table_format_of("x"), CLI_TABLE_ROUNDED);
    assert_int_equal(cli_table_format_of("MD"), CLI_TABLE_MARKDOWN);
    assert_int_equal(cli_table_format_of("markdown"), CLI_TABLE_MARKDOWN);
    assert_int_equal(cli_table_format_of("csv"), CLI_TABLE_CSV);
    assert_int_equal(cli_table_format_of("tsv"), CLI_TABLE_TSV);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounded),
        cmocka_unit_test(long_title_widens),
        cmocka_unit_test(cells_of_several_lines),
        cmocka_unit_test(for_programs),
        cmocka_unit_test(cut_to_the_terminal),
        cmocka_unit_test(coloured_borders),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(widths),
        cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
