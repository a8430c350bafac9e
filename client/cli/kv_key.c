// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge kv put, get, create, update, del, purge, revert: one key.
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/kv.h"
#include "client/cli/payload.h"
#include "client/cli/prompt.h"
#include "client/cli/units.h"

int cli_kv_failed(cli_js *js, int err, const char *what, const char *bucket, const char *key) {
    const char *why = midge_strerror(err);
    if (err == MIDGE_ENORESPONDERS) {
        // Nobody listens to the subjects of a bucket that is not there; whether it is, its info says.
        int info = cli_js_wait(js, &js->op, midge_bucket_info(js->m, &js->op, midge_cstr(bucket)));
        if (info == MIDGE_ENOTFOUND) return cli_fail(js->app, "bucket %s not found", bucket);
    }
    if (err == MIDGE_EINVAL)
        why = midge_kv_key_valid(midge_cstr(key)) ? "invalid bucket name"
                                                  : "invalid key: letters, digits and -/_=. make one";
    if (err == MIDGE_ENOTFOUND) why = "key not found";
    if (cli_interrupted(js->app)) return CLI_INTERRUPTED;
    return cli_fail(js->app, "could not %s %s > %s: %s", what, bucket, key, why);
}

// ---- reading --------------------------------------------------------------------------------------------------------

static void on_read(const midge_kv *kv, int err, const midge_kv_entry *entry, void *user) {
    cli_kv_read *r = user;
    (void)kv;
    r->done = true;
    r->err = err;
    if (entry == NULL) return;
    r->entry = *entry;
    r->entry.value.p = cli_strndup(r->app, entry->value.n > 0 ? entry->value.p : "", entry->value.n);
    r->entry.key = r->entry.headers = MIDGE_NONE;
}

int cli_kv_get(cli_js *js, const char *bucket, const char *key, uint64_t revision, cli_kv_read *out) {
    const midge_kv kv = {.js = &js->js, .bucket = midge_cstr(bucket)};
    midge_kv_get_op op = {.key = midge_cstr(key), .revision = revision};
    *out = (cli_kv_read){.app = js->app};
    int err = midge_kv_get(&kv, &op, on_read, out);
    if (err == 0) err = cli_js_until(js, &out->done);
    return err != 0 ? err : out->err;
}

static int get(cli_js *js) {
    cli *app = js->app;
    const char *bucket = cli_arg_of(app, "bucket"), *key = cli_arg_of(app, "key");
    cli_kv_read r;
    int err = cli_kv_get(js, bucket, key, cli_get_uint(app, "revision"), &r);
    if (err != 0) return cli_kv_failed(js, err, "get", bucket, key);
    if (cli_get_bool(app, "raw")) {
        fwrite(r.entry.value.p, 1, r.entry.value.n, stdout);
        return CLI_OK;
    }
    printf("%s > %s revision: %" PRIu64 " created @ %s\n\n", bucket, key, r.entry.revision,
           cli_time((int64_t)r.entry.created).s);
    const char *text = cli_kv_value(app, r.entry.value, 0);
    if (strlen(text) > 120)
        printf("Showing first 120 bytes of %s, use --raw for full data\n\n%.120s\n\n", cli_count(strlen(text)).s, text);
    else printf("%s\n\n", text);
    return CLI_OK;
}

// ---- writing --------------------------------------------------------------------------------------------------------

typedef struct written {
    bool done;
    int err;
    uint64_t revision;
} written;

static void on_written(const midge_kv *kv, int err, uint64_t revision, void *user) {
    written *w = user;
    (void)kv;
    *w = (written){true, err, revision};
}

typedef int (*write_fn)(const midge_kv *kv, midge_kv_write *op, midge_kv_write_fn fn, void *user);

// ttl: nanoseconds; 0: none. 0 or a MIDGE_E code.
static int write_key(cli_js *js, write_fn fn, midge_kv_write *op, uint64_t ttl) {
    const midge_kv kv = {.js = &js->js, .bucket = midge_cstr(cli_arg_of(js->app, "bucket"))};
    written w = {.done = false};
    char headers[128];
    op->key = midge_cstr(cli_arg_of(js->app, "key"));
    if (ttl > 0) {
        midge_headers h;
        midge_headers_begin(&h, headers, sizeof headers);
        midge_headers_add(&h, MIDGE_STR("Nats-TTL"), midge_cstr(cli_duration_exact((int64_t)ttl).s));
        midge_headers_end(&h, &op->headers);
    }
    int err = midge_conn_reserve(js->conn, op->len + 1024);
    if (err == 0) err = fn(&kv, op, on_written, &w);
    if (err == 0) err = cli_js_until(js, &w.done);
    return err != 0 ? err : w.err;
}

