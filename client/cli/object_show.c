// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Object stores and objects as facts, and midge object ls.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/object.h"
#include "client/cli/stream.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/host/encode.h"

const char *cli_object_bucket(cli_js *js) { return cli_js_bucket(js, midge_objects_list, midge_objects_info); }

int cli_object_failed(cli_js *js, int err, const char *what, const char *bucket, const char *name) {
    if (err == MIDGE_ENOTFOUND) {
        int info = cli_js_wait(js, &js->op, midge_objects_info(js->m, &js->op, midge_cstr(bucket)));
        if (info == MIDGE_ENOTFOUND) return cli_fail(js->app, "bucket %s not found", bucket);
        return cli_fail(js->app, "object %s > %s not found", bucket, name);
    }
    if (err == MIDGE_EPROTO) return cli_fail(js->app, "object %s > %s is damaged: its digest is wrong", bucket, name);
    return cli_js_failed(js, &js->op, err, "could not %s %s > %s", what, bucket, name);
}

void cli_object_show_bucket(cli_js *js) {
    cli *app = js->app;
    const midge_stream_result *s = &js->op.stream;
    const midge_stream_config *c = &s->config;
    if (js->json) {
        cli_js_print(js->op.json);
        return;
    }
    cli_facts *f = cli_facts_new(app, "Information for Object Store Bucket %.*s created %s", (int)c->name.n - 4,
                                 c->name.p + 4, cli_time(s->created).s); // 4: "OBJ_"
    cli_facts_title(f, "Configuration");
    cli_facts_row(f, "Bucket Name", "%.*s", (int)c->name.n - 4, c->name.p + 4);
    cli_facts_text(f, "Description", cli_js_text(app, c->description));
    cli_facts_row(f, "Replicas", "%" PRId64, c->num_replicas);
    cli_facts_text(f, "TTL", c->max_age > 0 ? cli_duration(c->max_age).s : "unlimited");
    cli_facts_flag(f, "Sealed", c->sealed);
    cli_facts_row(f, "Size", "%s", cli_bytes(s->state.bytes).s);
    cli_facts_text(f, "Maximum Bucket Size", c->max_bytes > 0 ? cli_bytes((uint64_t)c->max_bytes).s : "unlimited");
    cli_facts_text(f, "Storage", cli_storage_name(c->storage));
    cli_facts_text(f, "Backing Store Kind", "JetStream");
    cli_facts_text(f, "JetStream Stream", cli_js_text(app, c->name));
    size_t n = c->metadata_len;
    const midge_pair *own = cli_js_metadata(app, c->metadata, &n);
    for (size_t i = 0; i < n; i++)
        cli_facts_row(f, i == 0 ? "Metadata" : "", "%.*s: %.*s", (int)own[i].name.n, own[i].name.p,
                      (int)own[i].value.n, own[i].value.p);
    cli_js_show_cluster(f, app, s->cluster, NULL);
    cli_facts_print(f);
}

// ---- objects --------------------------------------------------------------------------------------------------------

