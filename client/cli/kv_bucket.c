// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge kv add, edit, info, compact: buckets as a whole. A bucket is changed as the stream that it is, so that nothing
// of its config is lost.
#include <inttypes.h>
#include <string.h>

#include "client/cli/kv.h"
#include "client/cli/prompt.h"
#include "client/cli/stream.h"
#include "client/cli/units.h"

const char *cli_kv_load(cli_js *js) { return cli_js_bucket(js, midge_bucket_list, midge_bucket_info); }

// ---- info -----------------------------------------------------------------------------------------------------------

static void limit(cli_facts *f, const char *name, int64_t v) {
    cli_facts_text(f, name, v <= 0 ? "unlimited" : cli_bytes((uint64_t)v).s);
}

static void show_republish(cli_facts *f, cli *app, midge_str republish) {
    const char *from = cli_js_member(app, republish, "src"), *to = cli_js_member(app, republish, "dest");
    const char *headers = cli_js_member(app, republish, "headers_only");
    if (to != NULL)
        cli_facts_row(f, headers != NULL && strcmp(headers, "true") == 0 ? "Republishing Headers" : "Republishing",
                      "%s to %s", from != NULL ? from : ">", to);
}

void cli_kv_show(cli_js *js) {
    cli *app = js->app;
    const midge_stream_result *s = &js->op.stream;
    const midge_stream_config *c = &s->config;
    midge_bucket_status status;
    if (js->json) {
        cli_js_print(js->op.json);
        return;
    }
    if (!midge_bucket_status_of(s, &status)) return;
    cli_facts *f = cli_facts_new(app, "Information for Key-Value Store Bucket %.*s created %s", (int)status.bucket.n,
                                 status.bucket.p, cli_time(s->created).s);
    cli_facts_title(f, "Configuration");
    cli_facts_text(f, "Bucket Name", cli_js_text(app, status.bucket));
    cli_facts_row(f, "History Kept", "%" PRId64, status.history);
    cli_facts_row(f, "Values Stored", "%s", cli_count(status.values).s);
    cli_facts_flag(f, "Compressed", status.compression);
    cli_facts_flag(f, "Per-Key TTL Supported", status.marker_ttl > 0);
    if (status.marker_ttl > 0) cli_facts_row(f, "Limit Marker TTL", "%s", cli_duration(status.marker_ttl).s);
    cli_facts_text(f, "Backing Store Kind", "JetStream");
    cli_facts_text(f, "Description", cli_js_text(app, c->description));
    cli_facts_row(f, "Bucket Size", "%s", cli_bytes(status.bytes).s);
    limit(f, "Maximum Bucket Size", c->max_bytes);
    limit(f, "Maximum Value Size", c->max_msg_size);
    cli_facts_text(f, "Maximum Age", c->max_age > 0 ? cli_duration(c->max_age).s : "unlimited");
    cli_facts_text(f, "JetStream Stream", cli_js_text(app, c->name));
    cli_facts_text(f, "Storage", cli_storage_name(c->storage));
    show_republish(f, app, c->republish);
    cli_stream_show_replication(f, app, s);
    cli_js_show_metadata(f, app, c->metadata, c->metadata_len);
    cli_js_show_cluster(f, app, s->cluster, NULL);
    cli_facts_print(f);
}

static int info(cli_js *js) {
    if (cli_kv_load(js) == NULL) return CLI_FAILED;
    cli_kv_show(js);
    return CLI_OK;
}

// ---- add and edit ---------------------------------------------------------------------------------------------------

// A bucket to mirror: {"name":"KV_x","external":{"api":...}}.
static midge_str mirror_of(cli *app) {
    const char *name = cli_get_string(app, "mirror"), *domain = cli_get_string(app, "mirror-domain");
    mgc_json_out o;
    if (name == NULL) return MIDGE_NONE;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '{');
    mgc_json_put_cstr(&o, "name", cli_printf(app, "KV_%s", name));
    if (domain != NULL) {
        mgc_json_open(&o, "external", '{');
        mgc_json_put_cstr(&o, "api", cli_printf(app, "$JS.%s.API", domain));
        mgc_json_close(&o);
    }
    mgc_json_close(&o);
    return cli_js_written(app, &o);
}

// Buckets to source from: their keys become keys of this one.
static midge_str sources_of(cli *app, const char *bucket) {
    size_t n;
    mgc_json_out o;
    const char *const *names = cli_get_strings(app, "source", &n);
    if (n == 0) return MIDGE_NONE;
    mgc_json_out_init(&o, NULL, 0);
    mgc_json_open(&o, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        mgc_json_open(&o, NULL, '{');
        mgc_json_put_cstr(&o, "name", cli_printf(app, "KV_%s", names[i]));
        mgc_json_open(&o, "subject_transforms", '[');
        mgc_json_open(&o, NULL, '{');
        mgc_json_put_cstr(&o, "src", cli_printf(app, "$KV.%s.>", names[i]));
        mgc_json_put_cstr(&o, "dest", cli_printf(app, "$KV.%s.>", bucket));
        mgc_json_close(&o);
        mgc_json_close(&o);
        mgc_json_close(&o);
    }
    mgc_json_close(&o);
    return cli_js_written(app, &o);
}

