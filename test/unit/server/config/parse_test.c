// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The grammar of config files, row by row of spec/client-protocol.md B5: text, and the tree (as JSON with sorted keys)
// or the error that it must give.
#include "test/unit/cmocka_inc.h"

#include "server/config/parse.h"
#include "test/unit/server/config/fake_source.h"

struct grammar_case {
    const char *text;
    const char *want; // JSON, or the error
};

static const struct fake_entry env[] = {
    {"NUM", "1k"},          {"YES", "true"},   {"QUOTED", "\"a b\""}, {"BLANKS", "a b"}, {"LIST", "[a, b]"},
    {"CYCLE_A", "$CYCLE_B"}, {"CYCLE_B", "$CYCLE_A"}, {"HOP", "$NUM"},       {"EMPTY", ""},     {NULL, NULL},
};

static const struct fake_entry files[] = {
    {"main.conf", "include \"sub/a.conf\"\nk: $x\n"},
    {"sub/a.conf", "x: 7\ny: $x\ninclude b.conf\n"},
    {"sub/b.conf", "z: 9\n"},
    {"absolute.conf", "include /sub/b.conf\n"},
    {"inner.conf", "m { include 'sub/b.conf', w: $z }\n"},
    {"word.conf", "INCLUDE sub/b.conf; q: 1"},
    {"missing.conf", "\ninclude gone.conf\n"},
    {"broken.conf", "include bad.conf"},
    {"bad.conf", "a: 1\nb: [\n"},
    {"loop.conf", "include loop.conf"},
    {"scope.conf", "x: 1\ninclude scoped.conf\n"},
    {"scoped.conf", "y: $x\n"},
    {NULL, NULL},
};

static char *parse(const char *path, const char *text, int *rc) {
    struct fake_files fs = {files, env};
    struct mg_config_source src = fake_source(&fs);
    struct mg_conf_tree tree;
    struct mg_buf out = MG_BUF_INIT;
    *rc = path ? mg_conf_parse_file(&src, path, &tree, &out) : mg_conf_parse_text(&src, mg_cstr(text), &tree, &out);
    if (*rc == MG_OK) mg_conf_value_json(&out, &tree.root);
    mg_conf_tree_fini(&tree);
    mg_buf_addc(&out, '\0');
    return out.p;
}

static void run(const struct grammar_case *cases, size_t n, bool valid, bool are_files) {
    for (size_t i = 0; i < n; i++) {
        int rc;
        char *got = parse(are_files ? cases[i].text : NULL, cases[i].text, &rc);
        if (strcmp(got, cases[i].want) != 0 || (rc == MG_OK) != valid) print_error("input: %s\n", cases[i].text);
        assert_string_equal(got, cases[i].want);
        assert_int_equal(rc == MG_OK, valid);
        mg_free(got);
    }
}

#define RUN(cases, valid) run(cases, sizeof(cases) / sizeof(cases[0]), valid, false)

