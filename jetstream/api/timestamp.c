// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Reading goes along the layout, element by element, as Go does, for its errors say which element did not fit: either
// `cannot parse "<rest>" as "<element>"` or, when the digits are there but mean nothing, `<what> out of range`.
#include "jetstream/api/timestamp.h"

#include <inttypes.h>
#include <string.h>

#define LAYOUT "2006-01-02T15:04:05Z07:00"

static const int64_t SECOND = 1000000000;
// Seconds from 1970 to the year 1.
static const int64_t ZERO_TIME = -62135596800;

struct reading {
    mg_slice whole;
    const char *p, *end;
    struct mg_buf *err;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool cannot_parse(struct reading *r, const char *element) {
    mg_buf_adds(r->err, "parsing time ");
    mg_buf_add_quoted(r->err, r->whole);
    mg_buf_adds(r->err, " as \"" LAYOUT "\": cannot parse ");
    mg_buf_add_quoted(r->err, mg_slice_of(r->p, (size_t)(r->end - r->p)));
    mg_buf_addf(r->err, " as \"%s\"", element);
    return false;
}

static bool out_of_range(struct reading *r, const char *what) {
    mg_buf_adds(r->err, "parsing time ");
    mg_buf_add_quoted(r->err, r->whole);
    mg_buf_addf(r->err, ": %s out of range", what);
    return false;
}

static bool is_leap(int64_t y) { return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0); }

static int days_of(int64_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

// At least `least` digits, at most `most`.
static bool take_digits(struct reading *r, int least, int most, int *out) {
    int n = 0, v = 0;
    while (n < most && r->p + n < r->end && is_digit(r->p[n])) v = v * 10 + (r->p[n++] - '0');
    if (n < least) return false;
    r->p += n;
    *out = v;
    return true;
}

static bool take_char(struct reading *r, char c) {
    if (r->p == r->end || *r->p != c) return false;
    r->p++;
    return true;
}

// The fraction is taken after the seconds if a digit follows the point; more than nine digits are cut.
static void take_fraction(struct reading *r, int32_t *nsec) {
    if (r->end - r->p < 2 || (*r->p != '.' && *r->p != ',') || !is_digit(r->p[1])) return;
    int32_t scale = 100000000;
    for (r->p++; r->p < r->end && is_digit(*r->p); r->p++, scale /= 10) *nsec += (*r->p - '0') * scale;
}

static bool take_zone(struct reading *r, int16_t *offset) {
    if (take_char(r, 'Z')) return true;
    const char *p = r->p;
    int hours, minutes;
    if (r->end - p < 6 || (*p != '+' && *p != '-') || p[3] != ':') return cannot_parse(r, "Z07:00");
    r->p++;
    bool ok = take_digits(r, 2, 2, &hours) && take_char(r, ':') && take_digits(r, 2, 2, &minutes);
    if (!ok) {
        r->p = p;
        return cannot_parse(r, "Z07:00");
    }
    if (hours > 24) return out_of_range(r, "time zone offset hour");
    if (minutes > 60) return out_of_range(r, "time zone offset minute");
    *offset = (int16_t)(*p == '-' ? -(hours * 60 + minutes) : hours * 60 + minutes);
    return true;
}

// Days since 1970 of a civil date, by 400-year eras that begin on March 1st.
static int64_t days_since_1970(int64_t y, int m, int d) {
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool mg_js_time_parse(mg_slice text, struct mg_js_time *out, struct mg_buf *err) {
    static const struct {
        const char *element, *what;
        int least, digits, low, high;
        char before; // and the character in front of it
    } parts[] = {{"2006", "year", 4, 4, 0, 9999, 0},  {"01", "month", 2, 2, 1, 12, '-'},
                 {"02", "day", 2, 2, 1, 31, '-'},     {"15", "hour", 1, 2, 0, 23, 'T'},
                 {"04", "minute", 2, 2, 0, 59, ':'},  {"05", "second", 2, 2, 0, 59, ':'}};
    struct reading r = {text, text.p, text.p + text.n, err};
    int v[6];
    for (size_t i = 0; i < 6; i++) {
        const char before[] = {parts[i].before, '\0'};
        if (*before && !take_char(&r, *before)) return cannot_parse(&r, before);
        if (!take_digits(&r, parts[i].least, parts[i].digits, &v[i])) return cannot_parse(&r, parts[i].element);
        if (v[i] < parts[i].low || v[i] > parts[i].high) return out_of_range(&r, parts[i].what);
    }
    struct mg_js_time t = {.set = true};
    take_fraction(&r, &t.nsec);
    if (!take_zone(&r, &t.offset)) return false;
    if (r.p < r.end) {
        mg_buf_adds(err, "parsing time ");
        mg_buf_add_quoted(err, text);
        mg_buf_adds(err, ": extra text: ");
        mg_buf_add_quoted(err, mg_slice_of(r.p, (size_t)(r.end - r.p)));
        return false;
    }
    if (v[2] > days_of(v[0], v[1])) return out_of_range(&r, "day");
    t.sec = days_since_1970(v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5] - t.offset * 60;
    *out = t;
    return true;
}

static void print_date(struct mg_buf *out, int64_t days) {
    days += 719468; // since 0000-03-01
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
    int64_t month = m < 10 ? m + 3 : m - 9;
    mg_buf_addf(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, era * 400 + yoe + (month <= 2), month,
                doy - (153 * m + 2) / 5 + 1);
}

void mg_js_time_print(struct mg_buf *out, struct mg_js_time t) {
    int64_t local = t.sec + t.offset * 60, days = local / 86400, rest = local % 86400;
    if (rest < 0) days--, rest += 86400;
    print_date(out, days);
    mg_buf_addf(out, "T%02d:%02d:%02d", (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (t.nsec != 0) {
        int width = 9;
        int32_t frac = t.nsec;
        for (; frac % 10 == 0; frac /= 10) width--;
        mg_buf_addf(out, ".%0*" PRId32, width, frac);
    }
    int minutes = t.offset < 0 ? -t.offset : t.offset;
    if (minutes == 0) mg_buf_addc(out, 'Z');
    else mg_buf_addf(out, "%c%02d:%02d", t.offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

int64_t mg_js_time_ns(struct mg_js_time t) {
    __int128 ns = (__int128)t.sec * SECOND + t.nsec;
    return ns < INT64_MIN ? INT64_MIN : ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

struct mg_js_time mg_js_time_of_ns(int64_t ns) {
    if (ns == INT64_MIN) return (struct mg_js_time){.sec = ZERO_TIME, .set = true};
    int64_t sec = ns / SECOND, rest = ns % SECOND;
    if (rest < 0) sec--, rest += SECOND;
    return (struct mg_js_time){.sec = sec, .nsec = (int32_t)rest, .set = true};
}

bool mg_js_time_is_zero(struct mg_js_time t) { return t.set && t.sec == ZERO_TIME && t.nsec == 0; }

bool mg_js_time_same(struct mg_js_time a, struct mg_js_time b) {
    return a.set == b.set && a.sec == b.sec && a.nsec == b.nsec;
}
