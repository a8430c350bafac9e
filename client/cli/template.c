// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Templates. One pass: text up to "{{", then words up to "}}", which are looked up. A mistake spoils the whole text,
// as in Go; the caller then sends it unfilled, as natscli does.
#include "client/cli/template.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RANDOM_MAX (64u << 20) // bytes of one Random

typedef struct filler {
    cli_template *t;
    FILE *out;
    char *err;
    size_t err_size;
} filler;

static bool wrong(filler *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(filler *f, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(f->err, f->err_size, format, args);
    va_end(args);
    return false;
}

uint64_t cli_random(uint64_t *state) { // splitmix64
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static void put_letters(filler *f, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        putc(letters[cli_random(&f->t->random) % (sizeof letters - 1)], f->out);
}

static bool put_random(filler *f, midge_str min, midge_str max) {
    char a[24], b[24];
    char *a_end, *b_end;
    if (min.n == 0 || max.n == 0) return wrong(f, "Random needs two numbers: {{Random 10 100}}");
    snprintf(a, sizeof a, "%.*s", (int)min.n, min.p);
    snprintf(b, sizeof b, "%.*s", (int)max.n, max.p);
    uint64_t low = strtoull(a, &a_end, 10), high = strtoull(b, &b_end, 10);
    if (*a_end != '\0' || *b_end != '\0' || *a == '-' || *b == '-')
        return wrong(f, "Random needs two numbers, not \"%s %s\"", a, b);
    if (low > high) {
        uint64_t swap = low;
        low = high;
        high = swap;
    }
    if (high > RANDOM_MAX) return wrong(f, "Random makes at most %u characters", RANDOM_MAX);
    put_letters(f, low + cli_random(&f->t->random) % (high - low + 1));
    return true;
}

// Local time; RFC 3339 has a colon in the offset, and Z for none.
static void put_time(filler *f, bool kitchen) {
    time_t now = (time_t)(f->t->unix_ns / 1000000000);
    struct tm local;
    char text[40];
    localtime_r(&now, &local);
    if (kitchen) {
        int hour = local.tm_hour % 12 == 0 ? 12 : local.tm_hour % 12;
        fprintf(f->out, "%d:%02d%s", hour, local.tm_min, local.tm_hour < 12 ? "AM" : "PM");
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
    fputs(text, f->out);
    long offset = local.tm_gmtoff / 60;
    if (offset == 0) {
        putc('Z', f->out);
    } else {
        fprintf(f->out, "%c%02ld:%02ld", offset < 0 ? '-' : '+', labs(offset) / 60, labs(offset) % 60);
    }
}

static bool is(midge_str word, const char *name) { return word.n == strlen(name) && memcmp(word.p, name, word.n) == 0; }

// words[0] is the name without its leading dot.
static bool put_value(filler *f, const midge_str *words, size_t n) {
    const cli_template *t = f->t;
    midge_str name = words[0];
    if (t->subject != NULL && is(name, "Subject")) return fputs(t->subject, f->out) >= 0;
    if (t->stream != NULL && is(name, "Stream")) return fputs(t->stream, f->out) >= 0;
    if (t->counts && is(name, "Random"))
        return put_random(f, n > 1 ? words[1] : MIDGE_NONE, n > 2 ? words[2] : MIDGE_NONE);
    if (n > 1) return wrong(f, "{{%.*s}} takes no argument", (int)name.n, name.p);
    if (t->counts && (is(name, "Count") || is(name, "Cnt"))) return fprintf(f->out, "%" PRIu64, t->count) > 0;
    if (t->counts && is(name, "Unix")) return fprintf(f->out, "%" PRId64, t->unix_ns / 1000000000) > 0;
    if (t->counts && is(name, "UnixNano")) return fprintf(f->out, "%" PRId64, t->unix_ns) > 0;
    if (t->counts && (is(name, "TimeStamp") || is(name, "Time"))) {
        put_time(f, is(name, "Time"));
        return true;
    }
    if (t->counts && is(name, "ID")) {
        put_letters(f, 22);
        return true;
    }
    if (t->counts && is(name, "Request"))
        return t->request.n == 0 || fwrite(t->request.p, 1, t->request.n, f->out) == t->request.n;
    return wrong(f, "{{%.*s}} is unknown", (int)name.n, name.p);
}

static bool put_action(filler *f, midge_str inside) {
    midge_str words[4];
    size_t n = 0;
    for (const char *at = inside.p, *end = inside.p + inside.n; at < end;) {
        size_t blanks = strspn(at, " \t\r\n");
        at += blanks < (size_t)(end - at) ? blanks : (size_t)(end - at);
        size_t len = 0;
        while (at + len < end && strchr(" \t\r\n", at[len]) == NULL)
            len++;
        if (len == 0) break;
        if (n == 4) return wrong(f, "too many words in {{%.*s}}", (int)inside.n, inside.p);
        words[n++] = (midge_str){at, len};
        at += len;
    }
    if (n == 0) return wrong(f, "nothing stands in {{}}");
    if (words[0].p[0] == '.' && words[0].n > 1) words[0] = (midge_str){words[0].p + 1, words[0].n - 1};
    return put_value(f, words, n);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool fill(filler *f, midge_str text) {
    const char *at = text.p, *end = text.p + text.n;
    while (at < end) {
        const char *open = memmem(at, (size_t)(end - at), "{{", 2);
        if (open == NULL) return fwrite(at, 1, (size_t)(end - at), f->out) == (size_t)(end - at);
        const char *close = memmem(open + 2, (size_t)(end - open) - 2, "}}", 2), *inside = open + 2;
        if (close == NULL) return wrong(f, "{{ without }}");
        const char *after = close + 2, *before = open;
        // Only with a blank beside it is the dash a trim mark, else it would be the sign of a number.
        if (inside + 1 < close && inside[0] == '-' && is_blank(inside[1])) {
            inside++;
            while (before > at && is_blank(before[-1]))
                before--;
        }
        if (close - inside >= 2 && close[-1] == '-' && is_blank(close[-2])) {
            close--;
            while (after < end && is_blank(*after))
                after++;
        }
        fwrite(at, 1, (size_t)(before - at), f->out);
        if (!put_action(f, (midge_str){inside, (size_t)(close - inside)})) return false;
        at = after;
    }
    return true;
}

char *cli_template_fill(cli_template *t, midge_str text, size_t *len, char *err, size_t err_size) {
    char *out = NULL;
    filler f = {.t = t, .out = open_memstream(&out, len), .err = err, .err_size = err_size};
    snprintf(err, err_size, "out of memory");
    bool ok = f.out != NULL && fill(&f, text);
    if (f.out != NULL && fclose(f.out) != 0) ok = false;
    if (ok) return out;
    free(out);
    return NULL;
}
