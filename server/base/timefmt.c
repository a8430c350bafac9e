// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Text forms of times and durations, in integer arithmetic throughout. All writers fit their 40 bytes: the longest time
// has 30 characters, the longest duration ("-2562047h47m16.854775808s") 25, the longest uptime 20.
#include "server/base/timefmt.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/base/errors.h"

enum { BUF = 40 };

static const uint64_t US = 1000, MS = 1000000, S = 1000000000, M = 60000000000, H = 3600000000000;

// Writes "." and the digits of frac (< 10^width) without trailing zeros; nothing when it is 0.
static char *put_fraction(char *p, uint64_t frac, int width) {
    if (frac == 0) return p;
    for (; frac % 10 == 0; frac /= 10) width--;
    return p + snprintf(p, 16, ".%0*" PRIu64, width, frac);
}

// Civil date of a day count since 1970-01-01, by 400-year eras that begin on March 1st.
static void civil(int64_t days, int *year, unsigned *month, unsigned *day) {
    days += 719468; // since 0000-03-01
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned m = (5 * doy + 2) / 153;
    *day = doy - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(era * 400 + yoe) + (*month <= 2);
}

char *mg_fmt_time(char *buf, int64_t unix_ns) {
    if (unix_ns == INT64_MIN) return strcpy(buf, "0001-01-01T00:00:00Z");
    int64_t secs = unix_ns / (int64_t)S, frac = unix_ns % (int64_t)S;
    if (frac < 0) secs--, frac += (int64_t)S;
    int64_t days = secs / 86400, rest = secs % 86400;
    if (rest < 0) days--, rest += 86400;
    int year;
    unsigned month, day, sod = (unsigned)rest;
    civil(days, &year, &month, &day);
    char *p = buf + snprintf(buf, BUF, "%04d-%02u-%02uT%02u:%02u:%02u", year, month, day, sod / 3600, sod / 60 % 60,
                             sod % 60);
    strcpy(put_fraction(p, (uint64_t)frac, 9), "Z");
    return buf;
}

char *mg_fmt_uptime(char *buf, uint64_t ns) {
    uint64_t secs = ns / S;
    const struct {
        uint64_t n;
        char unit;
    } parts[] = {
        {secs / (365 * 86400), 'y'}, {secs / 86400 % 365, 'd'}, {secs / 3600 % 24, 'h'}, {secs / 60 % 60, 'm'}};
    char *p = buf;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (p > buf || parts[i].n > 0) p += snprintf(p, 24, "%" PRIu64 "%c", parts[i].n, parts[i].unit);
    snprintf(p, 4, "%us", (unsigned)(secs % 60));
    return buf;
}

char *mg_fmt_duration(char *buf, int64_t ns) {
    uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char *p = buf;
    if (ns < 0) *p++ = '-';
    if (n == 0) return strcpy(buf, "0s");
    if (n < S) {
        uint64_t unit = n < US ? 1 : n < MS ? US : MS;
        p += snprintf(p, 8, "%" PRIu64, n / unit);
        p = put_fraction(p, n % unit, unit == US ? 3 : 6);
        strcpy(p, unit == 1 ? "ns" : unit == US ? "\xc2\xb5s" : "ms");
        return buf;
    }
    if (n >= H) p += snprintf(p, 12, "%" PRIu64 "h", n / H);
    if (n >= M) p += snprintf(p, 8, "%" PRIu64 "m", n / M % 60);
    p += snprintf(p, 8, "%" PRIu64, n / S % 60);
    strcpy(put_fraction(p, n % S, 9), "s");
    return buf;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The unit at s; 0: none. Both the micro sign and the Greek letter are accepted, as in Go.
static uint64_t read_unit(const char **s) {
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
                 {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(*s, units[i].name, n) != 0) continue;
        *s += n;
        return units[i].ns;
    }
    return 0;
}

// One "12.5ms" at *s is added to *sum.
static int read_part(const char **s, unsigned __int128 *sum) {
    const unsigned __int128 limit = (unsigned __int128)INT64_MAX + 1;
    unsigned __int128 whole = 0, frac = 0, scale = 1;
    const char *p = *s;
    bool digits = is_digit(*p), overflow = false;
    for (; is_digit(*p); p++) {
        whole = whole * 10 + (unsigned)(*p - '0');
        if (whole > limit) whole = limit + 1; // and stays there
    }
    if (*p == '.') {
        digits |= is_digit(p[1]);
        for (p++; is_digit(*p); p++) {
            if (scale >= 1000000000000000000u) continue; // beyond any nanosecond
            frac = frac * 10 + (unsigned)(*p - '0');
            scale *= 10;
        }
    }
    uint64_t unit = read_unit(&p);
    if (!digits || unit == 0) return MG_ESYNTAX;
    overflow = whole > limit || whole * unit > limit;
    *sum += whole * unit + frac * unit / scale;
    *s = p;
    return overflow || *sum > limit ? MG_ERANGE : 0;
}

int mg_parse_duration(const char *s, int64_t *ns) {
    bool neg = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (strcmp(s, "0") == 0) {
        *ns = 0;
        return 0;
    }
    unsigned __int128 sum = 0;
    do {
        int err = read_part(&s, &sum);
        if (err != 0) return err;
    } while (*s != '\0');
    if (!neg && sum > INT64_MAX) return MG_ERANGE;
    *ns = neg ? (int64_t)-(uint64_t)sum : (int64_t)sum;
    return 0;
}
