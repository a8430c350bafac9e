// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Coroutines for the simulator: the main program and any number of fibers, each with a stack of its own. Only the main
// program resumes fibers and a fiber always yields to the main program. ASan is told about the switches.
#ifndef MG_TEST_SIM_FIBER_H
#define MG_TEST_SIM_FIBER_H

#include <stdbool.h>

struct fiber;

struct fiber *fiber_new(void (*fn)(void *arg), void *arg);
void fiber_free(struct fiber *f); // must have ended
void fiber_resume(struct fiber *f);
void fiber_yield(struct fiber *f); // f is the one that runs
bool fiber_ended(const struct fiber *f);

#endif