static void scalars(void **state) {
    (void)state;
    static const struct grammar_case cases[] = {
        {"k: 1", "{\"k\":1}"},
        {"k: -5", "{\"k\":-5}"},
        {"k: 1k", "{\"k\":1000}"},
        {"k: 1KB", "{\"k\":1024}"},
        {"k: 1ki", "{\"k\":1024}"},
        {"k: 1kIb", "{\"k\":1024}"},
        {"k: -2k", "{\"k\":-2000}"},
        {"k: 2m", "{\"k\":2000000}"}, // not two minutes
        {"k: 2mib", "{\"k\":2097152}"},
        {"k: 1g", "{\"k\":1000000000}"},
        {"k: 1gb", "{\"k\":1073741824}"},
        {"k: 1t", "{\"k\":1000000000000}"},
        {"k: 1tib", "{\"k\":1099511627776}"},
        {"k: 1p", "{\"k\":1000000000000000}"},
        {"k: 1pb", "{\"k\":1125899906842624}"},
        {"k: 1e", "{\"k\":1000000000000000000}"},
        {"k: 1ei", "{\"k\":1152921504606846976}"},
        {"k: 9223372036854775807", "{\"k\":9223372036854775807}"},
        {"k: -9223372036854775808", "{\"k\":-9223372036854775808}"},
        {"k: 1.5", "{\"k\":1.5}"},
        {"k: -2.25", "{\"k\":-2.25}"},
        {"k: 123456789.123456789", "{\"k\":123456789.12345679}"},
        {"k: true", "{\"k\":true}"},
        {"k: YES", "{\"k\":true}"},
        {"k: On", "{\"k\":true}"},
        {"k: false", "{\"k\":false}"},
        {"k: no", "{\"k\":false}"},
        {"k: OFF", "{\"k\":false}"},
        {"k: \"true\"", "{\"k\":\"true\"}"},
        {"k: truefalse", "{\"k\":\"truefalse\"}"},
        {"k: 2020-01-02T03:04:05Z", "{\"k\":\"2020-01-02T03:04:05Z\"}"},
        {"k: 2024-02-29T00:00:00Z", "{\"k\":\"2024-02-29T00:00:00Z\"}"},
        {"k: 127.0.0.1", "{\"k\":\"127.0.0.1\"}"},
        {"k: 127.0.0.1:4222", "{\"k\":\"127.0.0.1:4222\"}"},
        {"k: 127.0.0.1:-1", "{\"k\":\"127.0.0.1:-1\"}"},
        {"k: 30s", "{\"k\":\"30s\"}"},
        {"k: 100ms", "{\"k\":\"100ms\"}"},
        {"k: 1h", "{\"k\":\"1h\"}"},
        {"k: 2m30s", "{\"k\":\"2m30s\"}"},
        {"k: 1abc", "{\"k\":\"1abc\"}"},
        {"k: 1kbb", "{\"k\":\"1kbb\"}"},
        {"k: $2a$11$ab.cd/ef", "{\"k\":\"$2a$11$ab.cd/ef\"}"}, // bcrypt, no variable
        {"k:", "{\"k\":\"\"}"},
    };
    RUN(cases, true);
}

static void strings(void **state) {
    (void)state;
    static const struct grammar_case cases[] = {
        {"k: foo", "{\"k\":\"foo\"}"},
        {"k: \"a\\tb\\n\\r\\x41\\\"\\\\\"", "{\"k\":\"a\\tb\\n\\rA\\\"\\\\\"}"},
        {"k: 'a\\tb'", "{\"k\":\"a\\\\tb\"}"}, // single quotes are raw
        {"k: a\\tb", "{\"k\":\"a\\tb\"}"},     // escapes work without quotes too
        {"k: \"a\nb\"", "{\"k\":\"a\\nb\"}"},
        {"k: 'a\nb'", "{\"k\":\"a\\nb\"}"},
        {"k: nats://h:4222", "{\"k\":\"nats://h:4222\"}"},
        {"k: a#b", "{\"k\":\"a#b\"}"},
        {"k: a//b", "{\"k\":\"a//b\"}"},
        {"k: true'", "{\"k\":\"true\"}"},
        {"k: (\none\n  two )\n)", "{\"k\":\"\\none\\n  two )\\n\"}"},
        {"k: (\r\none\r\n)\r\n", "{\"k\":\"\\r\\none\\r\\n\"}"},
        {"k: \xc3\xa9\xe6\x97\xa5", "{\"k\":\"\xc3\xa9\xe6\x97\xa5\"}"},
    };
    RUN(cases, true);
}

