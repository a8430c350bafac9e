// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text forms of times and durations (spec/monitoring-and-tools.md 0.1, 0.4, 0.5).
#ifndef MG_BASE_TIMEFMT_H
#define MG_BASE_TIMEFMT_H

#include <stddef.h>
#include <stdint.h>

// RFC 3339, UTC, up to 9 fractional digits, trailing zeros removed; ns since the epoch; INT64_MIN gives
// 0001-01-01T00:00:00Z. buf must hold 40 bytes. Returns buf.
char *mg_fmt_time(char *buf, int64_t unix_ns);
// "1d2h3m4s" as in varz uptime, whole seconds. buf must hold 40 bytes. Returns buf.
char *mg_fmt_uptime(char *buf, uint64_t ns);
// Go duration ("950ns", "95.5µs", "1.234ms", "1m2.5s", "0s"). buf must hold 40 bytes. Returns buf.
char *mg_fmt_duration(char *buf, int64_t ns);
// Parses a Go duration string ("300ms", "1h2m", "-1.5s", "0"). 0 or MG_ESYNTAX / MG_ERANGE.
int mg_parse_duration(const char *s, int64_t *ns);

#endif