static int read_flags(cli_js *js, const char *bucket, midge_bucket_config *b) {
    cli *app = js->app;
    int status = cli_js_duration(app, "ttl", &b->ttl);
    if (status == CLI_OK) status = cli_js_duration(app, "marker-ttl", &b->marker_ttl);
    if (status == CLI_OK) status = cli_js_bytes(app, "max-value-size", &b->max_value_size);
    if (status == CLI_OK) status = cli_js_bytes(app, "max-bucket-size", &b->max_bytes);
    if (status == CLI_OK) status = cli_js_mapping(app, "republish", true, &b->republish);
    if (status == CLI_OK && cli_given(app, "metadata"))
        status = cli_js_pairs(app, "metadata", &b->metadata, &b->metadata_len);
    if (cli_given(app, "description")) b->description = midge_cstr(cli_get_string(app, "description"));
    if (cli_given(app, "history")) b->history = cli_get_int(app, "history");
    if (cli_given(app, "replicas")) b->replicas = cli_get_int(app, "replicas");
    if (cli_given(app, "compress")) b->compression = cli_get_bool(app, "compress");
    if (cli_given(app, "source")) b->sources = sources_of(app, bucket);
    b->placement = cli_js_placement(app, "tags", b->placement);
    if (b->history < 0 || b->history > 64) return cli_fail(app, "--history must be 1 to 64");
    if (b->ttl < 0) b->ttl = 0;
    return status;
}

static int add(cli_js *js) {
    cli *app = js->app;
    const char *name = cli_arg_of(app, "bucket"), *storage = cli_get_string(app, "storage");
    midge_bucket_config b = {.bucket = midge_cstr(name), .mirror = mirror_of(app)};
    if (!midge_kv_bucket_valid(b.bucket))
        return cli_fail(app, "invalid bucket name \"%s\": letters, digits, '-' and '_' make one", name);
    if (read_flags(js, name, &b) != CLI_OK) return CLI_FAILED;
    if (storage != NULL && storage[0] == 'm') b.storage = MIDGE_STORE_MEMORY;
    int err = cli_js_wait(js, &js->op, midge_bucket_create(js->m, &js->op, &b));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not add bucket %s", name);
    if (cli_kv_load(js) == NULL) return CLI_FAILED; // the answer to a creation says less
    cli_kv_show(js);
    return CLI_OK;
}

static int edit(cli_js *js) {
    cli *app = js->app;
    const char *name = cli_kv_load(js);
    if (name == NULL) return CLI_FAILED;
    midge_stream_config c = js->op.stream.config;
    midge_bucket_config b = {.description = c.description, .history = c.max_msgs_per_subject, .ttl = c.max_age,
                             .marker_ttl = c.subject_delete_marker_ttl, .max_bytes = c.max_bytes,
                             .max_value_size = c.max_msg_size, .replicas = c.num_replicas,
                             .compression = c.compression == MIDGE_COMPRESS_S2, .placement = c.placement,
                             .republish = c.republish, .sources = c.sources, .metadata = c.metadata,
                             .metadata_len = c.metadata_len};
    if (read_flags(js, name, &b) != CLI_OK) return CLI_FAILED;
    c.description = b.description;
    c.max_msgs_per_subject = b.history;
    c.max_age = b.ttl;
    c.duplicate_window = b.ttl > 0 && b.ttl < 120 * CLI_SEC ? b.ttl : 120 * CLI_SEC;
    c.subject_delete_marker_ttl = b.marker_ttl;
    c.allow_msg_ttl = c.allow_msg_ttl || b.marker_ttl > 0;
    c.max_bytes = b.max_bytes;
    c.max_msg_size = b.max_value_size;
    c.num_replicas = b.replicas;
    c.compression = b.compression ? MIDGE_COMPRESS_S2 : MIDGE_COMPRESS_NONE;
    c.placement = b.placement;
    c.republish = b.republish;
    c.sources = b.sources;
    c.metadata = cli_js_metadata(app, b.metadata, &b.metadata_len);
    c.metadata_len = b.metadata_len;
    if (cli_get_bool(app, "no-mirror")) c.mirror = MIDGE_NONE;
    int err = cli_js_wait(js, &js->op, midge_stream_update(js->m, &js->op, &c));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not edit bucket %s", name);
    if (cli_kv_load(js) == NULL) return CLI_FAILED;
    cli_kv_show(js);
    return CLI_OK;
}

