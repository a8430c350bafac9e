// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/cmocka_inc.h"
#include "test/unit/client/core/scenario.h"

#include <stdio.h>
#include <stdlib.h>

void scenario_failed(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: failed:\n%s\n", file, line, what);
    _fail(file, line);
    abort();
}

static void play(void **state) {
    static struct rig rig; // large for a stack
    scenario_play(*state, &rig, 1);
}

int main(void) {
    static const struct scenario *const tables[] = {scenarios_connect, scenarios_message, scenarios_reconnect,
                                                    scenarios_request, scenarios_drain,   scenarios_text,
                                                    scenarios_storm,   scenarios_js,      scenarios_kv,
                                                    scenarios_hook};
    struct CMUnitTest tests[200];
    size_t n = 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct scenario *s = tables[i]; s->name && n < sizeof(tests) / sizeof(tests[0]); s++)
            tests[n++] = (struct CMUnitTest){s->name, play, NULL, NULL, (void *)(uintptr_t)s};
    return _cmocka_run_group_tests("engine", tests, n, NULL, NULL);
}
