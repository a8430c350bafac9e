// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tests against a running server: a case is a function, a check that fails ends it.
#ifndef MG_TEST_CLIENT_HOST_LIVE_H
#define MG_TEST_CLIENT_HOST_LIVE_H

#include <stdio.h>
#include <string.h>

#include "client/host/midge_host.h"
#include "client/port/midge_posix.h"

typedef struct live {
    midge_conn *c, *other; // two connections to the server
    midge *m, *n;          // their engines
    const char *url;
} live;

typedef const char *(*live_case)(live *t); // NULL: passed, otherwise what is wrong

#define LIVE_TEXT_(x) #x
#define LIVE_TEXT(x) LIVE_TEXT_(x)
#define CHECK(condition) \
    if (!(condition)) return __FILE__ ":" LIVE_TEXT(__LINE__) ": " #condition

typedef struct live_test {
    const char *group, *name;
    live_case run;
} live_test;

extern const live_test service_tests[], stream_tests[], bucket_tests[], object_tests[];

// Runs the engine until the op has ended, at most 10 s; its err, or ETIMEOUT.
int live_wait(live *t, midge_op *op);
// An error of a start, or of the end.
#define RUN(op, start) ((start) ? -1000 : live_wait(t, (op)))

static inline bool live_is(midge_str s, const char *text) {
    return s.n == strlen(text) && (!s.n || memcmp(s.p, text, s.n) == 0);
}

// A service that answers until the program is told to end.
int live_serve(live *t);

#endif
