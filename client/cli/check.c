// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/context.h"
#include "client/cli/json.h"
#include "client/cli/table.h"
#include "client/cli/units.h"

static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

void cli_check_say(cli *app, cli_check *c, enum cli_check_level level, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->says_len == CLI_CHECK_MAX) return;
    c->says[c->says_len].level = level;
    c->says[c->says_len++].text = cli_strndup(app, text, strlen(text));
}

void cli_check_measure(cli *app, cli_check *c, const cli_measure *m, const char *exceeded, const char *fine) {
    if (c->measures_len < CLI_CHECK_MAX) c->measures[c->measures_len++] = *m;
    if (m->critical > 0 && m->ns >= m->critical) {
        cli_check_say(app, c, CLI_CHECK_CRITICAL, "%s %s", exceeded, cli_decimal((double)m->critical / 1e9, 9).s);
    } else if (m->warn > 0 && m->ns >= m->warn) {
        cli_check_say(app, c, CLI_CHECK_WARNING, "%s %s", exceeded, cli_decimal((double)m->warn / 1e9, 9).s);
    } else {
        cli_check_say(app, c, CLI_CHECK_OK, "%s", fine);
    }
}

enum cli_check_level cli_check_level(const cli_check *c) {
    enum cli_check_level worst = CLI_CHECK_OK;
    for (size_t i = 0; i < c->says_len; i++)
        if (c->says[i].level > worst) worst = c->says[i].level;
    return worst;
}

// Critical sentences come first in the line that people see.
static void write_nagios(const cli_check *c, FILE *out) {
    static const char *const marks[] = {"OK", "Warn", "Crit", "Unknown"};
    fprintf(out, "%s %s", words[cli_check_level(c)], c->name);
    for (int level = CLI_CHECK_UNKNOWN; level >= CLI_CHECK_OK; level--)
        for (size_t i = 0; i < c->says_len; i++)
            if ((int)c->says[i].level == level) fprintf(out, " %s:%s", marks[level], c->says[i].text);
    for (size_t i = 0; i < c->measures_len; i++) {
        const cli_measure *m = &c->measures[i];
        fprintf(out, "%s %s=%.4fs", i == 0 ? " |" : "", m->name, (double)m->ns / 1e9);
        if (m->warn > 0) fprintf(out, ";%.4f", (double)m->warn / 1e9);
        if (m->critical > 0) fprintf(out, "%s;%.4f", m->warn == 0 ? ";" : "", (double)m->critical / 1e9);
    }
    putc('\n', out);
}

static void write_json(const cli_check *c, FILE *out) {
    static const struct {
        enum cli_check_level level;
        const char *name;
    } lists[] = {{CLI_CHECK_WARNING, "warning"}, {CLI_CHECK_CRITICAL, "critical"}, {CLI_CHECK_OK, "ok"}};
    cli_json j = {.out = out, .indent = 2};
    cli_json_begin(&j, NULL, '{');
    cli_json_string(&j, "status", words[cli_check_level(c)]);
    cli_json_string(&j, "check_suite", c->suite);
    cli_json_string(&j, "check_name", c->name);
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        bool any = false;
        for (size_t i = 0; i < c->says_len; i++) {
            if (c->says[i].level != lists[k].level) continue;
            if (!any) cli_json_begin(&j, lists[k].name, '[');
            any = true;
            cli_json_string(&j, NULL, c->says[i].text);
        }
        if (any) cli_json_end(&j, ']');
    }
    cli_json_begin(&j, "perf_data", '[');
    for (size_t i = 0; i < c->measures_len; i++) {
        cli_json_begin(&j, NULL, '{');
        cli_json_string(&j, "name", c->measures[i].name);
        cli_json_seconds(&j, "value", c->measures[i].ns);
        cli_json_seconds(&j, "warning", c->measures[i].warn);
        cli_json_seconds(&j, "critical", c->measures[i].critical);
        cli_json_string(&j, "unit", "s");
        cli_json_end(&j, '}');
    }
    cli_json_end(&j, ']');
    cli_json_end(&j, '}');
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const cli_measure *)a)->name, ((const cli_measure *)b)->name);
}

