// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Parameters of a monitoring request: the raw query string is searched for a name; the first one wins. The error texts
// are those of spec/monitoring-and-tools.md A1.
#ifndef MG_MONITOR_QUERY_H
#define MG_MONITOR_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

// Decodes the value of `name` (% and +) into out, replacing what is there, and puts a NUL behind it that len does not
// count. False (and an empty out) if there is none.
bool mg_query_get(mg_slice query, const char *name, struct mg_buf *out);
// The value as an owned string; NULL when absent or empty.
char *mg_query_dup(mg_slice query, const char *name);

// An absent or empty parameter gives false / 0. On failure returns MG_EINVAL with the body of the 400 answer in err.
int mg_query_bool(mg_slice query, const char *name, bool *out, struct mg_buf *err);
int mg_query_int(mg_slice query, const char *name, int64_t *out, struct mg_buf *err);
int mg_query_uint(mg_slice query, const char *name, uint64_t *out, struct mg_buf *err);

// Decodes %XX (and + to a space if plus); appends to out. False on a bad escape.
bool mg_query_unescape(mg_slice s, bool plus, struct mg_buf *out);

#endif
