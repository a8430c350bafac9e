// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/app.h"

#include <stdlib.h>
#include <string.h>

#include "test/unit/cmocka_inc.h"

static int run(cli *app) {
    (void)app;
    return CLI_OK;
}

static const cli_flag add_flags[] = {
    {.name = "raw", .short_name = 'r', .type = CLI_SWITCH, .help = "Raw"},
    {.name = "ack", .short_name = 'a', .type = CLI_BOOL, .value = "true", .help = "Ack"},
    {.name = "subject", .short_name = 'S', .type = CLI_STRING, .help = "Subject"},
    {.name = "header", .short_name = 'H', .type = CLI_STRINGS, .help = "Header"},
    {.name = "offset", .type = CLI_INT, .value = "-1", .help = "Offset"},
    {.name = "count", .type = CLI_UINT, .env = "CLI_TEST_COUNT", .value = "7", .help = "Count"},
    {.name = "wait", .short_name = 'w', .type = CLI_DURATION, .help = "Wait"},
    {.name = "size", .type = CLI_SIZE, .value = "1KB", .help = "Size"},
    {.name = "mode", .type = CLI_ENUM, .choices = "fast slow", .value = "fast", .help = "Mode"},
    {.name = "timeout", .type = CLI_STRING, .help = "Hides the global one"},
    {0},
};
static const cli_arg add_args[] = {
    {.name = "name", .required = true, .help = "Name"},
    {.name = "more", .many = true, .help = "More"},
    {0},
};
static const cli_arg two_args[] = {
    {.name = "one", .value = "first", .help = "One"},
    {.name = "two", .help = "Two"},
    {0},
};
static const cli_flag group_flags[] = {{.name = "format", .type = CLI_STRING, .value = "text", .help = "Format"}, {0}};
static const cli_flag need_flags[] = {{.name = "must", .type = CLI_STRING, .required = true, .help = "Must"}, {0}};
static const cli_command add = {
    .name = "add", .aliases = "new create", .flags = add_flags, .args = add_args, .run = run};
static const cli_command two = {.name = "two", .args = two_args, .run = run};
static const cli_flag shared_flags[] = {{.name = "shape", .type = CLI_STRING, .value = "round", .help = "Shape"}, {0}};
static const cli_command twin = {.name = "copy", .flags = need_flags, .shared = shared_flags, .run = run};
static const cli_command move = {.name = "move", .shared = shared_flags, .run = run};
static const cli_command need = {.name = "need", .flags = need_flags, .run = run};
static const cli_command *const group_commands[] = {&add, &two, &need, &twin, &move, NULL};
static const cli_command group = {.name = "stream", .aliases = "str", .flags = group_flags, .commands = group_commands};
static const cli_command *const root_commands[] = {&group, &two, NULL};
static const cli_command root = {.name = "midge", .commands = root_commands};

static char err[512];

static enum cli_parsed parse(cli *app, const char *line) {
    char *argv[32], *copy = NULL;
    int argc = 0;
    cli_init(app);
    copy = cli_strndup(app, line, strlen(line));
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    err[0] = '\0';
    return cli_parse(app, &root, argc, argv, err, sizeof err);
}

static void expect_wrong(const char *line, const char *text) {
    cli app;
    assert_int_equal(parse(&app, line), CLI_PARSED_WRONG);
    if (strstr(err, text) == NULL) fail_msg("%s: %s", line, err);
    cli_fini(&app);
}

static void flags_anywhere(void **state) {
    static const char *const lines[] = {
        "midge stream add -rS x --count 3 n",        "midge stream add n -r -Sx --count=3",
        "midge str new n -S=x --count 3 --raw=true", "midge stream create --subject x n --count=3 --raw",
        "midge -s nats://h stream --format text add n --subject=x --count 3 -r",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cli app;
        assert_int_equal(parse(&app, lines[i]), CLI_PARSED_RUN);
        assert_string_equal(cli_path(&app), "stream add");
        assert_true(cli_get_bool(&app, "raw"));
        assert_string_equal(cli_get_string(&app, "subject"), "x");
        assert_int_equal(cli_get_uint(&app, "count"), 3);
        assert_string_equal(cli_arg_of(&app, "name"), "n");
        assert_string_equal(cli_get_string(&app, "format"), "text");
        cli_fini(&app);
    }
}

