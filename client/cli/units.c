// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Numbers for people. Printing rounds the way the nats command does, so that the same figures look the same; all of it
// is integer arithmetic but for rates. Parsing is stricter than the nats command: the whole text must be understood.
#include "client/cli/units.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE (60 * CLI_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

// ---- printing -------------------------------------------------------------------------------------------------------

static cli_text group(const char *digits, size_t n, bool minus, const char *rest) {
    cli_text text;
    size_t at = 0;
    if (minus)
        text.s[at++] = '-';
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            text.s[at++] = ',';
        text.s[at++] = digits[i];
    }
    snprintf(text.s + at, sizeof(text.s) - at, "%s", rest);
    return text;
}

cli_text cli_count(uint64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    return group(digits, (size_t)len, false, "");
}

cli_text cli_count_signed(int64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", n < 0 ? -(unsigned long long)n : (unsigned long long)n);
    return group(digits, (size_t)len, n < 0, "");
}

cli_text cli_decimal(double v, int digits) {
    char text[64];
    if (!(v > -1e15 && v < 1e15)) { // beyond that no fraction is left, and NaN
        cli_text odd;
        snprintf(odd.s, sizeof(odd.s), "%g", v);
        return odd;
    }
    snprintf(text, sizeof(text), "%.9f", v < 0 ? -v : v);
    char *dot = strchr(text, '.');
    char *end = digits > 0 ? dot + 1 + (digits < 9 ? digits : 9) : dot;
    while (end > dot && (end[-1] == '0' || end[-1] == '.'))
        end--;
    *end = '\0';
    char rest[16];
    snprintf(rest, sizeof(rest), "%s", end > dot ? dot : "");
    return group(text, (size_t)(dot - text), v < 0, rest);
}

cli_text cli_bytes(uint64_t n) {
    static const char units[7][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    cli_text text;
    unsigned e = 0;
    while (e < 6 && n >> (10 * (e + 1)))
        e++;
    unsigned shift = 10 * e;
    uint64_t part = n & (((uint64_t)1 << shift) - 1); // < 2^60: ten times it still fits
    uint64_t tenths = (n >> shift) * 10 + (e ? (part * 10 + ((uint64_t)1 << (shift - 1))) >> shift : 0);
    if (tenths < 100 && n >= 10) {
        snprintf(text.s, sizeof(text.s), "%llu.%llu %s", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10), units[e]);
        return text;
    }
    uint64_t whole = tenths / 10;
    if (tenths % 10 > 5 || (tenths % 10 == 5 && whole % 2))
        whole++;
    snprintf(text.s, sizeof(text.s), "%llu %s", (unsigned long long)whole, units[e]);
    return text;
}

static uint64_t whole_of(double v) {
    return v > 0 && v < 1.8e19 ? (uint64_t)v : 0;
}

cli_text cli_byte_rate(double per_sec) {
    cli_text text = cli_bytes(whole_of(per_sec));
    strcat(text.s, "/sec"); // "1024 PiB" leaves room
    return text;
}

cli_text cli_msg_rate(double per_sec) {
    cli_text text = cli_count(whole_of(per_sec)); // at most 26 characters
    strcat(text.s, " msgs/sec");
    return text;
}

// "1.5" from 1500 thousandths: `scale` is the number of parts of a unit.
static void with_fraction(char *out, size_t size, uint64_t value, uint64_t scale, const char *unit) {
    char fraction[24];
    uint64_t part = value % scale;
    size_t n = 0;
    for (uint64_t digit = scale / 10; part; digit /= 10) {
        fraction[n++] = (char)('0' + part / digit);
        part %= digit;
    }
    fraction[n] = '\0';
    snprintf(out, size, "%llu%s%s%s", (unsigned long long)(value / scale), n ? "." : "", fraction, unit);
}

cli_text cli_duration_exact(int64_t ns) {
    cli_text text = {"0s"};
    uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    size_t at = ns < 0 ? 1 : 0;
    if (ns == 0)
        return text;
    text.s[0] = '-'; // overwritten if it is positive
    if (left < CLI_US) {
        with_fraction(text.s + at, sizeof(text.s) - at, left, 1, "ns");
    } else if (left < CLI_MS) {
        with_fraction(text.s + at, sizeof(text.s) - at, left, CLI_US, "\xc2\xb5s");
    } else if (left < CLI_SEC) {
        with_fraction(text.s + at, sizeof(text.s) - at, left, CLI_MS, "ms");
    } else {
        if (left >= HOUR)
            at += (size_t)snprintf(text.s + at, sizeof(text.s) - at, "%lluh", (unsigned long long)(left / HOUR));
        if (left >= MINUTE)
            at += (size_t)snprintf(text.s + at, sizeof(text.s) - at, "%llum",
                                   (unsigned long long)(left % HOUR / MINUTE));
        with_fraction(text.s + at, sizeof(text.s) - at, left % MINUTE, CLI_SEC, "s");
    }
    return text;
}

static int64_t round_to(int64_t ns, int64_t unit) {
    return (ns + (ns < 0 ? -unit / 2 : unit / 2)) / unit * unit;
}

