// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A scenario is a function that does its work against a server and returns, or fails with a sentence. It prints
// `at WORD` when something is reached; the launcher (run.py) acts on that: kills, restarts, signals. Nothing here
// sleeps; every wait has a condition and LIMIT_MS.
#ifndef MIDGE_TEST_CLIENT_SCENARIO_H
#define MIDGE_TEST_CLIENT_SCENARIO_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/port/midge_posix.h"

#define LIMIT_MS 20000

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) fail(__FILE__, __LINE__, __VA_ARGS__);                                                       \
    } while (0)

_Noreturn void fail(const char *file, int line, const char *form, ...) __attribute__((format(printf, 3, 4)));

// Tells the launcher.
void at(const char *form, ...) __attribute__((format(printf, 1, 2)));

// An argument `name=value` of the program, or NULL / the number.
const char *arg(const char *name);
long arg_number(const char *name, long fallback);

// The options that the arguments say (servers=, user=, tls_ca= ...).
midge_options options_of_args(void);

// Connects or fails.
midge_conn *connect_or_fail(const midge_options *o);

// What events were seen.
struct seen {
    unsigned count[MIDGE_EVENT_ERROR + 1];
    char subject[128]; // of the last PERMISSION
    char text[128];    // of the last ERROR
    bool publish;
    size_t dropped;
    int closed_err;
};
void on_seen(midge *m, const midge_event *event, void *seen);

// Polls until the condition holds.
#define UNTIL(conn, condition)                                                                                         \
    do {                                                                                                               \
        uint32_t began_ = now_ms();                                                                                    \
        while (!(condition)) {                                                                                         \
            CHECK(midge_poll((conn), 1000) >= 0, "closed while waiting for " #condition);                              \
            CHECK(now_ms() - began_ < LIMIT_MS, "no end of waiting for " #condition);                                  \
        }                                                                                                              \
    } while (0)
uint32_t now_ms(void);

struct scenario {
    const char *name;
    void (*run)(void);
};
extern const struct scenario basic_scenarios[], storm_scenarios[], load_scenarios[], loop_scenarios[], js_scenarios[];

#endif