static void types_and_defaults(void **state) {
    cli app;
    size_t n;
    (void)state;
    assert_int_equal(parse(&app, "midge stream add n"), CLI_PARSED_RUN);
    assert_false(cli_get_bool(&app, "raw"));
    assert_true(cli_get_bool(&app, "ack"));
    assert_null(cli_get_string(&app, "subject"));
    assert_int_equal(cli_get_int(&app, "offset"), -1);
    assert_int_equal(cli_get_uint(&app, "count"), 7);
    assert_int_equal(cli_get_duration(&app, "wait"), 0);
    assert_int_equal(cli_get_uint(&app, "size"), 1024);
    assert_string_equal(cli_get_string(&app, "mode"), "fast");
    assert_false(cli_given(&app, "count"));
    cli_get_strings(&app, "header", &n);
    assert_int_equal(n, 0);
    cli_args_of(&app, "more", &n);
    assert_int_equal(n, 0);
    cli_fini(&app);

    assert_int_equal(parse(&app, "midge stream add n a b --no-ack -HA:b -H C:d --offset=-5 --wait 1m30s --size 2MB "
                                 "--mode=slow --timeout mine"),
                     CLI_PARSED_RUN);
    assert_false(cli_get_bool(&app, "ack"));
    const char *const *headers = cli_get_strings(&app, "header", &n);
    assert_int_equal(n, 2);
    assert_string_equal(headers[0], "A:b");
    assert_string_equal(headers[1], "C:d");
    assert_int_equal(cli_get_int(&app, "offset"), -5);
    assert_int_equal(cli_get_duration(&app, "wait"), 90000000000);
    assert_int_equal(cli_get_uint(&app, "size"), 2 << 20);
    assert_string_equal(cli_get_string(&app, "mode"), "slow");
    assert_string_equal(cli_get_string(&app, "timeout"), "mine");
    const char *const *more = cli_args_of(&app, "more", &n);
    assert_int_equal(n, 2);
    assert_string_equal(more[1], "b");
    cli_fini(&app);
}

static void environment(void **state) {
    cli app;
    (void)state;
    setenv("CLI_TEST_COUNT", "12", 1);
    assert_int_equal(parse(&app, "midge stream add n"), CLI_PARSED_RUN);
    assert_int_equal(cli_get_uint(&app, "count"), 12);
    assert_true(cli_given(&app, "count"));
    cli_fini(&app);
    assert_int_equal(parse(&app, "midge stream add n --count 3"), CLI_PARSED_RUN);
    assert_int_equal(cli_get_uint(&app, "count"), 3);
    cli_fini(&app);
    setenv("CLI_TEST_COUNT", "many", 1);
    expect_wrong("midge stream add n", "\"many\" (from $CLI_TEST_COUNT)");
    setenv("CLI_TEST_COUNT", "", 1);
    assert_int_equal(parse(&app, "midge stream add n"), CLI_PARSED_RUN);
    assert_int_equal(cli_get_uint(&app, "count"), 7);
    cli_fini(&app);
    unsetenv("CLI_TEST_COUNT");
}

static void arguments(void **state) {
    cli app;
    (void)state;
    assert_int_equal(parse(&app, "midge two"), CLI_PARSED_RUN);
    assert_string_equal(cli_arg_of(&app, "one"), "first");
    assert_null(cli_arg_of(&app, "two"));
    cli_fini(&app);
    assert_int_equal(parse(&app, "midge two - -- -x"), CLI_PARSED_RUN);
    assert_string_equal(cli_arg_of(&app, "one"), "-");
    assert_string_equal(cli_arg_of(&app, "two"), "-x");
    cli_fini(&app);
}

