// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Times as they stand in configurations: any year from 0 to 9999, with the zone they were given in, which the reference
// keeps and prints. Messages have plain nanoseconds instead (mg_fmt_time).
#ifndef MG_JETSTREAM_API_TIMESTAMP_H
#define MG_JETSTREAM_API_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/base/slice.h"

struct mg_js_time {
    int64_t sec;    // since 1970, UTC
    int32_t nsec;   // 0..999999999
    int16_t offset; // minutes east of UTC
    bool set;       // false: no time at all, the rest is 0
};

// Reads RFC 3339 as Go's time.Parse does. False: err gets its text.
bool mg_js_time_parse(mg_slice text, struct mg_js_time *out, struct mg_buf *err);
// Appends it without quotes, trailing zeros of the fraction dropped.
void mg_js_time_print(struct mg_buf *out, struct mg_js_time t);

// Nanoseconds since 1970; beyond what they can tell it is INT64_MIN or INT64_MAX. INT64_MIN is also the zero time,
// 0001-01-01T00:00:00Z.
int64_t mg_js_time_ns(struct mg_js_time t);
struct mg_js_time mg_js_time_of_ns(int64_t ns); // INT64_MIN: the zero time
// Is it the zero time, which Go takes for "none"?
bool mg_js_time_is_zero(struct mg_js_time t);
// The same moment (or both unset), whatever the zones.
bool mg_js_time_same(struct mg_js_time a, struct mg_js_time b);

#endif
