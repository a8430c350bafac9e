// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge kv ls, history, watch: many entries.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/kv.h"
#include "client/cli/message.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/host/encode.h"

const char *cli_kv_operation(int kind) {
    return kind == MIDGE_ENTRY_PUT ? "PUT" : kind == MIDGE_ENTRY_DELETE ? "DELETE" : "PURGE";
}

static bool printable(midge_str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) return false;
    return cli_utf8_valid(s);
}

const char *cli_kv_value(cli *app, midge_str value, size_t most) {
    char *text = printable(value) ? cli_strndup(app, value.p, value.n) : cli_alloc(app, MGC_BASE64_SIZE(value.n) + 1);
    if (!printable(value)) mgc_base64_encode(value.p, value.n, false, text);
    size_t n = strlen(text);
    return most > 0 && n > most ? cli_printf(app, "%.15s...%s", text, text + n - 15) : text;
}

// ---- ls -------------------------------------------------------------------------------------------------------------

static int ls_buckets(cli_js *js) {
    cli *app = js->app;
    midge_bucket_status status;
    if (js->json || cli_get_bool(app, "names"))
        return cli_js_list_names(js, midge_bucket_list(js->m, &js->op), "buckets");
    int err = cli_js_wait(js, &js->op, midge_stream_list(js->m, &js->op, MIDGE_STR("$KV.*.>")));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list buckets");
    const midge_stream_result **found = cli_alloc(app, (js->op.len + 1) * sizeof *found);
    size_t n = 0;
    for (size_t i = 0; i < js->op.len; i++)
        if (midge_bucket_status_of(&js->op.streams[i], &status)) found[n++] = &js->op.streams[i];
    if (n == 0) {
        puts("No Key-Value buckets found");
        return CLI_OK;
    }
    qsort(found, n, sizeof *found, cli_js_by_bytes);
    cli_table *t = cli_table_new("Key-Value Buckets");
    CLI_TABLE_HEADERS(t, "Bucket", "Description", "Created", "Size", "Values", "Last Update");
    for (size_t i = 0; i < n; i++) {
        midge_bucket_status_of(found[i], &status);
        CLI_TABLE_ROW(t, cli_js_text(app, status.bucket), cli_js_text(app, found[i]->config.description),
                      cli_time(found[i]->created).s, cli_bytes(status.bytes).s, cli_count(status.values).s,
                      cli_js_ago(app, found[i]->ts, found[i]->state.last_ts));
    }
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
    return CLI_OK;
}

static int print_details(cli_js *js, const char *bucket, const midge_str *keys, size_t n) {
    cli *app = js->app;
    bool values = cli_get_bool(app, "display-value");
    cli_table *t = cli_table_new(cli_printf(app, "Contents for bucket '%s'", bucket));
    const char *headers[] = {"Key", "Created", "Delta", "Revision", "Value"};
    cli_table_add(t, CLI_TABLE_KIND_HEADERS, headers, values ? 5 : 4);
    cli_table_align_right(t, 2);
    cli_table_align_right(t, 3);
    for (size_t i = 0; i < n; i++) {
        cli_kv_read r;
        const char *key = cli_js_text(app, keys[i]);
        int err = cli_kv_get(js, bucket, key, 0, &r);
        if (err == MIDGE_ENOTFOUND) continue; // deleted meanwhile
        if (err != 0) {
            cli_table_free(t);
            return cli_kv_failed(js, err, "get", bucket, key);
        }
        const char *cells[] = {key, cli_printf(app, "%s", cli_time((int64_t)r.entry.created).s), "0",
                               cli_printf(app, "%" PRIu64, r.entry.revision), r.entry.value.p};
        cli_table_add(t, CLI_TABLE_KIND_ROW, cells, values ? 5 : 4);
    }
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
    return CLI_OK;
}

