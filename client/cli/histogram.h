// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A histogram of latencies with a relative error below 0.1 % from 1 ns to 18 minutes, in 250 KB, whatever the number of
// values. Smallest, largest and mean are exact. One thread at a time; those of several threads are merged afterwards.
#ifndef MIDGE_CLI_HISTOGRAM_H
#define MIDGE_CLI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cli_histogram cli_histogram;

cli_histogram *cli_histogram_new(void);
void cli_histogram_free(cli_histogram *h); // NULL is fine

// A value in nanoseconds. What is longer than 18 minutes counts as the longest, but for min, max and mean.
void cli_histogram_add(cli_histogram *h, uint64_t ns);
// The same value `times` times.
void cli_histogram_add_n(cli_histogram *h, uint64_t ns, uint64_t times);
void cli_histogram_merge(cli_histogram *into, const cli_histogram *from);

// All 0 for an empty one.
uint64_t cli_histogram_count(const cli_histogram *h);
uint64_t cli_histogram_min(const cli_histogram *h);
uint64_t cli_histogram_max(const cli_histogram *h);
double cli_histogram_mean(const cli_histogram *h);
double cli_histogram_stddev(const cli_histogram *h);

// The value that `percentile` (0..100) percent of the values do not exceed.
uint64_t cli_histogram_at(const cli_histogram *h, double percentile);

// How many values are in [from, to), to the precision of the histogram.
uint64_t cli_histogram_between(const cli_histogram *h, uint64_t from, uint64_t to);

// Draws it as rows "  40µs │████▌  12,345  41.0%" of at most `width` columns (at least 60). Steps are logarithmic.
// colour: the escape sequence of the bars, "" for none.
void cli_histogram_draw(const cli_histogram *h, size_t width, const char *colour, FILE *out);

// The percentile table in milliseconds that HdrHistogram's plotFiles page reads.
void cli_histogram_write(const cli_histogram *h, FILE *out);

#endif
