// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Tables as text. Rows are kept as they come, each an array of copied cells; the layout is made when the table is
// written: widths first, then lines.
//
//      ╭─────────────╮      title, over all columns
//      │   Contexts  │
//      ├──────┬──────┤
//      │ Name │ URL  │      headers
//      ├──────┼──────┤
//      │ a    │ x    │      rows; a cell of two lines makes its row two lines tall
//      ├──────┼──────┤      separator
//      │ b    │ y    │
//      ├──────┼──────┤
//      │      │ sum  │      footer
//      ╰──────┴──────╯
//
// Markdown, CSV and TSV take the same rows; separators mean nothing there, nor does the title in CSV and TSV.
#include "client/cli/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct row {
    enum cli_table_kind kind;
    bool line; // a separator comes before it
    size_t n;
    char **cells;
} row;

#define MAX_COLUMNS 64

struct cli_table {
    char *title;
    row *rows;
    size_t len, cap;
    size_t columns;
    uint64_t right; // bit per column
    bool line;      // the next row gets a separator
};

static void *must(void *p) {
    if (!p) {
        fputs("midge: out of memory\n", stderr);
        abort();
    }
    return p;
}

static char *copy_of(const char *s) {
    return must(strdup(s ? s : ""));
}

cli_table *cli_table_new(const char *title) {
    cli_table *t = must(calloc(1, sizeof(*t)));
    t->title = title && *title ? copy_of(title) : NULL;
    return t;
}

void cli_table_free(cli_table *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->len; i++) {
        for (size_t c = 0; c < t->rows[i].n; c++)
            free(t->rows[i].cells[c]);
        free(t->rows[i].cells);
    }
    free(t->rows);
    free(t->title);
    free(t);
}

void cli_table_add(cli_table *t, enum cli_table_kind kind, const char *const *cells, size_t n) {
    if (n > MAX_COLUMNS)
        n = MAX_COLUMNS;
    if (t->len == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->rows = must(realloc(t->rows, t->cap * sizeof(row)));
    }
    row *r = &t->rows[t->len++];
    *r = (row){.kind = kind, .line = t->line && kind == CLI_TABLE_KIND_ROW, .n = n};
    r->cells = must(calloc(n ? n : 1, sizeof(char *)));
    for (size_t i = 0; i < n; i++)
        r->cells[i] = copy_of(cells[i]);
    if (kind == CLI_TABLE_KIND_ROW)
        t->line = false;
    if (n > t->columns)
        t->columns = n;
}

void cli_table_separator(cli_table *t) {
    t->line = cli_table_rows(t) > 0;
}

void cli_table_align_right(cli_table *t, size_t column) {
    if (column < MAX_COLUMNS)
        t->right |= (uint64_t)1 << column;
}

size_t cli_table_rows(const cli_table *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->len; i++)
        n += t->rows[i].kind == CLI_TABLE_KIND_ROW;
    return n;
}

// ---- how wide ------------------------------------------------------------------------------------------------------

// The code point at s and its length; a byte that is no UTF-8 counts as one character.
static uint32_t code_point(const char *s, size_t *len) {
    const unsigned char *p = (const unsigned char *)s;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 1;
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    *len = 1;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return p[0];
        c = c << 6 | (p[i] & 0x3f);
    }
    *len = n;
    return c;
}

// The common blocks; exactness for rare scripts is not worth a table.
static size_t columns_of(uint32_t c) {
    if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f))
        return 0;
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
        (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
        (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd))
        return 2;
    return 1;
}

static size_t width_n(const char *s, size_t n) {
    size_t width = 0;
    for (size_t at = 0, len; at < n && s[at]; at += len)
        width += columns_of(code_point(s + at, &len));
    return width;
}

size_t cli_text_width(const char *s) {
    return width_n(s, SIZE_MAX);
}

// The i-th line of a cell; n is its length. NULL if there are fewer.
static const char *line_of(const char *cell, size_t i, size_t *n) {
    for (; i; i--) {
        cell = strchr(cell, '\n');
        if (!cell)
            return NULL;
        cell++;
    }
    *n = strcspn(cell, "\n");
    return cell;
}

