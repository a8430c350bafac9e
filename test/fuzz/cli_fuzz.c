// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The texts that the command line takes apart. The first byte says as what the rest is read: a template, a command line
// for --command, a context file, base64, headers of a message.
#include <stdlib.h>
#include <string.h>

#include "client/cli/app.h"
#include "client/cli/child.h"
#include "client/cli/message.h"
#include "client/cli/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good) {
    if (!good) abort();
}

static void fill_template(midge_str text) {
    cli_template t = {.count = 1, .request = MIDGE_STR("r"), .random = 1, .unix_ns = 1, .counts = true};
    char err[64];
    size_t n;
    // No fuzzer needs megabytes of random letters.
    if (text.n > 0 && memmem(text.p, text.n, "Random", 6) != NULL && text.n > 64) return;
    char *out = cli_template_fill(&t, text, &n, err, sizeof err);
    must(out == NULL || out[n] == '\0');
    free(out);
}

static void split_words(const char *text) {
    const char **words = cli_words_split(text);
    size_t sum = 0;
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        sum += strlen(words[i]);
    must(sum <= strlen(text));
    cli_words_free(words);
}

static char *written(const cli_context *c) {
    char *text = NULL;
    size_t n;
    cli_json j = {.out = open_memstream(&text, &n), .indent = 2};
    cli_context_write(c, &j, false);
    must(fclose(j.out) == 0);
    return text;
}

// What was written is read as the same.
static void read_context(midge_str text) {
    cli app;
    cli_context c, again;
    char err[64];
    cli_init(&app);
    if (cli_context_parse(&app, text.p, text.n, &c, err, sizeof err) == 0 && cli_utf8_valid(text)) {
        char *first = written(&c);
        must(cli_context_parse(&app, first, strlen(first), &again, err, sizeof err) == 0);
        for (int i = 0; i < CLI_CONTEXT_TEXTS_LEN; i++)
            must(c.text[i] == NULL ? again.text[i] == NULL
                                   : again.text[i] != NULL && strcmp(c.text[i], again.text[i]) == 0);
        free(first);
    }
    cli_fini(&app);
}

static void decode(midge_str text) {
    char *out = malloc(text.n / 4 * 3 + 3);
    must(out != NULL);
    size_t n = cli_base64_read(text.p, text.n, out);
    must(n == SIZE_MAX || n <= text.n / 4 * 3);
    free(out);
}

static void show(midge_str block) {
    char *text = NULL;
    size_t n;
    cli_json j = {.out = open_memstream(&text, &n)};
    cli_print_headers(j.out, "", block);
    cli_json_begin(&j, NULL, '{');
    cli_json_message(&j, MIDGE_STR("s"), MIDGE_NONE, block, block);
    cli_json_end(&j, '}');
    must(fclose(j.out) == 0 && cli_utf8_valid((midge_str){text, 0}));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    char *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    const midge_str s = {text, size - 1};
    switch (data[0]) {
    case 't': fill_template(s); break;
    case 'w': split_words(text); break;
    case 'c': read_context(s); break;
    case 'b': decode(s); break;
    case 'h': show(s); break;
    default: break;
    }
    free(text);
    return 0;
}