static int failed(cli_js *js, int err, const char *what) {
    return cli_kv_failed(js, err, what, cli_arg_of(js->app, "bucket"), cli_arg_of(js->app, "key"));
}

// The argument `value`, or all of stdin, of which the terminal gives an empty value.
static int read_value(cli_js *js, cli_stdin *in, midge_str *value) {
    const char *text = cli_arg_of(js->app, "value");
    if (text != NULL || isatty(STDIN_FILENO) == 1) {
        *value = midge_cstr(text);
        return CLI_OK;
    }
    return cli_stdin_all(js->app, js->conn, in, value) >= 0 ? CLI_OK : CLI_FAILED;
}

static int store(cli_js *js, write_fn fn, const char *what, uint64_t ttl) {
    const char *text = cli_arg_of(js->app, "value");
    cli_stdin in = {0};
    midge_str value = MIDGE_NONE;
    int status = read_value(js, &in, &value);
    if (status == CLI_OK) {
        midge_kv_write op = {.value = value.p, .len = value.n};
        int err = write_key(js, fn, &op, ttl);
        if (err == MIDGE_EEXISTS) status = cli_fail(js->app, "key %s exists", cli_arg_of(js->app, "key"));
        else if (err != 0) status = failed(js, err, what);
    }
    if (status == CLI_OK) puts(text != NULL ? text : "");
    cli_stdin_fini(&in);
    return status;
}

static int put(cli_js *js) { return store(js, midge_kv_put, "put", 0); }
static int create(cli_js *js) { return store(js, midge_kv_create, "create", cli_get_duration(js->app, "ttl")); }

static int revision_arg(cli *app, uint64_t *revision) {
    int64_t v;
    if (cli_parse_int(cli_arg_of(app, "revision"), 0, INT64_MAX, &v) != 0)
        return cli_fail(app, "\"%s\" is no revision", cli_arg_of(app, "revision"));
    *revision = (uint64_t)v;
    return CLI_OK;
}

static int update(cli_js *js) {
    const char *value = cli_arg_of(js->app, "value");
    midge_kv_write op = {.value = value, .len = strlen(value)};
    if (revision_arg(js->app, &op.revision) != CLI_OK) return CLI_FAILED;
    int err = write_key(js, midge_kv_update, &op, 0);
    if (err == MIDGE_EEXISTS)
        return cli_fail(js->app, "wrong last revision: that of %s is not %" PRIu64, cli_arg_of(js->app, "key"),
                        op.revision);
    if (err != 0) return failed(js, err, "update");
    puts(value);
    return CLI_OK;
}

static int delete_bucket(cli_js *js, const char *bucket, bool force) {
    int status;
    if (!cli_confirm(js->app, force, &status, "Delete bucket %s", bucket)) return status;
    int err = cli_js_wait(js, &js->op, midge_bucket_delete(js->m, &js->op, midge_cstr(bucket)));
    if (err == MIDGE_ENOTFOUND) return cli_fail(js->app, "bucket %s not found", bucket);
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not delete bucket %s", bucket);
}

static int del(cli_js *js) {
    cli *app = js->app;
    int status;
    bool force = cli_get_bool(app, "force");
    const char *bucket = cli_arg_of(app, "bucket"), *key = cli_arg_of(app, "key");
    if (key == NULL) return delete_bucket(js, bucket, force);
    if (!cli_confirm(app, force, &status, "Delete key %s > %s", bucket, key)) return status;
    midge_kv_write op = {0};
    int err = write_key(js, midge_kv_delete, &op, 0);
    return err == 0 ? CLI_OK : failed(js, err, "delete");
}

static int purge(cli_js *js) {
    cli *app = js->app;
    int status;
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Purge key %s > %s", cli_arg_of(app, "bucket"),
                     cli_arg_of(app, "key")))
        return status;
    midge_kv_write op = {0};
    int err = write_key(js, midge_kv_purge, &op, cli_get_duration(app, "ttl"));
    return err == 0 ? CLI_OK : failed(js, err, "purge");
}