static void structure(void **state) {
    (void)state;
    static const struct grammar_case cases[] = {
        {"", "{}"},
        {"# only\n// comments\n", "{}"},
        {"k=1", "{\"k\":1}"},
        {"k = 1", "{\"k\":1}"},
        {"k 1", "{\"k\":1}"},
        {"k\n\n 1", "{\"k\":1}"}, // no separator: the value may be on a later line
        {"\"k\": 1", "{\"k\":1}"},
        {"'a b' 1", "{\"a b\":1}"},
        {"a: 1; b: 2, c: 3\nd: 4", "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"},
        {"a: 1 # x\nb: 2 // y", "{\"a\":1,\"b\":2}"},
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"{\"a\": 1, \"b\": [true, null]}", "{\"a\":1,\"b\":[true,\"null\"]}"}, // JSON, almost
        {"{a: 1\n}", "{\"a\":1}"},
        {"{a: 1\n", "{\"a\":1}"},
        {"a: 1}\nb: 2", "{\"a\":1,\"b\":2}"},
        {"a: 1\n}\n", "{\"a\":1}"},
        {"m {a: 1, b: 2}", "{\"m\":{\"a\":1,\"b\":2}}"},
        {"m {a 1;b=2}", "{\"m\":{\"a\":1,\"b\":2}}"},
        {"m\n{\n a:\n 1\n}", "{\"m\":{\"a\":1}}"}, // inside maps a line end may follow ':'
        {"m { }", "{\"m\":{}}"},
        {"m { # c\n a: 1 # d\n // e\n}", "{\"m\":{\"a\":1}}"},
        {"m {'a b': 1, \"c\": 2}", "{\"m\":{\"a b\":1,\"c\":2}}"},
        {"a [1, 2, 3]", "{\"a\":[1,2,3]}"},
        {"a [1,2]", "{\"a\":[1,2]}"}, // the reference stumbles over this one
        {"a [\n x\n y # c\n\n z\n]", "{\"a\":[\"x\",\"y\",\"z\"]}"},
        {"a [x, y,]", "{\"a\":[\"x\",\"y\"]}"},
        {"a []", "{\"a\":[]}"},
        {"a [{b: 1}, [2], 'c']", "{\"a\":[{\"b\":1},[2],\"c\"]}"},
        {"k: 1\nk: 2", "{\"k\":2}"}, // the last wins
        {"K: 1\nk: 2", "{\"K\":1,\"k\":2}"},
        {"k: 1\nm: 0\nk: 2\nk: 3", "{\"k\":3,\"m\":0}"},
    };
    RUN(cases, true);
}

