// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Progress bars on a terminal. The first drawing writes one line per bar; later ones go up by as many lines and write
// over them. Lines are cut to the terminal's width, or going up would be wrong. Long runs of bars (more than the
// terminal is tall) become one line that sums them up, for the same reason.
#include "client/cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/table.h"
#include "client/cli/units.h"

#define DRAW_EVERY (100 * (uint64_t)CLI_MS)
#define LINE_SIZE  512

typedef struct bar {
    char *label;
    uint64_t total, unit_bytes, done;
    uint64_t drawn_done; // at the last drawing
    double rate;         // smoothed
} bar;

struct cli_progress {
    FILE *out;
    bool on;
    const char *colour; // of the bars; ""
    bar *bars;
    size_t len, lines; // lines: on the screen now
    uint64_t started, drawn;
};

static void *must(void *p) {
    if (!p) {
        fputs("midge: out of memory\n", stderr);
        abort();
    }
    return p;
}

cli_progress *cli_progress_new(FILE *out, bool enabled, uint64_t now_ns) {
    cli_progress *p = must(calloc(1, sizeof(*p)));
    const char *term = getenv("TERM");
    p->out = out;
    p->colour = "";
    p->on = enabled && isatty(fileno(out)) && !(term && strcmp(term, "dumb") == 0);
    p->started = p->drawn = now_ns;
    return p;
}

void cli_progress_free(cli_progress *p) {
    if (!p)
        return;
    cli_progress_finish(p, p->drawn);
    for (size_t i = 0; i < p->len; i++)
        free(p->bars[i].label);
    free(p->bars);
    free(p);
}

void cli_progress_colour(cli_progress *p, const char *escape) {
    p->colour = escape;
}

size_t cli_progress_add(cli_progress *p, const char *label, uint64_t total, uint64_t unit_bytes) {
    p->bars = must(realloc(p->bars, (p->len + 1) * sizeof(bar)));
    p->bars[p->len] = (bar){.label = must(strdup(label)), .total = total, .unit_bytes = unit_bytes};
    return p->len++;
}

void cli_progress_set(cli_progress *p, size_t at, uint64_t done) {
    p->bars[at].done = done;
}

// ---- one line -------------------------------------------------------------------------------------------------------

#define BAR_COLUMNS 24
#define LEFT_EDGE   "\u2595"

// "▕████▌   ▏": eighths of a column, so that slow bars move too.
static void bar_text(char *out, size_t size, uint64_t done, uint64_t total) {
    static const char eighths[8][4] = {" ",      "\u258f", "\u258e", "\u258d",
                                       "\u258c", "\u258b", "\u258a", "\u2589"};
    double part = total ? (double)done / (double)total : 0; // for the eye only
    size_t filled = part >= 1 ? (size_t)BAR_COLUMNS * 8 : (size_t)(part * BAR_COLUMNS * 8);
    size_t at = (size_t)snprintf(out, size, LEFT_EDGE);
    for (size_t c = 0; c < BAR_COLUMNS; c++) {
        size_t here = filled > c * 8 ? filled - c * 8 : 0;
        at += (size_t)snprintf(out + at, size - at, "%s", here >= 8 ? "\u2588" : eighths[here]);
    }
    snprintf(out + at, size - at, "\u258f");
}

// Cuts UTF-8 text to so many columns, in place.
static size_t cut(char *text, size_t width) {
    size_t n = strlen(text);
    while (n && cli_text_width(text) > width) {
        do
            n--;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80);
        text[n] = '\0';
    }
    return n;
}