static void measure(const cli_table *t, size_t *widths) {
    for (size_t i = 0; i < t->len; i++)
        for (size_t c = 0; c < t->rows[i].n; c++) {
            const char *line;
            size_t n;
            for (size_t l = 0; (line = line_of(t->rows[i].cells[c], l, &n)) != NULL; l++)
                if (width_n(line, n) > widths[c])
                    widths[c] = width_n(line, n);
        }
}

// ---- with borders --------------------------------------------------------------------------------------------------

// A line of output: cut to a number of columns, borders coloured.
typedef struct canvas {
    FILE *out;
    const char *color; // escape sequence or ""
    size_t width, at;  // width 0: no limit
} canvas;

static void put(canvas *v, const char *s, size_t n) {
    for (size_t i = 0, len; i < n; i += len) {
        size_t columns = columns_of(code_point(s + i, &len));
        if (v->width && v->at + columns > v->width)
            return;
        v->at += columns;
        fwrite(s + i, 1, len, v->out);
    }
}

static void put_blanks(canvas *v, size_t n) {
    while (n--)
        put(v, " ", 1);
}

static void put_border(canvas *v, const char *s, size_t times) {
    fputs(v->color, v->out);
    while (times--)
        put(v, s, strlen(s));
    if (*v->color)
        fputs("\x1b[0m", v->out);
}

static void end_line(canvas *v) {
    fputc('\n', v->out);
    v->at = 0;
}

static void rule(canvas *v, const size_t *widths, size_t columns, const char *left, const char *mid,
                 const char *right) {
    put_border(v, left, 1);
    for (size_t c = 0; c < columns; c++) {
        put_border(v, "\u2500", widths[c] + 2);
        put_border(v, c + 1 < columns ? mid : right, 1);
    }
    end_line(v);
}

static void put_cell(canvas *v, const char *text, size_t n, size_t width, bool right) {
    size_t blanks = width - width_n(text, n);
    put_blanks(v, 1 + (right ? blanks : 0));
    put(v, text, n);
    put_blanks(v, 1 + (right ? 0 : blanks));
}

static void put_row(canvas *v, const cli_table *t, const row *r, const size_t *widths) {
    for (size_t l = 0, more = 1; more; l++) {
        more = 0;
        put_border(v, "\u2502", 1);
        for (size_t c = 0; c < t->columns; c++) {
            size_t n = 0;
            const char *text = c < r->n ? line_of(r->cells[c], l, &n) : NULL;
            put_cell(v, text ? text : "", text ? n : 0, widths[c], t->right >> c & 1);
            put_border(v, "\u2502", 1);
            if (text && text[n])
                more = 1;
        }
        end_line(v);
    }
}

static void put_title(canvas *v, const cli_table *t, size_t *widths) {
    size_t inner = 0, title = cli_text_width(t->title);
    for (size_t c = 0; c < t->columns; c++)
        inner += widths[c] + 3;
    inner = inner ? inner - 3 : 0;
    if (title > inner && t->columns) { // the last column takes what a long title needs
        widths[t->columns - 1] += title - inner;
        inner = title;
    }
    rule(v, widths, t->columns, "\u256d", "\u2500", "\u256e");
    put_border(v, "\u2502", 1);
    size_t blanks = inner - title;
    put_blanks(v, 1 + (blanks + 1) / 2); // an odd one to the left, as the nats command has it
    put(v, t->title, strlen(t->title));
    put_blanks(v, 1 + blanks / 2);
    put_border(v, "\u2502", 1);
    end_line(v);
}

static void write_rounded(const cli_table *t, canvas *v) {
    size_t widths[MAX_COLUMNS] = {0};
    if (!t->columns)
        return;
    measure(t, widths);
    if (t->title) {
        put_title(v, t, widths);
        rule(v, widths, t->columns, "\u251c", "\u252c", "\u2524");
    } else {
        rule(v, widths, t->columns, "\u256d", "\u252c", "\u256e");
    }
    static const enum cli_table_kind order[] = {CLI_TABLE_KIND_HEADERS, CLI_TABLE_KIND_ROW, CLI_TABLE_KIND_FOOTER};
    bool first = true;
    for (size_t k = 0; k < 3; k++) {
        bool group = !first; // a line between headers, rows and footer
        for (size_t i = 0; i < t->len; i++) {
            if (t->rows[i].kind != order[k])
                continue;
            if (group || (t->rows[i].line && !first))
                rule(v, widths, t->columns, "\u251c", "\u253c", "\u2524");
            put_row(v, t, &t->rows[i], widths);
            group = first = false;
        }
    }
    rule(v, widths, t->columns, "\u2570", "\u2534", "\u256f");
}