static int ls_keys(cli_js *js, const char *bucket) {
    cli *app = js->app;
    const char *filter = cli_arg_of(app, "key");
    if (filter != NULL && !midge_kv_pattern_valid(midge_cstr(filter))) {
        puts("No keys found in bucket");
        return CLI_OK;
    }
    int err = cli_js_wait(js, &js->op, midge_bucket_keys(js->m, &js->op, midge_cstr(bucket), midge_cstr(filter)));
    if (err == MIDGE_ENOTFOUND) return cli_fail(app, "bucket %s not found", bucket);
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list the keys of %s", bucket);
    if (!js->json && js->op.len > 0 && cli_get_bool(app, "verbose"))
        return print_details(js, bucket, js->op.names, js->op.len);
    cli_js_print_names(js, js->op.names, js->op.len);
    if (!js->json && js->op.len == 0 && !cli_get_bool(app, "names")) puts("No keys found in bucket");
    return CLI_OK;
}

static int ls(cli_js *js) {
    const char *bucket = cli_arg_of(js->app, "bucket");
    return bucket == NULL ? ls_buckets(js) : ls_keys(js, bucket);
}

// ---- history --------------------------------------------------------------------------------------------------------

typedef struct history {
    cli *app;
    cli_table *table;
} history;

static bool on_entry(midge *m, midge_op *op, const midge_bucket_entry *e) {
    history *h = op->user;
    (void)m;
    CLI_TABLE_ROW(h->table, cli_js_text(h->app, e->key), cli_printf(h->app, "%" PRIu64, e->revision),
                  cli_kv_operation((int)e->kind), cli_time(e->time).s, cli_count(e->value.n).s,
                  cli_kv_value(h->app, e->value, 40));
    return true;
}

int cli_kv_print_history(cli_js *js, const char *bucket, const char *key) {
    history h = {.app = js->app, .table = cli_table_new(cli_printf(js->app, "History for %s > %s", bucket, key))};
    CLI_TABLE_HEADERS(h.table, "Key", "Revision", "Op", "Created", "Length", "Value");
    cli_table_align_right(h.table, 1);
    js->op.user = &h;
    int err = cli_js_wait(js, &js->op,
                          midge_bucket_history(js->m, &js->op, midge_cstr(bucket), midge_cstr(key), on_entry));
    int status = CLI_OK;
    if (err == MIDGE_ENOTFOUND) {
        status = cli_fail(js->app, "bucket %s not found", bucket);
    } else if (err != 0) {
        status = cli_js_failed(js, &js->op, err, "could not read %s > %s", bucket, key);
    } else if (cli_table_rows(h.table) == 0) {
        status = cli_fail(js->app, "key not found");
    } else {
        cli_table_print(h.table, stdout);
        putchar('\n');
    }
    cli_table_free(h.table);
    return status;
}

static int run_history_of(cli_js *js) {
    return cli_kv_print_history(js, cli_arg_of(js->app, "bucket"), cli_arg_of(js->app, "key"));
}

// ---- watch ----------------------------------------------------------------------------------------------------------

typedef struct watch {
    cli_js *js;
    bool done;
    int err;
} watch;

static void watch_json(const midge_kv *kv, const midge_kv_entry *e) {
    char time[MIDGE_TIME_MAX];
    cli_json j = {.out = stdout};
    midge_time_text((int64_t)e->created, time);
    cli_json_begin(&j, NULL, '{');
    cli_json_bytes(&j, "bucket", kv->bucket);
    cli_json_bytes(&j, "key", e->key);
    cli_json_string(&j, "operation", cli_kv_operation((int)e->operation));
    cli_json_uint(&j, "revision", e->revision);
    cli_json_string(&j, "created", time);
    cli_json_data(&j, e->value);
    cli_json_end(&j, '}');
}

