// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge sub`.
#ifndef CLI_SUB_H
#define CLI_SUB_H

#include <stdlib.h>

#include "client/cli/cli.h"
#include "client/cli/message.h"

typedef struct sub_report sub_report; // messages and bytes by subject
typedef struct sub_match sub_match;   // requests that wait for their reply

typedef struct sub_run {
    cli *app;
    midge_conn *conn;
    const char *const *subjects;
    size_t subs_len;
    int32_t *subs;
    const char *queue, *translate, *dump, *ignore, *inbox_prefix;
    bool raw, json, headers_only, subjects_only, times, deltas, inbox, ack, by_subscription, quiet;
    uint64_t limit, wait, top;

    sub_report *report; // NULL: messages are shown
    sub_match *match;   // NULL: replies are not looked for
    struct sub_js *from; // NULL: it is no stream; see sub_js_*
    bool at_end;        // enough when nothing more is stored
    int ended;          // why a stream gives no more; 0: it does
    bool live;          // the report is drawn again every second
    bool enough;        // limit is reached
    uint64_t count, began, last, drawn; // messages; times of cli_mono_ns
} sub_run;

// Shows a message, and its reply if there is one.
void sub_show(sub_run *r, const midge_msg *msg, const midge_msg *reply);

// Of a stream (sub_js.c): do the flags ask for it?
bool sub_js_wanted(const cli *app);
// Begins; each message goes to fn with the run as `user`. Returns CLI_OK, or CLI_FAILED after saying why.
int sub_js_start(sub_run *r, midge_msg_fn fn);
void sub_js_stop(sub_run *r);
extern const cli_flag sub_js_flags[];

// At most a million subjects are counted one by one; what comes on others is summed as "(others)".
sub_report *sub_report_new(void);
void sub_report_free(sub_report *r);
void sub_report_add(sub_report *r, midge_str subject, size_t bytes);
// The subjects with most messages; redraw: clears the terminal first.
void sub_report_print(sub_report *r, cli *app, uint64_t top, bool redraw);
void sub_report_json(sub_report *r, uint64_t top);

// At most 65,536 requests wait; then the oldest is forgotten.
sub_match *sub_match_new(void);
void sub_match_free(sub_match *m);
void sub_match_request(sub_match *m, uint64_t number, const midge_msg *msg);
// Shows the request that msg is the reply to, and both are done.
void sub_match_answer(sub_match *m, sub_run *r, const midge_msg *msg);
size_t sub_match_pending(const sub_match *m);

#endif
