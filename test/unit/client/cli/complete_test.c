// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is generated from the tables: completion and the manual. Also that the tables themselves are sound.
#include "client/cli/app.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/cmocka_inc.h"

// The candidates for the last word of a line, separated by blanks.
static char *complete(const char *line) {
    cli app;
    char *words[16], *text = NULL;
    size_t n = 0, len, at = 0;
    cli_init(&app);
    char *copy = cli_strndup(&app, line, strlen(line));
    for (char *word = strsep(&copy, " "); word != NULL; word = strsep(&copy, " "))
        words[n++] = word;
    FILE *out = open_memstream(&text, &len);
    cli_complete(&app, &cli_root, words, n, out);
    fclose(out);
    cli_fini(&app);
    bool about = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\t') about = true;
        if (*c == '\n') about = false;
        if (!about) text[at++] = *c == '\n' ? ' ' : *c;
    }
    text[at > 0 ? at - 1 : 0] = '\0';
    return text;
}

static void expect(const char *line, const char *want) {
    char *have = complete(line);
    if (strcmp(have, want) != 0) fail_msg("\"%s\": have \"%s\", want \"%s\"", line, have, want);
    free(have);
}

static void completion(void **state) {
    (void)state;
    expect("rt", "rtt");
    expect("re", "reply request");
    expect("comple", "completion"); // the hidden one is not offered
    expect("pub --send-on ", "newline eof");
    expect("pub --send-on=e", "--send-on=eof");
    expect("pub --send", "--send-on");
    expect("pub --no-te", "--no-templates");
    expect("pub -q --tlsk", "--tlskey");
    expect("--tlskey ", ":files");
    expect("pub -qH ", "");         // a value of any kind
    expect("pub -q x y --co", "--connection-name --colors --context --count");
    expect("server check --form", "--format");
    expect("server check connection --format p", "prometheus");
    expect("srv check c", "connection");
    expect("completion ", "bash zsh fish");
    expect("completion bash ", "");
    expect("pub -- --send", "");
    expect("stream add S --sto", "--storage"); // of a table that several commands have
    expect("stream add S --storage ", "file memory");
    expect("object put O ", ":files");
    expect("bench js pub ", "sync async atomic");
    expect("nonsense ", "");
}

static void every_beginning_is_safe(void **state) {
    static const char line[] = "-s x server check connection --format=nagios --outfile y -- z";
    (void)state;
    for (size_t n = 0; n < sizeof line; n++) {
        char part[sizeof line];
        memcpy(part, line, n);
        part[n] = '\0';
        free(complete(part));
    }
}

static void manual(void **state) {
    char *text = NULL;
    size_t n;
    (void)state;
    FILE *out = open_memstream(&text, &n);
    cli_man(&cli_root, out);
    fclose(out);
    assert_memory_equal(text, ".TH MIDGE 1 ", 12);
    static const char *const parts[] = {".SH NAME\n", ".SH SYNOPSIS\n", ".SS midge pub [<flags>] <subject> [<body>]\n",
                                        ".SS midge server check connection [<flags>]\n", ".B \\-s, \\-\\-server=URL\n",
                                        "($NATS_URL)\n", ".SH EXIT STATUS\n", ".SH FILES\n", "midge\\-server (8)"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(text, parts[i]) == NULL) fail_msg("not in the manual: %s", parts[i]);
    // Requests are ours alone: no text may begin a line with a dot or a quote.
    static const char lower[] = ".nf .fi .nh .ad";
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        char request[4] = "";
        memcpy(request, line, strnlen(line, 3));
        if (*line == '.' || *line == '\'')
            assert_true(isupper((unsigned char)line[1]) || strstr(lower, request) != NULL);
    }
    free(text);
}

static void check_flags(const char *where, const cli_flag *flags) {
    for (const cli_flag *f = flags; f != NULL && f->name != NULL; f++) {
        if (f->help == NULL || f->help[strlen(f->help) - 1] == '.') fail_msg("%s --%s: help", where, f->name);
        if ((f->type == CLI_ENUM) != (f->choices != NULL)) fail_msg("%s --%s: choices", where, f->name);
        if (f->type == CLI_SWITCH && f->value != NULL) fail_msg("%s --%s: a switch with a default", where, f->name);
        for (const cli_flag *g = flags; g != f; g++)
            if (strcmp(f->name, g->name) == 0 || (f->short_name != 0 && f->short_name == g->short_name))
                fail_msg("%s --%s: twice", where, f->name);
    }
}

static void check_command(const cli_command *c, size_t depth) {
    assert_true(depth <= CLI_DEPTH);
    assert_non_null(c->summary);
    assert_true((c->run != NULL) != (c->commands != NULL));
    check_flags(c->name, c->flags);
    check_flags(c->name, c->shared);
    for (const cli_flag *f = c->flags; f != NULL && f->name != NULL; f++)
        for (const cli_flag *g = c->shared; g != NULL && g->name != NULL; g++)
            if (strcmp(f->name, g->name) == 0) fail_msg("%s --%s: twice", c->name, f->name);
    for (const cli_arg *a = c->args; a != NULL && a->name != NULL; a++) {
        assert_non_null(a->help);
        assert_true(!a->many || a[1].name == NULL);
        assert_true(!a->required || a == c->args || a[-1].required);
    }
    for (size_t i = 0; c->commands != NULL && c->commands[i] != NULL; i++) {
        assert_ptr_equal(cli_find(c, c->commands[i]->name), c->commands[i]);
        check_command(c->commands[i], depth + 1);
    }
}

// Defaults are values that parsing accepts: walking every command with no flags takes all of them.
static void check_defaults(const cli_command *c, char **words, int n) {
    cli app;
    char err[256];
    words[n] = (char *)(uintptr_t)c->name;
    for (size_t i = 0; c->commands != NULL && c->commands[i] != NULL; i++)
        check_defaults(c->commands[i], words, n + 1);
    if (c->commands != NULL) return;
    int argc = n + 1;
    static char word[] = "1";
    for (const cli_arg *a = c->args; a != NULL && a->name != NULL && a->required; a++)
        words[argc++] = word;
    cli_init(&app);
    enum cli_parsed parsed = cli_parse(&app, &cli_root, argc, words, err, sizeof err);
    if (parsed != CLI_PARSED_RUN && strstr(err, "is required") == NULL) fail_msg("%s: %s", c->name, err);
    cli_fini(&app);
}

static void tables(void **state) {
    char *words[16];
    (void)state;
    check_flags("global", cli_global_flags);
    check_command(&cli_root, 0);
    check_defaults(&cli_root, words, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion),
        cmocka_unit_test(every_beginning_is_safe),
        cmocka_unit_test(manual),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
