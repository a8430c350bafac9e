// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/scenario.h"

#include <string.h>

static struct {
    struct rig *r;
    midge_hook a, b, c;
    bool remove_b, add_c, close, again;
} hooks;

static void on_hook(midge *m, midge_hook *hook, enum midge_hook_why why) {
    static const char *const names[] = {"time", "up", "down", "closed"};

    rig_note(hooks.r, hook == &hooks.a ? "a " : hook == &hooks.b ? "b " : "c ");
    rig_note(hooks.r, names[why]);
    rig_note(hooks.r, "\n");
    if (hooks.again) midge_hook_arm(m, hook, 0);
    hooks.again = false;
    if (hooks.remove_b) midge_hook_remove(m, &hooks.b);
    if (hooks.add_c) midge_hook_add(m, &hooks.c, on_hook);
    if (hooks.close) midge_close(m);
}

static void start(struct rig *r) {
    memset(&hooks, 0, sizeof(hooks));
    hooks.r = r;
    rig_fill(r);
    rig_start(r);
    rig_saw(r, "open a\n");
    midge_hook_add(&r->m, &hooks.b, on_hook);
    midge_hook_add(&r->m, &hooks.a, on_hook);
    midge_hook_add(&r->m, &hooks.a, on_hook); // is there already
}

static void go_up(struct rig *r) {
    rig_say(r, RIG_INFO);
    rig_say(r, "PONG\r\n");
}

static void scenario_hook_timer(struct rig *r) {
    start(r);
    go_up(r);
    rig_saw(r, "connected\na up\nb up\n");
    midge_hook_arm(&r->m, &hooks.a, 5000); // the port's clock wraps within
    midge_hook_arm(&r->m, &hooks.b, 3000);
    midge_hook_arm(&r->m, &hooks.a, 4000);
    CHECK(midge_tick(&r->m, r->now) == 3000);
    rig_later(r, 2999);
    rig_saw(r, "");
    rig_later(r, 1);
    rig_saw(r, "b time\n");
    rig_later(r, 999);
    rig_saw(r, "");
    hooks.again = true; // "at once" is not within the same tick
    rig_later(r, 1);
    rig_saw(r, "a time\n");
    rig_later(r, 1);
    rig_saw(r, "a time\n");
    // The first removes the second, which is due too.
    midge_hook_arm(&r->m, &hooks.a, 10);
    midge_hook_arm(&r->m, &hooks.b, 10);
    hooks.remove_b = true;
    rig_later(r, 100);
    rig_saw(r, "a time\n");
    midge_hook_remove(&r->m, &hooks.b);
    midge_hook_arm(&r->m, &hooks.a, 10);
    midge_hook_remove(&r->m, &hooks.a);
    rig_later(r, 100);
    rig_saw(r, "");
}

static void scenario_hook_connection(struct rig *r) {
    start(r);
    hooks.add_c = true; // one that is added meanwhile hears of the next thing first
    go_up(r);
    rig_saw(r, "connected\na up\nb up\n");
    hooks.add_c = false;
    hooks.remove_b = true;
    rig_cut(r);
    rig_saw(r, "disconnected -10\nc down\na down\n");
    rig_later(r, 1000);
    rig_saw(r, "open a\n");
    hooks.close = true; // the others hear of the end instead
    go_up(r);
    rig_saw(r, "reconnected\nc up\nc closed\na closed\nclosed\nclose\n");
    CHECK(!hooks.a.added && !hooks.b.added && !hooks.c.added);
}

const struct scenario scenarios_hook[] = {{"hook: timer", scenario_hook_timer},
                                          {"hook: connection", scenario_hook_connection},
                                          {NULL, NULL}};
