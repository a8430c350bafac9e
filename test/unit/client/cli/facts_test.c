// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/facts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/app.h"
#include "test/unit/cmocka_inc.h"

// What is printed to stdout.
static char *printed(const cli_facts *f) {
    static char text[4096];
    FILE *file = tmpfile();
    int kept = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
    cli_facts_print(f);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void begin(cli *app) {
    char name[] = "midge", sub[] = "rtt", err[128];
    char *argv[] = {name, sub};
    cli_init(app);
    assert_int_equal(cli_parse(app, &cli_root, 2, argv, err, sizeof err), CLI_PARSED_RUN);
}

static void rows_and_titles(void **state) {
    cli app;
    (void)state;
    begin(&app);
    cli_facts *f = cli_facts_new(&app, "About %s", "it");
    cli_facts_row(f, "Name", "%d", 7);
    cli_facts_text(f, "None", NULL);
    cli_facts_text(f, "Empty", "");
    cli_facts_title(f, "First %d", 1);
    cli_facts_title(f, "Second");
    cli_facts_flag(f, "A longer name", true);
    cli_facts_row(f, "", "more of it");
    cli_facts_line(f, "");
    cli_facts_title(f, "Third");
    cli_facts_line(f, "   as it is");
    cli_facts_indent(f, 2);
    cli_facts_title(f, "Fourth");
    cli_facts_flag(f, "Name", false);
    assert_string_equal(printed(f), "About it\n\n"
                                    "           Name: 7\n"
                                    "\nFirst 1:\n\n"
                                    "Second:\n\n"
                                    "  A longer name: true\n"
                                    "                 more of it\n"
                                    "\n"
                                    "Third:\n\n"
                                    "   as it is\n"
                                    "\n  Fourth:\n\n"
                                    "             Name: false\n");
    cli_fini(&app);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_titles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
