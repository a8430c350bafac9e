// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A log-linear histogram after the idea of HdrHistogram. Values below 2 * 2^SUB_BITS have a bucket each. Each following
// octave [2^k, 2^(k+1)) is cut into 2^SUB_BITS buckets of equal size: a bucket is never wider than 1/1024 of the values
// in it.
//
//      value    0 ..... 1023 | 1024 ... 2047 | 2048 ... 4095 | 4096 ... 8191 | ...
//      width    1            | 1             | 2             | 4             |
//      index    0 ..... 1023 | 1024 ... 2047 | 2048 ... 3071 | 3072 ... 4095 | ...
//
// Adding is a shift and an increment. Percentiles walk the buckets, which is rare.
#include "client/cli/histogram.h"

#include <math.h>
#include <stdlib.h>

#include "client/cli/table.h"
#include "client/cli/units.h"

#define SUB_BITS 10
#define SUBS     ((size_t)1 << SUB_BITS)
#define TOP_BITS 40 // values are below 2^40 ns, 18 minutes
#define BUCKETS  ((TOP_BITS - SUB_BITS + 1) * SUBS)

struct cli_histogram {
    uint64_t count, min, max, sum;
    uint64_t buckets[BUCKETS];
};

static size_t index_of(uint64_t value) {
    if (value < 2 * SUBS)
        return (size_t)value;
    if (value >> TOP_BITS)
        return BUCKETS - 1;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return shift * SUBS + (size_t)(value >> shift);
}

// The smallest value of a bucket.
static uint64_t value_of(size_t index) {
    if (index < 2 * SUBS)
        return index;
    size_t shift = index / SUBS - 1;
    return (uint64_t)(index - shift * SUBS) << shift;
}

cli_histogram *cli_histogram_new(void) {
    cli_histogram *h = calloc(1, sizeof(*h));
    if (!h) {
        fputs("midge: out of memory\n", stderr);
        abort();
    }
    h->min = UINT64_MAX;
    return h;
}

void cli_histogram_free(cli_histogram *h) {
    free(h);
}

void cli_histogram_add_n(cli_histogram *h, uint64_t ns, uint64_t times) {
    if (times == 0)
        return;
    h->count += times;
    h->sum += ns * times;
    if (ns < h->min)
        h->min = ns;
    if (ns > h->max)
        h->max = ns;
    h->buckets[index_of(ns)] += times;
}

void cli_histogram_add(cli_histogram *h, uint64_t ns) {
    cli_histogram_add_n(h, ns, 1);
}

void cli_histogram_merge(cli_histogram *into, const cli_histogram *from) {
    into->count += from->count;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    for (size_t i = 0; i < BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t cli_histogram_count(const cli_histogram *h) {
    return h->count;
}

uint64_t cli_histogram_min(const cli_histogram *h) {
    return h->count ? h->min : 0;
}

uint64_t cli_histogram_max(const cli_histogram *h) {
    return h->max;
}

double cli_histogram_mean(const cli_histogram *h) {
    return h->count ? (double)h->sum / (double)h->count : 0;
}

double cli_histogram_stddev(const cli_histogram *h) {
    double mean = cli_histogram_mean(h), sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!h->buckets[i])
            continue;
        double middle = ((double)value_of(i) + (double)value_of(i + 1) - 1) / 2;
        sum += (double)h->buckets[i] * (middle - mean) * (middle - mean);
    }
    return h->count ? sqrt(sum / (double)h->count) : 0;
}

// How many values a percentile covers, at least one.
static uint64_t rank_of(const cli_histogram *h, double percentile) {
    if (percentile >= 100)
        return h->count;
    uint64_t rank = percentile > 0 ? (uint64_t)(percentile / 100 * (double)h->count + 0.5) : 0;
    return rank ? rank : 1;
}

uint64_t cli_histogram_at(const cli_histogram *h, double percentile) {
    if (!h->count)
        return 0;
    uint64_t rank = rank_of(h, percentile), seen = 0;
    if (rank >= h->count)
        return h->max;
    size_t i = 0;
    while ((seen += h->buckets[i]) < rank)
        i++;
    uint64_t top = value_of(i + 1) - 1; // the largest that the bucket may hold
    return top > h->max ? h->max : top < h->min ? h->min : top;
}