// ---- for other programs --------------------------------------------------------------------------------------------

static void put_csv(FILE *out, const char *s) {
    if (!strpbrk(s, ",\"\r\n")) {
        fputs(s, out);
        return;
    }
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"')
            fputc('"', out);
        fputc(*s, out);
    }
    fputc('"', out);
}

static void put_tsv(FILE *out, const char *s) {
    for (; *s; s++)
        fputc(*s == '\t' || *s == '\n' ? ' ' : *s, out);
}

static void put_md(FILE *out, const char *s) {
    fputc(' ', out);
    for (; *s; s++) {
        if (*s == '|')
            fputs("\\|", out);
        else if (*s == '\n')
            fputs("<br/>", out);
        else
            fputc(*s, out);
    }
    fputs(" |", out);
}

static void put_plain_row(const cli_table *t, const row *r, enum cli_table_format format, FILE *out) {
    if (format == CLI_TABLE_MARKDOWN)
        fputc('|', out);
    for (size_t c = 0; c < t->columns; c++) {
        const char *cell = c < r->n ? r->cells[c] : "";
        if (format == CLI_TABLE_MARKDOWN) {
            put_md(out, cell);
            continue;
        }
        if (c)
            fputc(format == CLI_TABLE_CSV ? ',' : '\t', out);
        if (format == CLI_TABLE_CSV)
            put_csv(out, cell);
        else
            put_tsv(out, cell);
    }
    fputc('\n', out);
}

static void put_md_rule(const cli_table *t, FILE *out) {
    fputc('|', out);
    for (size_t c = 0; c < t->columns; c++)
        fputs(t->right >> c & 1 ? " ---:|" : " --- |", out);
    fputc('\n', out);
}

static void write_plain(const cli_table *t, enum cli_table_format format, FILE *out) {
    if (t->title && format == CLI_TABLE_MARKDOWN)
        fprintf(out, "# %s\n", t->title);
    for (size_t i = 0; i < t->len; i++)
        if (t->rows[i].kind == CLI_TABLE_KIND_HEADERS) {
            put_plain_row(t, &t->rows[i], format, out);
            if (format == CLI_TABLE_MARKDOWN)
                put_md_rule(t, out);
        }
    for (int footer = 0; footer < 2; footer++)
        for (size_t i = 0; i < t->len; i++)
            if (t->rows[i].kind == (footer ? CLI_TABLE_KIND_FOOTER : CLI_TABLE_KIND_ROW))
                put_plain_row(t, &t->rows[i], format, out);
}

// ---- out -----------------------------------------------------------------------------------------------------------

enum cli_table_format cli_table_format_of(const char *word) {
    static const struct {
        const char *word;
        enum cli_table_format format;
    } words[] = {{"md", CLI_TABLE_MARKDOWN}, {"markdown", CLI_TABLE_MARKDOWN}, {"csv", CLI_TABLE_CSV},
                 {"tsv", CLI_TABLE_TSV}};
    for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(word, words[i].word) == 0)
            return words[i].format;
    return CLI_TABLE_ROUNDED;
}

static const char *escape_of(const char *color) {
    static const char names[][8] = {"red", "green", "yellow", "blue", "magenta", "cyan"};
    static const char escapes[][6] = {"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m", "\x1b[36m"};
    for (size_t i = 0; color && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(color, names[i]) == 0)
            return escapes[i];
    return "";
}

void cli_table_write(const cli_table *t, const cli_table_style *style, FILE *out) {
    canvas v = {.out = out, .color = escape_of(style->color), .width = style->width};
    if (style->format == CLI_TABLE_ROUNDED)
        write_rounded(t, &v);
    else
        write_plain(t, style->format, out);
}

void cli_table_print(const cli_table *t, FILE *out) {
    const char *llm = getenv("LLMFORMAT");
    cli_table_style style = {.format = cli_table_format_of(getenv("NATS_TABLE_FORMAT"))};
    struct winsize size = {0};
    if (llm && strcmp(llm, "1") == 0)
        style.format = CLI_TABLE_MARKDOWN;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        style.width = size.ws_col;
    cli_table_write(t, &style, out);
}
