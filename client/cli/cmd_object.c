// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge object, and its short commands: info, del, seal, watch.
#include <inttypes.h>

#include "client/cli/commands.h"
#include "client/cli/object.h"
#include "client/cli/prompt.h"
#include "client/cli/units.h"

// ---- info, del, seal ------------------------------------------------------------------------------------------------

static int info(cli_js *js) {
    const char *name = cli_arg_of(js->app, "file");
    const char *bucket = cli_object_bucket(js);
    if (bucket == NULL) return CLI_FAILED;
    if (name == NULL) {
        cli_object_show_bucket(js);
        return CLI_OK;
    }
    int err = cli_js_wait(js, &js->op, midge_object_info(js->m, &js->op, midge_cstr(bucket), midge_cstr(name)));
    if (err != 0) return cli_object_failed(js, err, "show", bucket, name);
    cli_object_show(js, &js->op.object);
    return CLI_OK;
}

static int delete_bucket(cli_js *js, const char *bucket) {
    int status;
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status, "Delete bucket %s and all its files", bucket))
        return status;
    int err = cli_js_wait(js, &js->op, midge_objects_delete(js->m, &js->op, midge_cstr(bucket)));
    if (err == MIDGE_ENOTFOUND) return cli_fail(js->app, "bucket %s not found", bucket);
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not delete bucket %s", bucket);
}

static int del(cli_js *js) {
    int status;
    const char *bucket = cli_arg_of(js->app, "bucket"), *name = cli_arg_of(js->app, "file");
    if (name == NULL) return delete_bucket(js, bucket);
    int err = cli_js_wait(js, &js->op, midge_object_info(js->m, &js->op, midge_cstr(bucket), midge_cstr(name)));
    if (err != 0) return cli_object_failed(js, err, "delete", bucket, name);
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status, "Delete %s byte file %s > %s",
                     cli_bytes(js->op.object.size).s, bucket, name))
        return status;
    err = cli_js_wait(js, &js->op, midge_object_delete(js->m, &js->op, midge_cstr(bucket), midge_cstr(name)));
    if (err != 0) return cli_object_failed(js, err, "delete", bucket, name);
    printf("Removed %s > %s\n", bucket, name);
    if (cli_object_bucket(js) == NULL) return CLI_FAILED;
    cli_object_show_bucket(js);
    return CLI_OK;
}

static int seal(cli_js *js) {
    int status;
    const char *bucket = cli_arg_of(js->app, "bucket");
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status,
                     "Really seal bucket %s; it can never be changed again", bucket))
        return status;
    int err = cli_js_wait(js, &js->op, midge_objects_seal(js->m, &js->op, midge_cstr(bucket)));
    if (err == MIDGE_ENOTFOUND) return cli_fail(js->app, "bucket %s not found", bucket);
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not seal bucket %s", bucket);
    printf("%s has been sealed\n", bucket);
    if (cli_object_bucket(js) == NULL) return CLI_FAILED;
    cli_object_show_bucket(js);
    return CLI_OK;
}

// ---- watch ----------------------------------------------------------------------------------------------------------

static bool on_change(midge *m, midge_op *op, const midge_object *o) {
    cli *app = op->user;
    (void)m;
    if (o == NULL) return true;
    printf("[%s] %s%s%s %.*s > %.*s", cli_time(o->time).s, cli_colour(app, o->deleted ? CLI_RED : CLI_GREEN),
           o->deleted ? "DEL" : "PUT", cli_colour(app, CLI_PLAIN), (int)o->bucket.n, o->bucket.p, (int)o->name.n,
           o->name.p);
    if (!o->deleted) printf(": %s bytes in %s chunks", cli_bytes(o->size).s, cli_count(o->chunks).s);
    putchar('\n');
    fflush(stdout);
    return true;
}

static int watch(cli_js *js) {
    const char *bucket = cli_object_bucket(js);
    if (bucket == NULL) return CLI_FAILED;
    js->op.user = js->app;
    cli_catch_signals(js->app, js->conn);
    int err = cli_js_wait(js, &js->op, midge_object_watch(js->m, &js->op, midge_cstr(bucket), false, on_change));
    if (!cli_interrupted(js->app)) return cli_object_failed(js, err, "watch", bucket, ">");
    midge_op_cancel(&js->op);
    midge_flush_wait(js->conn, 1000); // the consumer is deleted by a message
    return CLI_OK;
}

static int run_info(cli *app) { return cli_js_run(app, info); }
static int run_del(cli *app) { return cli_js_run(app, del); }
static int run_seal(cli *app) { return cli_js_run(app, seal); }
static int run_watch(cli *app) { return cli_js_run(app, watch); }

// ---- tables ---------------------------------------------------------------------------------------------------------

static const cli_arg info_args[] = {
    {.name = "bucket", .help = "Name of the bucket"},
    {.name = "file", .help = "Name of an object"},
    {0},
};
static const cli_arg del_args[] = {
    {.name = "bucket", .help = "Name of the bucket", .required = true},
    {.name = "file", .help = "Name of the object; without it the bucket is deleted"},
    {0},
};
static const cli_flag info_flags[] = {
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON"},
    {0},
};
static const cli_flag force_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {0},
};

static const cli_command info_command = {.name = "info", .aliases = "show i", .summary = "Show a bucket or an object",
                                         .flags = info_flags, .args = info_args, .run = run_info};
static const cli_command del_command = {.name = "del", .aliases = "rm", .summary = "Delete an object, or a bucket",
                                        .flags = force_flags, .args = del_args, .run = run_del};
static const cli_command seal_command = {.name = "seal", .summary = "Allow no further change to a bucket",
                                         .flags = force_flags, .args = cli_object_bucket_arg, .run = run_seal};
static const cli_command watch_command = {.name = "watch", .summary = "Show what changes in a bucket",
                                          .args = cli_object_bucket_arg, .run = run_watch};

static const cli_command *const commands[] = {
    &cli_command_object_add, &cli_command_object_edit, &cli_command_object_put, &del_command,
    &cli_command_object_get, &info_command, &cli_command_object_ls, &seal_command, &watch_command, NULL,
};

const cli_command cli_command_object = {
    .name = "object",
    .aliases = "obj",
    .summary = "Files in buckets of JetStream",
    .text = "  midge object add FILES\n"
            "  midge object put FILES report.pdf\n"
            "  midge object get FILES report.pdf --output copy.pdf\n",
    .commands = commands,
};