uint64_t cli_histogram_between(const cli_histogram *h, uint64_t from, uint64_t to) {
    uint64_t n = 0;
    for (size_t i = index_of(from); i < BUCKETS && value_of(i) < to; i++)
        if (value_of(i) >= from)
            n += h->buckets[i];
    return n;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

#define ROWS_MAX 18

// Steps within a decade, from fine to coarse. A drawing takes the finest that does not need too many rows.
static const struct {
    size_t n;
    uint8_t tenths[10];
} ladders[] = {
    {10, {10, 12, 15, 20, 25, 30, 40, 50, 60, 80}},
    {5, {10, 15, 25, 40, 60}},
    {3, {10, 20, 50}},
    {1, {10}},
};

// Writes the bounds of the rows from the one that holds `min` to the one above `max`; their number, 0: too many.
static size_t bounds_of(size_t ladder, uint64_t min, uint64_t max, uint64_t *bounds) {
    size_t n = 0;
    bounds[n++] = 0;
    for (uint64_t decade = 1; decade < UINT64_MAX / 100; decade *= 10) {
        for (size_t i = 0; i < ladders[ladder].n; i++) {
            uint64_t bound = decade * ladders[ladder].tenths[i];
            if (bound <= min) {
                bounds[0] = bound;
                continue;
            }
            if (n > ROWS_MAX)
                return 0;
            bounds[n++] = bound;
            if (bound > max)
                return n;
        }
    }
    return n;
}

typedef struct canvas {
    uint64_t most, total; // the tallest row, all rows
    size_t columns;       // of the tallest row
    const char *colour;
    FILE *out;
} canvas;

static void draw_row(const canvas *v, uint64_t from, uint64_t count) {
    static const char eighths[8][4] = {"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589"};
    size_t filled = (size_t)((double)count / (double)v->most * (double)v->columns * 8);
    if (count && !filled)
        filled = 1;
    cli_text label = cli_duration_exact((int64_t)from);
    size_t wide = cli_text_width(label.s);
    fprintf(v->out, "%*s%s \u2502%s", (int)(wide < 8 ? 8 - wide : 0), "", label.s, v->colour);
    for (size_t i = 0; i < filled / 8; i++)
        fputs("\u2588", v->out);
    size_t used = filled / 8 + (filled % 8 != 0);
    fprintf(v->out, "%s%s%*s %13s %5.1f%%\n", eighths[filled % 8], *v->colour ? "\x1b[0m" : "",
            (int)(v->columns > used ? v->columns - used : 0), "", cli_count(count).s,
            (double)count / (double)v->total * 100);
}

void cli_histogram_draw(const cli_histogram *h, size_t width, const char *colour, FILE *out) {
    uint64_t bounds[ROWS_MAX + 1];
    size_t n = 0, columns = (width < 60 ? 60 : width) - 32;
    canvas v = {.most = 1, .total = h->count, .columns = columns < 80 ? columns : 80, .colour = colour, .out = out};
    if (!h->count)
        return;
    for (size_t ladder = 0; n == 0; ladder++)
        n = bounds_of(ladder, h->min, h->max, bounds);
    for (size_t i = 0; i + 1 < n; i++) {
        uint64_t count = cli_histogram_between(h, bounds[i], bounds[i + 1]);
        v.most = count > v.most ? count : v.most;
    }
    for (size_t i = 0; i + 1 < n; i++)
        draw_row(&v, bounds[i], cli_histogram_between(h, bounds[i], bounds[i + 1]));
}

// ---- for plotting --------------------------------------------------------------------------------------------------

void cli_histogram_write(const cli_histogram *h, FILE *out) {
    static const double percentiles[] = {10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999, 100};
    fputs("Value    Percentile    TotalCount    1/(1-Percentile)\n\n", out);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        double p = percentiles[i];
        fprintf(out, "%f    %f        %llu            %f\n", (double)cli_histogram_at(h, p) / 1e6, p / 100,
                (unsigned long long)(h->count ? rank_of(h, p) : 0), p < 100 ? 1 / (1 - p / 100) : 1e7);
    }
}
