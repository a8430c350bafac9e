// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A config source for tests: files and environment are tables in memory. Helpers to load text and to read reports.
#ifndef MG_TEST_CONFIG_FAKE_SOURCE_H
#define MG_TEST_CONFIG_FAKE_SOURCE_H

#include <stdio.h>
#include <string.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/config.h"

struct fake_entry {
    const char *name, *text;
};

struct fake_files {
    const struct fake_entry *files, *env; // each ends with {NULL, NULL}; NULL: none
};

static inline const char *fake_find(const struct fake_entry *e, const char *name) {
    for (; e != NULL && e->name != NULL; e++)
        if (strcmp(e->name, name) == 0) return e->text;
    return NULL;
}

static inline int fake_read(void *ctx, const char *path, size_t limit, struct mg_buf *out, char *err, size_t n) {
    const char *text = fake_find(((struct fake_files *)ctx)->files, path);
    if (text != NULL && strlen(text) <= limit) {
        mg_buf_adds(out, text);
        return MG_OK;
    }
    snprintf(err, n, text ? "read %s: too much" : "open %s: no such file or directory", path);
    return text ? MG_ERANGE : MG_ENOTFOUND;
}

static inline const char *fake_getenv(void *ctx, const char *name) {
    return fake_find(((struct fake_files *)ctx)->env, name);
}

static inline struct mg_config_source fake_source(struct fake_files *f) {
    return (struct mg_config_source){.ctx = f, .read_file = fake_read, .getenv = fake_getenv};
}

// Loads a text that must be right. The caller frees the options.
static inline struct mg_options *load_ok(const char *text) {
    struct fake_files none = {NULL, NULL};
    struct mg_config_source src = fake_source(&none);
    struct mg_config_report report = {0};
    struct mg_options *o;
    mg_config_load_text(&src, text, strlen(text), &o, &report);
    for (size_t i = 0; i < report.n; i++)
        print_error("%s: %s\n", text, report.v[i].text);
    assert_int_equal(report.n, 0);
    assert_non_null(o);
    mg_config_report_fini(&report);
    return o;
}

// Loads a text and gives the whole report as one string, which the caller frees; no options may stay.
static inline char *load_report(const char *text) {
    struct fake_files none = {NULL, NULL};
    struct mg_config_source src = fake_source(&none);
    struct mg_config_report report = {0};
    struct mg_buf b = MG_BUF_INIT;
    struct mg_options *o;
    mg_config_load_text(&src, text, strlen(text), &o, &report);
    mg_options_free(o);
    mg_config_report_text(&report, &b);
    mg_buf_addc(&b, '\0');
    mg_config_report_fini(&report);
    return b.p;
}

// The report of text must be exactly `want` (lines end with \n).
static inline void expect_report(const char *text, const char *want) {
    char *got = load_report(text);
    if (strcmp(got, want) != 0) print_error("config: %s\n", text);
    assert_string_equal(got, want);
    mg_free(got);
}

#endif
