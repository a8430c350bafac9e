// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Progress bars with a live rate, one line each, redrawn in place:
//
//      [1]  62% ▕█████████████▉        ▏ 1,240,112/2,000,000  2,794,891 msgs/sec  341 MiB/sec
//
// Drawn only if `out` is a terminal, and otherwise all of it is a no-op, so callers need not ask. The clock is the
// caller's (monotonic nanoseconds). One thread at a time: threads that work count in atomics of their own, and the one
// that draws calls cli_progress_set.
#ifndef MIDGE_CLI_PROGRESS_H
#define MIDGE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cli_progress cli_progress;

// enabled false (--no-progress), or out is not a terminal: nothing is ever drawn.
cli_progress *cli_progress_new(FILE *out, bool enabled, uint64_t now_ns);
void cli_progress_free(cli_progress *p); // NULL is fine; finishes

// The escape sequence that the bars are drawn with (of cli_colour; kept), "" for none.
void cli_progress_colour(cli_progress *p, const char *escape);

// A bar more; its number, from 0. label is copied, "" for none. total 0 counts up without an end.
// unit_bytes > 0: a thing is so many bytes, a rate of bytes is shown as well; 1: only that.
size_t cli_progress_add(cli_progress *p, const char *label, uint64_t total, uint64_t unit_bytes);

void cli_progress_set(cli_progress *p, size_t bar, uint64_t done);

// Draws if 100 ms have passed since the last time. True if it drew.
bool cli_progress_draw(cli_progress *p, uint64_t now_ns);

// Draws a last time and leaves the cursor below; then nothing is drawn any more.
void cli_progress_finish(cli_progress *p, uint64_t now_ns);

// The text of one bar, cut to `width` columns (at most 511): for tests and for those who draw themselves. done/total
// as above, rate in things a second, unit_bytes as above. Returns the bytes written, without the terminating zero.
size_t cli_progress_line(char *out, size_t size, const char *label, uint64_t done, uint64_t total, double rate,
                         uint64_t unit_bytes, size_t width);

#endif