static void mistakes(void **state) {
    (void)state;
    expect_wrong("midge", "a command is missing");
    expect_wrong("midge stream", "a command is missing");
    expect_wrong("midge nope", "unknown command \"nope\"");
    expect_wrong("midge stream add", "the argument <name> is missing");
    expect_wrong("midge two a b c", "unexpected argument \"c\"");
    expect_wrong("midge two --raw", "unknown flag --raw");
    expect_wrong("midge two -r", "unknown flag -r");
    expect_wrong("midge stream add n --no-raw", "unknown flag --no-raw");
    expect_wrong("midge stream add n --count", "--count needs a value");
    expect_wrong("midge stream add n -rS", "-S needs a value");
    expect_wrong("midge stream add n --count -1", "not negative");
    expect_wrong("midge stream add n --offset x", "whole number");
    expect_wrong("midge stream add n --wait 5", "duration");
    expect_wrong("midge stream add n --wait -5s", "duration");
    expect_wrong("midge stream add n --size x", "size");
    expect_wrong("midge stream add n --mode medium", "one of fast slow");
    expect_wrong("midge stream add n --raw=maybe", "true or false");
    expect_wrong("midge stream need", "--must is required");
    expect_wrong("midge --subject x stream add n", "unknown flag --subject"); // belongs to add
}

static void help_and_version(void **state) {
    static const char *const lines[] = {"midge stream add --help", "midge stream add -h", "midge --help stream add",
                                        "midge -h str new"};
    cli app;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(parse(&app, lines[i]), CLI_PARSED_HELP);
        assert_ptr_equal(app.path[app.depth], &add);
        cli_fini(&app);
    }
    assert_int_equal(parse(&app, "midge --version"), CLI_PARSED_VERSION);
    cli_fini(&app);
}

static char *help_of(const char *line, unsigned columns) {
    cli app;
    char *text = NULL;
    size_t n;
    parse(&app, line);
    FILE *out = open_memstream(&text, &n);
    cli_help(app.path, app.depth, columns, out);
    fclose(out);
    cli_fini(&app);
    return text;
}

static void help_text(void **state) {
    (void)state;
    char *text = help_of("midge stream add --help", 60);
    assert_non_null(strstr(text, "usage: midge stream add [<flags>] <name> [<more>...]\n"));
    assert_non_null(strstr(text, "  -r, --raw                Raw\n"));
    assert_non_null(strstr(text, "  -a, --[no-]ack           Ack\n"));
    assert_non_null(strstr(text, "  -H, --header=HEADER ...  "));
    assert_non_null(strstr(text, "      --count=7 "));
    assert_non_null(strstr(text, "Count ($CLI_TEST_COUNT)"));
    assert_non_null(strstr(text, "Mode (fast, slow)"));
    assert_non_null(strstr(text, "Aliases: new, create\n"));
    assert_non_null(strstr(text, "Flags of stream:\n"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 60);
    free(text);
}

static void shared_tables(void **state) {
    cli app;
    (void)state;
    assert_int_equal(parse(&app, "midge stream copy --shape flat --must x"), CLI_PARSED_RUN);
    assert_string_equal(cli_get_string(&app, "shape"), "flat");
    assert_true(cli_given(&app, "shape") && cli_has_flag(&app, "must"));
    cli_fini(&app);
    assert_int_equal(parse(&app, "midge stream move"), CLI_PARSED_RUN);
    assert_string_equal(cli_get_string(&app, "shape"), "round");
    assert_false(cli_given(&app, "shape"));
    assert_false(cli_has_flag(&app, "must"));
    cli_fini(&app);
    expect_wrong("midge stream add n --shape flat", "unknown flag --shape");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_anywhere), cmocka_unit_test(types_and_defaults), cmocka_unit_test(environment),
        cmocka_unit_test(arguments),      cmocka_unit_test(mistakes),           cmocka_unit_test(help_and_version),
        cmocka_unit_test(help_text),
        cmocka_unit_test(shared_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
