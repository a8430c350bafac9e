// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/base/mem.h"
#include "server/config/config.h"

void mg_config_report_fini(struct mg_config_report *r) {
    for (size_t i = 0; i < r->n; i++)
        mg_free(r->v[i].text);
    mg_free(r->v);
    *r = (struct mg_config_report){0};
}

void mg_config_report_add(struct mg_config_report *r, bool warning, const char *fmt, ...) {
    struct mg_buf text = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    mg_buf_addc(&text, '\0');
    r->v = mg_realloc(r->v, (r->n + 1) * sizeof(*r->v));
    size_t at = warning ? r->warnings++ : r->n;
    memmove(r->v + at + 1, r->v + at, (r->n - at) * sizeof(*r->v));
    r->v[at] = (struct mg_config_note){warning, text.p};
    r->n++;
}

bool mg_config_report_has_errors(const struct mg_config_report *r) { return r->n > r->warnings; }

void mg_config_report_text(const struct mg_config_report *r, struct mg_buf *out) {
    for (size_t i = 0; i < r->n; i++)
        mg_buf_addf(out, "%s\n", r->v[i].text);
}
