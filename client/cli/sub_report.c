// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages by subject: an open hash table of lines, doubled when it is three quarters full. Printing sorts pointers.
#include <stdlib.h>
#include <string.h>

#include "client/cli/sub.h"
#include "client/cli/table.h"
#include "client/cli/units.h"

#define LINES_MAX 1000000u

typedef struct line {
    char *subject; // NULL: free
    uint64_t hash, messages, bytes;
} line;

struct sub_report {
    line *lines;
    size_t room, len; // room is a power of two
    uint64_t messages, bytes;
    line others;
};

sub_report *sub_report_new(void) {
    sub_report *r = calloc(1, sizeof *r);
    if (r == NULL) abort();
    return r;
}

void sub_report_free(sub_report *r) {
    for (size_t i = 0; r != NULL && i < r->room; i++)
        free(r->lines[i].subject);
    if (r != NULL) free(r->lines);
    free(r);
}

static uint64_t hash_of(midge_str s) { // FNV-1a
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    return h;
}

// The line of a subject, or the free one where it belongs.
static line *find(sub_report *r, midge_str subject, uint64_t hash) {
    for (size_t i = hash & (r->room - 1);; i = (i + 1) & (r->room - 1)) {
        line *l = &r->lines[i];
        if (l->subject == NULL) return l;
        if (l->hash == hash && strlen(l->subject) == subject.n && memcmp(l->subject, subject.p, subject.n) == 0)
            return l;
    }
}

static void grow(sub_report *r) {
    sub_report bigger = {.room = r->room == 0 ? 64 : r->room * 2};
    bigger.lines = calloc(bigger.room, sizeof *bigger.lines);
    if (bigger.lines == NULL) abort();
    for (size_t i = 0; i < r->room; i++)
        if (r->lines[i].subject != NULL)
            *find(&bigger, midge_cstr(r->lines[i].subject), r->lines[i].hash) = r->lines[i];
    free(r->lines);
    r->lines = bigger.lines;
    r->room = bigger.room;
}

void sub_report_add(sub_report *r, midge_str subject, size_t bytes) {
    if (r->len * 4 >= r->room * 3) grow(r);
    uint64_t hash = hash_of(subject);
    line *l = find(r, subject, hash);
    if (l->subject == NULL && r->len >= LINES_MAX) {
        l = &r->others;
    } else if (l->subject == NULL) {
        l->subject = strndup(subject.p, subject.n);
        if (l->subject == NULL) abort();
        l->hash = hash;
        r->len++;
    }
    l->messages++;
    l->bytes += bytes;
}

static int by_messages(const void *a, const void *b) {
    const line *x = *(const line *const *)a, *y = *(const line *const *)b;
    if (x->messages != y->messages) return x->messages < y->messages ? 1 : -1;
    return strcmp(x->subject, y->subject);
}

// Of malloc: the first `*n` lines to show.
static const line **sorted(const sub_report *r, uint64_t top, size_t *n) {
    const line **lines = calloc(r->len + 2, sizeof *lines);
    if (lines == NULL) abort();
    *n = 0;
    for (size_t i = 0; i < r->room; i++)
        if (r->lines[i].subject != NULL) lines[(*n)++] = &r->lines[i];
    qsort(lines, *n, sizeof *lines, by_messages);
    if (*n > top) *n = (size_t)top;
    if (r->others.messages > 0) lines[(*n)++] = &r->others;
    return lines;
}

void sub_report_print(sub_report *r, cli *app, uint64_t top, bool redraw) {
    size_t n;
    const line **lines = sorted(r, top, &n);
    uint64_t messages = 0, bytes = 0;
    char title[64];
    (void)app;
    snprintf(title, sizeof title, "Top %llu Active Subjects Report", (unsigned long long)top);
    cli_table *t = cli_table_new(top == 1 ? "Top Subject Report" : title);
    CLI_TABLE_HEADERS(t, "Subject", "Message Count", "Bytes");
    for (size_t i = 0; i < n; i++) {
        const char *name = lines[i]->subject != NULL ? lines[i]->subject : "(others)";
        CLI_TABLE_ROW(t, name, cli_count(lines[i]->messages).s, cli_bytes(lines[i]->bytes).s);
        messages += lines[i]->messages;
        bytes += lines[i]->bytes;
    }
    CLI_TABLE_FOOTER(t, "Totals", cli_count(messages).s, cli_bytes(bytes).s);
    if (redraw) fputs("\033[2J\033[H", stdout);
    cli_table_print(t, stdout);
    cli_table_free(t);
    free(lines);
}

void sub_report_json(sub_report *r, uint64_t top) {
    size_t n;
    const line **lines = sorted(r, top, &n);
    cli_json j = {.out = stdout, .indent = 2};
    cli_json_begin(&j, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        cli_json_begin(&j, NULL, '{');
        cli_json_string(&j, "subject", lines[i]->subject != NULL ? lines[i]->subject : "(others)");
        cli_json_uint(&j, "messages", lines[i]->messages);
        cli_json_uint(&j, "bytes", lines[i]->bytes);
        cli_json_end(&j, '}');
    }
    cli_json_end(&j, ']');
    free(lines);
}
