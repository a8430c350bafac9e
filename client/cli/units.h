// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Numbers as people read and write them: 1,234,567, 1.0 MiB, 2d4h3m1s, 341 MiB/sec. Pure, any thread.
//
// The printers give their text by value, so that it lives as long as the expression:
//
//      printf("%s in %s\n", cli_count(n).s, cli_duration(ns).s);
//
// The forms are those of the nats command (spec/monitoring-and-tools.md C3, output formats).
#ifndef MIDGE_CLI_UNITS_H
#define MIDGE_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_text {
    char s[40]; // always terminated
} cli_text;

#define CLI_US 1000LL
#define CLI_MS 1000000LL
#define CLI_SEC 1000000000LL

// ---- printing ------------------------------------------------------------------------------------------------------

cli_text cli_count(uint64_t n);          // 1,234,567
cli_text cli_count_signed(int64_t n);    // -1,234,567
// 1,234.5: cut to so many digits after the point (0..9), without zeros at the end.
cli_text cli_decimal(double v, int digits);
cli_text cli_bytes(uint64_t n);          // 9 B, 128 B, 1.0 KiB, 12 MiB: one decimal below 10
cli_text cli_byte_rate(double per_sec);  // 341 MiB/sec
cli_text cli_msg_rate(double per_sec);   // 2,794,891 msgs/sec

// Rounded for reading: 404µs, 12ms, 1.50s, 3m1s, 4h3m1s, 2d4h3m1s, 1y2d4h3m1s. INT64_MAX is "never".
cli_text cli_duration(int64_t ns);

// Exact, as Go prints its durations: 1ns, 1.5µs, 2.25ms, 1m1.5s, 52h3m1.5s; 0 is "0s".
cli_text cli_duration_exact(int64_t ns);

// Local time as 2006-01-02 15:04:05; unix_ns since 1970.
cli_text cli_time(int64_t unix_ns);

// ---- parsing: 0, or -1 and *out is unchanged -----------------------------------------------------------------------

// "300ms", "1h30m", "2d4h3m1.5s", "1y", "-5s", "0". Units: ns us µs ms s m h d w M (30 days) y (365 days), D W Y too.
// A number without a unit is refused, except 0.
int cli_parse_duration(const char *text, int64_t *ns);

// "128", "128B", "1K", "1KB", "1KiB" ... "T": powers of 1024, any case. Whole numbers, no sign.
int cli_parse_bytes(const char *text, int64_t *bytes);

// Decimal digits with an optional sign; also "1,000,000" and "1_000_000".
int cli_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);

#endif