static void on_watch(midge_kv_watch *w, const midge_kv_entry *e, int err, void *user) {
    watch *me = user;
    cli *app = me->js->app;
    if (e == NULL) {
        if (err == 0 || w->active) return; // all that was there has been shown; or it goes on by itself
        me->err = err;
        me->done = true;
        return;
    }
    const midge_kv *kv = w->kv;
    bool put = e->operation == MIDGE_KV_PUT;
    if (me->js->json) {
        watch_json(kv, e);
    } else {
        printf("[%s] %s%s%s %.*s > %.*s", cli_time((int64_t)e->created).s, cli_colour(app, put ? CLI_GREEN : CLI_RED),
               cli_kv_operation((int)e->operation), cli_colour(app, CLI_PLAIN), (int)kv->bucket.n, kv->bucket.p,
               (int)e->key.n, e->key.p);
        if (put) fputs(": ", stdout);
        cli_js_print_body(put ? e->value : MIDGE_NONE);
    }
    fflush(stdout);
}

static int run_watch_of(cli_js *js) {
    cli *app = js->app;
    const char *key = cli_arg_of(app, "key");
    const char *bucket = cli_kv_load(js);
    if (bucket == NULL) return CLI_FAILED;
    const midge_kv kv = {.js = &js->js, .bucket = midge_cstr(bucket)};
    midge_kv_watch w = {.pattern = midge_cstr(key), .from_revision = cli_get_uint(app, "revision"),
                        .history = cli_get_bool(app, "history"), .updates_only = cli_get_bool(app, "updates"),
                        .ignore_deletes = !cli_get_bool(app, "deletes")};
    watch me = {.js = js};
    cli_catch_signals(app, js->conn);
    int err = midge_kv_watch_start(&kv, &w, on_watch, &me);
    if (err == 0) err = cli_js_until(js, &me.done);
    midge_kv_watch_stop(&w);
    if (cli_interrupted(app)) {
        midge_flush_wait(js->conn, 1000); // the consumer is deleted by a message
        return CLI_OK;
    }
    return cli_kv_failed(js, err != 0 ? err : me.err, "watch", bucket, key != NULL ? key : ">");
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_ls(cli *app) { return cli_js_run(app, ls); }
static int run_history(cli *app) { return cli_js_run(app, run_history_of); }
static int run_watch(cli *app) { return cli_js_run(app, run_watch_of); }

static const cli_flag ls_flags[] = {
    {.name = "names", .short_name = 'n', .type = CLI_SWITCH, .help = "Print only the names of buckets"},
    {.name = "verbose", .short_name = 'v', .type = CLI_SWITCH, .help = "Tell more about keys"},
    {.name = "display-value", .type = CLI_SWITCH, .help = "With --verbose: show values, too"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print the names as JSON"},
    {0},
};
static const cli_arg ls_args[] = {
    {.name = "bucket", .help = "List the keys of this bucket"},
    {.name = "key", .help = "Only keys that match; * and > are wildcards"},
    {0},
};
static const cli_flag watch_flags[] = {
    {.name = "history", .type = CLI_SWITCH, .help = "Show earlier revisions, too"},
    {.name = "deletes", .type = CLI_BOOL, .value = "true", .help = "Show deletes"},
    {.name = "updates", .type = CLI_SWITCH, .help = "Show only what changes from now on"},
    {.name = "revision", .type = CLI_UINT, .help = "Begin with this revision"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print each entry as a line of JSON"},
    {0},
};
static const cli_arg watch_args[] = {
    {.name = "bucket", .help = "Name of the bucket", .required = true},
    {.name = "key", .help = "Only keys that match; * and > are wildcards"},
    {0},
};

const cli_command cli_command_kv_ls = {.name = "ls", .aliases = "list",
                                       .summary = "List the buckets, or the keys of one",
                                       .flags = ls_flags, .args = ls_args, .run = run_ls};
const cli_command cli_command_kv_history = {.name = "history", .summary = "Show the revisions of a key",
                                            .args = cli_kv_key_args, .run = run_history};
const cli_command cli_command_kv_watch = {.name = "watch", .summary = "Show what changes in a bucket",
                                          .flags = watch_flags, .args = watch_args, .run = run_watch};
