// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A rig for JetStream and key-value. Inboxes differ from run to run, so scripts name them: `{a}` in what is expected
// takes the letters that stand there, and stands for them from then on.
#ifndef MG_TEST_JS_RIG_H
#define MG_TEST_JS_RIG_H

#include "test/unit/client/core/scenario.h"

#include <string.h>

struct js_rig {
    midge_js js;
    midge_kv kv; // the bucket "cfg"
    char text[640];
    char names['z' - 'a' + 1][32];
    int stop_after; // messages that a callback takes before it stops the pull; 0: never
};
extern struct js_rig js;

void js_start(struct rig *r);   // rig_fill and a fresh js
void js_connect(struct rig *r); // the same up to "connected"

// What stands for `{x}`; making it empty frees the name.
char *js_name(const char *name);

// What was written since the last time is this.
void js_wrote_(struct rig *r, const char *want, int line);
#define wrote(r, want) js_wrote_((r), (want), __LINE__)

// The server says a message; head is "subject sid[ reply]", headers a block or "".
void js_say_msg(struct rig *r, const char *head, const char *headers, const char *data);

#define NOBODY "NATS/1.0 503\r\n\r\n"

// "what err" into the log.
void js_note(struct rig *r, const char *what, int err);

#endif