// The old value is written only if nobody has written since.
static int revert(cli_js *js) {
    cli *app = js->app;
    int status;
    uint64_t revision;
    cli_kv_read old, last;
    const char *bucket = cli_arg_of(app, "bucket"), *key = cli_arg_of(app, "key");
    if (revision_arg(app, &revision) != CLI_OK) return CLI_FAILED;
    int err = cli_kv_get(js, bucket, key, revision, &old);
    if (err != 0) return cli_kv_failed(js, err, "revert", bucket, key);
    err = cli_kv_get(js, bucket, key, 0, &last);
    if (err != 0 && (err != MIDGE_ENOTFOUND || last.entry.revision == 0))
        return cli_kv_failed(js, err, "revert", bucket, key);
    if (!cli_get_bool(app, "force") && cli_can_ask(app))
        printf("Revision: %" PRIu64 "\n\n%s\n\n", old.entry.revision, cli_kv_value(app, old.entry.value, 40));
    if (!cli_confirm(app, cli_get_bool(app, "force"), &status, "Really revert to revision %" PRIu64, revision))
        return status;
    midge_kv_write op = {.value = old.entry.value.p, .len = old.entry.value.n, .revision = last.entry.revision};
    err = write_key(js, midge_kv_update, &op, 0);
    return err == 0 ? cli_kv_print_history(js, bucket, key) : failed(js, err, "revert");
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_get(cli *app) { return cli_js_run(app, get); }
static int run_put(cli *app) { return cli_js_run(app, put); }
static int run_create(cli *app) { return cli_js_run(app, create); }
static int run_update(cli *app) { return cli_js_run(app, update); }
static int run_del(cli *app) { return cli_js_run(app, del); }
static int run_purge(cli *app) { return cli_js_run(app, purge); }
static int run_revert(cli *app) { return cli_js_run(app, revert); }

#define BUCKET_ARG {.name = "bucket", .help = "Name of the bucket", .required = true}
#define KEY_ARG {.name = "key", .help = "The key", .required = true}
#define FORCE_FLAG {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"}

const cli_arg cli_kv_key_args[] = {BUCKET_ARG, KEY_ARG, {0}};
static const cli_arg value_args[] = {
    BUCKET_ARG, KEY_ARG, {.name = "value", .help = "The value; without it stdin is read"}, {0}};
static const cli_arg update_args[] = {
    BUCKET_ARG,
    KEY_ARG,
    {.name = "value", .help = "The new value", .required = true},
    {.name = "revision", .help = "The revision that must be the last one", .required = true},
    {0},
};
static const cli_arg del_args[] = {
    BUCKET_ARG, {.name = "key", .help = "The key; without it the bucket is deleted"}, {0}};
static const cli_arg revert_args[] = {
    BUCKET_ARG, KEY_ARG, {.name = "revision", .help = "The revision to go back to", .required = true}, {0}};

static const cli_flag get_flags[] = {
    {.name = "revision", .type = CLI_UINT, .help = "This revision instead of the last one"},
    {.name = "raw", .type = CLI_SWITCH, .help = "Print nothing but the value"},
    {0},
};
static const cli_flag create_flags[] = {
    {.name = "ttl", .type = CLI_DURATION, .help = "How long the key lives"},
    {0},
};
static const cli_flag force_flags[] = {FORCE_FLAG, {0}};
static const cli_flag purge_flags[] = {
    FORCE_FLAG,
    {.name = "ttl", .type = CLI_DURATION, .help = "How long the marker stays"},
    {0},
};
static const cli_flag revert_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_BOOL, .help = "Do not ask"},
    {0},
};

const cli_command cli_command_kv_get = {.name = "get", .summary = "Show the value of a key", .flags = get_flags,
                                        .args = cli_kv_key_args, .run = run_get};
const cli_command cli_command_kv_put = {.name = "put", .summary = "Write a key", .args = value_args, .run = run_put};
const cli_command cli_command_kv_create = {.name = "create", .summary = "Write a key that has no value",
                                           .flags = create_flags, .args = value_args, .run = run_create};
const cli_command cli_command_kv_update = {.name = "update", .summary = "Write a key if its revision is a certain one",
                                           .args = update_args, .run = run_update};
const cli_command cli_command_kv_del = {.name = "del", .aliases = "rm", .summary = "Delete a key, or a bucket",
                                        .flags = force_flags, .args = del_args, .run = run_del};
const cli_command cli_command_kv_purge = {.name = "purge", .summary = "Delete a key and its history",
                                          .flags = purge_flags, .args = cli_kv_key_args, .run = run_purge};
const cli_command cli_command_kv_revert = {.name = "revert", .summary = "Write an earlier value of a key again",
                                           .flags = revert_flags, .args = revert_args, .run = run_revert};