// ---- compact --------------------------------------------------------------------------------------------------------

static int compact(cli_js *js) {
    int status;
    const char *name = cli_kv_load(js);
    if (name == NULL) return CLI_FAILED;
    if (!cli_confirm(js->app, cli_get_bool(js->app, "force"), &status,
                     "Purge the history of deleted keys in bucket %s", name))
        return status;
    int err = cli_js_wait(js, &js->op, midge_bucket_purge_deletes(js->m, &js->op, midge_cstr(name), 0));
    return err == 0 ? CLI_OK : cli_js_failed(js, &js->op, err, "could not compact bucket %s", name);
}

// ---- tables ---------------------------------------------------------------------------------------------------------

static int run_add(cli *app) { return cli_js_run(app, add); }
static int run_edit(cli *app) { return cli_js_run(app, edit); }
static int run_info(cli *app) { return cli_js_run(app, info); }
static int run_compact(cli *app) { return cli_js_run(app, compact); }

const cli_arg cli_kv_bucket_arg[] = {{.name = "bucket", .help = "Name of the bucket", .required = true}, {0}};
static const cli_arg some_bucket[] = {{.name = "bucket", .help = "Name of the bucket"}, {0}};

static const cli_flag config_flags[] = {
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "history", .type = CLI_INT, .value = "1", .help = "Revisions to keep of each key, at most 64"},
    {.name = "ttl", .type = CLI_STRING, .placeholder = "DURATION", .help = "How long values are kept"},
    {.name = "marker-ttl", .type = CLI_STRING, .placeholder = "DURATION",
     .help = "Leave markers of values that aged away for so long; keys may have a TTL of their own then"},
    {.name = "replicas", .type = CLI_INT, .value = "1", .help = "How many servers of a cluster keep it"},
    {.name = "max-value-size", .type = CLI_STRING, .placeholder = "BYTES", .help = "Largest value"},
    {.name = "max-bucket-size", .type = CLI_STRING, .placeholder = "BYTES", .help = "Largest bucket"},
    {.name = "tags", .type = CLI_STRINGS, .help = "Only on servers that have these tags"},
    {.name = "cluster", .type = CLI_STRING, .help = "Only in this cluster"},
    {.name = "compress", .type = CLI_BOOL, .help = "Compress what is stored in files"},
    {.name = "metadata", .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds metadata"},
    {.name = "republish-source", .type = CLI_STRING, .placeholder = "SUBJECT",
     .help = "Subjects to publish again when they are stored"},
    {.name = "republish-destination", .type = CLI_STRING, .placeholder = "SUBJECT", .help = "Where to"},
    {.name = "republish-headers", .type = CLI_SWITCH, .help = "Publish again headers without bodies"},
    {.name = "source", .type = CLI_STRINGS, .placeholder = "BUCKET", .help = "Take keys of other buckets"},
    {0},
};
#define JSON_FLAG {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON: that of the stream"}
static const cli_flag add_flags[] = {
    {.name = "storage", .type = CLI_ENUM, .choices = "file memory", .help = "Where values are kept"},
    {.name = "mirror", .type = CLI_STRING, .placeholder = "BUCKET", .help = "Be a copy of another bucket"},
    {.name = "mirror-domain", .type = CLI_STRING, .help = "The domain of that bucket"},
    JSON_FLAG,
    {0},
};
static const cli_flag edit_flags[] = {
    {.name = "no-mirror", .type = CLI_BOOL, .help = "Be no mirror any more"},
    JSON_FLAG,
    {0},
};
static const cli_flag info_flags[] = {JSON_FLAG, {0}};
static const cli_flag force_flags[] = {
    {.name = "force", .short_name = 'f', .type = CLI_SWITCH, .help = "Do not ask"},
    {0},
};

const cli_command cli_command_kv_add = {
    .name = "add",
    .aliases = "new",
    .summary = "Create a bucket",
    .flags = add_flags,
    .shared = config_flags,
    .args = cli_kv_bucket_arg,
    .run = run_add,
};
const cli_command cli_command_kv_edit = {
    .name = "edit",
    .summary = "Change the config of a bucket",
    .text = "What is not given stays as it is.\n",
    .flags = edit_flags,
    .shared = config_flags,
    .args = cli_kv_bucket_arg,
    .run = run_edit,
};
const cli_command cli_command_kv_info = {
    .name = "info",
    .aliases = "view status",
    .summary = "Show a bucket",
    .flags = info_flags,
    .args = some_bucket,
    .run = run_info,
};
const cli_command cli_command_kv_compact = {
    .name = "compact",
    .summary = "Remove the history of deleted keys, and markers older than half an hour",
    .flags = force_flags,
    .args = cli_kv_bucket_arg,
    .run = run_compact,
};