// "SHA-256 <hex>" of "SHA-256=<base64>".
static const char *digest_text(cli *app, midge_str digest) {
    const char *equals = digest.n > 0 ? memchr(digest.p, '=', digest.n) : NULL;
    if (equals == NULL) return NULL;
    size_t kind = (size_t)(equals - digest.p);
    midge_str text = {equals + 1, digest.n - kind - 1};
    unsigned char *bytes = cli_alloc(app, text.n + 4);
    int64_t n = mgc_base64_decode(text, bytes);
    char *hex = cli_alloc(app, 2 * text.n + 1);
    for (int64_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return cli_printf(app, "%.*s %s", (int)kind, digest.p, hex);
}

static void show_headers(cli_facts *f, cli *app, midge_str headers) {
    mgc_json j;
    const char *label = "Headers";
    mgc_json_init(&j, headers);
    for (mgc_json_next(&j); mgc_json_next(&j) == MGC_JSON_KEY;) {
        const char *name = cli_js_text(app, j.text);
        if (mgc_json_next(&j) != MGC_JSON_ARRAY) return;
        for (; mgc_json_next(&j) == MGC_JSON_STRING; label = "") {
            char *value = cli_alloc(app, j.text.n + 1);
            mgc_json_unescape(j.text, value);
            cli_facts_row(f, label, "%s: %s", name != NULL ? name : "", value);
        }
    }
}

static void print_json(const midge_object *o) {
    char time[MIDGE_TIME_MAX];
    mgc_json_out j;
    midge_str text;
    mgc_json_out_init(&j, NULL, 0);
    j.indent = 2;
    mgc_json_open(&j, NULL, '{');
    mgc_json_put_str(&j, "name", o->name);
    if (o->description.n > 0) mgc_json_put_str(&j, "description", o->description);
    if (o->headers.n > 0) mgc_json_copy(&j, "headers", o->headers);
    if (o->metadata_len > 0) mgc_json_open(&j, "metadata", '{');
    for (size_t i = 0; i < o->metadata_len; i++) {
        mgc_json_key(&j, o->metadata[i].name);
        mgc_json_put_str(&j, NULL, o->metadata[i].value);
    }
    if (o->metadata_len > 0) mgc_json_close(&j);
    if (o->link_bucket.n > 0) mgc_json_put_str(&j, "link_bucket", o->link_bucket);
    if (o->link_name.n > 0) mgc_json_put_str(&j, "link_name", o->link_name);
    mgc_json_put_str(&j, "bucket", o->bucket);
    mgc_json_put_str(&j, "nuid", o->nuid);
    mgc_json_put_u64(&j, "size", o->size);
    mgc_json_put_u64(&j, "chunks", o->chunks);
    mgc_json_put_str(&j, "digest", o->digest);
    mgc_json_put_str(&j, "mtime", midge_time_text(o->time, time));
    mgc_json_put_u64(&j, "revision", o->revision);
    mgc_json_put_bool(&j, "deleted", o->deleted);
    mgc_json_close(&j);
    if (mgc_json_out_end(&j, &text) == 0) puts(text.p);
    mgc_json_out_fini(&j);
}

void cli_object_show(cli_js *js, const midge_object *o) {
    cli *app = js->app;
    if (js->json) {
        print_json(o);
        return;
    }
    cli_facts *f = cli_facts_new(app, "Object information for %.*s > %.*s", (int)o->bucket.n, o->bucket.p,
                                 (int)o->name.n, o->name.p);
    cli_facts_text(f, "Description", cli_js_text(app, o->description));
    cli_facts_row(f, "Size", "%s", cli_bytes(o->size).s);
    cli_facts_row(f, "Modification Time", "%s", cli_time(o->time).s);
    cli_facts_row(f, "Chunks", "%s", cli_count(o->chunks).s);
    cli_facts_text(f, "Digest", digest_text(app, o->digest));
    if (o->deleted) cli_facts_flag(f, "Deleted", true);
    if (o->link_bucket.n > 0)
        cli_facts_row(f, "Link to", "%.*s%s%.*s", (int)o->link_bucket.n, o->link_bucket.p,
                      o->link_name.n > 0 ? " > " : "", (int)o->link_name.n, o->link_name.n > 0 ? o->link_name.p : "");
    if (o->headers.n > 0) show_headers(f, app, o->headers);
    cli_js_show_metadata(f, app, o->metadata, o->metadata_len);
    cli_facts_print(f);
}

// ---- ls -------------------------------------------------------------------------------------------------------------

static int ls_buckets(cli_js *js) {
    cli *app = js->app;
    if (js->json || cli_get_bool(app, "names"))
        return cli_js_list_names(js, midge_objects_list(js->m, &js->op), "buckets");
    int err = cli_js_wait(js, &js->op, midge_stream_list(js->m, &js->op, MIDGE_STR("$O.*.C.>")));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list buckets");
    const midge_stream_result **found = cli_alloc(app, (js->op.len + 1) * sizeof *found);
    size_t n = 0;
    for (size_t i = 0; i < js->op.len; i++) {
        midge_str name = js->op.streams[i].config.name;
        if (name.n > 4 && memcmp(name.p, "OBJ_", 4) == 0) found[n++] = &js->op.streams[i];
    }
    if (n == 0) {
        puts("No Object Store buckets found");
        return CLI_OK;
    }
    qsort(found, n, sizeof *found, cli_js_by_bytes);
    cli_table *t = cli_table_new("Object Store Buckets");
    CLI_TABLE_HEADERS(t, "Bucket", "Description", "Created", "Size", "Last Update");
    for (size_t i = 0; i < n; i++)
        CLI_TABLE_ROW(t, cli_strndup(app, found[i]->config.name.p + 4, found[i]->config.name.n - 4),
                      cli_js_text(app, found[i]->config.description), cli_time(found[i]->created).s,
                      cli_bytes(found[i]->state.bytes).s, cli_js_ago(app, found[i]->ts, found[i]->state.last_ts));
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
    return CLI_OK;
}

static void print_objects(cli_js *js) {
    cli *app = js->app;
    cli_table *t = cli_table_new("Bucket Contents");
    CLI_TABLE_HEADERS(t, "Name", "Size", "Time");
    for (size_t i = 0; i < js->op.len; i++) {
        const midge_object *o = &js->op.objects[i];
        CLI_TABLE_ROW(t, cli_js_text(app, o->name), cli_bytes(o->size).s, cli_time(o->time).s);
    }
    cli_table_print(t, stdout);
    putchar('\n');
    cli_table_free(t);
}

static int ls(cli_js *js) {
    cli *app = js->app;
    const char *bucket = cli_arg_of(app, "bucket");
    if (bucket == NULL) return ls_buckets(js);
    int err = cli_js_wait(js, &js->op, midge_object_list(js->m, &js->op, midge_cstr(bucket), false));
    if (err == MIDGE_ENOTFOUND) return cli_fail(app, "bucket %s not found", bucket);
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not list the objects of %s", bucket);
    midge_str *names = cli_alloc(app, (js->op.len + 1) * sizeof *names);
    for (size_t i = 0; i < js->op.len; i++)
        names[i] = js->op.objects[i].name;
    if (js->json || cli_get_bool(app, "names")) {
        cli_js_print_names(js, names, js->op.len);
    } else if (js->op.len == 0) {
        puts("No entries found");
    } else {
        print_objects(js);
    }
    return CLI_OK;
}

static int run_ls(cli *app) { return cli_js_run(app, ls); }

static const cli_flag ls_flags[] = {
    {.name = "names", .short_name = 'n', .type = CLI_SWITCH, .help = "Print only the names"},
    {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print the names as JSON"},
    {0},
};
static const cli_arg ls_args[] = {{.name = "bucket", .help = "List the objects of this bucket"}, {0}};

const cli_command cli_command_object_ls = {
    .name = "ls",
    .summary = "List the buckets, or the objects of one",
    .flags = ls_flags,
    .args = ls_args,
    .run = run_ls,
};
