// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The frame of the commands on JetStream. A command is a function that gets a cli_js: it starts an operation of
// midge_host.h, waits for it here, and looks at its result. Waiting runs the connection and ends early when the user
// interrupts, if the command catches signals; one that does not is simply ended by them.
//
// What fails: each operation has its own time limit and always ends. A reason is told once, by cli_js_failed, with the
// server's words and number if it was the server who refused.
#include "client/cli/js.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/context.h"
#include "client/cli/prompt.h"

void cli_js_prepare(cli *app, midge_op *op) {
    const char *prefix = cli_js_prefix(app);
    op->domain = midge_cstr(cli_js_domain(app));
    op->prefix = midge_cstr(prefix);
    while (op->prefix.n > 0 && op->prefix.p[op->prefix.n - 1] == '.')
        op->prefix.n--;
    op->timeout = (uint32_t)cli_timeout(app);
}

int cli_js_run(cli *app, int (*fn)(cli_js *js)) {
    cli_js *js = cli_alloc(app, sizeof *js);
    js->app = app;
    js->conn = cli_connect(app);
    if (js->conn == NULL) return CLI_FAILED;
    js->m = midge_engine(js->conn);
    js->json = cli_has_flag(app, "json") && cli_get_bool(app, "json");
    cli_js_prepare(app, &js->op);
    js->js = (midge_js){.m = js->m, .buf = js->buf, .size = sizeof js->buf, .domain = js->op.domain,
                        .prefix = js->op.prefix, .opts = {.timeout = js->op.timeout}};
    int status = fn(js);
    midge_op_free(&js->op);
    cli_release_signals(app);
    midge_conn_free(js->conn);
    mgc_arena_free(&js->arena);
    return status;
}

int cli_js_until(cli_js *js, const bool *done) {
    while (!*done) {
        if (cli_interrupted(js->app)) return MIDGE_ECLOSED;
        int err = midge_poll(js->conn, MIDGE_FOREVER);
        if (err != 0 && !*done) return err;
    }
    return 0;
}

int cli_js_wait(cli_js *js, midge_op *op, int err) {
    if (err == 0) err = cli_js_until(js, &op->done);
    return err != 0 ? err : op->err;
}

static const char *reason(cli_js *js, const midge_op *op, int err) {
    const char *complaint = cli_complaint(js->app);
    if (complaint != NULL) return complaint;
    if (op != NULL && op->error.description.n > 0)
        return cli_printf(js->app, "%.*s (%d)", (int)op->error.description.n, op->error.description.p,
                          op->error.err_code);
    if (err == MIDGE_ENORESPONDERS) return "nobody answers: JetStream is not enabled, or not for this account";
    if (err == MIDGE_EINVAL) return "invalid name or value";
    if (err == MIDGE_EPROTO) return "the answer of the server is not understood";
    return midge_strerror(err);
}

int cli_js_failed(cli_js *js, const midge_op *op, int err, const char *what, ...) {
    char text[512];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    if (cli_interrupted(js->app)) return CLI_INTERRUPTED;
    return cli_fail(js->app, "%s: %s", text, reason(js, op, err));
}

// ---- which one ------------------------------------------------------------------------------------------------------

static const char *pick(cli_js *js, int err, const char *what) {
    err = cli_js_wait(js, &js->op, err);
    if (err != 0) {
        cli_js_failed(js, &js->op, err, "could not list what there is");
        return NULL;
    }
    return cli_pick(js->app, what, js->op.names, js->op.len);
}

const char *cli_js_stream(cli_js *js) {
    const char *name = cli_arg_of(js->app, "stream");
    if (name != NULL && *name != '\0') return name;
    if (!cli_can_ask(js->app)) return cli_ask(js->app, "the argument <stream>", "");
    return pick(js, midge_stream_names(js->m, &js->op, MIDGE_NONE), "the argument <stream>");
}

const char *cli_js_consumer(cli_js *js, const char *stream) {
    const char *name = cli_arg_of(js->app, "consumer");
    if (name != NULL && *name != '\0') return name;
    if (!cli_can_ask(js->app)) return cli_ask(js->app, "the argument <consumer>", "");
    return pick(js, midge_consumer_names(js->m, &js->op, midge_cstr(stream)), "the argument <consumer>");
}

const char *cli_js_bucket(cli_js *js, int (*list)(midge *m, midge_op *op),
                          int (*info)(midge *m, midge_op *op, midge_str bucket)) {
    static const char argument[] = "the argument <bucket>";
    const char *name = cli_arg_of(js->app, "bucket");
    if (name == NULL && !cli_can_ask(js->app)) return cli_ask(js->app, argument, "");
    if (name == NULL) name = pick(js, list(js->m, &js->op), argument);
    if (name == NULL) return NULL;
    int err = cli_js_wait(js, &js->op, info(js->m, &js->op, midge_cstr(name)));
    if (err == 0) return name;
    if (err == MIDGE_ENOTFOUND) cli_fail(js->app, "bucket %s not found", name);
    else cli_js_failed(js, &js->op, err, "could not load bucket %s", name);
    return NULL;
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static void print_out(mgc_json_out *o) {
    midge_str text;
    if (mgc_json_out_end(o, &text) == 0) printf("%.*s\n", (int)text.n, text.p);
    mgc_json_out_fini(o);
}

void cli_js_print(midge_str json) {
    mgc_json j;
    mgc_json_out o;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = 2;
    mgc_json_init(&j, json);
    mgc_json_open(&o, NULL, '{');
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_KEY;) {
        midge_str key = j.text;
        bool kind = mgc_json_is(&j, "type") || mgc_json_is(&j, "did_create");
        mgc_json_next(&j);
        midge_str value = mgc_json_raw(&j);
        if (kind) continue;
        mgc_json_key(&o, key);
        mgc_json_copy(&o, NULL, value);
    }
    mgc_json_close(&o);
    print_out(&o);
}

void cli_js_print_body(midge_str body) {
    if (body.n > 0) fwrite(body.p, 1, body.n, stdout);
    putchar('\n');
}

void cli_js_print_names(cli_js *js, const midge_str *names, size_t n) {
    mgc_json_out o;
    for (size_t i = 0; i < n && !js->json; i++)
        printf("%.*s\n", (int)names[i].n, names[i].p);
    if (!js->json) return;
    mgc_json_out_init(&o, NULL, 0);
    o.indent = 2;
    mgc_json_open(&o, NULL, '[');
    for (size_t i = 0; i < n; i++)
        mgc_json_put_str(&o, NULL, names[i]);
    mgc_json_close(&o);
    print_out(&o);
}

int cli_js_list_names(cli_js *js, int err, const char *what) {
    err = cli_js_wait(js, &js->op, err);
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list %s", what);
    cli_js_print_names(js, js->op.names, js->op.len);
    return CLI_OK;
}

int cli_js_by_bytes(const void *a, const void *b) {
    const midge_stream_result *const *x = a, *const *y = b;
    uint64_t l = (*x)->state.bytes, r = (*y)->state.bytes;
    return (l > r) - (l < r);
}

midge_str cli_js_load(cli_js *js, const char *path) {
    size_t n;
    mgc_json j;
    const char *text = cli_read_file(js->app, path, &n);
    if (text == NULL) {
        cli_fail(js->app, "cannot read %s", path);
        return MIDGE_NONE;
    }
    midge_str all = {text, n};
    if (!mgc_json_valid(all)) {
        cli_fail(js->app, "%s is no JSON", path);
        return MIDGE_NONE;
    }
    if (mgc_json_find(all, "config", &j) && j.type == MGC_JSON_OBJECT) return mgc_json_raw(&j);
    return all;
}
