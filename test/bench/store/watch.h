// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What makes turns long. It measures them in CPU time of the thread (others may push it aside) and asks the thread, by
// a timer, where it is when a turn goes on for longer than the limit. One thread is watched.
#ifndef MG_BENCH_STORE_WATCH_H
#define MG_BENCH_STORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch;

struct watch *watch_new(uint64_t limit_ns); // the calling thread's
void watch_free(struct watch *w);           // NULL is fine
void watch_begin(struct watch *w);
uint64_t watch_end(struct watch *w);        // ns of CPU time since
void watch_say(const struct watch *w);      // the longest turns, to stderr: names of functions, innermost first

#endif
