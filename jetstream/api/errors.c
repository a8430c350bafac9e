// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/api/errors.h"

#include "server/base/assert.h"
#include "server/base/errors.h"

static const struct mg_js_error_row rows[] = {
#define X(name, code, err_code, text) {code, err_code, text},
    MG_JS_ERRORS(X)
#undef X
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct mg_js_error_row *mg_js_error_row(int err_code) {
    int at = err_code - rows[0].err_code;
    if (at < 0 || at >= (int)ROWS) return NULL;
    mg_assert(rows[at].err_code == err_code);
    return &rows[at];
}

void mg_js_error_fini(struct mg_js_error *e) {
    mg_buf_fini(&e->text);
    e->row = NULL;
}

int mg_js_fail_with(struct mg_js_error *e, enum mg_js_errno err, const mg_slice *values, size_t n) {
    mg_js_error_fini(e);
    e->row = mg_js_error_row((int)err);
    mg_assert(e->row != NULL);
    size_t used = 0;
    const char *text = e->row->text;
    for (const char *open; (open = strchr(text, '{')) != NULL; text = strchr(open, '}') + 1) {
        mg_assert(used < n);
        mg_buf_add(&e->text, text, (size_t)(open - text));
        mg_buf_add_slice(&e->text, values[used++]);
    }
    mg_assert(used == n);
    mg_buf_adds(&e->text, text);
    return MG_EINVAL;
}

int mg_js_fail(struct mg_js_error *e, enum mg_js_errno err) { return mg_js_fail_with(e, err, NULL, 0); }

int mg_js_failf(struct mg_js_error *e, enum mg_js_errno err, const char *fmt, ...) {
    struct mg_buf text = MG_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    mg_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    mg_slice value = mg_buf_slice(&text);
    mg_js_fail_with(e, err, &value, 1);
    mg_buf_fini(&text);
    return MG_EINVAL;
}

void mg_js_error_write(const struct mg_js_error *e, struct mg_jw *w) {
    mg_jw_obj(w);
    mg_jw_kint(w, "code", e->row->code);
    mg_jw_kint(w, "err_code", e->row->err_code);
    mg_jw_key(w, "description");
    mg_jw_str(w, mg_buf_slice(&e->text));
    mg_jw_end_obj(w);
}
