// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "client/cli/js_edit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/editor.h"

// ---- differences ----------------------------------------------------------------------------------------------------

static bool same(midge_str a, midge_str b) { return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; }

static midge_str value_of(midge_str object, midge_str key) {
    mgc_json j;
    mgc_json_init(&j, object);
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_KEY;) {
        bool found = j.text.n == key.n && memcmp(j.text.p, key.p, key.n) == 0;
        mgc_json_next(&j);
        midge_str value = mgc_json_raw(&j);
        if (found) return value;
    }
    return MIDGE_NONE;
}

static void print_missing(FILE *out, midge_str from, midge_str in, char sign, bool only_new) {
    mgc_json j;
    mgc_json_init(&j, from);
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_KEY;) {
        midge_str key = j.text;
        mgc_json_next(&j);
        midge_str value = mgc_json_raw(&j), other = value_of(in, key);
        if (other.n > 0 && (only_new || same(other, value))) continue;
        fprintf(out, "%c %.*s: %.*s\n", sign, (int)key.n, key.p, (int)value.n, value.p);
        if (other.n > 0) fprintf(out, "+ %.*s: %.*s\n", (int)key.n, key.p, (int)other.n, other.p);
    }
}

bool cli_js_agreed(cli_js *js, midge_str old, midge_str new, int *status) {
    bool dry = cli_get_bool(js->app, "dry-run");
    *status = CLI_OK;
    if (same(old, new)) {
        if (!dry) puts("No difference in configuration");
        return false;
    }
    FILE *out = js->json ? stderr : stdout;
    fputs("Differences (-old +new):\n", out);
    print_missing(out, old, new, '-', false);
    print_missing(out, new, old, '+', true);
    fputs("\n", out);
    if (dry) *status = CLI_FAILED;
    return !dry;
}

// ---- files ----------------------------------------------------------------------------------------------------------

int cli_js_save(cli *app, const char *path, midge_str text) {
    FILE *file = fopen(path, "we");
    bool ok = file != NULL && fprintf(file, "%.*s\n", (int)text.n, text.p) >= 0;
    if (file != NULL && fclose(file) != 0) ok = false;
    return ok ? CLI_OK : cli_fail(app, "cannot write %s: %s", path, strerror(errno));
}

midge_str cli_js_edited(cli_js *js, midge_str text) {
    const char *path;
    midge_str edited = MIDGE_NONE;
    FILE *file = cli_editor_open(js->app, &path);
    if (file == NULL) return MIDGE_NONE;
    fprintf(file, "%.*s\n", (int)text.n, text.p);
    if (cli_editor_run(js->app, file, path, "nothing is changed") == CLI_OK) edited = cli_js_load(js, path);
    unlink(path);
    return edited;
}
