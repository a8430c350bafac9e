// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// All scenarios of the engine as tests of a machine without cmocka. Each is played whole, byte by byte, and with a cut
// at each third place: an emulator is slow, and hosts try them all.
#include "test/unit/client/core/scenario.h"

#include <cmocka.h>

void scenario_failed(const char *file, int line, const char *what) { mini_fail(file, line, what); }

static void play(void **state) {
    static struct rig rig;
    scenario_play(*state, &rig, 3);
}

int main(void) {
    static const struct scenario *const tables[] = {scenarios_connect, scenarios_message, scenarios_reconnect,
                                                    scenarios_request, scenarios_drain,   scenarios_text,
                                                    scenarios_storm,   scenarios_js,
                                                    scenarios_kv,      scenarios_hook};
    static struct CMUnitTest tests[200];
    size_t n = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct scenario *s = tables[i]; s->name && n < sizeof(tests) / sizeof(tests[0]); s++) {
            tests[n++] = (struct CMUnitTest){.name = s->name, .test_func = play, .initial_state = (void *)(uintptr_t)s};
        }
    }
    return mini_run(tests, n, NULL, NULL);
}
