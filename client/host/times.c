// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// RFC 3339 as the server writes it, without the C library's calendar: that knows locales and zones, this only UTC.
// Days are counted from 0000-03-01, so that a leap day is the last of its year (the civil calendar of Hinnant).
#include "client/host/midge_host.h"

#include <stdio.h>

#define DAY_1970 719468 // days from 0000-03-01 to 1970-01-01

static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAY_1970;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    days += DAY_1970;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m + (m < 10 ? 3 : -9);
    *year = y + era * 400 + (*month <= 2);
}

midge_str midge_time_text(int64_t time, char out[MIDGE_TIME_MAX]) {
    int64_t seconds = time / MIDGE_SECOND, nanos = time % MIDGE_SECOND;
    if (nanos < 0) {
        nanos += MIDGE_SECOND;
        seconds--;
    }
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400, rest = seconds - days * 86400;
    int64_t year, month, day;
    date_of(days, &year, &month, &day);
    if (time == 0) year = month = day = 1; // spec/jetstream-streams.md: the zero time
    int n = snprintf(out, MIDGE_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09d", (int)year, (int)month, (int)day,
                     (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), (int)nanos);
    while (out[n - 1] == '0') n--;
    if (out[n - 1] == '.') n--;
    out[n++] = 'Z';
    out[n] = '\0';
    return (midge_str){out, (size_t)n};
}

// Reads exactly n digits and, if it is not 0, the character behind them.
static bool number(midge_str *s, size_t n, char behind, int64_t *v) {
    size_t all = n + (behind != '\0');
    if (s->n < all || (behind && s->p[n] != behind)) return false;
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        *v = *v * 10 + (s->p[i] - '0');
    }
    s->p += all;
    s->n -= all;
    return true;
}

static bool fraction(midge_str *s, int64_t *nanos) {
    *nanos = 0;
    if (!s->n || *s->p != '.') return true;
    size_t i = 1;
    int64_t unit = MIDGE_SECOND;
    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++) *nanos += (unit /= 10) * (s->p[i] - '0');
    s->p += i;
    s->n -= i;
    return i > 1;
}

// "Z", "+hh:mm", "-hh:mm"; seconds to take away.
static bool zone(midge_str s, int64_t *offset) {
    int64_t hours, minutes;
    *offset = 0;
    if (s.n == 1) return *s.p == 'Z' || *s.p == 'z';
    if (s.n != 6 || (*s.p != '+' && *s.p != '-')) return false;
    int64_t sign = *s.p == '+' ? 1 : -1;
    s = (midge_str){s.p + 1, 5};
    if (!number(&s, 2, ':', &hours) || !number(&s, 2, '\0', &minutes) || hours > 23 || minutes > 59) return false;
    *offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool midge_time_parse(midge_str text, int64_t *time) {
    int64_t year, month, day, hour, minute, second, nanos, offset;
    if (!number(&text, 4, '-', &year) || !number(&text, 2, '-', &month)) return false;
    if (!number(&text, 2, '\0', &day) || !text.n || (*text.p != 'T' && *text.p != 't')) return false;
    text = (midge_str){text.p + 1, text.n - 1};
    if (!number(&text, 2, ':', &hour) || !number(&text, 2, ':', &minute)) return false;
    if (!number(&text, 2, '\0', &second)) return false;
    if (!fraction(&text, &nanos) || !zone(text, &offset)) return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return false;
    if (year == 1) {
        *time = 0;
        return true;
    }
    if (year < 1678 || year > 2261) return false; // what 64 bits of nanoseconds hold
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *time = seconds * MIDGE_SECOND + nanos;
    return true;
}
