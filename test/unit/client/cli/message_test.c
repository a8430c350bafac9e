// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/message.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/child.h"
#include "test/unit/cmocka_inc.h"

#define HEADERS MIDGE_STR("NATS/1.0\r\nA: b\r\nC:d\r\nA: e\r\n\r\n")
#define STATUS  MIDGE_STR("NATS/1.0 503 No Responders\r\nA: b\r\n\r\n")

static void json(void **state) {
    char *text = NULL;
    size_t n;
    cli_json j = {.out = open_memstream(&text, &n)};
    (void)state;
    cli_json_begin(&j, NULL, '{');
    cli_json_message(&j, MIDGE_STR("x"), MIDGE_STR("r"), HEADERS, MIDGE_STR("hi"));
    cli_json_end(&j, '}');
    cli_json_begin(&j, NULL, '{');
    cli_json_message(&j, MIDGE_STR("x"), MIDGE_NONE, STATUS, MIDGE_STR("\xff"));
    cli_json_end(&j, '}');
    cli_dump_message(j.out, MIDGE_STR("x"), MIDGE_NONE, MIDGE_NONE, MIDGE_STR("hi"));
    fclose(j.out);
    assert_string_equal(
        text, "{\"subject\":\"x\",\"reply\":\"r\",\"headers\":{\"A\":[\"b\",\"e\"],\"C\":[\"d\"]},\"bytes\":2,"
              "\"data\":\"hi\"}\n"
              "{\"subject\":\"x\",\"headers\":{\"A\":[\"b\"]},\"status\":503,\"bytes\":1,\"data_base64\":\"/w==\"}\n"
              "{\"Subject\":\"x\",\"Reply\":\"\",\"Header\":null,\"Data\":\"aGk=\",\"Sub\":null}");
    free(text);
}

static void header_lines(void **state) {
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    (void)state;
    assert_true(cli_print_headers(out, "> ", HEADERS));
    assert_true(cli_print_headers(out, "", STATUS));
    assert_false(cli_print_headers(out, "", MIDGE_NONE));
    fclose(out);
    assert_string_equal(text, "> A: b\n> C: d\n> A: e\nStatus: 503\nDescription: No Responders\nA: b\n");
    free(text);
}

static void collisions(void **state) {
    static const struct {
        const char *a, *b;
        bool collide;
    } rows[] = {{"a.b", "a.b", true},  {"a.b", "a.c", false},  {"a.b", "a.*", true},  {"a.b", ">", true},
                {"a", "a.>", false},   {"a.b.c", "a.>", true}, {"a.*", "*.b", true},  {"a.*", "b.*", false},
                {"a.b", "a", false},   {"a.b", "a.b.c", false}, {"a.ab", "a.a", false}, {"*", "a.b", false},
                {">", "a.b.c", true},  {"a.>", "*.b", true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cli_subjects_collide(rows[i].a, rows[i].b), rows[i].collide);
        assert_int_equal(cli_subjects_collide(rows[i].b, rows[i].a), rows[i].collide);
    }
}

static void copies(void **state) {
    const midge_str headers = HEADERS;
    const midge_msg msg = {.subject = MIDGE_STR("s"), .headers = headers, .data = MIDGE_STR("data"), .status = 7};
    (void)state;
    midge_msg *copy = cli_message_dup(&msg);
    assert_int_equal(copy->status, 7);
    assert_int_equal(copy->reply.n, 0);
    assert_memory_equal(copy->data.p, "data", 4);
    assert_memory_equal(copy->headers.p, headers.p, headers.n);
    assert_ptr_not_equal(copy->data.p, msg.data.p);
    free(copy);
}

static void expect_words(const char *line, const char *want) {
    char have[256] = "";
    const char **words = cli_words_split(line);
    assert_non_null(words);
    for (size_t i = 0; words[i] != NULL; i++)
        sprintf(have + strlen(have), "<%s>", words[i]);
    assert_string_equal(have, want);
    cli_words_free(words);
}

static void words(void **state) {
    (void)state;
    expect_words("a b  c", "<a><b><c>");
    expect_words(" 'a b' \"c d\" e\\ f", "<a b><c d><e f>");
    expect_words("a'b'\"c\"d", "<abcd>");
    expect_words("\"a\\\"b\\c\" 'a\\b'", "<a\"b\\c><a\\b>");
    expect_words("'' x", "<><x>");
    expect_words("a\tb\nc", "<a><b><c>");
    assert_null(cli_words_split(""));
    assert_null(cli_words_split("  "));
    assert_null(cli_words_split("a 'b"));
    assert_null(cli_words_split("\"a"));
}

static int run(const char *line, midge_str input, char **output, size_t *n) {
    static const char *const env[] = {"CLI_TEST=seen", NULL};
    const char **split = cli_words_split(line);
    int status = cli_spawn(split, env, input, true, output, n);
    cli_words_free(split);
    return status;
}

static void children(void **state) {
    char *out;
    size_t n;
    (void)state;
    assert_int_equal(run("cat", MIDGE_STR("through"), &out, &n), 0);
    assert_string_equal(out, "through");
    free(out);
    assert_int_equal(run("sh -c 'printf %s $CLI_TEST; echo err >&2; exit 3'", MIDGE_NONE, &out, &n), 3);
    assert_string_equal(out, "seenerr\n");
    free(out);
    assert_int_equal(run("sh -c 'kill -9 $$'", MIDGE_NONE, &out, &n), 128 + 9);
    free(out);
    assert_int_equal(run("/nonexistent/program", MIDGE_NONE, &out, &n), -1);
    free(out);
}

// More than a pipe holds, both ways, and to one who does not read.
static void large_children(void **state) {
    size_t size = 3u << 20, n;
    char *data = malloc(size), *out;
    (void)state;
    memset(data, 'x', size);
    assert_int_equal(run("cat", (midge_str){data, size}, &out, &n), 0);
    assert_int_equal(n, size);
    assert_memory_equal(out, data, size);
    free(out);
    assert_int_equal(run("true", (midge_str){data, size}, &out, &n), 0);
    assert_int_equal(n, 0);
    free(out);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),   cmocka_unit_test(header_lines), cmocka_unit_test(collisions),
        cmocka_unit_test(copies), cmocka_unit_test(words),        cmocka_unit_test(children),
        cmocka_unit_test(large_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
