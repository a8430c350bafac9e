// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// midge object add, edit: buckets as a whole.
#include "client/cli/object.h"

typedef struct config {
    midge_str description, placement;
    int64_t ttl, max_bytes, replicas;
    bool compression;
    const midge_pair *metadata;
    size_t metadata_len;
} config;

static int read_flags(cli *app, config *c) {
    int status = cli_js_duration(app, "ttl", &c->ttl);
    if (status == CLI_OK) status = cli_js_bytes(app, "max-bucket-size", &c->max_bytes);
    if (status == CLI_OK && cli_given(app, "metadata"))
        status = cli_js_pairs(app, "metadata", &c->metadata, &c->metadata_len);
    if (cli_given(app, "description")) c->description = midge_cstr(cli_get_string(app, "description"));
    if (cli_given(app, "replicas")) c->replicas = cli_get_int(app, "replicas");
    if (cli_given(app, "compress")) c->compression = cli_get_bool(app, "compress");
    c->placement = cli_js_placement(app, "tags", c->placement);
    if (c->ttl < 0) c->ttl = 0;
    return status;
}

static int add(cli_js *js) {
    const char *name = cli_arg_of(js->app, "bucket"), *storage = cli_get_string(js->app, "storage");
    config c = {0};
    if (read_flags(js->app, &c) != CLI_OK) return CLI_FAILED;
    const midge_objects_config o = {.bucket = midge_cstr(name), .description = c.description, .ttl = c.ttl,
                                    .max_bytes = c.max_bytes, .replicas = c.replicas, .compression = c.compression,
                                    .placement = c.placement, .metadata = c.metadata, .metadata_len = c.metadata_len,
                                    .storage = storage != NULL && storage[0] == 'm' ? MIDGE_STORE_MEMORY
                                                                                    : MIDGE_STORE_FILE};
    int err = cli_js_wait(js, &js->op, midge_objects_create(js->m, &js->op, &o));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not add bucket %s", name);
    if (cli_object_bucket(js) == NULL) return CLI_FAILED; // the answer to a creation says less
    cli_object_show_bucket(js);
    return CLI_OK;
}

// The stream is changed, so that nothing of its config is lost.
static int edit(cli_js *js) {
    const char *name = cli_object_bucket(js);
    if (name == NULL) return CLI_FAILED;
    midge_stream_config s = js->op.stream.config;
    config c = {.description = s.description, .placement = s.placement, .ttl = s.max_age, .max_bytes = s.max_bytes,
                .replicas = s.num_replicas, .compression = s.compression == MIDGE_COMPRESS_S2, .metadata = s.metadata,
                .metadata_len = s.metadata_len};
    if (read_flags(js->app, &c) != CLI_OK) return CLI_FAILED;
    s.description = c.description;
    s.placement = c.placement;
    s.max_age = c.ttl;
    s.max_bytes = c.max_bytes;
    s.num_replicas = c.replicas;
    s.compression = c.compression ? MIDGE_COMPRESS_S2 : MIDGE_COMPRESS_NONE;
    s.metadata = cli_js_metadata(js->app, c.metadata, &c.metadata_len);
    s.metadata_len = c.metadata_len;
    int err = cli_js_wait(js, &js->op, midge_stream_update(js->m, &js->op, &s));
    if (err != 0) return cli_js_failed(js, &js->op, err, "could not edit bucket %s", name);
    if (cli_object_bucket(js) == NULL) return CLI_FAILED;
    cli_object_show_bucket(js);
    return CLI_OK;
}

static int run_add(cli *app) { return cli_js_run(app, add); }
static int run_edit(cli *app) { return cli_js_run(app, edit); }

const cli_arg cli_object_bucket_arg[] = {{.name = "bucket", .help = "Name of the bucket", .required = true}, {0}};

static const cli_flag config_flags[] = {
    {.name = "ttl", .type = CLI_STRING, .placeholder = "DURATION", .help = "How long objects are kept"},
    {.name = "replicas", .type = CLI_INT, .value = "1", .help = "How many servers of a cluster keep it"},
    {.name = "max-bucket-size", .type = CLI_STRING, .placeholder = "BYTES", .help = "Largest bucket"},
    {.name = "description", .type = CLI_STRING, .help = "A few words about it"},
    {.name = "tags", .type = CLI_STRINGS, .help = "Only on servers that have these tags"},
    {.name = "cluster", .type = CLI_STRING, .help = "Only in this cluster"},
    {.name = "metadata", .type = CLI_STRINGS, .placeholder = "K:V", .help = "Adds metadata"},
    {.name = "compress", .type = CLI_BOOL, .help = "Compress what is stored in files"},
    {0},
};
#define JSON_FLAG {.name = "json", .short_name = 'j', .type = CLI_SWITCH, .help = "Print JSON: that of the stream"}
static const cli_flag add_flags[] = {
    {.name = "storage", .type = CLI_ENUM, .choices = "file memory", .help = "Where objects are kept"},
    JSON_FLAG,
    {0},
};
static const cli_flag edit_flags[] = {JSON_FLAG, {0}};

const cli_command cli_command_object_add = {
    .name = "add",
    .summary = "Create a bucket",
    .flags = add_flags,
    .shared = config_flags,
    .args = cli_object_bucket_arg,
    .run = run_add,
};
const cli_command cli_command_object_edit = {
    .name = "edit",
    .summary = "Change the config of a bucket",
    .text = "What is not given stays as it is.\n",
    .flags = edit_flags,
    .shared = config_flags,
    .args = cli_object_bucket_arg,
    .run = run_edit,
};
