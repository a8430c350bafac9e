// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Loading: parse, digest, process every top-level member by the option table, and report. Unknown members are errors
// unless a $variable named them (spec/client-protocol.md B5). Members are taken in document order, so of two that set
// the same option the later wins.
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/config/parse.h"
#include "server/config/process.h"
#include "server/config/table.h"

static void process(struct mg_conf_ctx *c, const struct mg_conf_tree *t, const char *path) {
    if (t->root.list.n == 0) mg_config_report_add(c->report, true, "%s: config has no values or is empty", path);
    for (size_t i = 0; i < t->root.list.n; i++) {
        const struct mg_conf_value *m = &t->root.list.v[i];
        const struct mg_conf_option *opt = mg_conf_option_find(m->key);
        if (opt != NULL) mg_conf_option_set(c, opt, m);
        else mg_conf_unknown(c, m);
    }
}

static int finish(const struct mg_config_source *src, int rc, struct mg_conf_tree *tree, struct mg_buf *err,
                  const char *path, struct mg_options **out, struct mg_config_report *report) {
    *out = NULL;
    if (rc != MG_OK) {
        mg_config_report_add(report, false, "%.*s", (int)err->len, err->p);
        mg_buf_fini(err);
        return rc;
    }
    struct mg_conf_ctx c = {.src = src, .o = mg_options_new(), .report = report};
    process(&c, tree, path);
    mg_conf_settle_account_users(&c);
    if (*path != '\0') {
        mg_str_set(&c.o->config_file, path);
        mg_conf_digest(tree, c.o->config_digest);
    }
    mg_conf_tree_fini(tree);
    mg_buf_fini(err);
    if (mg_config_report_has_errors(report)) {
        mg_options_free(c.o);
        return MG_ESYNTAX;
    }
    *out = c.o;
    return MG_OK;
}

int mg_config_load(const struct mg_config_source *src, const char *path, struct mg_options **out,
                   struct mg_config_report *report) {
    struct mg_conf_tree tree;
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_conf_parse_file(src, path, &tree, &err);
    return finish(src, rc, &tree, &err, path, out, report);
}

int mg_config_load_text(const struct mg_config_source *src, const char *text, size_t n, struct mg_options **out,
                        struct mg_config_report *report) {
    struct mg_conf_tree tree;
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_conf_parse_text(src, mg_slice_of(text, n), &tree, &err);
    return finish(src, rc, &tree, &err, "", out, report);
}