static void write_prometheus(const cli_check *c, const char *namespace, FILE *out) {
    cli_measure sorted[CLI_CHECK_MAX];
    memcpy(sorted, c->measures, sizeof sorted);
    qsort(sorted, c->measures_len, sizeof *sorted, by_name);
    for (size_t i = 0; i < c->measures_len; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s_%s_%s", namespace, c->suite, sorted[i].name);
        fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s{item=\"%s\"} %.9f\n", name, sorted[i].help, name, name, c->name,
                (double)sorted[i].ns / 1e9);
    }
    enum cli_check_level level = cli_check_level(c);
    char name[256];
    snprintf(name, sizeof name, "%s_%s_status_code", namespace, c->suite);
    fprintf(out, "# HELP %s Nagios compatible status code for %s\n# TYPE %s gauge\n", name, c->suite, name);
    fprintf(out, "%s{item=\"%s\",status=\"%s\"} %d\n\n", name, c->name, words[level], (int)level);
}

static void write_text(const cli_check *c, FILE *out) {
    static const char *const marks[] = {"OK", "Warning", "Critical", "Unknown"};
    fprintf(out, "%s: %s\n\n", c->name, words[cli_check_level(c)]);
    cli_table *t = cli_table_new(NULL);
    CLI_TABLE_HEADERS(t, "Status", "Message");
    for (int level = CLI_CHECK_OK; level <= CLI_CHECK_UNKNOWN; level++)
        for (size_t i = 0; i < c->says_len; i++)
            if ((int)c->says[i].level == level) CLI_TABLE_ROW(t, marks[level], c->says[i].text);
    if (c->says_len > 0) {
        fputs("Status Detail\n\n", out);
        cli_table_print(t, out);
    }
    cli_table_free(t);
    t = cli_table_new(NULL);
    CLI_TABLE_HEADERS(t, "Metric", "Value", "Unit", "Critical Threshold", "Warning Threshold", "Description");
    for (size_t i = 0; i < c->measures_len; i++) {
        const cli_measure *m = &c->measures[i];
        CLI_TABLE_ROW(t, m->name, cli_decimal((double)m->ns / 1e9, 3).s, "s",
                      cli_decimal((double)m->critical / 1e9, 3).s, cli_decimal((double)m->warn / 1e9, 3).s, m->help);
    }
    if (c->measures_len > 0) {
        fputs("\nCheck Metrics\n\n", out);
        cli_table_print(t, out);
    }
    cli_table_free(t);
    putc('\n', out);
}

void cli_check_write(const cli_check *c, const char *format, const char *namespace, FILE *out) {
    switch (format[0]) {
    case 'j': write_json(c, out); break;
    case 'p': write_prometheus(c, namespace, out); break;
    case 't': write_text(c, out); break;
    default: write_nagios(c, out); break;
    }
}

int cli_check_finish(cli *app, const cli_check *c) {
    const char *format = cli_get_bool(app, "json") ? "json" : cli_get_string(app, "format");
    const char *file = cli_get_string(app, "outfile");
    char *text = NULL;
    size_t n;
    FILE *out = file != NULL ? open_memstream(&text, &n) : stdout;
    if (out == NULL) abort();
    cli_check_write(c, format, cli_get_string(app, "namespace"), out);
    int status = format[0] == 'p' ? 0 : (int)cli_check_level(c);
    if (file == NULL) return status;
    if (fclose(out) != 0 || cli_write_file(app, file, text) != 0) {
        cli_fail(app, "cannot write %s: %s", file, strerror(errno));
        status = CLI_CHECK_UNKNOWN;
    }
    free(text);
    return status;
}
