// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Config files: the input is the text of the file. It includes itself as "self", and variables find a small
// environment. Whatever comes out must be consistent: options without errors, or errors without options; a loaded
// config does not differ from itself but in what every reload repeats.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/config/check.h"
#include "server/config/config.h"
#include "server/config/reload.h"

struct input {
    const char *p;
    size_t n;
};

static int read_file(void *ctx, const char *path, size_t limit, struct mg_buf *out, char *err, size_t errlen) {
    const struct input *in = ctx;
    if (strcmp(path, "self") == 0 && in->n <= limit) {
        mg_buf_add(out, in->p, in->n);
        return MG_OK;
    }
    snprintf(err, errlen, "open %s: no such file or directory", path);
    return MG_ENOTFOUND;
}

static const char *get_env(void *ctx, const char *name) {
    (void)ctx;
    if (strcmp(name, "A") == 0) return "[$B, {c: 1k}]";
    if (strcmp(name, "B") == 0) return "\"text\"";
    if (strcmp(name, "C") == 0) return "$C";
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {(const char *)data, size};
    struct mg_config_source src = {.ctx = &in, .read_file = read_file, .getenv = get_env};
    struct mg_config_report report = {0};
    struct mg_options *o;
    int rc = mg_config_load(&src, "self", &o, &report);
    mg_assert((rc == MG_OK) == (o != NULL));
    mg_assert((rc == MG_OK) == !mg_config_report_has_errors(&report));
    mg_config_report_fini(&report);
    if (o == NULL) return 0;

    char err[512];
    struct mg_reload_diff d;
    mg_options_check(o, err, sizeof(err));
    mg_options_warnings(o, &report);
    mg_assert(!mg_config_report_has_errors(&report));
    mg_config_report_fini(&report);
    mg_assert(mg_options_diff(o, o, &d) == MG_OK);
    mg_assert(d.n <= 3); // tls, users, accounts
    mg_reload_diff_fini(&d);
    mg_options_free(o);
    return 0;
}
