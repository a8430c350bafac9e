// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Flags that become parts of a config.
#include <string.h>

#include "client/cli/js.h"
#include "client/cli/units.h"

const midge_str *cli_js_words(cli *app, const char *flag, size_t *n) {
    size_t uses, len = 0, most = 0;
    const char *const *texts = cli_get_strings(app, flag, &uses);
    for (size_t i = 0; i < uses; i++)
        for (const char *at = texts[i]; at != NULL; at = strchr(at, ','), at = at != NULL ? at + 1 : NULL)
            most++;
    midge_str *words = cli_alloc(app, (most + 1) * sizeof *words);
    for (size_t i = 0; i < uses; i++)
        for (const char *at = texts[i] + strspn(texts[i], ", "); *at != '\0';) {
            size_t word = strcspn(at, ",");
            midge_str w = {at, word};
            while (w.n > 0 && w.p[w.n - 1] == ' ')
                w.n--;
            words[len++] = w;
            at += word + strspn(at + word, ", ");
        }
    *n = len;
    return words;
}

int cli_js_pairs(cli *app, const char *flag, const midge_pair **pairs, size_t *n) {
    const char *const *texts = cli_get_strings(app, flag, n);
    midge_pair *out = cli_alloc(app, (*n + 1) * sizeof *out);
    for (size_t i = 0; i < *n; i++) {
        size_t name = strcspn(texts[i], ":=");
        if (name == 0 || texts[i][name] == '\0')
            return cli_fail(app, "--%s needs name:value, not \"%s\"", flag, texts[i]);
        out[i] = (midge_pair){{texts[i], name}, midge_cstr(texts[i] + name + 1)};
    }
    *pairs = out;
    return CLI_OK;
}

int cli_js_duration(cli *app, const char *flag, int64_t *v) {
    const char *text = cli_get_string(app, flag);
    if (text == NULL || *text == '\0' || !cli_given(app, flag)) return CLI_OK;
    if (strcmp(text, "-1") == 0 || strcmp(text, "-1s") == 0) {
        *v = -1;
        return CLI_OK;
    }
    if (cli_parse_duration(text, v) == 0 && *v >= 0) return CLI_OK;
    return cli_fail(app, "--%s needs a duration like 10s, 5m or 1d12h, not \"%s\"", flag, text);
}

int cli_js_bytes(cli *app, const char *flag, int64_t *v) {
    const char *text = cli_get_string(app, flag);
    if (text == NULL || *text == '\0' || !cli_given(app, flag)) return CLI_OK;
    if (strcmp(text, "-1") == 0) {
        *v = -1;
        return CLI_OK;
    }
    if (cli_parse_bytes(text, v) == 0) return CLI_OK;
    return cli_fail(app, "--%s needs a size like 128, 64KB or 1GB, not \"%s\"", flag, text);
}

// ---- JSON members ---------------------------------------------------------------------------------------------------

midge_str cli_js_written(cli *app, mgc_json_out *out) {
    midge_str text = MIDGE_NONE;
    if (mgc_json_out_end(out, &text) == 0) text.p = cli_strndup(app, text.p, text.n);
    mgc_json_out_fini(out);
    return text;
}

int cli_js_mapping(cli *app, const char *name, bool headers_only, midge_str *json) {
    const char *from = cli_get_string(app, cli_printf(app, "%s-source", name));
    const char *to = cli_get_string(app, cli_printf(app, "%s-destination", name));
    bool headers = headers_only && cli_get_bool(app, cli_printf(app, "%s-headers", name));
    if ((from == NULL) != (to == NULL) || (headers && from == NULL))
        return cli_fail(app, "--%s-source and --%s-destination need each other", name, name);
    if (from == NULL) return CLI_OK;
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_cstr(&o, "src", from);
    mgc_json_put_cstr(&o, "dest", to);
    if (headers) mgc_json_put_bool(&o, "headers_only", true);
    mgc_json_close(&o);
    *json = cli_js_written(app, &o);
    return CLI_OK;
}

midge_str cli_js_placement(cli *app, const char *tags, midge_str before) {
    bool new_cluster = cli_given(app, "cluster"), new_tags = cli_given(app, tags);
    if (!new_cluster && !new_tags) return before;
    mgc_json j;
    mgc_json_out o;
    size_t n;
    const midge_str *words = cli_js_words(app, tags, &n);
    const char *cluster = new_cluster ? cli_get_string(app, "cluster") : cli_js_member(app, before, "cluster");
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    if (cluster != NULL && *cluster != '\0') mgc_json_put_cstr(&o, "cluster", cluster);
    if (new_tags && n > 0) {
        mgc_json_open(&o, "tags", '[');
        for (size_t i = 0; i < n; i++)
            mgc_json_put_str(&o, NULL, words[i]);
        mgc_json_close(&o);
    } else if (!new_tags && mgc_json_find(before, "tags", &j)) {
        mgc_json_put_raw(&o, "tags", mgc_json_raw(&j));
    }
    mgc_json_close(&o);
    midge_str made = cli_js_written(app, &o);
    return made.n > 2 ? made : MIDGE_NONE;
}

midge_str cli_js_source(cli *app, const char *text, const char *prefix) {
    if (*text == '{') return midge_cstr(text);
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_cstr(&o, "name", cli_printf(app, "%s%s", prefix, text));
    mgc_json_close(&o);
    return cli_js_written(app, &o);
}

midge_str cli_js_sources(cli *app, const char *flag, const char *prefix) {
    size_t n;
    const char *const *texts = cli_get_strings(app, flag, &n);
    if (n == 0) return MIDGE_NONE;
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '[');
    for (size_t i = 0; i < n; i++)
        mgc_json_put_raw(&o, NULL, cli_js_source(app, texts[i], prefix));
    mgc_json_close(&o);
    return cli_js_written(app, &o);
}