static void errors(void **state) {
    (void)state;
    static const struct grammar_case cases[] = {
        {"k: 'x", "Parse error on line 1: 'Unexpected EOF.'"},
        {"k: \"x\ny", "Parse error on line 2: 'Unexpected EOF.'"},
        {"k: \"\\q\"", "Parse error on line 1: 'Invalid escape character 'q'. Only the following escape characters are "
                       "allowed: \\xXX, \\t, \\n, \\r, \\\", \\\\.'"},
        {"k: C:\\path", "Parse error on line 1: 'Invalid escape character 'p'. Only the following escape characters "
                        "are allowed: \\xXX, \\t, \\n, \\r, \\\", \\\\.'"},
        {"k: \"\\xzz\"", "Parse error on line 1: 'Expected two hexadecimal digits after '\\x', but got 'zz''"},
        {"k: \"\\x00\"", "Parse error on line 1: 'Unexpected NUL byte'"},
        {"k: 1.5s", "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, but "
                    "got 's' instead.'"},
        {"k: 10.0.0.1/8", "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, "
                          "but got '/' instead.'"},
        {"k: 123-x", "Parse error on line 1: 'All ISO8601 dates must be in full Zulu form.'"},
        {"k: 2020-01-02", "Parse error on line 1: 'Expected 'T' in ISO8601 datetime, but found 'EOF' instead.'"},
        {"k: 2020-13-02T03:04:05Z",
         "Parse error on line 1: 'expected Zulu formatted DateTime, but got '2020-13-02T03:04:05Z''"},
        {"k: 2023-02-29T00:00:00Z",
         "Parse error on line 1: 'expected Zulu formatted DateTime, but got '2023-02-29T00:00:00Z''"},
        {"k: 9223372036854775808", "Parse error on line 1: 'integer '9223372036854775808' is out of the range'"},
        {"k: 99999999999e", "Parse error on line 1: 'integer '99999999999e' is out of the range'"},
        {"k: .5", "Parse error on line 1: 'Floats must start with a digit'"},
        {"k: 5.", "Parse error on line 1: 'Floats must have a digit after the '.', but got 'EOF' instead.'"},
        {"k: -x", "Parse error on line 1: 'Expected a digit but got 'x'.'"},
        {"k:\n1", "Parse error on line 1: 'Expected value but found new line'"},
        {"k", "config is invalid (:1:2)"},
        {"\n\nk  ", "config is invalid (:3:4)"},
        {"cluster{\n a: 1\n}", "Parse error on line 2: 'Expected a top-level value to end with a new line, comment or "
                               "EOF, but got '1' instead.'"},
        {"a: 1 b: 2", "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, but "
                      "got 'b' instead.'"},
        {"{a: 1", "Parse error on line 1: 'Expected a block-level value to end with a new line, comment or EOF, but "
                  "got 'EOF' instead.'"},
        {"m {a: 1 b: 2}", "Parse error on line 1: 'Expected a map value terminator \",\" or a map terminator \"}\", "
                          "but got 'b' instead.'"},
        {"m {a: 1", "Parse error on line 1: 'Expected a map value terminator \",\" or a map terminator \"}\", but got "
                    "'EOF' instead.'"},
        {"m {\n", "Parse error on line 2: 'Unexpected EOF processing map.'"},
        {"m {]", "Parse error on line 1: 'Unexpected array end ']' processing map.'"},
        {"m {=1}", "Parse error on line 1: 'Unexpected key separator '='.'"},
        {"m {a: }", "Parse error on line 1: 'Expected value but found the end of the map'"},
        {"m {a: , b: 1}", "Parse error on line 1: 'Unexpected map value terminator \",\".'"},
        {"= 1", "Parse error on line 1: 'Unexpected key separator '=''"},
        {"a [x y]", "Parse error on line 1: 'Expected an array value terminator \",\" or an array terminator \"]\", "
                    "but got 'y' instead.'"},
        {"a [x,,y]", "Parse error on line 1: 'Unexpected array value terminator ','.'"},
        {"a [/x]", "Parse error on line 1: 'Unexpected array value terminator ','.'"},
        {"a [x\n, y]", "Parse error on line 2: 'Unexpected array value terminator ','.'"},
        {"k: (\nx", "Parse error on line 2: 'Unexpected EOF processing block.'"},
        {"k: it's", "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, but "
                    "got 's' instead.'"},
        {"k: 'a'\xc3\xa9", "Parse error on line 1: 'Expected a top-level value to end with a new line, comment or EOF, "
                           "but got '\xc3\xa9' instead.'"},
        {"include [a]", "Parse error on line 1: 'Expected include value but found start of an array'"},
        {"include 1.conf", "Parse error on line 1: 'Expected include value but found start of a number'"},
        {"include\nx", "Parse error on line 1: 'Expected include value but found new line'"},
    };
    RUN(cases, false);
}