size_t cli_progress_line(char *out, size_t size, const char *label, uint64_t done, uint64_t total, double rate,
                         uint64_t unit_bytes, size_t width) {
    char drawn[BAR_COLUMNS * 3 + 16], line[LINE_SIZE];
    size_t at = (size_t)snprintf(line, sizeof(line), "%.100s%s", label, *label ? " " : "");
    if (total) {
        unsigned percent = done >= total ? 100 : (unsigned)((double)done / (double)total * 100);
        bar_text(drawn, sizeof(drawn), done, total);
        at += (size_t)snprintf(line + at, sizeof(line) - at, "%3u%% %s %s/%s", percent, drawn, cli_count(done).s,
                               cli_count(total).s);
    } else {
        at += (size_t)snprintf(line + at, sizeof(line) - at, "%s", cli_count(done).s);
    }
    if (rate > 0) {
        if (unit_bytes != 1)
            at += (size_t)snprintf(line + at, sizeof(line) - at, "  %s", cli_msg_rate(rate).s);
        if (unit_bytes)
            snprintf(line + at, sizeof(line) - at, "  %s", cli_byte_rate(rate * (double)unit_bytes).s);
    }
    cut(line, width);
    int n = snprintf(out, size, "%s", line);
    return n > 0 && (size_t)n < size ? (size_t)n : size - 1;
}

// ---- on the screen --------------------------------------------------------------------------------------------------

// What the last 100 ms say is shown with what was said before, or the figures could not be read.
static void measure(bar *b, double seconds) {
    double now = seconds > 0 ? (double)(b->done - b->drawn_done) / seconds : 0;
    b->rate = b->drawn_done ? 0.7 * b->rate + 0.3 * now : now;
    b->drawn_done = b->done;
}

static void draw_bar(cli_progress *p, const bar *b, size_t width) {
    char line[LINE_SIZE];
    cli_progress_line(line, sizeof(line), b->label, b->done, b->total, b->rate, b->unit_bytes, width);
    fputs("\r\x1b[2K", p->out);
    const char *left = strstr(line, LEFT_EDGE);
    if (left && *p->colour) { // the count comes after the bar
        size_t n = strcspn(left, "/0123456789");
        fprintf(p->out, "%.*s%s%.*s\x1b[0m%s\n", (int)(left - line), line, p->colour, (int)n, left, left + n);
    } else {
        fprintf(p->out, "%s\n", line);
    }
}

static bar sum_of(const cli_progress *p, char *label, size_t size) {
    bar sum = {.label = label};
    snprintf(label, size, "%zu clients", p->len);
    for (size_t i = 0; i < p->len; i++) {
        sum.done += p->bars[i].done;
        sum.total += p->bars[i].total;
        sum.rate += p->bars[i].rate;
        sum.unit_bytes = p->bars[i].unit_bytes;
    }
    return sum;
}

static void draw(cli_progress *p, uint64_t now_ns, bool last) {
    struct winsize size = {0};
    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    double seconds = (double)(now_ns - (last ? p->started : p->drawn)) / 1e9;
    if (p->lines)
        fprintf(p->out, "\x1b[%zuA", p->lines);
    for (size_t i = 0; i < p->len; i++) {
        if (last) // the rate of all of it
            p->bars[i].rate = seconds > 0 ? (double)p->bars[i].done / seconds : 0;
        else
            measure(&p->bars[i], seconds);
    }
    size_t width = size.ws_col > 1 ? size.ws_col - 1u : 1;
    if (p->len + 1 > size.ws_row) {
        char label[32];
        bar sum = sum_of(p, label, sizeof(label));
        draw_bar(p, &sum, width);
        p->lines = 1;
    } else {
        for (size_t i = 0; i < p->len; i++)
            draw_bar(p, &p->bars[i], width);
        p->lines = p->len;
    }
    fflush(p->out);
    p->drawn = now_ns;
}

bool cli_progress_draw(cli_progress *p, uint64_t now_ns) {
    if (!p->on || now_ns - p->drawn < DRAW_EVERY)
        return false;
    draw(p, now_ns, false);
    return true;
}

void cli_progress_finish(cli_progress *p, uint64_t now_ns) {
    if (p->on && p->len)
        draw(p, now_ns, true);
    p->on = false;
}