cli_text cli_duration(int64_t ns) {
    cli_text text;
    if (ns == INT64_MAX) {
        snprintf(text.s, sizeof(text.s), "never");
        return text;
    }
    if (ns < CLI_SEC)
        return cli_duration_exact(ns < -HOUR ? ns : round_to(ns, ns < CLI_MS ? CLI_US : CLI_MS));
    if (ns < MINUTE) {
        int64_t hundredths = (ns + 5 * CLI_MS) / (10 * CLI_MS);
        snprintf(text.s, sizeof(text.s), "%lld.%02llds", (long long)(hundredths / 100), (long long)(hundredths % 100));
        return text;
    }
    // From the first unit that is not zero on, all are shown.
    static const struct {
        int64_t size;
        char letter;
    } units[] = {{365 * DAY, 'y'}, {DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {CLI_SEC, 's'}};
    size_t at = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (at || ns >= units[i].size)
            at += (size_t)snprintf(text.s + at, sizeof(text.s) - at, "%lld%c", (long long)(ns / units[i].size),
                                   units[i].letter);
        ns %= units[i].size;
    }
    return text;
}

cli_text cli_time(int64_t unix_ns) {
    cli_text text;
    time_t seconds = (time_t)(unix_ns / CLI_SEC - (unix_ns % CLI_SEC < 0));
    struct tm local;
    if (!localtime_r(&seconds, &local) || !strftime(text.s, sizeof(text.s), "%Y-%m-%d %H:%M:%S", &local))
        snprintf(text.s, sizeof(text.s), "?");
    return text;
}

// ---- parsing --------------------------------------------------------------------------------------------------------

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The unit at p: its length, or 0.
static size_t duration_unit(const char *p, int64_t *size) {
    static const struct {
        const char *name;
        int64_t size;
    } units[] = {{"ns", 1},        {"us", CLI_US},       {"\xc2\xb5s", CLI_US}, {"\xce\xbcs", CLI_US},
                 {"ms", CLI_MS},   {"s", CLI_SEC},       {"m", MINUTE},         {"h", HOUR},
                 {"d", DAY},       {"D", DAY},           {"w", 7 * DAY},        {"W", 7 * DAY},
                 {"M", 30 * DAY},  {"y", 365 * DAY},     {"Y", 365 * DAY}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(p, units[i].name, n) == 0) {
            *size = units[i].size;
            return n;
        }
    }
    return 0;
}

// One "1.5s" at *p, which it moves on. What is smaller than a nanosecond is cut.
static int duration_part(const char **p, int64_t *ns) {
    const char *at = *p;
    int64_t whole = 0, unit = 0;
    size_t digits = 0;
    for (; is_digit(*at); at++, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *at - '0', &whole))
            return -1;
    const char *fraction = at;
    if (*at == '.') {
        for (at++; is_digit(*at); at++)
            digits++;
    }
    const char *end = at;
    size_t n = duration_unit(at, &unit);
    if (!digits || !n || __builtin_mul_overflow(whole, unit, ns))
        return -1;
    int64_t rest = unit;
    for (const char *d = fraction + 1; d < end; d++) {
        // A place of a fraction is worth a tenth of the one before; units are multiples of few tens only.
        int64_t digit = *d - '0', add = rest * digit / 10;
        if (__builtin_add_overflow(*ns, add, ns))
            return -1;
        rest /= 10;
    }
    *p = at + n;
    return 0;
}

int cli_parse_duration(const char *text, int64_t *ns) {
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return 0;
    }
    bool minus = *text == '-';
    const char *p = text + (minus || *text == '+');
    if (!*p)
        return -1;
    int64_t sum = 0;
    while (*p) {
        int64_t part;
        if (duration_part(&p, &part) || __builtin_add_overflow(sum, part, &sum))
            return -1;
    }
    *ns = minus ? -sum : sum;
    return 0;
}

int cli_parse_bytes(const char *text, int64_t *bytes) {
    int64_t n = 0;
    const char *p = text;
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return -1;
    if (p == text)
        return -1;
    char unit[4] = "";
    size_t len = strlen(p);
    if (len > 3)
        return -1;
    for (size_t i = 0; i < len; i++)
        unit[i] = p[i] >= 'a' && p[i] <= 'z' ? (char)(p[i] - 32) : p[i];
    static const char letters[] = "KMGT";
    const char *letter = unit[0] ? strchr(letters, unit[0]) : NULL;
    unsigned shift = 0;
    if (letter && (strcmp(unit + 1, "") == 0 || strcmp(unit + 1, "B") == 0 || strcmp(unit + 1, "IB") == 0))
        shift = 10 * (unsigned)(letter - letters + 1);
    else if (unit[0] && strcmp(unit, "B") != 0)
        return -1;
    if (n > INT64_MAX >> shift)
        return -1;
    *bytes = n << shift;
    return 0;
}

int cli_parse_int(const char *text, int64_t min, int64_t max, int64_t *value) {
    bool minus = *text == '-';
    const char *p = text + (minus || *text == '+');
    int64_t n = 0;
    if (!is_digit(*p))
        return -1;
    for (; *p; p++) {
        if ((*p == ',' || *p == '_') && is_digit(p[1]))
            continue;
        // Counted downwards, so that the smallest number fits too.
        if (!is_digit(*p) || __builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, *p - '0', &n))
            return -1;
    }
    if (!minus && n == INT64_MIN)
        return -1;
    n = minus ? n : -n;
    if (n < min || n > max)
        return -1;
    *value = n;
    return 0;
}