static void variables(void **state) {
    (void)state;
    static const struct grammar_case good[] = {
        {"a: 1\nk: $a", "{\"a\":1,\"k\":1}"},
        {"a: {x: [1, 2]}\nk: $a", "{\"a\":{\"x\":[1,2]},\"k\":{\"x\":[1,2]}}"},
        {"a: 1\nm {a: 2, k: $a}", "{\"a\":1,\"m\":{\"a\":2,\"k\":2}}"},
        {"a: 1\nm {n {a: 3}, k: $a}", "{\"a\":1,\"m\":{\"k\":1,\"n\":{\"a\":3}}}"},
        {"a: 1\nk: [$a, $a]", "{\"a\":1,\"k\":[1,1]}"},
        {"a: 1\na: 2\nk: $a", "{\"a\":2,\"k\":2}"},
        {"k: \"$a\"", "{\"k\":\"$a\"}"},
        {"k: a$b", "{\"k\":\"a$b\"}"},
        {"k: $NUM", "{\"k\":1000}"},
        {"k: $YES", "{\"k\":true}"},
        {"k: $QUOTED", "{\"k\":\"a b\"}"},
        {"k: $LIST", "{\"k\":[\"a\",\"b\"]}"},
        {"k: $HOP", "{\"k\":1000}"},
        {"k: $EMPTY", "{\"k\":\"\"}"},
        {"NUM: 5\nk: $NUM", "{\"NUM\":5,\"k\":5}"},
    };
    static const struct grammar_case bad[] = {
        {"\nk: $gone", "variable reference for 'gone' on line 2 can not be found"},
        {"k: $k", "variable reference for 'k' on line 1 can not be found"},
        {"k: $a\na: 1", "variable reference for 'a' on line 1 can not be found"}, // only what was seen before
        {"m {a: 1}\nk: $a", "variable reference for 'a' on line 2 can not be found"},
        {"k: $2b$11$x", "variable reference for '2b$11$x' on line 1 can not be found"},
        {"k: $", "variable reference for '' on line 1 can not be found"},
        {"k: $CYCLE_A", "variable reference for 'CYCLE_A' on line 1 could not be parsed: variable reference for "
                        "'CYCLE_B' on line 1 could not be parsed: variable reference for 'CYCLE_A' on line 1 could not "
                        "be parsed: variable reference cycle for 'CYCLE_A'"},
        {"k: $BLANKS", "variable reference for 'BLANKS' on line 1 could not be parsed: Parse error on line 1: "
                       "'Expected a top-level value to end with a new line, comment or EOF, but got 'b' instead.'"},
    };
    RUN(good, true);
    RUN(bad, false);
}

static void includes(void **state) {
    (void)state;
    static const struct grammar_case good[] = {
        {"main.conf", "{\"k\":7,\"x\":7,\"y\":7,\"z\":9}"},
        {"absolute.conf", "{\"z\":9}"}, // joined to the directory all the same
        {"inner.conf", "{\"m\":{\"w\":9,\"z\":9}}"},
        {"word.conf", "{\"q\":1,\"z\":9}"},
    };
    static const struct grammar_case bad[] = {
        {"gone.conf", "open gone.conf: no such file or directory"},
        {"missing.conf", "error parsing include file 'gone.conf', open gone.conf: no such file or directory"},
        {"broken.conf", "error parsing include file 'bad.conf', Parse error on line 3: 'Expected an array value "
                        "terminator \",\" or an array terminator \"]\", but got 'EOF' instead.'"},
        {"scope.conf", "error parsing include file 'scoped.conf', variable reference for 'x' on line 1 can not be "
                       "found"},
    };
    run(good, sizeof(good) / sizeof(good[0]), true, true);
    run(bad, sizeof(bad) / sizeof(bad[0]), false, true);
    int rc;
    char *got = parse("loop.conf", NULL, &rc);
    assert_int_equal(rc, MG_ERANGE);
    assert_non_null(strstr(got, "includes are nested deeper than 16"));
    mg_free(got);
}

// A text of n times `unit`, between head and tail.
static char *repeated(const char *head, const char *unit, size_t n, const char *tail) {
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_adds(&b, head);
    for (size_t i = 0; i < n; i++)
        mg_buf_adds(&b, unit);
    mg_buf_adds(&b, tail);
    mg_buf_addc(&b, '\0');
    return b.p;
}

static void bounds(void **state) {
    (void)state;
    int rc;
    char *text = repeated("k: ", "[", 63, "");
    size_t n = strlen(text);
    text = mg_realloc(text, n + 64 + 1);
    memset(text + n, ']', 63);
    text[n + 63] = '\0';
    char *got = parse(NULL, text, &rc);
    assert_int_equal(rc, MG_OK);
    mg_free(got);
    mg_free(text);

    text = repeated("k: ", "[", 100000, "");
    got = parse(NULL, text, &rc);
    assert_string_equal(got, "Parse error on line 1: 'Nesting is deeper than 64'");
    mg_free(got);
    mg_free(text);

    // Thirty doublings would be a billion values.
    struct mg_buf b = MG_BUF_INIT;
    mg_buf_adds(&b, "a0: x\n");
    for (int i = 1; i < 30; i++)
        mg_buf_addf(&b, "a%d: [$a%d, $a%d]\n", i, i - 1, i - 1);
    mg_buf_addc(&b, '\0');
    got = parse(NULL, b.p, &rc);
    assert_int_equal(rc, MG_ERANGE);
    assert_non_null(strstr(got, "expands to too much"));
    mg_free(got);
    mg_buf_fini(&b);

    // Nor does nesting grow through variables.
    for (int i = 0; i < 100; i++)
        mg_buf_addf(&b, i ? "a%d: [$a%d]\n" : "a0: 1\n", i, i - 1);
    mg_buf_addc(&b, '\0');
    got = parse(NULL, b.p, &rc);
    assert_int_equal(rc, MG_ERANGE);
    mg_free(got);
    mg_buf_fini(&b);
}

static void places(void **state) {
    (void)state;
    struct fake_files fs = {files, env};
    struct mg_config_source src = fake_source(&fs);
    struct mg_conf_tree tree;
    struct mg_buf err = MG_BUF_INIT;
    assert_int_equal(mg_conf_parse_file(&src, "main.conf", &tree, &err), MG_OK);
    const struct mg_conf_value *z = mg_conf_map_find(&tree.root, "z"), *k = mg_conf_map_find(&tree.root, "k");
    assert_string_equal(z->file, "sub/b.conf");
    assert_int_equal(z->line, 1);
    assert_int_equal(z->col, 1);
    assert_string_equal(k->file, "main.conf");
    assert_int_equal(k->line, 2);
    assert_true(mg_conf_map_find(&tree.root, "x")->used);
    assert_false(z->used);
    assert_false(k->used);
    assert_int_equal(tree.files.n, 3);
    mg_conf_tree_fini(&tree);

    assert_int_equal(mg_conf_parse_text(&src, MG_S("\n  m: {\n   a: [ 1,\n x ] }"), &tree, &err), MG_OK);
    const struct mg_conf_value *m = mg_conf_map_find(&tree.root, "m"), *a = mg_conf_map_find(m, "a");
    assert_int_equal(m->line, 2);
    assert_int_equal(m->col, 3);
    assert_int_equal(a->line, 3);
    assert_int_equal(a->col, 4);
    assert_int_equal(a->list.v[0].col, 9);
    assert_int_equal(a->list.v[1].line, 4);
    mg_conf_tree_fini(&tree);
    mg_buf_fini(&err);
}

// The digest is the reference's: `nats-server -t` shows the same for this file.
static void digest(void **state) {
    (void)state;
    struct mg_config_source src = {0};
    struct mg_conf_tree tree, other;
    struct mg_buf err = MG_BUF_INIT;
    char a[72], b[72];
    assert_int_equal(mg_conf_parse_text(&src, MG_S("port: 4222\ndebug: true\n"), &tree, &err), MG_OK);
    assert_int_equal(mg_conf_parse_text(&src, MG_S("{debug yes; port = 4222}"), &other, &err), MG_OK);
    mg_conf_digest(&tree, a);
    mg_conf_digest(&other, b);
    assert_string_equal(a, b);
    assert_string_equal(a, "sha256:8d697893eada17225f028a97ac0a0cfbd85dfb1fe0f606aa6f327a81bf911795");
    mg_conf_tree_fini(&tree);
    mg_conf_tree_fini(&other);
    mg_buf_fini(&err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),  cmocka_unit_test(strings),  cmocka_unit_test(structure),
        cmocka_unit_test(errors),   cmocka_unit_test(variables), cmocka_unit_test(includes),
        cmocka_unit_test(bounds),   cmocka_unit_test(places),   cmocka_unit_test(digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
